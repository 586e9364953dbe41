//! The headers that every answer carries, unless its door says otherwise.

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

const DEFAULTS: [(HeaderName, HeaderValue); 4] = [
    (CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
    (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
];

/// Adds the headers that are not there yet.
pub(crate) fn complete(headers: &mut HeaderMap) {
    headers.reserve(DEFAULTS.len() + 1); // these and the request's id
    for (name, value) in DEFAULTS {
        headers.entry(name).or_insert(value);
    }
}

/// Marks an answer that shows a secret: nobody on the way may keep it.
pub fn keep_nowhere(headers: &mut HeaderMap) {
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
}
