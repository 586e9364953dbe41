//! Lengths of time as people write them: `30s`, `10m`, `12h`, `31d`, `4w`.

use std::time::Duration;

const WEEK: u64 = 7 * 86_400;
const UNITS: [(char, u64); 5] = [('w', WEEK), ('d', 86_400), ('h', 3600), ('m', 60), ('s', 1)];
/// A hundred years, so that no instant leaves the calendar.
pub const LONGEST: Duration = Duration::from_secs(5200 * WEEK);

/// Why a text is no duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// It does not look like one.
    #[error("must be a duration such as `30s`, `10m`, `12h`, `31d` or `4w`")]
    Form,
    /// It is longer than [`LONGEST`].
    #[error("must be at most 5200w")]
    TooLong,
}

/// Reads a duration: digits and a unit.
///
/// # Errors
/// What it must look like.
pub fn parse(text: &str) -> Result<Duration, DurationError> {
    let split = |(unit, seconds): &(char, u64)| Some((text.strip_suffix(*unit)?, *seconds));
    let (number, seconds) = UNITS.iter().find_map(split).ok_or(DurationError::Form)?;
    if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit()) {
        return Err(DurationError::Form);
    }
    let number = number.parse::<u64>().map_err(|_| DurationError::TooLong)?;
    let duration = number.checked_mul(seconds).map(Duration::from_secs);
    duration.filter(|duration| *duration <= LONGEST).ok_or(DurationError::TooLong)
}

/// The duration in the largest unit that gives a whole number.
pub fn show(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let fits = |(_, unit): &&(char, u64)| seconds > 0 && seconds.is_multiple_of(*unit);
    let (unit, length) = UNITS.iter().find(fits).unwrap_or(&('s', 1));
    format!("{}{unit}", seconds / length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_shown() {
        for (text, seconds, shown) in [
            ("90d", 7_776_000, "90d"),
            ("0s", 0, "0s"),
            ("3600s", 3600, "1h"),
            ("14d", WEEK * 2, "2w"),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_secs(seconds)), "{text}");
            assert_eq!(show(Duration::from_secs(seconds)), shown, "{text}");
        }
        for bad in ["", "d", "1", "-1d", "1.5h", "1 d", "1y", "+1s", "\u{661}s"] {
            assert_eq!(parse(bad), Err(DurationError::Form), "{bad}");
        }
        for bad in ["5201w", "99999999999999999999s"] {
            assert_eq!(parse(bad), Err(DurationError::TooLong), "{bad}");
        }
    }
}
