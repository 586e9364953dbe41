//! The headers that every answer carries, unless its door says otherwise.

use axum::{body::Body, response::Response};
use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{
        CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
        X_FRAME_OPTIONS,
    },
};

/// The content security policy of every page; a page that posts elsewhere (consent) says its own.
pub const POLICY: &str =
    "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'";

const DEFAULTS: [(HeaderName, HeaderValue); ON_THE_WAY - 1] = [
    (CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
    (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
];

/// Those that an answer gets on its way out: the defaults and the request's id.
const ON_THE_WAY: usize = 5;

/// An answer that has room for `own` headers and those that it gets on its way out, so that its
/// headers are never laid out anew.
pub(crate) fn answer(own: usize, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.headers_mut() = HeaderMap::with_capacity(own + ON_THE_WAY);
    response
}

/// Adds the headers that are not there yet.
pub(crate) fn complete(headers: &mut HeaderMap) {
    headers.reserve(ON_THE_WAY);
    for (name, value) in DEFAULTS {
        headers.entry(name).or_insert(value);
    }
}

/// Marks an answer that shows a secret: nobody on the way may keep it.
pub fn keep_nowhere(headers: &mut HeaderMap) {
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
}
