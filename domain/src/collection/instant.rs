//! Timestamps as the Astra and native doors write them: UTC, `2024-03-01T10:00:00.123456Z`.

use std::{fmt, str::FromStr};

use crate::time::UnixMillis;

const NANOS_PER_SECOND: i128 = 1_000_000_000;
const NANOS_PER_MILLI: i128 = 1_000_000;
const SECONDS_PER_DAY: i64 = 86_400;

/// An instant as somebody wrote it, to the nanosecond: finer than what we keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant(i128);

/// The text is not such a timestamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a timestamp such as 2024-03-01T10:00:00.123456Z")]
pub struct InstantError;

impl Instant {
    /// The last millisecond that is not after it, and whether it is exactly that one.
    pub fn millis(self) -> (i64, bool) {
        let whole = self.0.div_euclid(NANOS_PER_MILLI);
        let whole = i64::try_from(whole).unwrap_or(if whole < 0 { i64::MIN } else { i64::MAX });
        (whole, self.0.rem_euclid(NANOS_PER_MILLI) == 0)
    }
}

impl From<UnixMillis> for Instant {
    fn from(at: UnixMillis) -> Self {
        Self(i128::from(at.0) * NANOS_PER_MILLI)
    }
}

impl FromStr for Instant {
    type Err = InstantError;

    /// Reads `YYYY-MM-DDThh:mm:ss`, then nothing or `.` or `,` and one to nine digits, then `Z`.
    fn from_str(text: &str) -> Result<Self, InstantError> {
        let (start, rest) = text.split_at_checked(19).ok_or(InstantError)?;
        let number = |from: usize, to: usize| {
            let digits = start.get(from..to).filter(|part| is_digits(part)).ok_or(InstantError)?;
            digits.parse::<i64>().map_err(|_| InstantError)
        };
        let marks = [(4, "-"), (7, "-"), (10, "T"), (13, ":"), (16, ":")];
        if !marks.iter().all(|(at, mark)| start.get(*at..at + 1) == Some(mark)) {
            return Err(InstantError);
        }
        let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
        let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
        if !(1..=12).contains(&month)
            || !(1..=days_in_month(year, month)).contains(&day)
            || hour > 23
            || minute > 59
            || second > 59
        {
            return Err(InstantError);
        }
        let seconds = days_from_civil(year, month, day) * SECONDS_PER_DAY
            + hour * 3600
            + minute * 60
            + second;
        let fraction = rest.strip_suffix('Z').ok_or(InstantError)?;
        let nanos = match fraction.strip_prefix(['.', ',']) {
            None if fraction.is_empty() => 0,
            Some(digits) if is_digits(digits) && digits.len() <= 9 => {
                format!("{digits:0<9}").parse::<i128>().map_err(|_| InstantError)?
            }
            _ => return Err(InstantError),
        };
        Ok(Self(i128::from(seconds) * NANOS_PER_SECOND + nanos))
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// `at` with six digits behind the second, the last three of which are zero: we keep milliseconds.
pub fn show(at: UnixMillis) -> impl fmt::Display {
    Shown(at)
}

struct Shown(UnixMillis);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, millis) = (self.0.seconds(), self.0.0.rem_euclid(1000));
        let (year, month, day) = civil_from_days(seconds.div_euclid(SECONDS_PER_DAY));
        let second = seconds.rem_euclid(SECONDS_PER_DAY);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}000Z")
    }
}

fn days_in_month(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a date of the Gregorian calendar. Years are counted from March, so that
/// the leap day is their last, in eras of 400 years, which are all equally long.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + day_of_year - 719_468
}

/// The other way round.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let day_of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}
