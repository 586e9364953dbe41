//! Dates of this dialect: RFC 2822 with the zone `-0000`, such as `Wed, 08 Jan 2025 19:32:48 -0000`.

use claviger_domain::UnixMillis;
use serde::{Serialize, Serializer};
use time::{OffsetDateTime, format_description::BorrowedFormatItem, macros::format_description};

const FORMAT: &[BorrowedFormatItem<'_>] = format_description!(
    "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] -0000"
);

/// An instant, as an answer shows it: fractions of a second are cut off.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Date(pub(crate) UnixMillis);

impl Serialize for Date {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let date = OffsetDateTime::from_unix_timestamp(self.0.seconds())
            .map_err(serde::ser::Error::custom)?
            .format(FORMAT)
            .map_err(serde::ser::Error::custom)?;
        serializer.serialize_str(&date)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn date_is_rfc_2822_without_a_zone_and_without_fractions() {
        let shown = |ms| serde_json::to_value(Date(UnixMillis(ms))).unwrap();
        assert_eq!(shown(1_736_364_768_999), "Wed, 08 Jan 2025 19:32:48 -0000");
        assert_eq!(shown(-1), "Wed, 31 Dec 1969 23:59:59 -0000");
    }
}
