//! The rows of the table, one file for each kind.

pub(crate) mod create_token;
pub(crate) mod decision;
pub(crate) mod doors;
pub(crate) mod growth;
pub(crate) mod hot;
pub(crate) mod list;
pub(crate) mod memory;
pub(crate) mod start;
mod stores;

use std::{path::PathBuf, time::Duration};

use crate::{process::Binary, world::World};

/// What every row is measured with.
pub(crate) struct Bench {
    pub(crate) program: Binary,
    /// Where logs and copies go, on the disk of the data set.
    pub(crate) folder: PathBuf,
    /// The data folder with the data set.
    pub(crate) set: PathBuf,
    pub(crate) world: World,
    pub(crate) quick: bool,
}

impl Bench {
    fn log(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.log"))
    }

    /// How often figure and yardstick take turns.
    fn rounds(&self) -> usize {
        if self.quick { 3 } else { 7 }
    }

    /// How long a turn of a load is.
    fn span(&self) -> Duration {
        Duration::from_millis(if self.quick { 700 } else { 3000 })
    }
}

/// What both say; whoever goes first in one round goes last in the next.
fn in_turn<F, Y>(
    round: usize,
    figure: impl FnOnce() -> crate::Outcome<F>,
    yardstick: impl FnOnce() -> crate::Outcome<Y>,
) -> crate::Outcome<(F, Y)> {
    if round.is_multiple_of(2) {
        let yardstick = yardstick()?;
        Ok((figure()?, yardstick))
    } else {
        Ok((figure()?, yardstick()?))
    }
}

/// A number from 0 to `end`, spread evenly and the same in every run.
fn spread(number: usize, end: usize) -> usize {
    let mut z = (number as u64).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    usize::try_from((z ^ (z >> 31)) % (end.max(1) as u64)).unwrap_or_default()
}

/// `12345.6` as `12,346`.
fn thousands(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        for (number, text) in [(7.4, "7"), (999.0, "999"), (12_345.6, "12,346")] {
            assert_eq!(thousands(number), text);
        }
    }
}
