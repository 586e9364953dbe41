//! Consent: a user is asked, says yes or no, and the application hears of it by a redirect. And
//! what goes with it: tokens that are offered to another user, and the built-in application.
//!
//! Source: `contract/quay.md` 4.3 to 4.5.

use axum::response::{IntoResponse, Response};
use claviger_domain::{redirect, scope::QuayScope};
use claviger_service::{
    Caller,
    applications::PublicApplication,
    oauth_assign::Offered,
    oauth_authorize::{Asked, Granted, Refusal as Refused, Weighed},
};
use http::{
    HeaderValue, Method, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION, SET_COOKIE},
};
use serde::Serialize;

use super::{
    coming::Coming,
    location, page,
    refusal::{FORBIDDEN, NOT_FOUND, Refusal},
    scopes::{ScopeView, views},
};
use crate::{
    parameters::Parameters,
    quay::{
        applications::avatar_of,
        avatar::Avatar,
        cookie,
        json::{Json, to_line},
    },
};

const NO_STORE: HeaderValue = HeaderValue::from_static("no-cache, no-store, must-revalidate");

impl Coming {
    /// What is asked for. Offers count only where there are any.
    fn asked(&self, sent: &Parameters) -> Asked {
        let offers = self.app.settings().quay.feature_assign_oauth_token;
        let assignment = sent.get("assignment_uuid").filter(|id| offers && !id.is_empty());
        Asked {
            client_id: sent.text("client_id"),
            redirect_uri: sent.text("redirect_uri"),
            scope: sent.text("scope"),
            response_type: sent.get("response_type").unwrap_or("code").to_owned(),
            assignment: assignment.map(str::to_owned),
        }
    }
}

/// Sends the browser on, with what stands in `location`.
fn send_to(location: &str) -> Result<Response, Refusal> {
    let location = HeaderValue::from_str(location);
    let mut location = location.map_err(claviger_domain::Error::internal)?;
    location.set_sensitive(true);
    let html = HeaderValue::from_static("text/html; charset=utf-8");
    let headers = [(LOCATION, location), (CONTENT_TYPE, html), (CACHE_CONTROL, NO_STORE)];
    Ok((StatusCode::FOUND, headers).into_response())
}

/// `GET /oauth/authorize`: asks the user, unless he has said yes before.
pub(super) async fn ask(coming: Coming) -> Result<Response, Refusal> {
    if let Some(name) = coming.query.missing(&["client_id", "redirect_uri", "scope"]) {
        return Err(Refusal::Missing(name));
    }
    let user = coming.user().await?;
    let asked = coming.asked(&coming.query);
    if asked.assignment.is_some() && asked.response_type != "token" {
        let why = "A token that was assigned is taken with response_type=token.";
        return Err(Refusal::Page(StatusCode::BAD_REQUEST, why));
    }
    // a link on another site must not be enough to make a token, nor a request that only looks
    let silent = coming.method == Method::GET && !coming.is_foreign() && !coming.is_read_only();
    match coming.app.weigh_authorization(&user, &asked, !silent).await? {
        Weighed::NoClient | Weighed::NoScope => Err(NOT_FOUND),
        Weighed::NotAllowed => Err(FORBIDDEN),
        Weighed::Covered => grant(&coming, &user, &asked, coming.query.get("state")).await,
        Weighed::OtherRedirect(registered) => {
            send_to(&location::with_error(&registered, "redirect_uri_mismatch"))
        }
        Weighed::NoRedirect => Err(Refusal::Word("invalid_request")),
        Weighed::Ask { application, scopes } => {
            Ok(question(&coming, &user, &asked, &application, &scopes))
        }
    }
}

/// Gives the application its token or code, and sends the browser there.
async fn grant(
    coming: &Coming,
    user: &Caller,
    asked: &Asked,
    state: Option<&str>,
) -> Result<Response, Refusal> {
    let (uri, scope) = (&asked.redirect_uri, &asked.scope);
    let location = match coming.app.authorize(user, asked, &coming.origin).await? {
        Ok(Granted::Token(token)) => {
            location::with_token(uri, scope, state, token.secret.expose(), token.life_s)
        }
        Ok(Granted::Code(code)) => location::with_code(uri, scope, state, code.expose()),
        Err(Refused::Told(word)) => location::with_error(uri, word),
        Err(Refused::BadRedirect) => return Err(Refusal::Word("invalid_request")),
    };
    send_to(&location)
}

#[derive(Serialize)]
struct Question<'a> {
    scopes: &'a [ScopeView],
    has_dangerous_scopes: bool,
    application: Asking<'a>,
    response_type: &'a str,
    client_id: &'a str,
    redirect_uri: &'a str,
    scope: &'a str,
    csrf_token_val: &'a str,
    state: Option<&'a str>,
    assignment_uuid: Option<&'a str>,
}

#[derive(Serialize)]
struct Asking<'a> {
    name: &'a str,
    description: &'a str,
    url: &'a str,
    /// JSON in a string.
    avatar: String,
    organization: AskingOrg<'a>,
}

#[derive(Serialize)]
struct AskingOrg<'a> {
    name: &'a str,
    /// JSON in a string.
    avatar: String,
}

fn in_a_string(value: &impl Serialize) -> String {
    let line = to_line(value).unwrap_or_default();
    String::from_utf8_lossy(&line).trim_end().to_owned()
}

