//! `GET` and `POST /v2/auth`.

use std::sync::{Arc, LazyLock};

use axum::{
    body::Body,
    extract::{Request, State},
    response::Response,
};
use claviger_domain::{Error, name::RepoName, secret::TokenSecret};
use claviger_service::{
    Caller, Origin,
    passwords::Password,
    registry::{Ask, RegistryToken, Subject},
};
use http::{
    HeaderName, HeaderValue, Method,
    header::{CACHE_CONTROL, CONTENT_TYPE},
    request::Parts,
};
use serde::Serialize;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{
    CORS, Registry,
    error::{API_VERSION, JSON, Login, Refusal, json},
    open_to_all,
};
use crate::{
    Visit,
    basic::{self, Basic, NotBasic},
    cross_site,
    headers::Layout,
    limit::{self, BodyError},
    parameters::Parameters,
};

/// What only some clients are sent beside the token.
#[derive(Serialize)]
struct More<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<&'a str>,
}

/// `GET /v2/auth`: a token for whoever comes with Basic, or for the world.
pub(super) async fn get(registry: Arc<Registry>, visit: Visit, request: Request) -> Response {
    let (Parts { method, uri, headers, .. }, _) = request.into_parts();
    // what a page of another site makes a browser send gets a token and changes nothing
    let own = &registry.app.settings().public_url;
    let may_change = method == Method::GET && !cross_site::is_foreign(&headers, own);
    let form = Parameters::read(uri.query().unwrap_or_default());
    let basic = basic::read(&headers);
    let answer = granted(&registry, &visit, basic, &form, may_change).await;
    finish(answer.map(|granted| granted.reply(false)), &registry, false)
}

/// `POST /v2/auth`: the same for clients that speak OAuth 2, with a refresh token or with the
/// secret of a token as the password. The password of a person is refused: clients then come with
/// GET.
pub(super) async fn post(
    State(registry): State<Arc<Registry>>,
    visit: Visit,
    body: Body,
) -> Response {
    let answer = match limit::read(body).await {
        Ok(bytes) => {
            let form = Parameters::read(&String::from_utf8_lossy(&bytes));
            exchanged(&registry, &visit, &form).await
        }
        Err(BodyError::TooLarge) => Err(Refusal::too_large()),
        Err(BodyError::TooSlow | BodyError::Broken) => {
            Err(Refusal::bad_request("invalid_request", "The request broke off."))
        }
    };
    finish(answer.map(|granted| granted.reply(true)), &registry, true)
}

/// A token, and a refresh token where one was asked for.
struct Granted {
    token: RegistryToken,
    refresh: Option<TokenSecret>,
}

impl Granted {
    fn reply(&self, form: bool) -> String {
        let RegistryToken { token, issued_at, expires_in, access } = &self.token;
        let scope = || {
            let scopes = access.iter().filter(|access| !access.actions.is_empty());
            let scopes = scopes.map(|a| format!("{}:{}:{}", a.kind, a.name, a.actions.join(",")));
            scopes.collect::<Vec<_>>().join(" ")
        };
        let refresh_token = self.refresh.as_ref().map(TokenSecret::expose);
        let more = if form || refresh_token.is_some() {
            let token_type = form.then_some("Bearer");
            json(&More { scope: form.then(scope), token_type, refresh_token }).replacen('{', ",", 1)
        } else {
            "}".to_owned()
        };
        let issued_at = OffsetDateTime::from_unix_timestamp(issued_at.seconds()).ok();
        let issued_at = issued_at.and_then(|at| at.format(&Rfc3339).ok()).unwrap_or_default();
        // under both names that clients look for; nothing in a JWT or a time must be escaped
        [
            r#"{"token":""#,
            token,
            r#"","access_token":""#,
            token,
            r#"","expires_in":"#,
            &expires_in.to_string(),
            r#","issued_at":""#,
            &issued_at,
            "\"",
            &more,
        ]
        .concat()
    }
}

async fn granted(
    registry: &Registry,
    visit: &Visit,
    basic: Option<Result<Basic, NotBasic>>,
    form: &Parameters,
    may_change: bool,
) -> Result<Granted, Refusal> {
    let origin = visit.origin();
    let caller = match basic {
        None => None,
        Some(Err(NotBasic)) => return Err(Refusal::not_basic()),
        Some(Ok(Basic { user, secret })) => {
            let soon = first_asked(registry, form.all("scope"));
            let caller =
                registry.app.registry_login(&user, secret, true, soon.as_ref(), &origin).await;
            Some(caller.map_err(|error| Refusal::of(&error, &Login::of(&user)))?)
        }
    };
    let scopes: Vec<_> = form.all("scope").filter(|scope| !scope.is_empty()).collect();
    match &caller {
        Some(caller) => visit.note_principal(caller.principal.id),
        None if !registry.app.settings().quay.feature_anonymous_access => {
            return Err(Refusal::anonymous());
        }
        None if scopes.is_empty() => return Err(Refusal::nobody()),
        None => {}
    }
    let asks = asks(registry, scopes)?;
    let offline = form.get("offline_token") == Some("true");
    issue(registry, caller.as_ref(), asks, form.get("service"), offline, may_change, &origin).await
}

