//! Who is calling, and what is refused before the resource is reached, in this door's order:
//! browser rule, credentials, CSRF, read-only state, anonymous access. A handler that takes a
//! [`Call`] has all of this behind it; then it asks the call for the right that it needs, and only
//! then reads its [`super::body::Body`].
//!
//! Source: `contract/quay.md` 1.1, 1.5, 1.6, 4.2.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use claviger_domain::{Error, TokenKind, scope::UserCap};
use claviger_service::{
    App, Caller, FreshUser, Origin,
    settings::{AvatarKind, RegistryState},
};
use http::{HeaderMap, Method, StatusCode, header::AUTHORIZATION, request::Parts};

use super::{
    cookie,
    error::{QuayError, read_only},
};
use crate::{Visit, cross_site, log::Cause};

/// One call of a resource: who calls, with what.
pub(crate) struct Call {
    /// What the use cases stand on.
    pub(crate) app: Arc<App>,
    /// Where the request came from.
    pub(crate) origin: Origin,
    /// The session cookie, whether it opens a session or not.
    pub(crate) cookie: Option<String>,
    caller: Option<Caller>,
}

/// The call of a resource that anybody may reach even where anonymous access is off.
pub(crate) struct OpenCall(pub(crate) Call);

/// The call of a resource that only takes rights away: it is served in read-only state, too, because
/// what leaked must be ended at once (`SECURITY.md`, section 3).
pub(crate) struct EndingCall(pub(crate) Call);

impl FromRequestParts<Arc<App>> for Call {
    type Rejection = QuayError;

    async fn from_request_parts(head: &mut Parts, app: &Arc<App>) -> Result<Self, QuayError> {
        let call = enter(head, app).await?;
        call.refuse_writes(head)?;
        call.refuse_nobody()?;
        Ok(call)
    }
}

impl FromRequestParts<Arc<App>> for EndingCall {
    type Rejection = QuayError;

    async fn from_request_parts(head: &mut Parts, app: &Arc<App>) -> Result<Self, QuayError> {
        let call = enter(head, app).await?;
        call.refuse_nobody()?;
        Ok(Self(call))
    }
}

impl FromRequestParts<Arc<App>> for OpenCall {
    type Rejection = QuayError;

    async fn from_request_parts(head: &mut Parts, app: &Arc<App>) -> Result<Self, QuayError> {
        let call = enter(head, app).await?;
        call.refuse_writes(head)?;
        Ok(Self(call))
    }
}

async fn enter(head: &Parts, app: &Arc<App>) -> Result<Call, QuayError> {
    if app.settings().quay.browser_api_calls_xhr_only && is_bare_browser(head) {
        return Err(QuayError::abort(
            StatusCode::BAD_REQUEST,
            "API calls must be invoked with an X-Requested-With header if called from a browser",
            None,
        ));
    }
    let visit = head.extensions.get::<Visit>().ok_or_else(QuayError::internal)?;
    let origin = visit.origin();
    let cookie = cookie::read(&head.headers, app.settings().https());
    let bearer = bearer(&head.headers);
    let caller = match (bearer, &cookie) {
        (Some(token), _) => with_bearer(app, token, &origin).await?,
        (None, Some(cookie)) => app.authenticate_session(cookie).await?,
        (None, None) => None,
    };
    if let Some(caller) = &caller {
        visit.note_principal(caller.principal.id);
    }
    let by_token = bearer.is_some() && caller.is_some();
    let call = Call { app: Arc::clone(app), origin, cookie, caller };
    if !head.method.is_safe() && !by_token {
        call.refuse_forged(head)?;
    }
    Ok(call)
}

