//! JSON of this door: answers, and instants in them.

use axum::response::{IntoResponse, Response};
use claviger_domain::UnixMillis;
use http::{
    HeaderValue,
    header::{CACHE_CONTROL, CONTENT_TYPE},
};
use serde::Serialize;

use crate::headers::keep_nowhere;

pub(crate) const APPLICATION_JSON: HeaderValue = HeaderValue::from_static("application/json");

/// An answer that the caller's own client may keep if it asks each time whether it still holds.
#[derive(Debug)]
pub(crate) struct Json<T>(pub(crate) T);

/// What was done, or a secret: nobody keeps it.
#[derive(Debug)]
pub(crate) struct Once<T>(pub(crate) T);

impl<T: Serialize> IntoResponse for Once<T> {
    fn into_response(self) -> Response {
        let mut response = ([(CONTENT_TYPE, APPLICATION_JSON)], to_vec(&self.0)).into_response();
        keep_nowhere(response.headers_mut());
        response
    }
}

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
struct Metadata {
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u64>,
    #[serde(rename = "continue", skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

impl<T> Listed<T> {
    /// A whole list.
    pub(crate) fn all(items: Vec<T>) -> Json<Self> {
        Self::page(items, None, None)
    }

    /// A page: how many there are in all, if that was asked, and what leads to the next.
    pub(crate) fn page(items: Vec<T>, count: Option<u64>, next: Option<String>) -> Json<Self> {
        Json(Self { items, metadata: Metadata { count, next } })
    }
}

/// `value` as JSON. Our answers have text for keys, so nothing can be wrong with them.
pub(super) fn to_vec(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

/// An instant in RFC 3339, UTC; what is kept is milliseconds.
pub(crate) fn instant(at: UnixMillis) -> String {
    claviger_domain::collection::instant::show(at).to_string()
}