/// The question as a page, or as data for a page of the client's own.
fn question(
    coming: &Coming,
    user: &Caller,
    asked: &Asked,
    application: &PublicApplication,
    scopes: &[QuayScope],
) -> Response {
    let settings = coming.app.settings();
    let known = coming.cookie.as_deref().and_then(|cookie| coming.app.csrf_token(cookie));
    let (csrf, new_cookie) = if let Some(csrf) = known {
        (csrf, None)
    } else {
        let (secret, csrf) = coming.app.anonymous_session();
        (csrf, cookie::set(&secret, None, settings.https()))
    };
    let scopes = views(scopes);
    let state = coming.query.get("state");
    let mut response = if coming.query.get("format") == Some("json") {
        let style = settings.quay.avatar_kind;
        let question = Question {
            scopes: &scopes,
            has_dangerous_scopes: scopes.iter().any(ScopeView::is_dangerous),
            application: Asking {
                name: &application.name,
                description: &application.description,
                url: &application.application_uri,
                avatar: in_a_string(&avatar_of(style, application)),
                organization: AskingOrg {
                    name: &application.org.name,
                    avatar: in_a_string(&Avatar::of_org(style, &application.org)),
                },
            },
            response_type: &asked.response_type,
            client_id: &asked.client_id,
            redirect_uri: &asked.redirect_uri,
            scope: &asked.scope,
            csrf_token_val: &csrf,
            state,
            assignment_uuid: asked.assignment.as_deref(),
        };
        ([(CACHE_CONTROL, NO_STORE)], Json(question)).into_response()
    } else {
        let mut fields = vec![
            ("client_id", asked.client_id.as_str()),
            ("redirect_uri", &asked.redirect_uri),
            ("scope", &asked.scope),
            ("response_type", &asked.response_type),
            ("_csrf_token", &csrf),
        ];
        fields.extend(state.map(|state| ("state", state)));
        fields.extend(asked.assignment.as_deref().map(|id| ("assignment_uuid", id)));
        page::consent(&page::Consent {
            application: &application.name,
            description: &application.description,
            organisation: &application.org.name,
            user: &user.principal.name,
            scopes: &scopes,
            origin: redirect::origin(&asked.redirect_uri).unwrap_or(&settings.public_url),
            fields: &fields,
        })
    };
    response.headers_mut().extend(new_cookie.map(|value| (SET_COOKIE, value)));
    response
}

/// `POST /oauth/authorizeapp`: the user has said yes.
pub(super) async fn consent(coming: Coming) -> Result<Response, Refusal> {
    let user = coming.user().await?;
    coming.refuse_forged(Some(&user))?;
    coming.refuse_read_only()?;
    let asked = coming.asked(&coming.form);
    grant(&coming, &user, &asked, coming.form.get("state")).await
}

/// `POST /oauth/denyapp`: the user has said no.
pub(super) async fn deny(coming: Coming) -> Result<Response, Refusal> {
    coming.refuse_forged(None)?;
    coming.user().await?;
    let asked = coming.asked(&coming.form);
    if coming.app.may_hear(&asked).await? {
        send_to(&location::with_error(&asked.redirect_uri, "authorization_denied"))
    } else {
        Err(Refusal::Word("invalid_request"))
    }
}

/// `POST /oauth/authorize/assignuser`: offers a token to another user.
pub(super) async fn offer(coming: Coming) -> Result<Response, Refusal> {
    #[derive(Serialize)]
    struct Done {
        message: &'static str,
    }
    const DONE: &str = "Token assigned successfully";
    if !coming.app.settings().quay.feature_assign_oauth_token {
        return Err(NOT_FOUND);
    }
    let sent = &coming.query;
    if let Some(name) = sent.missing(&["client_id", "redirect_uri", "scope", "username"]) {
        return Err(Refusal::Missing(name));
    }
    let user = coming.user().await?;
    coming.refuse_forged(Some(&user))?;
    coming.refuse_read_only()?;
    let asked = coming.asked(sent);
    if asked.response_type != "token" {
        let why = "Only tokens can be assigned: response_type=token.";
        return Err(Refusal::Page(StatusCode::BAD_REQUEST, why));
    }
    let name = sent.text("username");
    match coming.app.offer_token(asked, &name, &user, &coming.origin).await? {
        Offered::Nothing => Err(NOT_FOUND),
        Offered::NotAllowed => Err(FORBIDDEN),
        Offered::BadRedirect => Err(Refusal::Word("invalid_request")),
        Offered::NoScope => Err(Refusal::Word("invalid_scope")),
        Offered::Done if sent.get("format") == Some("json") => {
            Ok(([(CACHE_CONTROL, NO_STORE)], Json(Done { message: DONE })).into_response())
        }
        Offered::Done => Ok(page::message(DONE)),
    }
}

/// `GET /oauth/localapp`: where a token goes that a user wants for himself.
pub(super) async fn local_application(coming: Coming) -> Response {
    #[derive(Serialize)]
    struct Reply<'a> {
        access_token: Option<&'a str>,
    }
    if coming.query.get("format") == Some("json") {
        let access_token = coming.query.get("access_token");
        return ([(CACHE_CONTROL, NO_STORE)], Json(Reply { access_token })).into_response();
    }
    page::local_application()
}
