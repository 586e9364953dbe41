//! Refusals in the words of Quay. It has several forms of them, and which one is used where is part
//! of what clients see:
//!
//! | form | body | used for |
//! | --- | --- | --- |
//! | `api` | `{"detail", "error_message", "error_type", "title", "type", "status"}` | what a resource refuses |
//! | `message` | `{"message"}` | rules of the data below, without CORS headers |
//! | `framework` | `{"message"}` | bodies and methods that cannot be taken |
//! | `abort` | `{"error"}` as `text/html` | what is refused before the resource is reached |
//!
//! A [`QuayError`] becomes bytes in [`QuayError::render`], when the answer leaves the door: `type`
//! holds the public URL, which no handler knows.
//!
//! Source: `contract/quay.md` 1.2, 1.3 and 11: what upstream answers by accident with 500 is 400 or
//! 404 here.

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use claviger_domain::{BadCredential, Conflict, Error};
use http::{
    HeaderValue, StatusCode,
    header::{CONTENT_TYPE, LOCATION, RETRY_AFTER},
};
use serde::Serialize;

use super::json::{APPLICATION_JSON, to_line};
use crate::log::Cause;

/// The content type of what is not JSON (and of some that is).
pub(crate) const TEXT_HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");

/// A refusal.
#[derive(Clone, Debug)]
#[cfg_attr(test, derive(PartialEq, Eq))]
pub(crate) struct QuayError {
    status: StatusCode,
    form: Form,
    text: String,
    cors: bool,
    retry_after: Option<Duration>,
    /// What the log line says of it.
    cause: Option<Cause>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// The code, and whether `session_required` stands first.
    Api {
        code: &'static str,
        session_required: bool,
    },
    Message,
    Abort,
    ReadOnly,
    Text,
    /// The text is the path to go to.
    Moved,
}

/// The codes of the `api` form, with what `GET /api/v1/error/CODE` says of them.
pub(crate) const CODES: [(&str, &str); 10] = [
    (
        "external_service_timeout",
        "An external service timed out. Retrying the request may resolve the issue.",
    ),
    (
        "invalid_request",
        "The request was invalid. It may have contained invalid values or was improperly formatted.",
    ),
    ("invalid_response", "The response was invalid."),
    ("invalid_token", "The access token provided was invalid."),
    ("expired_token", "The access token provided has expired."),
    (
        "insufficient_scope",
        "The access token did not have sufficient scope to access the requested resource.",
    ),
    ("fresh_login_required", "The action requires a fresh login to succeed."),
    ("exceeds_license", "The action was refused because the current license does not allow it."),
    ("not_found", "The resource was not found."),
    ("downstream_issue", "An error occurred in a downstream service."),
];

impl QuayError {
    fn new(status: StatusCode, form: Form, text: impl Into<String>) -> Self {
        Self { status, form, text: text.into(), cors: true, retry_after: None, cause: None }
    }

    /// The `api` form.
    pub(crate) fn api(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(status, Form::Api { code, session_required: false }, detail)
    }

    /// 400 `invalid_request` in the `api` form.
    pub(crate) fn invalid(detail: impl Into<String>) -> Self {
        Self::api(StatusCode::BAD_REQUEST, "invalid_request", detail)
    }

    /// 404 in the `api` form.
    pub(crate) fn not_found() -> Self {
        Self::api(StatusCode::NOT_FOUND, "not_found", "Not Found")
    }

    /// 401 in the `api` form: nobody is calling.
    pub(crate) fn unauthenticated() -> Self {
        Self::api(StatusCode::UNAUTHORIZED, "invalid_token", "Requires authentication")
    }

    /// The same where anonymous callers are usual, so that a script knows it need not sign in.
    pub(crate) fn no_session() -> Self {
        let form = Form::Api { code: "invalid_token", session_required: true };
        Self::new(StatusCode::UNAUTHORIZED, form, "Requires authentication")
    }

    /// 403 in the `api` form: the rights or the scopes do not suffice.
    pub(crate) fn forbidden() -> Self {
        Self::api(StatusCode::FORBIDDEN, "insufficient_scope", "Unauthorized")
    }

    /// The `message` form, which has no CORS headers.
    pub(crate) fn message(status: StatusCode, text: impl Into<String>) -> Self {
        Self { cors: false, ..Self::new(status, Form::Message, text) }
    }

    /// The `framework` form.
    pub(crate) fn framework(status: StatusCode, text: impl Into<String>) -> Self {
        Self::new(status, Form::Message, text)
    }

