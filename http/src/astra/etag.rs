//! Which state of a resource a client has seen, and whether it is still the one.
//!
//! The tag is the MD5 of the JSON. It tells states apart and protects nothing. Source:
//! `contract/astra.md` section 2.5; RFC 9110 sections 8.8.3 and 13.

use std::fmt::Write;

use claviger_domain::UnixMillis;
use http::{
    HeaderMap, HeaderValue,
    header::{IF_MATCH, IF_UNMODIFIED_SINCE},
};
use md5::{Digest, Md5};
use serde::Serialize;
use time::{Date, Month, PrimitiveDateTime, Time};

/// The tag of a resource, without its quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Etag(String);

impl Etag {
    /// The tag of the resource that is written as `json`.
    pub(crate) fn of(json: &[u8]) -> Self {
        let mut text = String::with_capacity(32);
        for byte in Md5::digest(json) {
            // writing to a string does not fail
            let _ = write!(text, "{byte:02x}");
        }
        Self(text)
    }

    /// The header's value.
    pub(super) fn header(&self) -> Option<HeaderValue> {
        HeaderValue::from_str(&format!("\"{}\"", self.0)).ok()
    }
}

/// On which condition a client wants something changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Preconditions {
    /// One of these states; none is every state.
    tags: Option<Vec<String>>,
    /// Not changed since this second.
    unmodified_since: Option<i64>,
}

impl Preconditions {
    /// The conditions that `headers` set. A date that is none sets none.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let tags = headers.contains_key(IF_MATCH).then(|| {
            let values = headers.get_all(IF_MATCH).iter().filter_map(|value| value.to_str().ok());
            values.flat_map(|value| value.split(',')).map(|tag| tag.trim().to_owned()).collect()
        });
        let since = headers.get(IF_UNMODIFIED_SINCE).and_then(|value| value.to_str().ok());
        Self { tags, unmodified_since: since.and_then(seconds) }
    }

    /// Whether they hold for `resource` as it is shown, last changed at `modified_at`. A tag
    /// says more than a date, so with one the date does not count.
    pub(crate) fn hold(&self, resource: &impl Serialize, modified_at: UnixMillis) -> bool {
        // what cannot be written cannot be shown either
        let tag = serde_json::to_vec(resource).map(|json| Etag::of(&json));
        tag.is_ok_and(|tag| self.hold_for(&tag, modified_at))
    }

    fn hold_for(&self, tag: &Etag, modified_at: UnixMillis) -> bool {
        match (&self.tags, self.unmodified_since) {
            (Some(tags), _) => tags.iter().any(|wanted| {
                let bare = wanted.strip_prefix('"').and_then(|tag| tag.strip_suffix('"'));
                wanted == "*" || bare.unwrap_or(wanted) == tag.0
            }),
            (None, Some(since)) => modified_at.seconds() <= since,
            (None, None) => true,
        }
    }
}

/// The second that a date such as `Fri, 01 Jan 2100 00:00:00 GMT` means.
fn seconds(date: &str) -> Option<i64> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (_, date) = date.split_once(", ")?;
    let mut parts = date.strip_suffix(" GMT")?.split([' ', ':']);
    let day = parts.next()?.parse().ok()?;
    let month = parts.next()?;
    let month = MONTHS.iter().position(|known| *known == month)? + 1;
    let month = Month::try_from(u8::try_from(month).ok()?).ok()?;
    let date = Date::from_calendar_date(parts.next()?.parse().ok()?, month, day).ok()?;
    let mut next = || parts.next()?.parse::<u8>().ok();
    let time = Time::from_hms(next()?, next()?, next()?).ok()?;
    Some(PrimitiveDateTime::new(date, time).assume_utc().unix_timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conditions(pairs: &[(http::HeaderName, &'static str)]) -> Preconditions {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(name, HeaderValue::from_static(value));
        }
        Preconditions::of(&headers)
    }

    #[test]
    fn tag_is_compared_with_and_without_quotes() {
        let tag = Etag::of(b"{}");
        assert_eq!(tag.header().unwrap(), "\"99914b932bd37a50b983c5e7c90ae93b\"");
        let now = UnixMillis(0);
        for (wanted, holds) in [
            ("\"99914b932bd37a50b983c5e7c90ae93b\"", true),
            ("99914b932bd37a50b983c5e7c90ae93b", true),
            ("\"x\", \"99914b932bd37a50b983c5e7c90ae93b\"", true),
            ("*", true),
            ("\"x\"", false),
            ("", false),
            // a weak one never matches here
            ("W/\"99914b932bd37a50b983c5e7c90ae93b\"", false),
        ] {
            assert_eq!(conditions(&[(IF_MATCH, wanted)]).hold_for(&tag, now), holds, "{wanted}");
        }
    }

    #[test]
    fn date_counts_to_the_second_where_there_is_no_tag() {
        let tag = Etag::of(b"{}");
        let at = UnixMillis(1_736_364_768_999);
        let holds = |date| conditions(&[(IF_UNMODIFIED_SINCE, date)]).hold_for(&tag, at);
        assert!(holds("Wed, 08 Jan 2025 19:32:48 GMT"));
        assert!(!holds("Wed, 08 Jan 2025 19:32:47 GMT"));
        for none in ["", "yesterday", "Wed, 41 Jan 2025 19:32:47 GMT", "Wed, 08 Jan 2025 GMT"] {
            assert!(holds(none), "{none}");
        }
        let both = [(IF_UNMODIFIED_SINCE, "Wed, 08 Jan 2020 19:32:48 GMT"), (IF_MATCH, "*")];
        assert!(conditions(&both).hold_for(&tag, at));
    }
}
