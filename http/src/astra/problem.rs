//! Problems: every refusal of this door, numbered as its dialect numbers them.
//!
//! A handler answers with a [`Problem`]; the gate writes it, because only there the request has a
//! name (`correlationID`). Source: `contract/astra.md` section 3.

use std::{fmt::Display, time::Duration};

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use claviger_domain::{BadCredential, Conflict, Error, id::RequestId};
use http::{
    HeaderValue, Method, StatusCode,
    header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
};
use serde::Serialize;

use crate::{headers::keep_nowhere, limit::BodyError, log::Cause};

const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");

/// A refusal.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    kind: &'static Kind,
    more: More,
    retry_after_s: Option<u32>,
    cause: Option<Cause>,
}

/// What a problem says beside its kind.
#[derive(Clone, Debug)]
enum More {
    Nothing,
    /// Parameters that are wrong.
    Parameters(Vec<Flaw>),
    /// Fields that are wrong.
    Fields(Vec<Flaw>),
    /// What does not fit the schema.
    Misfit(String),
    /// The methods that there are.
    Allow(Vec<Method>),
}

/// Which problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Kind {
    number: u16,
    status: StatusCode,
    title: &'static str,
    detail: &'static str,
}

/// Something that is wrong, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Flaw {
    name: String,
    reason: String,
}

const fn kind(number: u16, status: StatusCode, title: &'static str, detail: &'static str) -> Kind {
    Kind { number, status, title, detail }
}

static RESOURCE: Kind = kind(
    1,
    StatusCode::NOT_FOUND,
    "Resource not found",
    "The resource specified in the request URI wasn't found.",
);
static COLLECTION: Kind = kind(
    2,
    StatusCode::NOT_FOUND,
    "Collection not found",
    "The collection specified in the request URI wasn't found.",
);
static NO_BEARER: Kind = kind(
    3,
    StatusCode::UNAUTHORIZED,
    "Missing bearer token",
    "The request is missing the required bearer token.",
);
static BAD_BEARER: Kind = kind(
    4,
    StatusCode::UNAUTHORIZED,
    "Invalid bearer token",
    "The bearer token provided is invalid, revoked, or doesn't exist.",
);
static PARAMETERS: Kind = kind(
    5,
    StatusCode::BAD_REQUEST,
    "Invalid query parameters",
    "The supplied query parameters are invalid.",
);
static UNKNOWN_PARAMETERS: Kind = kind(
    6,
    StatusCode::BAD_REQUEST,
    "Query parameters not supported",
    "The supplied query parameters aren't supported for this endpoint.",
);
static NOT_JSON: Kind =
    kind(7, StatusCode::BAD_REQUEST, "Invalid JSON payload", "The request body is not valid JSON.");
static MISFIT: Kind = kind(
    8,
    StatusCode::BAD_REQUEST,
    "Invalid JSON resource",
    "The request body JSON doesn't conform to the schema.",
);
static FIELDS: Kind = kind(
    9,
    StatusCode::BAD_REQUEST,
    "Invalid JSON resource",
    "The request body JSON didn't pass extended validation.",
);
static CONFLICT: Kind = kind(
    10,
    StatusCode::CONFLICT,
    "JSON resource conflict",
    "The request body JSON contains a field that conflicts with an idempotent value.",
);
static FORBIDDEN: Kind = kind(
    11,
    StatusCode::FORBIDDEN,
    "Operation not permitted",
    "The requested operation isn't permitted.",
);
static USER_EXISTS: Kind =
    kind(19, StatusCode::CONFLICT, "User already exists", "The user already exists.");
static UNAVAILABLE: Kind =
    kind(24, StatusCode::SERVICE_UNAVAILABLE, "Service unavailable", "The service is unavailable.");
static FORMAT: Kind = kind(
    32,
    StatusCode::NOT_ACCEPTABLE,
    "Unsupported content type",
    "The response can't be returned in the requested format.",
);
static INTERNAL: Kind = kind(
    34,
    StatusCode::INTERNAL_SERVER_ERROR,
    "Internal server error",
    "The server was unable to process this request.",
);
static PRECONDITION: Kind = kind(
    38,
    StatusCode::PRECONDITION_FAILED,
    "Precondition not met",
    "The conditional headers aren't satisfied.",
);
static CREDENTIAL_EXISTS: Kind = kind(
    39,
    StatusCode::CONFLICT,
    "Credential exists",
    "A credential of this type already exists.",
);
static METHOD: Kind = kind(
    69,
    StatusCode::METHOD_NOT_ALLOWED,
    "Method not supported",
    "The requested method isn't supported for the specified resource.",
);
static SAME_PASSWORD: Kind = kind(
    81,
    StatusCode::BAD_REQUEST,
    "Same password supplied",
    "The supplied password is the same as the current user password.",
);
static TOO_LARGE: Kind = kind(
    85,
    StatusCode::PAYLOAD_TOO_LARGE,
    "Request body too large",
    "The request body is too large.",
);
// the text of its detail is not known
static UNEXPECTED_STATE: Kind = kind(
    164,
    StatusCode::CONFLICT,
    "Requested resource in unexpected state",
    "The requested resource is in a state that doesn't allow this operation.",
);