    /// The `abort` form. `user` is who is calling, where somebody is.
    pub(crate) fn abort(status: StatusCode, text: &str, user: Option<&str>) -> Self {
        let text = match user {
            Some(user) => format!("{text} (authorized: user {user})"),
            None => text.to_owned(),
        };
        Self::new(status, Form::Abort, text)
    }

    /// 404 where no resource is. Upstream shows a page; clients want JSON or nothing.
    pub(crate) fn nothing_here() -> Self {
        Self { cors: false, ..Self::new(StatusCode::NOT_FOUND, Form::Text, "") }
    }

    /// 308 to another path of this door.
    pub(crate) fn moved(path_and_query: String) -> Self {
        Self {
            cors: false,
            ..Self::new(StatusCode::PERMANENT_REDIRECT, Form::Moved, path_and_query)
        }
    }

    /// 413.
    pub(crate) fn too_large() -> Self {
        Self::framework(
            StatusCode::PAYLOAD_TOO_LARGE,
            "The data value transmitted exceeds the capacity limit.",
        )
    }

    /// 500, which says nothing of its cause.
    pub(crate) fn internal() -> Self {
        Self::framework(StatusCode::INTERNAL_SERVER_ERROR, "Internal server error.")
    }

    /// The same refusal, with what the log line says of it.
    #[must_use]
    pub(crate) fn because(self, cause: Cause) -> Self {
        Self { cause: Some(cause), ..self }
    }

    /// The body, and its type. `public_url` is where the door is reached from outside.
    pub(crate) fn render(&self, public_url: &str) -> Response {
        #[derive(Serialize)]
        struct Api<'a> {
            #[serde(skip_serializing_if = "Option::is_none")]
            session_required: Option<bool>,
            detail: &'a str,
            error_message: &'a str,
            error_type: &'a str,
            title: &'a str,
            r#type: String,
            status: u16,
        }
        #[derive(Serialize)]
        struct ReadOnly<'a> {
            is_readonly: bool,
            message: &'a str,
        }
        let text = self.text.as_str();
        let (content_type, body) = match self.form {
            Form::Api { code, session_required } => {
                let body = to_line(&Api {
                    session_required: session_required.then_some(false),
                    detail: text,
                    error_message: text,
                    error_type: code,
                    title: code,
                    r#type: format!("{public_url}/api/v1/error/{code}"),
                    status: self.status.as_u16(),
                });
                (APPLICATION_JSON, body)
            }
            Form::Message => {
                (APPLICATION_JSON, serde_json::to_vec(&serde_json::json!({ "message": text })))
            }
            Form::Abort => (TEXT_HTML, serde_json::to_vec(&serde_json::json!({ "error": text }))),
            Form::ReadOnly => (
                APPLICATION_JSON,
                serde_json::to_vec(&ReadOnly { is_readonly: true, message: text }),
            ),
            Form::Text => (TEXT_HTML, Ok(text.as_bytes().to_vec())),
            Form::Moved => (TEXT_HTML, Ok(Vec::new())),
        };
        let body = body.unwrap_or_default();
        let mut response = (self.status, [(CONTENT_TYPE, content_type)], body).into_response();
        if let Some(wait) = self.retry_after {
            response.headers_mut().insert(RETRY_AFTER, wait.as_secs().into());
        }
        if self.form == Form::Moved
            && let Ok(location) = format!("{public_url}{text}").parse()
        {
            response.headers_mut().insert(LOCATION, location);
        }
        response
    }

    /// Whether scripts of other origins may read it.
    pub(crate) fn has_cors(&self) -> bool {
        self.cors
    }
}

impl IntoResponse for QuayError {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        if let Some(cause) = self.cause.clone() {
            response.extensions_mut().insert(cause);
        }
        response.extensions_mut().insert(self);
        response
    }
}

impl From<Error> for QuayError {
    fn from(error: Error) -> Self {
        let cause = Cause::of(&error);
        let refusal = match error {
            Error::Unauthenticated => Self::unauthenticated(),
            Error::BadCredential(why) => bad_credential(why),
            Error::StaleLogin => {
                Self::api(StatusCode::UNAUTHORIZED, "fresh_login_required", "Requires fresh login")
            }
            Error::Denied { .. } => Self::forbidden(),
            Error::NotFound(_) => Self::not_found(),
            Error::Invalid { .. } => Self::invalid(error.to_string()),
            Error::Conflict(conflict) => Self::from(conflict),
            Error::Throttled { retry_after } => Self {
                retry_after: Some(retry_after),
                ..Self::new(
                    StatusCode::TOO_MANY_REQUESTS,
                    Form::Text,
                    "Too many login attempts. \nPlease reset your Quay password and try again.",
                )
            },
            Error::Busy { retry_after } => Self {
                retry_after: Some(retry_after),
                ..Self::framework(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "The server is too busy at the moment.",
                )
            },
            Error::ReadOnly => read_only(),
            Error::Unavailable(_) => Self::framework(
                StatusCode::SERVICE_UNAVAILABLE,
                "The server cannot reach its storage at the moment.",
            ),
            Error::Internal(_) => Self::internal(),
        };
        refusal.because(cause)
    }
}

