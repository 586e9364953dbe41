//! Numbers of several rounds made one.

/// The number in the middle; of an even count, the mean of the two there. Zero for none.
pub(crate) fn median(numbers: impl IntoIterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = numbers.into_iter().collect();
    sorted.sort_by(f64::total_cmp);
    let at = |index: usize| sorted.get(index).copied().unwrap_or_default();
    match sorted.len() {
        0 => 0.0,
        count if count % 2 == 1 => at(count / 2),
        count => f64::midpoint(at(count / 2 - 1), at(count / 2)),
    }
}

/// The median of the ratios of two series that were measured in turn.
pub(crate) fn ratio(figures: &[f64], yardsticks: &[f64]) -> f64 {
    median(figures.iter().zip(yardsticks).map(|(figure, yardstick)| figure / yardstick))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_is_the_middle() {
        let cases: [(&[f64], f64); 4] =
            [(&[], 0.0), (&[3.0], 3.0), (&[3.0, 1.0, 2.0], 2.0), (&[4.0, 1.0, 2.0, 3.0], 2.5)];
        for (numbers, expected) in cases {
            assert!((median(numbers.iter().copied()) - expected).abs() < f64::EPSILON);
        }
    }
}