impl Flaw {
    /// `name` is wrong because of `reason`.
    pub(crate) fn new(name: impl Into<String>, reason: impl Display) -> Self {
        Self { name: name.into(), reason: reason.to_string() }
    }
}

impl From<&'static Kind> for Problem {
    fn from(kind: &'static Kind) -> Self {
        Self { kind, more: More::Nothing, retry_after_s: None, cause: None }
    }
}

impl Problem {
    /// 404: there is no such item, of those that a request may change.
    pub(crate) fn no_resource() -> Self {
        (&RESOURCE).into()
    }

    /// 404: there is no such path, user or item.
    pub(crate) fn no_collection() -> Self {
        (&COLLECTION).into()
    }

    /// 401: nobody is calling.
    pub(super) fn no_bearer() -> Self {
        (&NO_BEARER).into()
    }

    /// 400: parameters with bad values.
    pub(crate) fn parameters(flaws: Vec<Flaw>) -> Self {
        Self { more: More::Parameters(flaws), ..(&PARAMETERS).into() }
    }

    /// 400: parameters that the endpoint does not know.
    pub(crate) fn unknown_parameters(flaws: Vec<Flaw>) -> Self {
        Self { more: More::Parameters(flaws), ..(&UNKNOWN_PARAMETERS).into() }
    }

    /// 400: the body is no JSON.
    pub(super) fn not_json() -> Self {
        (&NOT_JSON).into()
    }

    /// 400: the body does not fit the schema, and why.
    pub(crate) fn misfit(why: impl Into<String>) -> Self {
        Self { more: More::Misfit(why.into()), ..(&MISFIT).into() }
    }

    /// 400: fields of the right shape with values that they may not have.
    pub(crate) fn fields(flaws: Vec<Flaw>) -> Self {
        Self { more: More::Fields(flaws), ..(&FIELDS).into() }
    }

    /// 400: one such field.
    pub(crate) fn field(name: impl Into<String>, reason: impl Display) -> Self {
        Self::fields(vec![Flaw::new(name, reason)])
    }

    /// 409: a field that says otherwise than what is there, and may not.
    pub(crate) fn conflict(name: impl Into<String>, reason: impl Display) -> Self {
        Self { more: More::Fields(vec![Flaw::new(name, reason)]), ..(&CONFLICT).into() }
    }

    /// 409: it is not in a state for this.
    pub(crate) fn unexpected_state() -> Self {
        (&UNEXPECTED_STATE).into()
    }

    /// 403.
    pub(crate) fn forbidden() -> Self {
        (&FORBIDDEN).into()
    }

    /// 406.
    pub(super) fn format() -> Self {
        (&FORMAT).into()
    }

    /// 412.
    pub(crate) fn precondition() -> Self {
        (&PRECONDITION).into()
    }

    /// 405: the path knows the methods `allow` alone.
    pub(super) fn method(allow: &[Method]) -> Self {
        Self { more: More::Allow(allow.to_vec()), ..(&METHOD).into() }
    }

    /// 413.
    pub(super) fn too_large() -> Self {
        (&TOO_LARGE).into()
    }

    /// 500, which says nothing of its cause.
    pub(crate) fn internal() -> Self {
        (&INTERNAL).into()
    }

    /// 503: nothing is changed at the moment.
    pub(super) fn read_only() -> Self {
        Self { cause: Some(Cause::word("read-only")), ..Self::later(Duration::from_secs(60)) }
    }

    fn later(wait: Duration) -> Self {
        let seconds = u32::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(u32::MAX);
        Self { retry_after_s: Some(seconds), ..(&UNAVAILABLE).into() }
    }

    fn of(error: &Error) -> Self {
        match error {
            Error::Unauthenticated => Self::no_bearer(),
            Error::BadCredential(why) => match why {
                BadCredential::Disabled => Self::forbidden(),
                BadCredential::Unknown
                | BadCredential::Password
                | BadCredential::Expired
                | BadCredential::Unverified
                | BadCredential::EncryptionRequired
                | BadCredential::RobotsDisallowed => (&BAD_BEARER).into(),
            },
            Error::StaleLogin | Error::Denied { .. } => Self::forbidden(),
            Error::NotFound(_) => Self::no_resource(),
            Error::Invalid { field, problem } => Self::field(*field, problem),
            Error::Conflict(conflict) => Self::of_conflict(conflict),
            Error::Throttled { retry_after } | Error::Busy { retry_after } => {
                Self::later(*retry_after)
            }
            Error::ReadOnly => Self::read_only(),
            Error::Unavailable(_) => Self::later(Duration::from_secs(1)),
            Error::Internal(_) => Self::internal(),
        }
    }

