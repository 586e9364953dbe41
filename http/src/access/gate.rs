//! Who is asking, and what of a body is looked at: the token first, so that nobody learns anything
//! of a request that he may not make.
//!
//! Which token opens this door: `SECURITY.md` section 2.

use axum::extract::Request;
use bytes::Bytes;
use claviger_domain::Error;
use claviger_service::{App, Caller, Origin, questions::ASKING};
use http::{
    HeaderMap,
    header::{AUTHORIZATION, CONTENT_TYPE},
};

use super::refusal::Refusal;
use crate::{Visit, limit};

/// A request whose sender may ask.
pub(super) struct Call {
    pub(super) caller: Caller,
    pub(super) origin: Origin,
    /// JSON, as it says.
    pub(super) body: Bytes,
}

/// Lets a request in.
pub(super) async fn enter(app: &App, visit: &Visit, request: Request) -> Result<Call, Refusal> {
    let (head, body) = request.into_parts();
    let origin = visit.origin();
    let token = bearer(&head.headers)?;
    let caller = match app.authenticate_token(token, &ASKING, &origin).await {
        Ok(caller) => caller,
        Err(Error::BadCredential(_)) => return Err(Refusal::bad_token()),
        Err(error) => return Err(error.into()),
    };
    visit.note_principal(caller.principal.id);
    caller.must_ask().map_err(|_| Refusal::weak_token())?;
    let body = limit::read(body).await?;
    if !is_json(&head.headers) {
        return Err(Refusal::bad("the body must be application/json"));
    }
    Ok(Call { caller, origin, body })
}

/// The token of the one `Authorization: Bearer TOKEN`, the scheme in any case.
fn bearer(headers: &HeaderMap) -> Result<&str, Refusal> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().ok_or_else(Refusal::nobody)?;
    let token = || {
        let mut parts = value.to_str().ok()?.split_ascii_whitespace();
        let (scheme, token, rest) = (parts.next()?, parts.next()?, parts.next());
        (scheme.eq_ignore_ascii_case("bearer") && rest.is_none()).then_some(token)
    };
    token().filter(|_| values.next().is_none()).ok_or_else(Refusal::bad_token)
}

/// `application/json`, once; parameters allowed.
fn is_json(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let value = values.next().and_then(|value| value.to_str().ok()).unwrap_or_default();
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
