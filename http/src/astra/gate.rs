//! What every request passes here: a bearer token, before even the path is looked at, and then the
//! account. The order of the checks behind it is each handler's, in the words of section 3.1:
//! account, permission, user, query, item, preconditions, body, conflict.
//!
//! Source: `contract/astra.md` sections 2.5 and 3.1; `SECURITY.md` section 2, "Tenants".

use std::sync::{Arc, Mutex, PoisonError};

use axum::{
    body::Body,
    extract::{FromRequest, Request, State},
    middleware::Next,
    response::Response,
};
use claviger_domain::{Error, collection, id::AccountId};
use claviger_service::{
    Caller, Origin,
    collection::{Listing, Shape},
    residents::{Fellow, Resident},
    settings::RegistryState,
};
use http::{HeaderMap, Method, header::AUTHORIZATION, request::Parts};

use super::{
    Astra,
    body::Fields,
    etag::Preconditions,
    media::{Kind, Media},
    problem::Problem,
};
use crate::{Visit, limit};

/// Lets in who comes with a token of this door, and writes the problems of those who get no further.
pub(super) async fn pass(
    State(door): State<Arc<Astra>>,
    visit: Visit,
    request: Request,
    next: Next,
) -> Response {
    let (mut head, body) = request.into_parts();
    let response = match enter(&door, &visit, &head).await {
        Ok(caller) => {
            head.extensions.insert(caller);
            next.run(Request::from_parts(head, body)).await
        }
        Err(problem) => return problem.write(Some(visit.request_id())),
    };
    match response.extensions().get::<Problem>() {
        Some(problem) => problem.write(Some(visit.request_id())),
        None => response,
    }
}

async fn enter(door: &Astra, visit: &Visit, head: &Parts) -> Result<Caller, Problem> {
    let token = bearer(&head.headers).ok_or_else(Problem::no_bearer)?;
    let caller = door.app.astra_login(token, &visit.origin()).await?;
    visit.note_principal(caller.principal.id);
    let changes = !matches!(head.method, Method::GET | Method::HEAD | Method::OPTIONS);
    if changes && door.app.settings().quay.registry_state == RegistryState::Readonly {
        return Err(Problem::read_only());
    }
    Ok(caller)
}

/// The bearer token; another scheme, or nothing behind the scheme, is none. What no token can be is
/// one that nobody has.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(AUTHORIZATION)?.as_bytes();
    let (scheme, token) = value.split_at_checked(6)?;
    let token = token.strip_prefix(b" ")?.trim_ascii();
    let given = scheme.eq_ignore_ascii_case(b"bearer") && !token.is_empty();
    given.then(|| std::str::from_utf8(token).unwrap_or("\u{fffd}"))
}

/// A request of somebody who was let in.
#[derive(Debug)]
pub(crate) struct Call {
    /// Who is calling.
    pub(crate) caller: Caller,
    /// Where from.
    pub(crate) origin: Origin,
    head: Parts,
    /// Nobody waits for it: it makes a call one that threads may share.
    body: Mutex<Body>,
}

impl FromRequest<Arc<Astra>> for Call {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &Arc<Astra>) -> Result<Self, Problem> {
        let (mut head, body) = request.into_parts();
        let caller = head.extensions.remove::<Caller>().ok_or_else(Problem::no_bearer)?;
        let visit = head.extensions.get::<Visit>().ok_or_else(Problem::internal)?;
        Ok(Self { caller, origin: visit.origin(), head, body: Mutex::new(body) })
    }
}

impl Call {
    /// The segment of the path that follows `word`; empty when there is none.
    pub(crate) fn after(&self, word: &str) -> &str {
        let mut segments = self.head.uri.path().split('/');
        segments.find(|segment| *segment == word);
        segments.next().unwrap_or_default()
    }

    /// Whether the path has the segment `word`.
    pub(crate) fn names(&self, word: &str) -> bool {
        self.head.uri.path().split('/').any(|segment| segment == word)
    }

