//! Who is asking, and what of a body is looked at: the token first, so that nobody learns anything
//! of a request that he may not make. A body that is there already when the token has turned out to
//! be genuine may be read before the store or what is remembered of it is asked about the token,
//! so that both can be looked for at once; the token is still what is answered about first.
//!
//! Which token opens this door: `SECURITY.md` section 2.

use axum::extract::Request;
use bytes::Bytes;
use claviger_domain::{Error, name::RepoName};
use claviger_service::{App, Caller, Genuine, Origin, questions::ASKING};
use http::{
    HeaderMap,
    header::{AUTHORIZATION, CONTENT_TYPE, EXPECT},
};

use super::refusal::Refusal;
use crate::{
    Visit,
    limit::{self, Begun},
};

/// A request whose sender may ask.
pub(super) struct Call {
    pub(super) caller: Caller,
    pub(super) origin: Origin,
    /// JSON, as it says.
    pub(super) body: Bytes,
}

/// A request with a genuine token, which may be a dead one.
pub(super) struct Knock {
    token: Genuine,
    json: bool,
    body: Begun,
}

/// Looks at the token of a request.
pub(super) async fn knock(app: &App, request: Request) -> Result<Knock, Refusal> {
    let (head, body) = request.into_parts();
    let token = app.genuine(bearer(&head.headers)?, &ASKING).map_err(refused)?;
    // whoever waits to be asked for his body is asked when he is let in
    let body = if head.headers.contains_key(EXPECT) {
        Begun::later(body)
    } else {
        limit::begin(body).await
    };
    Ok(Knock { token, json: is_json(&head.headers), body })
}

impl Knock {
    /// The body, if all of it has come.
    pub(super) fn body(&self) -> Option<Bytes> {
        self.body.whole().cloned()
    }

    /// Lets the request in. `soon` is the repository that will be asked about.
    pub(super) async fn enter(
        self,
        app: &App,
        visit: &Visit,
        soon: Option<&RepoName>,
    ) -> Result<Call, Refusal> {
        let origin = visit.origin();
        let caller = app.authenticate_genuine(self.token, soon, &origin).await.map_err(refused)?;
        visit.note_principal(caller.principal.id);
        caller.must_ask().map_err(|_| Refusal::weak_token())?;
        let body = self.body.read().await?;
        if !self.json {
            return Err(Refusal::bad("the body must be application/json"));
        }
        Ok(Call { caller, origin, body })
    }
}

/// Lets a request in.
pub(super) async fn enter(app: &App, visit: &Visit, request: Request) -> Result<Call, Refusal> {
    knock(app, request).await?.enter(app, visit, None).await
}

fn refused(error: Error) -> Refusal {
    match error {
        Error::BadCredential(_) => Refusal::bad_token(),
        error => error.into(),
    }
}

/// The token of the one `Authorization: Bearer TOKEN`, the scheme in any case.
fn bearer(headers: &HeaderMap) -> Result<&str, Refusal> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().ok_or_else(Refusal::nobody)?;
    let token = || {
        let text = value.to_str().ok()?;
        // as nearly everybody writes it
        if let Some(token) = text.strip_prefix("Bearer ")
            && token.bytes().all(|byte| byte.is_ascii_graphic())
        {
            return (!token.is_empty()).then_some(token);
        }
        let mut parts = text.split_ascii_whitespace();
        let (scheme, token, rest) = (parts.next()?, parts.next()?, parts.next());
        (scheme.eq_ignore_ascii_case("bearer") && rest.is_none()).then_some(token)
    };
    token().filter(|_| values.next().is_none()).ok_or_else(Refusal::bad_token)
}

/// `application/json`, once; parameters allowed.
fn is_json(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let Some(value) = values.next() else { return false };
    // as nearly everybody writes it
    if value == "application/json" {
        return values.next().is_none();
    }
    let value = value.to_str().unwrap_or_default();
    let kind = value.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/json") && values.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_type_is_json_and_comes_once() {
        let json = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(CONTENT_TYPE, http::HeaderValue::from_static(value));
            }
            is_json(&headers)
        };
        assert!(json(&["application/json"]) && json(&["Application/JSON; charset=utf-8"]));
        for other in [&[][..], &["text/json"], &["application/jsonx"], &["application/json"; 2]] {
            assert!(!json(other), "{other:?}");
        }
    }
}
