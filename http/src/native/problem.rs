//! What is refused, in the words of RFC 9457. `code` is what a program reads: it does not change.
//!
//! `type` is `about:blank`, so `title` is the phrase of the status, as section 4.2.1 wants it.

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use claviger_domain::{Conflict, Error};
use http::{
    HeaderValue, Method, StatusCode,
    header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
};
use serde::Serialize;
use serde_json::{Value, json};

use super::json::to_vec;
use crate::{limit::BodyError, log::Cause};

const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");

/// A refusal.
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
    flaws: Vec<Flaw>,
    /// Of a 401 and of a token that may not: `WWW-Authenticate`.
    challenge: Option<&'static str>,
    retry_after: Option<Duration>,
    cause: Option<Cause>,
}

/// One thing that is wrong with what was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Flaw {
    place: Place,
    text: String,
}

/// Where something is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    /// A member of the body.
    Member(String),
    /// A parameter of the query.
    Parameter(String),
    /// A header.
    Header(&'static str),
}

impl Flaw {
    /// Something is wrong with a member of the body.
    pub(crate) fn member(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self { place: Place::Member(name.into()), text: text.into() }
    }

    /// Something is wrong with a parameter of the query.
    pub(crate) fn parameter(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self { place: Place::Parameter(name.into()), text: text.into() }
    }

    /// Something is wrong with a header.
    pub(crate) fn header(name: &'static str, text: impl Into<String>) -> Self {
        Self { place: Place::Header(name), text: text.into() }
    }

    fn json(&self) -> Value {
        match &self.place {
            Place::Member(name) => {
                // a JSON pointer (RFC 6901) as a fragment
                let name = name.replace('~', "~0").replace('/', "~1");
                json!({ "pointer": format!("#/{name}"), "detail": self.text })
            }
            Place::Parameter(name) => json!({ "parameter": name, "detail": self.text }),
            Place::Header(name) => json!({ "header": name, "detail": self.text }),
        }
    }
}

const NO_TOKEN: &str = r#"Bearer realm="claviger""#;
const BAD_TOKEN: &str = r#"Bearer realm="claviger", error="invalid_token""#;
const WEAK_TOKEN: &str = r#"Bearer realm="claviger", error="insufficient_scope""#;

