//! What is refused, and in which words.
//!
//! Source: `contract/openshift.md` sections 3 and 4.

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use claviger_domain::{BadCredential, Error, scope::openshift::OpenshiftScope};
use http::{
    HeaderValue, StatusCode,
    header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
};

use super::{
    envelope::{Message, Reply, Style},
    params::Unreadable,
    version::{NotSpoken, Version},
};
use crate::{limit::BodyError, log::Cause};

/// A refusal.
#[derive(Debug)]
pub(super) struct Refusal {
    face: Face,
    retry_after: Option<Duration>,
    cause: Option<Cause>,
}

#[derive(Debug)]
enum Face {
    /// In the envelope.
    Enveloped { status: StatusCode, message: Message },
    /// Plain text with a challenge.
    Challenge { challenge: &'static str, kind: &'static str, body: &'static str },
    /// A page: nothing is here.
    Nothing,
}

/// With what somebody came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Came {
    /// With a user name and a password, or with nothing.
    Basic,
    /// With a token.
    Bearer,
}

const HTML: &str = "text/html; charset=utf-8";

impl From<Face> for Refusal {
    fn from(face: Face) -> Self {
        Self { face, retry_after: None, cause: None }
    }
}

impl Refusal {
    fn new(status: u16, text: impl Into<String>, exit_code: Option<i64>) -> Self {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let message = Message { error: true, text: text.into(), exit_code, field: None };
        Face::Enveloped { status, message }.into()
    }

    fn on(mut self, name: &'static str) -> Self {
        if let Face::Enveloped { message, .. } = &mut self.face {
            message.field = Some(name);
        }
        self
    }

    fn because(self, word: &'static str) -> Self {
        Self { cause: Some(Cause::word(word)), ..self }
    }

    /// 404, as a page.
    pub(super) fn nothing() -> Self {
        Face::Nothing.into()
    }

    /// 401: a user name and a password would help.
    pub(super) fn basic() -> Self {
        let challenge = r#"Basic realm="Application""#;
        Face::Challenge { challenge, kind: HTML, body: "HTTP Basic: Access denied.\n" }.into()
    }

    fn bearer(challenge: &'static str) -> Self {
        let kind = "text/plain; charset=utf-8";
        Face::Challenge { challenge, kind, body: "HTTP Bearer: Access denied.\n" }.into()
    }

    /// 403: none of the scopes lets this in.
    pub(super) fn not_with_these_scopes() -> Self {
        let text = "This action is not allowed with your current authorization.";
        Self::new(403, text, Some(1)).because("scope")
    }

    /// 403: there is no scope.
    pub(super) fn without_scopes() -> Self {
        let text = "You are not authorized to perform any operations.";
        Self::new(403, text, Some(1)).because("scope")
    }

    /// 403: a scope lets it in and gives no `permission`.
    pub(super) fn not_permitted(scopes: &str, permission: &str) -> Self {
        let text = format!(
            "You are not permitted to perform this action with the scopes {scopes} \
             ({permission} on cloud user)"
        );
        Self::new(403, text, Some(1)).because("scope")
    }

    /// 403: users are not deleted here.
    pub(super) fn no_user_deletion() -> Self {
        let text = "User deletion not permitted. Only applicable for subaccount users.";
        Self::new(403, text, Some(138)).because("users are not deleted here")
    }

    /// 403: another site made a browser send this.
    pub(super) fn foreign_site() -> Self {
        let text = "Requests from other sites change nothing here.";
        Self::new(403, text, Some(1)).because("csrf")
    }

    /// 422: a scope that there is not.
    pub(super) fn scopes() -> Self {
        let (last, others) = OpenshiftScope::OFFERED.split_last().unwrap_or((&"", &[]));
        let text = format!(
            "One or more of the scopes you provided are not allowed. Valid scopes are {}, and \
             {last}.",
            others.join(", ")
        );
        Self::new(422, text, Some(1)).on("scopes").because("invalid scope")
    }

    /// 422: a note that is none.
    pub(super) fn note(problem: &str) -> Self {
        Self::new(422, problem, Some(1)).on("note").because("invalid note")
    }

    /// 422: neither yes nor no.
    pub(super) fn no_links(given: &str) -> Self {
        let text = format!("Invalid value '{given}'. Valid options: [true, false]");
        Self::new(422, text, Some(167)).because("invalid nolinks")
    }

