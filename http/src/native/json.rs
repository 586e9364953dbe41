//! JSON of this door: answers, and instants in them.

use axum::response::{IntoResponse, Response};
use claviger_domain::UnixMillis;
use http::{
    HeaderValue,
    header::{CACHE_CONTROL, CONTENT_TYPE},
};
use serde::Serialize;
use time::{OffsetDateTime, format_description::FormatItem, macros::format_description};

pub(crate) const APPLICATION_JSON: HeaderValue = HeaderValue::from_static("application/json");

/// An answer that the caller's own client may keep if it asks each time whether it still holds.
#[derive(Debug)]
pub(crate) struct Json<T>(pub(crate) T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        let kept = HeaderValue::from_static("private, no-cache");
        ([(CONTENT_TYPE, APPLICATION_JSON), (CACHE_CONTROL, kept)], to_vec(&self.0)).into_response()
    }
}

/// A whole list, or one page of it.
#[derive(Debug, Serialize)]
pub(crate) struct Listed<T> {
    items: Vec<T>,
    metadata: Metadata,
}

/// What is said of a list beside its items.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Metadata {}

impl<T> Listed<T> {
    /// A whole list.
    pub(crate) fn all(items: Vec<T>) -> Json<Self> {
        Json(Self { items, metadata: Metadata::default() })
    }
}

/// `value` as JSON. Our answers have text for keys, so nothing can be wrong with them.
pub(super) fn to_vec(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

const RFC_3339: &[FormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");

/// An instant in RFC 3339, UTC, with milliseconds.
pub(crate) fn instant(at: UnixMillis) -> String {
    let nanoseconds = i128::from(at.0) * 1_000_000;
    let at = OffsetDateTime::from_unix_timestamp_nanos(nanoseconds).ok();
    at.and_then(|at| at.format(RFC_3339).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_have_milliseconds() {
        assert_eq!(instant(UnixMillis(1_700_000_000_007)), "2023-11-14T22:13:20.007Z");
    }
}
