//! What a proxy is answered: yes and as whom, or no and why.

use std::sync::LazyLock;

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use claviger_domain::{Error, principal::PrincipalKind, scope::Scopes};
use claviger_service::{
    Caller, Credential,
    forward::{Challenge, Refusal},
};
use http::{
    HeaderName, HeaderValue, StatusCode,
    header::{CONTENT_TYPE, WWW_AUTHENTICATE},
};

use crate::{
    headers::{self, Layout, NOWHERE, keep_nowhere},
    log::Cause,
};

const USER: HeaderName = HeaderName::from_static("x-auth-user");
const KIND: HeaderName = HeaderName::from_static("x-auth-kind");
const TOKEN: HeaderName = HeaderName::from_static("x-auth-token-id");
const SCOPES: HeaderName = HeaderName::from_static("x-auth-scopes");

/// Those of a yes.
static YES: LazyLock<Layout> = LazyLock::new(|| {
    let empty = [USER, KIND, TOKEN, SCOPES].map(|name| (name, EMPTY));
    Layout::new(empty.into_iter().chain([NOWHERE]))
});

const EMPTY: HeaderValue = HeaderValue::from_static("");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// A refusal whose words are always the same.
#[derive(Clone, Copy, Debug)]
pub(super) struct Words {
    status: StatusCode,
    cause: &'static str,
    body: &'static str,
}

macro_rules! words {
    ($($name:ident = $status:ident, $error:literal, $words:literal;)+) => {
        impl Words {
            $(pub(super) const $name: Self = Self {
                status: StatusCode::$status,
                cause: $words,
                body: concat!(
                    r#"{"error":""#, $error, r#"","error_description":""#, $words, "\"}\n"
                ),
            };)+
        }
    };
}
words! {
    PEER = FORBIDDEN, "access_denied", "this address may not ask here";
    NO_PROXY = FORBIDDEN, "access_denied", "no proxy asks here";
    HEADER = FORBIDDEN, "invalid_request", "a header is missing, doubled or disguised";
    AMBIGUOUS = FORBIDDEN, "invalid_request", "the request can be read in two ways";
    NO_ROUTE = FORBIDDEN, "access_denied", "no route fits the request";
    CREDENTIAL = UNAUTHORIZED, "invalid_token", "a valid token is needed";
    RIGHT = FORBIDDEN, "insufficient_scope", "the token may not do this";
    BODY = FORBIDDEN, "invalid_request", "the body is too large: none is needed";
    UNDECIDED = SERVICE_UNAVAILABLE, "temporarily_unavailable", "it cannot be decided at the moment";
    INTERNAL = INTERNAL_SERVER_ERROR, "server_error", "internal error";
}

impl IntoResponse for Words {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, JSON);
        keep_nowhere(headers);
        response.extensions_mut().insert(Cause::word(self.cause));
        response
    }
}

/// How somebody is asked for a credential.
pub(super) struct Challenges {
    bearer: HeaderValue,
    basic: HeaderValue,
}

impl Challenges {
    pub(super) fn new(public_url: &str) -> Self {
        let value = |text: String| {
            HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("Bearer"))
        };
        Self {
            bearer: value(format!(r#"Bearer realm="{public_url}", error="invalid_token""#)),
            basic: value(format!(r#"Basic realm="{public_url}""#)),
        }
    }

    /// No, and why.
    pub(super) fn refused(&self, refusal: &Refusal) -> Response {
        let (words, challenge, cause) = match refusal {
            Refusal::NoRoute => (Words::NO_ROUTE, None, None),
            Refusal::Ambiguous => (Words::AMBIGUOUS, None, None),
            Refusal::Credential(challenge, error) => {
                let challenge = match challenge {
                    Challenge::Bearer => &self.bearer,
                    Challenge::Basic => &self.basic,
                };
                (Words::CREDENTIAL, Some(challenge.clone()), Some(error))
            }
            Refusal::Right(scope) => {
                let text = format!(r#"Bearer error="insufficient_scope", scope="{scope}""#);
                (Words::RIGHT, HeaderValue::try_from(text).ok(), None)
            }
            Refusal::Undecided(error @ Error::Internal(_)) => (Words::INTERNAL, None, Some(error)),
            Refusal::Undecided(error) => (Words::UNDECIDED, None, Some(error)),
        };
        let mut response = words.into_response();
        if let Some(challenge) = challenge {
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        if let Some(error) = cause {
            response.extensions_mut().insert(Cause::of(error));
        }
        response
    }
}

/// Yes, and as whom. What is not known is empty, so that nothing of the client's takes its place.
pub(super) fn allowed(caller: Option<&Caller>) -> Result<Response, Words> {
    let (user, kind, token, scopes) = match caller {
        None => (EMPTY, EMPTY, EMPTY, EMPTY),
        Some(caller) => {
            let kind = match caller.principal.kind {
                PrincipalKind::Robot => HeaderValue::from_static("robot"),
                PrincipalKind::User | PrincipalKind::Org => HeaderValue::from_static("user"),
            };
            let (token, scopes) = match &caller.credential {
                Credential::Token(token) => {
                    let id = HeaderValue::from_bytes(token.id.text().as_bytes());
                    (id.map_err(|_| Words::INTERNAL)?, words(&token.scopes)?)
                }
                Credential::Session { .. } | Credential::Password => (EMPTY, EMPTY),
            };
            (value(&caller.principal.name)?, kind, token, scopes)
        }
    };
    let mut response = YES.answer(Body::empty());
    let own = [(USER, user), (KIND, kind), (TOKEN, token), (SCOPES, scopes)];
    headers::set(response.headers_mut(), own);
    Ok(response)
}

/// The words of scopes, with blanks between.
fn words(scopes: &Scopes) -> Result<HeaderValue, Words> {
    let mut words = scopes.iter().map(|scope| &*scope.word);
    match (words.next(), words.next()) {
        (None, _) => Ok(EMPTY),
        (Some(one), None) => value(one),
        (Some(_), Some(_)) => {
            let words: Vec<&str> = scopes.iter().map(|scope| &*scope.word).collect();
            value(&words.join(" "))
        }
    }
}

/// Text as a header; one that cannot be one must not let somebody pass as nobody.
fn value(text: &str) -> Result<HeaderValue, Words> {
    let value = HeaderValue::from_str(text).ok();
    value.filter(|_| text.is_ascii()).ok_or(Words::INTERNAL)
}