async fn exchanged(
    registry: &Registry,
    visit: &Visit,
    form: &Parameters,
) -> Result<Granted, Refusal> {
    let (app, origin) = (&registry.app, visit.origin());
    let service = form.get("service");
    let needed = |name| {
        let missing = || Refusal::bad_request("invalid_request", &format!("`{name}` is missing"));
        form.get(name).ok_or_else(missing)
    };
    let caller = match form.get("grant_type") {
        Some("refresh_token") => {
            let caller =
                app.registry_refresh_login(needed("refresh_token")?, service, &origin).await;
            caller.map_err(|error| Refusal::of(&error, &Login::Refresh))?
        }
        Some("password") => {
            let (user, secret) = (needed("username")?, Password::given(needed("password")?));
            let asked = || form.all("scope").flat_map(|scopes| scopes.split(' '));
            let soon = first_asked(registry, asked());
            let caller = app.registry_login(user, secret, false, soon.as_ref(), &origin).await;
            caller.map_err(|error| Refusal::of(&error, &Login::of(user)))?
        }
        Some(_) => {
            let message = "`grant_type` must be `refresh_token` or `password`";
            return Err(Refusal::bad_request("unsupported_grant_type", message));
        }
        None => return Err(Refusal::bad_request("invalid_request", "`grant_type` is missing")),
    };
    visit.note_principal(caller.principal.id);
    let scopes = form.all("scope").flat_map(|scopes| scopes.split(' '));
    let asks = asks(registry, scopes.filter(|scope| !scope.is_empty()))?;
    let offline = form.get("access_type") == Some("offline");
    issue(registry, Some(&caller), asks, service, offline, true, &origin).await
}

/// The repository that is decided about first.
fn first_asked<'a>(
    registry: &Registry,
    mut scopes: impl Iterator<Item = &'a str>,
) -> Option<RepoName> {
    let first = scopes.find(|scope| !scope.is_empty())?;
    match registry.grammar().read(first).ok()?.subject {
        Subject::Repository(name) => name,
        Subject::Catalog => None,
    }
}

fn asks<'a>(
    registry: &Registry,
    scopes: impl IntoIterator<Item = &'a str>,
) -> Result<Vec<Ask>, Refusal> {
    let grammar = registry.grammar();
    scopes.into_iter().map(|scope| grammar.read(scope).map_err(Refusal::from)).collect()
}

async fn issue(
    registry: &Registry,
    caller: Option<&Caller>,
    asks: Vec<Ask>,
    service: Option<&str>,
    offline: bool,
    may_change: bool,
    origin: &Origin,
) -> Result<Granted, Refusal> {
    let refuse = |error: Error| Refusal::of(&error, &Login::User);
    let app = &registry.app;
    let token =
        app.registry_token(caller, asks, service, may_change, origin).await.map_err(refuse)?;
    let refresh = match caller {
        Some(caller) if offline && may_change => {
            // in a box (as all that is rare here), so that every other request has less to move
            Box::pin(app.mint_refresh_token(caller, service, origin)).await.map_err(refuse)?
        }
        _ => None,
    };
    Ok(Granted { token, refresh })
}

/// The headers of an answer that grants something.
static GRANTED: LazyLock<Layout> = LazyLock::new(|| {
    Layout::new([(CONTENT_TYPE, JSON), API_VERSION, NOWHERE].into_iter().chain(CORS))
});

const NOWHERE: (HeaderName, HeaderValue) =
    (CACHE_CONTROL, HeaderValue::from_static("no-cache, no-store, must-revalidate"));

fn finish(answer: Result<String, Refusal>, registry: &Registry, form: bool) -> Response {
    match answer {
        Ok(body) => GRANTED.answer(body),
        Err(refusal) => {
            let mut response = refusal.answer(&registry.challenge, form);
            let (name, value) = NOWHERE;
            response.headers_mut().insert(name, value);
            open_to_all(response.headers_mut());
            response
        }
    }
}