    /// What the caller is in the account of the path.
    ///
    /// # Errors
    /// Problem 11 for an account that he has no role in, whether it exists or not.
    pub(crate) async fn resident(&self, door: &Astra) -> Result<Resident, Problem> {
        let account: AccountId =
            self.after("accounts").parse().map_err(|_| Problem::forbidden())?;
        Ok(door.app.resident(&self.caller, account).await?)
    }

    /// The user of the path, who belongs to the account of `resident`.
    ///
    /// # Errors
    /// Problem 2 when there is no such user.
    pub(crate) async fn user(&self, door: &Astra, resident: &Resident) -> Result<Fellow, Problem> {
        self.find_user(door, resident).await?.ok_or_else(Problem::no_collection)
    }

    /// The same, where the path is about the user himself and he is to be changed.
    ///
    /// # Errors
    /// Problem 1 when there is no such user.
    pub(crate) async fn user_to_change(
        &self,
        door: &Astra,
        resident: &Resident,
    ) -> Result<Fellow, Problem> {
        self.find_user(door, resident).await?.ok_or_else(Problem::no_resource)
    }

    async fn find_user(
        &self,
        door: &Astra,
        resident: &Resident,
    ) -> Result<Option<Fellow>, Problem> {
        let Ok(id) = self.after("users").parse() else { return Ok(None) };
        match door.app.fellow(resident, id).await {
            Err(Error::NotFound(_)) => Ok(None),
            found => Ok(Some(found?)),
        }
    }

    fn query(&self) -> &str {
        self.head.uri.query().unwrap_or_default()
    }

    /// What is asked of the collection `shape`, which belongs to `whose`.
    ///
    /// # Errors
    /// Problem 6 for parameters that there are not, 5 for bad values.
    pub(crate) fn listing(
        &self,
        door: &Astra,
        shape: &'static Shape,
        whose: impl Into<String>,
    ) -> Result<Listing, Problem> {
        Ok(door.app.listing(shape, whose, self.query())?)
    }

    /// Checks that there is no query.
    ///
    /// # Errors
    /// Problem 6, which names each parameter.
    pub(crate) fn no_query(&self) -> Result<(), Problem> {
        Ok(collection::nothing(self.query())?)
    }

    /// In which media type resources of this kind are answered.
    ///
    /// # Errors
    /// Problem 32 when none of ours is wanted.
    pub(crate) fn media(&self, kind: &Kind) -> Result<Media, Problem> {
        kind.accepted(&self.head.headers)
    }

    /// On which condition something is to be changed.
    pub(crate) fn preconditions(&self) -> Preconditions {
        Preconditions::of(&self.head.headers)
    }

    /// The body, which must be an object.
    ///
    /// # Errors
    /// Problems 85, 7 and 8.
    pub(crate) async fn fields(&mut self) -> Result<Fields, Problem> {
        let body = self.body.get_mut().unwrap_or_else(PoisonError::into_inner);
        let body = limit::read(std::mem::take(body)).await?;
        Fields::read(&body)
    }

    /// Where what is found below this path under `id` is to be found.
    pub(crate) fn location(&self, door: &Astra, id: impl std::fmt::Display) -> String {
        let path = self.head.uri.path();
        format!("{}{}/{id}", door.app.settings().public_url, path.trim_end_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn only_the_scheme_bearer_with_something_behind_it_is_a_token() {
        let token = |value: &'static [u8]| {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, HeaderValue::from_bytes(value).unwrap());
            bearer(&headers).map(str::to_owned)
        };
        for value in [&b"Bearer abc"[..], b"bearer abc", b"BEARER   abc "] {
            assert_eq!(token(value).as_deref(), Some("abc"));
        }
        for value in [&b"Bearer"[..], b"Bearer ", b"Bearer   ", b"Basic abc", b"Bearerabc", b""] {
            assert_eq!(token(value), None);
        }
        assert!(token(b"Bearer \xff").is_some());
    }
}
