//! Who is calling, and what is refused before the resource is reached: credentials, then what
//! another site may have made a browser send, then the read-only state. A handler that takes a
//! [`Call`] has all of this behind it; then it asks for the right that it needs.
//!
//! Which token opens this door: `SECURITY.md` section 2.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use claviger_domain::{
    Error, TokenKind,
    scope::{Dialect, Scopes, UserCap, openshift::OpenshiftScope},
};
use claviger_service::{
    App, Caller, FreshUser, Origin, caller::Credential, settings::RegistryState,
};
use http::{HeaderMap, header::AUTHORIZATION, request::Parts};

use super::problem::Problem;
use crate::{Visit, cross_site, quay::cookie};

/// One call of a resource.
pub(crate) struct Call {
    /// What the use cases stand on.
    pub(crate) app: Arc<App>,
    /// Where the request came from.
    pub(crate) origin: Origin,
    /// Who is calling: a user.
    pub(crate) caller: Caller,
}

/// The call of a resource that only takes rights away: it is served in read-only state, too, because
/// what leaked must be ended at once (`SECURITY.md`, section 3).
pub(crate) struct EndingCall(pub(crate) Call);

impl FromRequestParts<Arc<App>> for Call {
    type Rejection = Problem;

    async fn from_request_parts(head: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let call = enter(head, app).await?;
        let read_only = app.settings().quay.registry_state == RegistryState::Readonly;
        if read_only && !head.method.is_safe() { Err(Problem::read_only()) } else { Ok(call) }
    }
}

impl FromRequestParts<Arc<App>> for EndingCall {
    type Rejection = Problem;

    async fn from_request_parts(head: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        enter(head, app).await.map(Self)
    }
}

async fn enter(head: &Parts, app: &Arc<App>) -> Result<Call, Problem> {
    let visit = head.extensions.get::<Visit>().ok_or_else(Problem::internal)?;
    let origin = visit.origin();
    let caller = if head.headers.contains_key(AUTHORIZATION) {
        with_token(app, &head.headers, &origin).await?
    } else {
        with_cookie(app, head).await?
    };
    visit.note_principal(caller.principal.id);
    Ok(Call { app: Arc::clone(app), origin, caller })
}

/// Whoever comes with a token. With one that is not good the cookie is not tried.
async fn with_token(
    app: &Arc<App>,
    headers: &HeaderMap,
    origin: &Origin,
) -> Result<Caller, Problem> {
    const OPENS: [TokenKind; 3] = [TokenKind::Oauth, TokenKind::Authorization, TokenKind::Api];
    let token = bearer(headers).ok_or_else(Problem::bad_credential)?;
    match app.authenticate_token(token, &OPENS, origin).await {
        Ok(caller) if opens(&caller) => Ok(caller),
        Ok(_) | Err(Error::BadCredential(_)) => Err(Problem::bad_credential()),
        Err(error) => Err(error.into()),
    }
}

/// Whoever comes with a session. A change needs its CSRF token besides, and this site.
async fn with_cookie(app: &Arc<App>, head: &Parts) -> Result<Caller, Problem> {
    let headers = &head.headers;
    let cookie = cookie::read(headers, app.settings().https());
    let cookie = cookie.ok_or_else(Problem::missing_credential)?;
    let caller = app.authenticate_session(&cookie).await?.ok_or_else(Problem::bad_credential)?;
    let given = headers.get("x-csrf-token").and_then(|value| value.to_str().ok());
    let meant = given.is_some_and(|given| app.is_csrf_token(&cookie, given))
        && !cross_site::is_foreign(headers, &app.settings().public_url);
    if head.method.is_safe() || meant { Ok(caller) } else { Err(Problem::forged()) }
}

/// Whether the caller's token is one that opens this door, beyond its kind.
fn opens(caller: &Caller) -> bool {
    let Credential::Token(token) = &caller.credential else { return false };
    let scopes = &token.scopes;
    match token.kind {
        TokenKind::Oauth => true,
        TokenKind::Authorization => scopes.openshift().contains(&OpenshiftScope::Session),
        TokenKind::Api => scopes.has(Dialect::Native, Scopes::USER),
        TokenKind::App | TokenKind::Robot | TokenKind::Refresh => false,
    }
}

/// The token of the one `Authorization: Bearer TOKEN`, the scheme in any case.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().filter(|_| values.next().is_none())?.to_str().ok()?;
    let mut parts = value.split_ascii_whitespace();
    let (scheme, token, rest) = (parts.next()?, parts.next()?, parts.next());
    (scheme.eq_ignore_ascii_case("bearer") && rest.is_none()).then_some(token)
}

impl Call {
    /// The caller, whose credential may see what is his.
    ///
    /// # Errors
    /// 403.
    pub(crate) fn reader(&self) -> Result<&Caller, Problem> {
        self.at_least(UserCap::Read, "see what belongs to its user")
    }

    /// The caller, whose credential may change what is his.
    ///
    /// # Errors
    /// 403.
    pub(crate) fn changer(&self) -> Result<&Caller, Problem> {
        self.at_least(UserCap::Admin, "change what belongs to its user")
    }

    /// The same, whose sign-in is fresh or whose credential needs none.
    ///
    /// # Errors
    /// 403, 401.
    pub(crate) fn fresh(&self) -> Result<FreshUser, Problem> {
        let timeout = self.app.fresh_login_timeout();
        Ok(self.changer()?.fresh_user(self.app.now(), timeout)?)
    }

    fn at_least(&self, cap: UserCap, needed: &str) -> Result<&Caller, Problem> {
        if self.caller.caps.user >= cap {
            Ok(&self.caller)
        } else {
            Err(Problem::weak_credential(needed))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bearer_is_the_only_scheme_and_comes_once() {
        let token = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(AUTHORIZATION, http::HeaderValue::from_static(value));
            }
            bearer(&headers).map(str::to_owned)
        };
        assert_eq!(token(&["bEaReR   abc"]).as_deref(), Some("abc"));
        for other in [&["Bearer"][..], &["Bearer a b"], &["Basic abc"], &[""], &["Bearer a"; 2]] {
            assert_eq!(token(other), None, "{other:?}");
        }
    }
}
