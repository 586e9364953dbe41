//! What this door refuses, in its words: pages for people, JSON for applications.

use axum::response::{IntoResponse, Response};
use claviger_domain::Error;
use http::{
    HeaderValue, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER},
};
use serde::Serialize;

use super::page;
use crate::log::Cause;

const TEXT_HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
const JSON: HeaderValue = HeaderValue::from_static("application/json;charset=UTF-8");

/// A refusal.
#[derive(Debug)]
pub(super) enum Refusal {
    /// A parameter was not sent.
    Missing(&'static str),
    /// Another site may have made the browser send this; the user, if one is known.
    Forged(Option<String>),
    /// A page with a sentence.
    Page(StatusCode, &'static str),
    /// A word of RFC 6749, for the application.
    Word(&'static str),
    /// What the use case says.
    Failed(Error),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// Nobody has signed in.
pub(super) const SIGN_IN: Refusal =
    Refusal::Page(StatusCode::UNAUTHORIZED, "Sign in first, then come back.");
/// Nothing is here.
pub(super) const NOT_FOUND: Refusal =
    Refusal::Page(StatusCode::NOT_FOUND, "There is no such thing here.");
/// Somebody may not.
pub(super) const FORBIDDEN: Refusal = Refusal::Page(
    StatusCode::FORBIDDEN,
    "Only administrators of the application's organization may do this.",
);

#[derive(Serialize)]
struct Body<'a> {
    error: &'a str,
}

/// `{"error": …}`, with the type that upstream gives it.
fn body(status: StatusCode, content_type: HeaderValue, error: &str) -> Response {
    let bytes = serde_json::to_vec(&Body { error }).unwrap_or_default();
    let no_store = HeaderValue::from_static("no-store");
    (status, [(CONTENT_TYPE, content_type), (CACHE_CONTROL, no_store)], bytes).into_response()
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let bad = StatusCode::BAD_REQUEST;
        match self {
            Self::Missing(name) => body(bad, TEXT_HTML, &format!("Required param: {name}")),
            Self::Forged(user) => {
                let user = user.map(|user| format!(" (authorized: user {user})"));
                let text = "CSRF token was invalid or missing.";
                let text = format!("{text}{}", user.unwrap_or_default());
                because(Cause::word("csrf"), body(StatusCode::FORBIDDEN, TEXT_HTML, &text))
            }
            Self::Page(status, why) => page::refusal(status, why),
            Self::Word(word) => because(Cause::word(word), body(bad, JSON, word)),
            Self::Failed(error) => because(Cause::of(&error), failed(&error)),
        }
    }
}

fn because(cause: Cause, mut response: Response) -> Response {
    response.extensions_mut().insert(cause);
    response
}

fn failed(error: &Error) -> Response {
    let (status, why) = match error {
        Error::Unauthenticated | Error::BadCredential(_) | Error::StaleLogin => {
            return SIGN_IN.into_response();
        }
        Error::Denied { .. } => return FORBIDDEN.into_response(),
        Error::NotFound(_) => return NOT_FOUND.into_response(),
        Error::Invalid { .. } | Error::Conflict(_) => {
            (StatusCode::BAD_REQUEST, "This cannot be done.")
        }
        Error::Throttled { .. } => {
            (StatusCode::TOO_MANY_REQUESTS, "Too many wrong passwords. Try again later.")
        }
        Error::Busy { .. } => (StatusCode::SERVICE_UNAVAILABLE, "Too busy. Try again in a moment."),
        Error::ReadOnly => {
            (StatusCode::SERVICE_UNAVAILABLE, "The system is read-only at the moment.")
        }
        Error::Unavailable(_) => {
            (StatusCode::SERVICE_UNAVAILABLE, "The storage cannot be reached at the moment.")
        }
        Error::Internal(_) => (StatusCode::INTERNAL_SERVER_ERROR, "Something went wrong here."),
    };
    let mut response = page::refusal(status, why);
    if let Error::Throttled { retry_after } | Error::Busy { retry_after } = error {
        response.headers_mut().insert(RETRY_AFTER, retry_after.as_secs().into());
    }
    response
}