/// Whoever comes with a bearer token. One that is not good is nobody; the cookie is not tried.
async fn with_bearer(
    app: &Arc<App>,
    token: &str,
    origin: &Origin,
) -> Result<Option<Caller>, QuayError> {
    if looks_like_jwt(token) {
        return Err(QuayError::abort(
            StatusCode::UNAUTHORIZED,
            "Token does not contain issuer",
            None,
        ));
    }
    match app.authenticate_token(token, &[TokenKind::Oauth], origin).await {
        Ok(caller) => {
            let shown = app.is_first_account(caller.principal.account).await?;
            Ok(shown.then_some(caller))
        }
        Err(Error::BadCredential(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The token of `Authorization: Bearer TOKEN`: exactly two parts, the scheme in any case.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut parts = headers.get(AUTHORIZATION)?.to_str().ok()?.split_ascii_whitespace();
    let (scheme, token, rest) = (parts.next()?, parts.next()?, parts.next());
    (scheme.eq_ignore_ascii_case("bearer") && rest.is_none()).then_some(token)
}

/// Three parts of which the first two are JSON objects. No issuer is known here, so none is good.
fn looks_like_jwt(token: &str) -> bool {
    let mut parts = token.split('.');
    let object = |part: Option<&str>| {
        let bytes = URL_SAFE_NO_PAD.decode(part?.trim_end_matches('=')).ok()?;
        serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(&bytes).ok()
    };
    let header = object(parts.next());
    let claims = object(parts.next());
    header.is_some() && claims.is_some() && parts.next().is_some() && parts.next().is_none()
}

/// A `GET` by a browser that was not made by a script: somebody has typed the address, or follows
/// a link.
fn is_bare_browser(head: &Parts) -> bool {
    if head.method != Method::GET {
        return false;
    }
    let text = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
    let agent = text("user-agent").unwrap_or_default().to_ascii_lowercase();
    let browser = agent.starts_with("mozilla/")
        && ["chrome/", "firefox/", "safari/", "opera", "msie ", "trident/", "edge/"]
            .iter()
            .any(|family| agent.contains(family))
        || agent.starts_with("opera/");
    let script = text("x-requested-with").is_some_and(|by| by == "XMLHttpRequest");
    browser && !script
}

impl Call {
    /// Refuses what another site may have made a browser send.
    fn refuse_forged(&self, head: &Parts) -> Result<(), QuayError> {
        let own = self.app.settings().public_url.as_str();
        let given = head
            .headers
            .get("x-csrf-token")
            .and_then(|value| value.to_str().ok().map(str::to_owned))
            .or_else(|| in_query(head));
        let good = match (&self.cookie, given) {
            (Some(cookie), Some(given)) => self.app.is_csrf_token(cookie, &given),
            _ => false,
        };
        if good && !cross_site::must_refuse(&head.method, &head.headers, own) {
            return Ok(());
        }
        let user = self.caller.as_ref().map(|caller| &*caller.principal.name);
        let text = "CSRF token was invalid or missing.";
        Err(QuayError::abort(StatusCode::FORBIDDEN, text, user).because(Cause::word("csrf")))
    }

    /// How avatars are drawn here.
    pub(crate) fn avatars(&self) -> AvatarKind {
        self.app.settings().quay.avatar_kind
    }

    /// Whether the installation takes no writes at the moment.
    pub(crate) fn is_read_only(&self) -> bool {
        self.app.settings().quay.registry_state == RegistryState::Readonly
    }

    fn refuse_writes(&self, head: &Parts) -> Result<(), QuayError> {
        if self.is_read_only() && !head.method.is_safe() { Err(read_only()) } else { Ok(()) }
    }

    fn refuse_nobody(&self) -> Result<(), QuayError> {
        if self.caller.is_some() || self.app.settings().quay.feature_anonymous_access {
            return Ok(());
        }
        let text = "Anonymous access is not allowed";
        Err(QuayError::abort(StatusCode::UNAUTHORIZED, text, None))
    }

    /// Who is calling; nobody for an anonymous call.
    pub(crate) fn caller(&self) -> Option<&Caller> {
        self.caller.as_ref()
    }

    /// The user who is calling, whatever his credential may do.
    ///
    /// # Errors
    /// 401.
    pub(crate) fn user(&self) -> Result<&Caller, QuayError> {
        let user = self.caller.as_ref().filter(|caller| caller.is_user());
        user.ok_or_else(QuayError::unauthenticated)
    }

    /// The user who is calling, when the credential may see who he is (`user:read`).
    ///
    /// # Errors
    /// 401, 403.
    pub(crate) fn user_reader(&self) -> Result<&Caller, QuayError> {
        let user = self.user()?;
        if user.caps.user >= UserCap::Read { Ok(user) } else { Err(QuayError::forbidden()) }
    }

    /// The user who is calling, when the credential may change him (`user:admin`).
    ///
    /// # Errors
    /// 401, 403.
    pub(crate) fn user_admin(&self) -> Result<&Caller, QuayError> {
        let user = self.user()?;
        if user.caps.user >= UserCap::Admin { Ok(user) } else { Err(QuayError::forbidden()) }
    }

    /// The user who is calling, when his sign-in is fresh or his credential needs none.
    ///
    /// # Errors
    /// 401.
    pub(crate) fn fresh(&self) -> Result<FreshUser, QuayError> {
        let timeout = self.app.fresh_login_timeout();
        Ok(self.user()?.fresh_user(self.app.now(), timeout)?)
    }
}

/// The CSRF token in the query.
fn in_query(head: &Parts) -> Option<String> {
    let pairs = head.uri.query()?.split('&');
    let value = pairs.into_iter().find_map(|pair| pair.strip_prefix("_csrf_token="))?;
    Some(percent_encoding::percent_decode_str(value).decode_utf8().ok()?.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(method: Method, pairs: &[(&'static str, &'static str)]) -> Parts {
        let mut request =
            http::Request::builder().method(method).uri("/api/v1/x?a=b&_csrf_token=q%2Dx");
        for (name, value) in pairs {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn bearer_has_exactly_two_parts() {
        let token = |value| {
            bearer(&head(Method::GET, &[("authorization", value)]).headers).map(str::to_owned)
        };
        assert_eq!(token("bEaReR   abc").as_deref(), Some("abc"));
        for other in ["Bearer", "Bearer a b", "Basic abc", "", "Bearerabc"] {
            assert_eq!(token(other), None, "{other}");
        }
    }

    #[test]
    fn browsers_need_a_script_to_call() {
        const FIREFOX: (&str, &str) = (
            "user-agent",
            "Mozilla/5.0 (X11; Linux x86_64; rv:120.0) Gecko/20100101 Firefox/120.0",
        );
        assert!(is_bare_browser(&head(Method::GET, &[FIREFOX])));
        let script = ("x-requested-with", "XMLHttpRequest");
        assert!(!is_bare_browser(&head(Method::GET, &[FIREFOX, script])));
        assert!(!is_bare_browser(&head(Method::POST, &[FIREFOX])));
        for agent in ["Python-urllib/3.12", "curl/7.88.1", "skopeo/1.9.3", "Go-http-client/1.1"] {
            assert!(!is_bare_browser(&head(Method::GET, &[("user-agent", agent)])), "{agent}");
        }
    }

    #[test]
    fn jwt_is_told_from_a_token() {
        assert!(looks_like_jwt("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJzdWIiOiJ4In0."));
        for other in ["clvo_abc", "a.b.c", "", "eyJhbGciOiJub25lIn0", "..", "e30.e30.x.y"] {
            assert!(!looks_like_jwt(other), "{other}");
        }
    }

    #[test]
    fn csrf_token_may_stand_in_the_query() {
        assert_eq!(in_query(&head(Method::POST, &[])).as_deref(), Some("q-x"));
    }
}