    fn of_conflict(conflict: &Conflict) -> Self {
        match conflict {
            Conflict::EmailTaken | Conflict::NameTaken(..) | Conflict::NameReserved(_) => {
                (&USER_EXISTS).into()
            }
            Conflict::Changed => Self::precondition(),
            Conflict::HasPassword => (&CREDENTIAL_EXISTS).into(),
            Conflict::SamePassword => (&SAME_PASSWORD).into(),
            Conflict::Fixed(field) => Self::conflict(*field, "cannot be changed"),
            Conflict::HasRole => Self::conflict("userID", conflict),
            Conflict::OwnsRepositories
            | Conflict::LastAdmin
            | Conflict::AccountInUse
            | Conflict::RepositoryExists
            | Conflict::RobotExists(_)
            | Conflict::NamespaceOwner
            | Conflict::ForeignRobot { .. }
            | Conflict::NoPermission
            | Conflict::AlreadyMember(_)
            | Conflict::NotMember(_)
            | Conflict::NotEmpty
            | Conflict::NotAUser
            | Conflict::Ended
            | Conflict::Rotating
            | Conflict::TooMany { .. }
            | Conflict::SecretTaken => (&UNEXPECTED_STATE).into(),
        }
    }

    /// The answer, to the request with this name.
    pub(super) fn write(&self, request: Option<RequestId>) -> Response {
        let body = serde_json::to_vec(&self.shown(request)).unwrap_or_default();
        let mut response = (self.kind.status, Body::from(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, PROBLEM_JSON);
        if self.kind.status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        let text = |text: String| HeaderValue::from_str(&text).ok();
        if let More::Allow(methods) = &self.more {
            let words: Vec<_> = methods.iter().map(Method::as_str).collect();
            headers.extend(text(words.join(", ")).map(|words| (ALLOW, words)));
        }
        let wait = self.retry_after_s.and_then(|seconds| text(seconds.to_string()));
        headers.extend(wait.map(|seconds| (RETRY_AFTER, seconds)));
        keep_nowhere(headers);
        if let Some(cause) = &self.cause {
            response.extensions_mut().insert(cause.clone());
        }
        response
    }

    fn shown(&self, request: Option<RequestId>) -> Shown<'_> {
        let mut shown = Shown {
            kind: format!("https://astra.netapp.io/problems/{}", self.kind.number),
            title: self.kind.title,
            detail: self.kind.detail,
            status: self.kind.status.as_str().to_owned(),
            correlation: request.map(|request| request.to_string()),
            invalid_params: &[],
            invalid_fields: &[],
            misfit: None,
        };
        match &self.more {
            More::Parameters(flaws) => shown.invalid_params = flaws,
            More::Fields(flaws) => shown.invalid_fields = flaws,
            More::Misfit(why) => shown.misfit = Some(why),
            More::Nothing | More::Allow(_) => {}
        }
        shown
    }
}

#[derive(Serialize)]
struct Shown<'a> {
    #[serde(rename = "type")]
    kind: String,
    title: &'static str,
    detail: &'static str,
    /// A string in this dialect.
    status: String,
    #[serde(rename = "correlationID", skip_serializing_if = "Option::is_none")]
    correlation: Option<String>,
    #[serde(rename = "invalidParams", skip_serializing_if = "<[Flaw]>::is_empty")]
    invalid_params: &'a [Flaw],
    #[serde(rename = "invalidFields", skip_serializing_if = "<[Flaw]>::is_empty")]
    invalid_fields: &'a [Flaw],
    #[serde(rename = "schemaValidationFailure", skip_serializing_if = "Option::is_none")]
    misfit: Option<&'a str>,
}

/// The gate writes it.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.kind.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self { cause: Some(Cause::of(&error)), ..Self::of(&error) }
    }
}

impl From<BodyError> for Problem {
    fn from(why: BodyError) -> Self {
        match why {
            BodyError::TooLarge => Self::too_large(),
            BodyError::TooSlow | BodyError::Broken => Self::not_json(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problem_has_its_number_its_words_and_a_status_that_is_text() {
        let shown = |problem: &Problem| serde_json::to_value(problem.shown(None)).unwrap();
        assert_eq!(
            shown(&Problem::parameters(vec![Flaw::new("limit", "must be a positive integer")])),
            serde_json::json!({
                "type": "https://astra.netapp.io/problems/5", "title": "Invalid query parameters",
                "detail": "The supplied query parameters are invalid.", "status": "400",
                "invalidParams": [{"name": "limit", "reason": "must be a positive integer"}]
            })
        );
    }
}
