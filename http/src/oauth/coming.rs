//! Who comes to this door: by a session or by a password. Tokens do not open it.

use std::sync::Arc;

use axum::extract::{FromRequest, Request};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use claviger_domain::{BadCredential, Error};
use claviger_service::{App, Caller, Origin, passwords::Password, settings::RegistryState};
use http::{
    HeaderMap, Method, StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE},
};

use super::refusal::{Refusal, SIGN_IN};
use crate::{
    Visit, cross_site,
    limit::{self, BodyError},
    parameters::Parameters,
    quay::cookie,
};

/// A request to this door.
pub(super) struct Coming {
    pub(super) app: Arc<App>,
    pub(super) origin: Origin,
    /// The session cookie, whether it opens a session or not.
    pub(super) cookie: Option<String>,
    /// What stands in the address.
    pub(super) query: Parameters,
    /// What was sent as a form.
    pub(super) form: Parameters,
    pub(super) method: Method,
    headers: HeaderMap,
    visit: Visit,
}

impl FromRequest<Arc<App>> for Coming {
    type Rejection = Refusal;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Refusal> {
        let (head, body) = request.into_parts();
        let visit = head.extensions.get::<Visit>().cloned();
        let visit = visit.ok_or_else(|| Error::internal("a request without a visit"))?;
        let form = if is_form(&head.headers) {
            let bytes = limit::read(body).await.map_err(|error| match error {
                BodyError::TooLarge => {
                    Refusal::Page(StatusCode::PAYLOAD_TOO_LARGE, "The form is too large.")
                }
                BodyError::TooSlow | BodyError::Broken => {
                    Refusal::Page(StatusCode::BAD_REQUEST, "The form did not arrive.")
                }
            })?;
            Parameters::read(&String::from_utf8_lossy(&bytes))
        } else {
            Parameters::default()
        };
        Ok(Self {
            app: Arc::clone(app),
            origin: visit.origin(),
            cookie: cookie::read(&head.headers, app.settings().https()),
            query: Parameters::read(head.uri.query().unwrap_or_default()),
            form,
            method: head.method,
            headers: head.headers,
            visit,
        })
    }
}

fn is_form(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = value.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

/// The name and the password of `Authorization: Basic`.
pub(super) fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let (scheme, rest) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let bytes = STANDARD.decode(rest.trim()).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"));
    let text = String::from_utf8(bytes?).ok()?;
    let (name, password) = text.split_once(':')?;
    Some((name.to_owned(), password.to_owned()))
}

impl Coming {
    /// The headers of the request.
    pub(super) fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// Who has signed in, or comes with his password.
    pub(super) async fn user(&self) -> Result<Caller, Refusal> {
        let user = match (basic(&self.headers), &self.cookie) {
            (Some((name, password)), _) => Some(self.by_password(&name, password).await?),
            (None, Some(cookie)) => self.app.authenticate_session(cookie).await?,
            (None, None) => None,
        };
        let user = user.ok_or(SIGN_IN)?;
        if !self.app.is_first_account(user.principal.account).await? {
            return Err(SIGN_IN); // this door shows one account
        }
        self.visit.note_principal(user.principal.id);
        Ok(user)
    }

    async fn by_password(&self, name: &str, password: String) -> Result<Caller, Error> {
        let quay = &self.app.settings().quay;
        if quay.feature_require_encrypted_basic_auth {
            return Err(BadCredential::EncryptionRequired.into());
        }
        let (unproven, password) = (quay.feature_mailing, Password::given(password));
        let user = self.app.authenticate_password(name, password, &self.origin).await?;
        if unproven && !user.principal.verified {
            return Err(BadCredential::Unverified.into());
        }
        Ok(user)
    }

    /// Whether another site made the browser send this.
    pub(super) fn is_foreign(&self) -> bool {
        cross_site::is_foreign(&self.headers, &self.app.settings().public_url)
    }

    /// Refuses what another site may have made a browser send: it must name the CSRF token of the
    /// session, in a header, in the address or in the form.
    pub(super) fn refuse_forged(&self, user: Option<&Caller>) -> Result<(), Refusal> {
        let header = self.headers.get("x-csrf-token").and_then(|value| value.to_str().ok());
        let given = header
            .or_else(|| self.query.get("_csrf_token"))
            .or_else(|| self.form.get("_csrf_token"));
        let is_own = match (&self.cookie, given) {
            (Some(cookie), Some(given)) => self.app.is_csrf_token(cookie, given),
            _ => false,
        };
        if is_own && !self.is_foreign() {
            return Ok(());
        }
        Err(Refusal::Forged(user.map(|user| user.principal.name.to_string())))
    }

    /// Whether nothing may be changed at the moment.
    pub(super) fn is_read_only(&self) -> bool {
        self.app.settings().quay.registry_state == RegistryState::Readonly
    }

    /// Refuses to change anything while nothing may be changed.
    pub(super) fn refuse_read_only(&self) -> Result<(), Refusal> {
        if self.is_read_only() { Err(Error::ReadOnly.into()) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &'static str) -> Option<(String, String)> {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, http::HeaderValue::from_static(value));
        basic(&headers)
    }

    #[test]
    fn basic_is_a_name_a_colon_and_a_password() {
        let pair = Some(("ann".to_owned(), "p:w".to_owned()));
        assert_eq!(read("Basic YW5uOnA6dw=="), pair);
        assert_eq!(read("bAsIc  YW5uOnA6dw=="), pair);
        for bad in ["Basic", "Basic ", "Basic !", "Basic YW5u", "Bearer YW5uOnA6dw==", ""] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