/// The words of every resource but sign-in, which has its own.
fn bad_credential(why: BadCredential) -> QuayError {
    match why {
        BadCredential::Unknown
        | BadCredential::Password
        | BadCredential::Expired
        | BadCredential::Disabled
        | BadCredential::Unverified
        | BadCredential::EncryptionRequired
        | BadCredential::RobotsDisallowed => QuayError::unauthenticated(),
    }
}

/// 503 while the registry takes no writes.
pub(crate) fn read_only() -> QuayError {
    let text = "System is currently read-only. Pulls will succeed but all write operations are \
                currently suspended.";
    let error = QuayError::new(StatusCode::SERVICE_UNAVAILABLE, Form::ReadOnly, text);
    QuayError { cors: false, ..error }
}

impl From<Conflict> for QuayError {
    /// The usual words; a resource that has others matches the conflict itself.
    fn from(conflict: Conflict) -> Self {
        let message = |text| Self::message(StatusCode::BAD_REQUEST, text);
        match conflict {
            Conflict::NameTaken(..) => Self::invalid("The username already exists"),
            Conflict::NameReserved(_) => Self::invalid("Username is not available"),
            Conflict::EmailTaken => Self::invalid("Email has already been used"),
            Conflict::RepositoryExists => Self::invalid("Repository already exists"),
            Conflict::RobotExists(name) => {
                Self::invalid(format!("Existing robot with name: {name}"))
            }
            Conflict::NamespaceOwner => Self::invalid("Namespace owner must always be admin."),
            Conflict::ForeignRobot { robot, namespace } => {
                Self::invalid(format!("Cannot add robot {robot} under namespace {namespace}"))
            }
            Conflict::NoPermission => Self::invalid("User does not have permission for repo."),
            Conflict::AlreadyMember(_)
            | Conflict::NotMember(_)
            | Conflict::LastAdmin
            | Conflict::NotEmpty
            | Conflict::NotAUser
            | Conflict::Changed
            | Conflict::Fixed(_)
            | Conflict::HasRole
            | Conflict::HasPassword
            | Conflict::SamePassword
            | Conflict::OwnsRepositories
            | Conflict::AccountInUse
            | Conflict::Ended
            | Conflict::Rotating
            | Conflict::TooMany { .. }
            | Conflict::SecretTaken => message(conflict.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;

    use super::*;

    async fn text(error: QuayError) -> (u16, String, String) {
        let response = error.render("https://keys.example.com");
        let status = response.status().as_u16();
        let kind = response.headers()[CONTENT_TYPE].to_str().unwrap().to_owned();
        let body = to_bytes(response.into_body(), 10_000).await.unwrap();
        (status, kind, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn api_form_has_its_keys_in_order_and_the_public_url() {
        let body = "{\"detail\": \"Unauthorized\", \"error_message\": \"Unauthorized\", \
                    \"error_type\": \"insufficient_scope\", \"title\": \"insufficient_scope\", \
                    \"type\": \"https://keys.example.com/api/v1/error/insufficient_scope\", \
                    \"status\": 403}\n";
        assert_eq!(
            text(Error::denied("administer", "acme/api").into()).await,
            (403, "application/json".into(), body.into())
        );
    }

    #[tokio::test]
    async fn session_required_stands_first() {
        let (_, _, body) = text(QuayError::no_session()).await;
        assert!(body.starts_with("{\"session_required\": false, \"detail\": "), "{body}");
    }

    #[tokio::test]
    async fn abort_form_is_json_in_html_and_names_who_is_calling() {
        let error = QuayError::abort(
            StatusCode::FORBIDDEN,
            "CSRF token was invalid or missing.",
            Some("ann"),
        );
        let body = r#"{"error":"CSRF token was invalid or missing. (authorized: user ann)"}"#;
        assert_eq!(text(error).await, (403, "text/html; charset=utf-8".into(), body.into()));
    }

    #[tokio::test]
    async fn internal_error_shows_nothing_of_its_cause() {
        let (status, _, body) = text(Error::internal("secret of the database").into()).await;
        assert_eq!((status, body.as_str()), (500, r#"{"message":"Internal server error."}"#));
    }
}