impl Problem {
    /// A refusal with a status, a code and a sentence.
    pub(crate) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            code,
            detail: detail.into(),
            flaws: Vec::new(),
            challenge: None,
            retry_after: None,
            cause: None,
        }
    }

    fn because(self, word: &'static str) -> Self {
        Self { cause: Some(Cause::word(word)), ..self }
    }

    /// 401: nobody is calling.
    pub(crate) fn missing_credential() -> Self {
        let detail = "a token or a session is needed";
        let problem = Self::new(StatusCode::UNAUTHORIZED, "missing_credential", detail);
        Self { challenge: Some(NO_TOKEN), ..problem }
    }

    /// 401: what somebody came with opens nothing here.
    pub(crate) fn bad_credential() -> Self {
        let detail = "the credential opens nothing here";
        let problem = Self::new(StatusCode::UNAUTHORIZED, "invalid_credential", detail);
        Self { challenge: Some(BAD_TOKEN), ..problem }
    }

    /// 403: the caller's credential does not reach so far.
    pub(crate) fn weak_credential(needed: &str) -> Self {
        let detail = format!("the credential may not {needed}");
        let problem = Self::new(StatusCode::FORBIDDEN, "insufficient_scope", detail);
        Self { challenge: Some(WEAK_TOKEN), ..problem.because("scope") }
    }

    /// 403: another site may have made a browser send this.
    pub(crate) fn forged() -> Self {
        let detail = "a change by a session needs its CSRF token in X-CSRF-Token, \
                      and comes from this site";
        Self::new(StatusCode::FORBIDDEN, "csrf", detail).because("csrf")
    }

    /// 503: nothing is changed at the moment.
    pub(crate) fn read_only() -> Self {
        let detail = "the system is read-only at the moment";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "read_only", detail).because("read-only")
    }

    /// 404: there is no such path.
    pub(super) fn no_such_path() -> Self {
        Self::new(StatusCode::NOT_FOUND, "no_such_path", "there is nothing at this path")
    }

    /// 405.
    pub(super) fn no_such_method(allow: &[Method]) -> Response {
        let words = allow.iter().map(Method::as_str).collect::<Vec<_>>().join(", ");
        let detail = format!("this path knows {words}");
        let problem = Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail);
        let mut response = problem.into_response();
        let allow = HeaderValue::from_str(&words).ok();
        response.headers_mut().extend(allow.map(|allow| (ALLOW, allow)));
        response
    }

    /// 412: what was to be changed has changed meanwhile.
    pub(crate) fn precondition() -> Self {
        let detail = "it has changed since; read it again";
        Self::new(StatusCode::PRECONDITION_FAILED, "precondition_failed", detail)
    }

    /// 413.
    pub(crate) fn too_large() -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", "the body is too large")
    }

    /// 415.
    pub(crate) fn not_json() -> Self {
        let detail = "the body must be application/json";
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail)
    }

    /// 400: the body is no JSON.
    pub(crate) fn malformed() -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed_body", "the body is not valid JSON")
    }

    /// 400: the query is not understood.
    pub(crate) fn query(flaws: Vec<Flaw>) -> Self {
        let detail = "the query is not understood";
        Self { flaws, ..Self::new(StatusCode::BAD_REQUEST, "invalid_query", detail) }
    }

    /// 400: a header is not understood.
    pub(crate) fn header(flaws: Vec<Flaw>) -> Self {
        let detail = "a header is not understood";
        Self { flaws, ..Self::new(StatusCode::BAD_REQUEST, "invalid_header", detail) }
    }

    /// 422: the body is understood and breaks rules.
    pub(crate) fn invalid(flaws: Vec<Flaw>) -> Self {
        let detail = match flaws.as_slice() {
            [Flaw { place: Place::Member(name), text }] => format!("`{name}` {text}"),
            _ => "the body breaks rules".to_owned(),
        };
        Self { flaws, ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", detail) }
    }

    /// 500, which says nothing of its cause.
    pub(super) fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "something went wrong here")
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let later = |code, retry_after| Self {
            retry_after: Some(retry_after),
            ..Self::new(StatusCode::SERVICE_UNAVAILABLE, code, error.to_string())
        };
        let problem = match &error {
            Error::Unauthenticated | Error::BadCredential(_) => Self::bad_credential(),
            Error::StaleLogin => Self {
                challenge: Some(NO_TOKEN),
                ..Self::new(
                    StatusCode::UNAUTHORIZED,
                    "fresh_sign_in_required",
                    "sign in again: the session is too old for this",
                )
            },
            Error::Denied { .. } => {
                Self::new(StatusCode::FORBIDDEN, "forbidden", error.to_string())
            }
            Error::NotFound(_) => Self::new(StatusCode::NOT_FOUND, "not_found", error.to_string()),
            Error::Invalid { field, problem } => {
                Self::invalid(vec![Flaw::member(*field, problem.as_str())])
            }
            Error::Conflict(Conflict::Changed) => Self::precondition(),
            Error::Conflict(conflict @ Conflict::TooMany { .. }) => {
                Self::new(StatusCode::CONFLICT, "cap_exceeded", conflict.to_string())
            }
            Error::Conflict(conflict) => {
                Self::new(StatusCode::CONFLICT, "conflict", conflict.to_string())
            }
            Error::Throttled { retry_after } => Self {
                retry_after: Some(*retry_after),
                ..Self::new(StatusCode::TOO_MANY_REQUESTS, "throttled", error.to_string())
            },
            Error::Busy { retry_after } => later("busy", *retry_after),
            Error::ReadOnly => Self::read_only(),
            Error::Unavailable(_) => later("unavailable", Duration::from_secs(1)),
            Error::Internal(_) => Self::internal(),
        };
        Self { cause: Some(Cause::of(&error)), ..problem }
    }
}

impl From<BodyError> for Problem {
    fn from(why: BodyError) -> Self {
        match why {
            BodyError::TooLarge => Self::too_large(),
            BodyError::TooSlow | BodyError::Broken => Self::malformed(),
        }
    }
}

#[derive(Serialize)]
struct Shown<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    detail: &'a str,
    code: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Value>,
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = Shown {
            kind: "about:blank",
            title: self.status.canonical_reason().unwrap_or_default(),
            status: self.status.as_u16(),
            detail: &self.detail,
            code: self.code,
            errors: self.flaws.iter().map(Flaw::json).collect(),
        };
        let mut response = (self.status, to_vec(&body)).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, PROBLEM_JSON);
        if let Some(challenge) = self.challenge {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        if let Some(wait) = self.retry_after {
            let seconds = wait.as_millis().div_ceil(1000).to_string();
            headers.extend(HeaderValue::from_str(&seconds).ok().map(|value| (RETRY_AFTER, value)));
        }
        if let Some(cause) = self.cause {
            response.extensions_mut().insert(cause);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    async fn body(problem: Problem) -> Value {
        let body = problem.into_response().into_body().collect().await.unwrap().to_bytes();
        serde_json::from_slice(&body).unwrap()
    }

    #[tokio::test]
    async fn problem_says_where_and_what() {
        let flaws = vec![Flaw::member("a/b", "is unknown")];
        assert_eq!(
            body(Problem::invalid(flaws)).await,
            json!({
                "type": "about:blank",
                "title": "Unprocessable Entity",
                "status": 422,
                "detail": "`a/b` is unknown",
                "code": "invalid",
                "errors": [{ "pointer": "#/a~1b", "detail": "is unknown" }],
            })
        );
    }

    #[tokio::test]
    async fn cause_of_our_trouble_is_not_shown() {
        for error in [Error::internal("canary"), Error::Unavailable("canary".into())] {
            assert!(!body(error.into()).await.to_string().contains("canary"));
        }
    }
}
