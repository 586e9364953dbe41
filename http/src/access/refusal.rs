//! What is refused: `{"error":{"status","message"}}`, the same that stands in the context of a
//! decision where one of several could not be made.

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use claviger_domain::Error;
use http::{
    HeaderValue, StatusCode,
    header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
};
use serde::Serialize;

use super::JSON;
use crate::{limit::BodyError, log::Cause};

/// A refusal.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    message: String,
    /// `WWW-Authenticate` of a 401, and of a token whose scopes do not suffice.
    challenge: Option<&'static str>,
    retry_after: Option<Duration>,
    cause: Option<Cause>,
}

/// A refusal as JSON.
#[derive(Serialize)]
pub(super) struct Shown<'a> {
    status: u16,
    message: &'a str,
}

const NO_TOKEN: &str = r#"Bearer realm="claviger""#;
const BAD_TOKEN: &str = r#"Bearer realm="claviger", error="invalid_token""#;
const WEAK_TOKEN: &str = r#"Bearer realm="claviger", error="insufficient_scope""#;

impl Refusal {
    /// A refusal with a status and a sentence.
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { status, message, challenge: None, retry_after: None, cause: None }
    }

    /// 400.
    pub(super) fn bad(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// 401: nobody is calling.
    pub(super) fn nobody() -> Self {
        let refusal = Self::new(StatusCode::UNAUTHORIZED, "a bearer token is needed");
        Self { challenge: Some(NO_TOKEN), ..refusal }
    }

    /// 401: what somebody came with opens nothing here.
    pub(super) fn bad_token() -> Self {
        let refusal = Self::new(StatusCode::UNAUTHORIZED, "the token opens nothing here");
        Self { challenge: Some(BAD_TOKEN), ..refusal }
    }

    /// 403: the scopes of the token do not reach decisions.
    pub(super) fn weak_token() -> Self {
        let message = "the scopes of the token do not reach decisions";
        let refusal = Self::new(StatusCode::FORBIDDEN, message);
        Self { challenge: Some(WEAK_TOKEN), cause: Some(Cause::word("scope")), ..refusal }
    }

    /// 413.
    pub(super) fn too_large() -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large")
    }

    /// 500, which says nothing of its cause.
    pub(super) fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "something went wrong here")
    }

    /// Whether it is about the request: in a batch, about one of its items alone.
    pub(super) fn is_of_the_client(&self) -> bool {
        self.status.is_client_error()
    }

    /// What is shown of it.
    pub(super) fn shown(&self) -> Shown<'_> {
        Shown { status: self.status.as_u16(), message: &self.message }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let later = |wait| Self {
            retry_after: Some(wait),
            ..Self::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
        };
        let refusal = match &error {
            Error::Unauthenticated | Error::BadCredential(_) | Error::StaleLogin => {
                Self::bad_token()
            }
            Error::Denied { .. } => {
                Self::new(StatusCode::FORBIDDEN, "you may not ask this with this token")
            }
            Error::NotFound(_) => Self::new(StatusCode::NOT_FOUND, error.to_string()),
            Error::Invalid { .. } | Error::Conflict(_) => Self::bad(error.to_string()),
            Error::Throttled { retry_after } => Self {
                retry_after: Some(*retry_after),
                ..Self::new(StatusCode::TOO_MANY_REQUESTS, error.to_string())
            },
            Error::Busy { retry_after } => later(*retry_after),
            Error::ReadOnly | Error::Unavailable(_) => later(Duration::from_secs(1)),
            Error::Internal(_) => Self::internal(),
        };
        Self { cause: Some(Cause::of(&error)), ..refusal }
    }
}

impl From<BodyError> for Refusal {
    fn from(why: BodyError) -> Self {
        match why {
            BodyError::TooLarge => Self::too_large(),
            BodyError::TooSlow | BodyError::Broken => Self::bad("the body broke off"),
        }
    }
}

#[derive(Serialize)]
struct Whole<'a> {
    error: Shown<'a>,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&Whole { error: self.shown() }).unwrap_or_default();
        let mut response = (self.status, [(CONTENT_TYPE, JSON)], body).into_response();
        let headers = response.headers_mut();
        if let Some(challenge) = self.challenge {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        if let Some(wait) = self.retry_after {
            headers.insert(
                RETRY_AFTER,
                u64::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(1).into(),
            );
        }
        if let Some(cause) = self.cause {
            response.extensions_mut().insert(cause);
        }
        response
    }
}