    /// 503: nothing is changed at the moment.
    pub(super) fn read_only() -> Self {
        let text = "The system is read-only at the moment. Try again later.";
        Self::new(503, text, Some(1)).because("read-only")
    }

    /// 413.
    pub(super) fn too_large() -> Self {
        Self::new(413, "The request is too large.", Some(1))
    }

    /// 500, which says nothing of its cause.
    pub(super) fn internal() -> Self {
        Self::new(500, "Unable to complete the requested operation.", Some(1))
    }

    /// What `error` is to somebody who came in this way.
    pub(super) fn of(error: &Error, came: Came) -> Self {
        let later = |wait| Self {
            retry_after: Some(wait),
            ..Self::new(503, "The service is unavailable. Try again in a moment.", Some(1))
        };
        let refusal = match error {
            Error::BadCredential(why) => match (came, why) {
                (Came::Basic, _) => Self::basic(),
                (Came::Bearer, BadCredential::Expired) => {
                    Self::bearer(r#"Bearer error="invalid_token" "The access token expired""#)
                }
                (
                    Came::Bearer,
                    BadCredential::Unknown
                    | BadCredential::Password
                    | BadCredential::Disabled
                    | BadCredential::Unverified
                    | BadCredential::EncryptionRequired
                    | BadCredential::RobotsDisallowed,
                ) => Self::bearer(
                    r#"Bearer error="invalid_token" "The access token is not recognized""#,
                ),
            },
            Error::Unauthenticated | Error::StaleLogin => Self::basic(),
            Error::Denied { .. } => Self::not_with_these_scopes(),
            Error::NotFound(_) => {
                Self::new(404, "The requested authorization was not found.", Some(129))
            }
            Error::Invalid { problem, .. } => Self::new(422, problem, Some(1)),
            Error::Conflict(conflict) => Self::new(422, conflict.to_string(), Some(1)),
            Error::Throttled { retry_after } => Self {
                retry_after: Some(*retry_after),
                ..Self::new(429, "Too many wrong passwords. Try again later.", Some(1))
            },
            Error::Busy { retry_after } => later(*retry_after),
            Error::ReadOnly => Self::read_only(),
            Error::Unavailable(_) => later(Duration::from_secs(1)),
            Error::Internal(_) => Self::internal(),
        };
        Self { cause: Some(Cause::of(error)), ..refusal }
    }

    /// The refusal as it is sent.
    pub(super) fn write(self, style: Style) -> Response {
        let mut response = match self.face {
            Face::Enveloped { status, message } => Reply::none(status, message).write(style),
            Face::Challenge { challenge, kind, body } => {
                let headers = [
                    (WWW_AUTHENTICATE, HeaderValue::from_static(challenge)),
                    (CONTENT_TYPE, HeaderValue::from_static(kind)),
                ];
                (StatusCode::UNAUTHORIZED, headers, body).into_response()
            }
            Face::Nothing => {
                let page = "<!DOCTYPE html>\n<title>Not found</title>\n<p>There is nothing here.\n";
                let kind = HeaderValue::from_static(HTML);
                (StatusCode::NOT_FOUND, [(CONTENT_TYPE, kind)], page).into_response()
            }
        };
        if let Some(wait) = self.retry_after {
            let seconds = wait.as_millis().div_ceil(1000).to_string();
            if let Ok(seconds) = HeaderValue::from_str(&seconds) {
                response.headers_mut().insert(RETRY_AFTER, seconds);
            }
        }
        if let Some(cause) = self.cause {
            response.extensions_mut().insert(cause);
        }
        response
    }
}

impl From<Unreadable> for Refusal {
    fn from(why: Unreadable) -> Self {
        match why {
            Unreadable::NotUtf8 => {
                Self::new(400, "Only valid UTF-8 encoded inputs are accepted", None)
            }
            Unreadable::NotJson => Self::new(400, "The body is not valid JSON.", Some(1)),
        }
    }
}

impl From<BodyError> for Refusal {
    fn from(why: BodyError) -> Self {
        match why {
            BodyError::TooLarge => Self::too_large(),
            BodyError::TooSlow | BodyError::Broken => {
                Self::new(400, "The request broke off.", Some(1))
            }
        }
    }
}

impl From<NotSpoken> for Refusal {
    fn from(NotSpoken(asked): NotSpoken) -> Self {
        let spoken = Version::ALL.map(|version| version.to_string()).join(",");
        let text = format!(
            "Requested API version {asked} is not supported. Supported versions are {spoken}"
        );
        Self::new(406, text, None).because("version")
    }
}
