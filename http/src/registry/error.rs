//! Refusals in the words of a registry: `{"errors":[{"code","detail","message"}]}`. The message is
//! what reaches the user of `docker`, `skopeo` and `oras`; answers to POST also carry the `error` of
//! OAuth 2, for clients that look for it.
//!
//! Source: `contract/quay.md` 6 and 6.1, `contract/registry.md` section 4.

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use claviger_domain::{BadCredential, Error};
use http::{
    HeaderName, HeaderValue, StatusCode,
    header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
};
use serde::Serialize;

use super::scope::ScopeError;
use crate::log::Cause;

pub(super) const JSON: HeaderValue = HeaderValue::from_static("application/json");
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
pub(super) const API_VERSION: (HeaderName, HeaderValue) = (
    HeaderName::from_static("docker-distribution-api-version"),
    HeaderValue::from_static("registry/2.0"),
);

/// A refusal.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    body: Body,
    retry_after: Option<Duration>,
    cause: Option<Cause>,
}

#[derive(Debug)]
enum Body {
    Errors {
        code: &'static str,
        message: String,
        oauth: &'static str,
    },
    /// `{"error"}`, as upstream says it before it looks at the request.
    Abort(&'static str),
    Text(&'static str),
}

/// With which name somebody signs in; the words of a refusal depend on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Login<'a> {
    /// `$app` and whatever else is a name of its own.
    Special(&'a str),
    /// `namespace+name`.
    Robot(&'a str),
    /// A user.
    User,
    /// None: a refresh token.
    Refresh,
}

impl<'a> Login<'a> {
    /// The kind of login that a user name stands for.
    pub(super) fn of(user: &'a str) -> Self {
        match user {
            "$app" | "$oauthtoken" | "$token" => Self::Special(user),
            robot if robot.contains('+') => Self::Robot(robot),
            _ => Self::User,
        }
    }

    fn words(&self, why: BadCredential) -> String {
        let disabled = "This user has been disabled. Please contact your administrator.";
        let text = match (self, why) {
            (Self::Robot(name), BadCredential::Disabled) => {
                let owner = name.split_once('+').map_or("", |(owner, _)| owner);
                return format!("Robot {name} owner {owner} is disabled");
            }
            (Self::Robot(name), BadCredential::Password | BadCredential::Expired) => {
                return format!(
                    "Could not find robot with username: {name} and supplied password."
                );
            }
            (Self::Robot(_), BadCredential::Unknown) => {
                "Could not find robot with specified username"
            }
            (_, BadCredential::RobotsDisallowed) => {
                "Robot account have been disabled. Please contact your administrator."
            }
            (Self::Special("$oauthtoken"), BadCredential::Expired) => {
                "OAuth access token has expired"
            }
            (Self::Special("$oauthtoken"), BadCredential::Disabled) => {
                "Granter of the oauth access token is disabled"
            }
            (Self::Special("$oauthtoken"), _) => "OAuth access token could not be validated",
            (_, BadCredential::Disabled) => disabled,
            (Self::Special("$token"), _) => "Invalid access token",
            (Self::Special(_), _) => "Invalid token",
            (Self::Refresh, _) => "Invalid refresh token",
            (_, BadCredential::EncryptionRequired) => {
                "Client login with unencrypted passwords is disabled. Please generate an encrypted \
                 password in the user admin panel for use here."
            }
            (
                Self::User,
                BadCredential::Unknown
                | BadCredential::Password
                | BadCredential::Expired
                | BadCredential::Unverified,
            )
            | (Self::Robot(_), BadCredential::Unverified) => "Invalid Username or Password",
        };
        text.to_owned()
    }
}

impl Refusal {
    fn errors(
        status: StatusCode,
        code: &'static str,
        oauth: &'static str,
        message: impl Into<String>,
    ) -> Self {
        let body = Body::Errors { code, message: message.into(), oauth };
        Self { status, body, retry_after: None, cause: None }
    }

    fn unauthorized(message: impl Into<String>) -> Self {
        Self::errors(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", "invalid_grant", message)
    }

    /// 401: the header is no Basic login.
    pub(super) fn not_basic() -> Self {
        Self::unauthorized("Specified credentials are invalid")
    }

    /// 401: nobody is calling, and nothing is asked for.
    pub(super) fn nobody() -> Self {
        Self::unauthorized("access to the requested resource is not authorized")
    }

    /// 401: somebody must be calling.
    pub(super) fn anonymous() -> Self {
        let body = Body::Abort("Anonymous access is not allowed");
        Self { status: StatusCode::UNAUTHORIZED, body, retry_after: None, cause: None }
    }

    /// 400: the form is not one of ours; `oauth` says how in OAuth's words.
    pub(super) fn bad_request(oauth: &'static str, message: &str) -> Self {
        Self::errors(StatusCode::BAD_REQUEST, "INVALID_REQUEST", oauth, message)
    }

    /// 404.
    pub(super) fn not_found() -> Self {
        Self::errors(StatusCode::NOT_FOUND, "NOT_FOUND", "invalid_request", "Not Found")
    }

    /// 405.
    pub(super) fn unsupported() -> Self {
        let message = "The operation is unsupported.";
        let status = StatusCode::METHOD_NOT_ALLOWED;
        Self::errors(status, "UNSUPPORTED", "invalid_request", message)
    }

    /// 413.
    pub(super) fn too_large() -> Self {
        let message = "The request is too large.";
        Self::errors(StatusCode::PAYLOAD_TOO_LARGE, "INVALID_REQUEST", "invalid_request", message)
    }

    /// 500, which says nothing of its cause.
    pub(super) fn internal() -> Self {
        let message = "Internal server error.";
        Self::errors(StatusCode::INTERNAL_SERVER_ERROR, "UNKNOWN", "server_error", message)
    }

    /// What `error` is in this door; `login` is how somebody wanted to sign in.
    pub(super) fn of(error: &Error, login: &Login<'_>) -> Self {
        let unavailable = |wait| Self {
            retry_after: Some(wait),
            ..Self::errors(
                StatusCode::SERVICE_UNAVAILABLE,
                "UNAVAILABLE",
                "temporarily_unavailable",
                "The service is unavailable. Try again in a moment.",
            )
        };
        let refusal = match error {
            Error::BadCredential(why) => Self::unauthorized(login.words(*why)),
            Error::Unauthenticated | Error::StaleLogin => Self::nobody(),
            // only the namespace of a disabled user is refused like this: rights make the answer
            // smaller, and the registry refuses
            Error::Denied { on, .. } => Self::errors(
                StatusCode::METHOD_NOT_ALLOWED,
                "DENIED",
                "access_denied",
                format!("Namespace {on} has been disabled. Please contact a system administrator."),
            ),
            Error::Invalid { field, problem } => {
                Self::bad_request("invalid_request", &format!("`{field}` {problem}"))
            }
            Error::Conflict(conflict) => {
                Self::bad_request("invalid_request", &conflict.to_string())
            }
            Error::NotFound(_) => Self::not_found(),
            Error::Throttled { retry_after } => Self {
                status: StatusCode::TOO_MANY_REQUESTS,
                body: Body::Text(
                    "Too many login attempts. \nPlease reset your Quay password and try again.",
                ),
                retry_after: Some(*retry_after),
                cause: None,
            },
            Error::Busy { retry_after } => unavailable(*retry_after),
            Error::ReadOnly | Error::Unavailable(_) => unavailable(Duration::from_secs(1)),
            Error::Internal(_) => Self::internal(),
        };
        Self { cause: Some(Cause::of(error)), ..refusal }
    }

    /// The answer. `challenge` is the realm that a 401 names; `form` says that this answers a
    /// POST.
    pub(super) fn answer(self, challenge: &HeaderValue, form: bool) -> Response {
        let (content_type, body) = match self.body {
            Body::Errors { code, message, oauth } => {
                let (error, error_description) =
                    if form { (Some(oauth), Some(message.as_str())) } else { (None, None) };
                let errors = [One { code, detail: Empty {}, message: &message }];
                (JSON, json(&ErrorBody { errors, error, error_description }))
            }
            Body::Abort(text) => (HTML, json(&Abort { error: text })),
            Body::Text(text) => (HTML, text.to_owned()),
        };
        let headers = [(CONTENT_TYPE, content_type), API_VERSION];
        let mut response = (self.status, headers, body).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge.clone());
        }
        if let Some(wait) = self.retry_after {
            response.headers_mut().insert(RETRY_AFTER, wait.as_secs().into());
        }
        if let Some(cause) = self.cause {
            response.extensions_mut().insert(cause);
        }
        response
    }
}

impl From<ScopeError> for Refusal {
    fn from(error: ScopeError) -> Self {
        let refusal =
            |code, message| Self::errors(StatusCode::BAD_REQUEST, code, "invalid_scope", message);
        match error {
            ScopeError::Unknown(text) => refusal(
                "INVALID_REQUEST",
                format!("Unable to decode repository and actions: {text}"),
            ),
            ScopeError::Name(name) => {
                refusal("NAME_INVALID", format!("Invalid repository name: {name}"))
            }
        }
    }
}

#[derive(Serialize)]
struct ErrorBody<'a> {
    errors: [One<'a>; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_description: Option<&'a str>,
}

#[derive(Serialize)]
struct One<'a> {
    code: &'a str,
    detail: Empty,
    message: &'a str,
}

#[derive(Serialize)]
struct Empty {}

#[derive(Serialize)]
struct Abort<'a> {
    error: &'a str,
}

/// `value` as JSON; what is written here always can be.
pub(super) fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
