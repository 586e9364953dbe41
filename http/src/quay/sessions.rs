//! Sessions: the token against requests from other sites, signing in, giving the password again,
//! signing out.
//!
//! Source: `contract/quay.md` 1.5, 1.6.

use std::sync::Arc;

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use claviger_domain::{BadCredential, Error};
use claviger_service::{App, passwords::Password, sessions::SignedIn};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header::SET_COOKIE};
use serde::{Deserialize, Serialize};

use super::{
    body::Body,
    cookie,
    error::QuayError,
    gate::{Call, EndingCall, OpenCall},
    json::{Json, Success},
    schema::{Field, Kind, Schema},
};
use crate::Routes;

const NEXT_CSRF_TOKEN: HeaderName = HeaderName::from_static("x-next-csrf-token");

/// The routes below `/api/v1`.
pub(crate) fn routes() -> Routes<Arc<App>> {
    Routes::new("quay", &["/api/v1"])
        .post("/api/v1/signin", sign_in)
        .post("/api/v1/signin/verify", verify)
        .post("/api/v1/signout", sign_out)
}

/// `GET /csrf_token`: a session of nobody, for who has none, and its CSRF token.
pub(crate) async fn csrf_token(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    #[derive(Serialize)]
    struct Reply {
        csrf_token: String,
    }
    let https = app.settings().https();
    let known = cookie::read(&headers, https).and_then(|text| app.csrf_token(&text));
    if let Some(csrf_token) = known {
        return Json(Reply { csrf_token }).into_response();
    }
    let (secret, csrf_token) = app.anonymous_session();
    let mut response = Json(Reply { csrf_token }).into_response();
    response
        .headers_mut()
        .extend(cookie::set(&secret, None, https).map(|value| (SET_COOKIE, value)));
    response
}

#[derive(Deserialize)]
struct SignIn {
    username: String,
    password: String,
}

const SIGN_IN: Schema = Schema(&[
    Field::required("username", Kind::String),
    Field::required("password", Kind::String),
    Field::optional("invite_code", Kind::String),
]);

/// `POST /api/v1/signin`.
async fn sign_in(OpenCall(call): OpenCall, body: Body) -> Result<Response, QuayError> {
    let SignIn { username, password } = body.read(&SIGN_IN)?;
    let password = Password::given(password);
    match call.app.sign_in(&username, password, &call.origin).await {
        Ok(begun) => {
            let mut response = success();
            hand_over(&mut response, &begun, call.app.settings().https());
            Ok(response)
        }
        Err(Error::BadCredential(why)) => Ok(refused(why)),
        Err(error) => Err(error.into()),
    }
}

/// Why a sign-in failed.
fn refused(why: BadCredential) -> Response {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Reply {
        needs_email_verification: bool,
        invalid_credentials: bool,
        message: Option<&'static str>,
    }
    let unverified = why == BadCredential::Unverified;
    let message = match why {
        BadCredential::Unverified => None,
        BadCredential::Disabled => {
            Some("This user has been disabled. Please contact your administrator.")
        }
        BadCredential::Unknown
        | BadCredential::Password
        | BadCredential::Expired
        | BadCredential::EncryptionRequired
        | BadCredential::RobotsDisallowed => Some("Invalid Username or Password"),
    };
    let invalid = !unverified && why != BadCredential::Disabled;
    let reply =
        Reply { needs_email_verification: unverified, invalid_credentials: invalid, message };
    (StatusCode::FORBIDDEN, Json(reply)).into_response()
}

#[derive(Deserialize)]
struct Verify {
    password: String,
}

const VERIFY: Schema = Schema(&[Field::required("password", Kind::String)]);

/// `POST /api/v1/signin/verify`: the password again, so that the sign-in is fresh.
async fn verify(call: Call, body: Body) -> Result<Response, QuayError> {
    #[derive(Serialize)]
    struct Refused {
        message: &'static str,
        #[serde(rename = "invalidCredentials")]
        invalid_credentials: bool,
    }
    call.user()?;
    let cookie = call.cookie.as_deref().ok_or_else(QuayError::unauthenticated)?;
    let Verify { password } = body.read(&VERIFY)?;
    match call.app.verify_sign_in(cookie, Password::given(password), &call.origin).await {
        Ok(()) => {
            let mut response = success();
            if let Some(csrf) = call.app.csrf_token(cookie) {
                add_csrf(&mut response, &csrf);
            }
            Ok(response)
        }
        Err(Error::BadCredential(_)) => {
            let reply =
                Refused { message: "Invalid Username or Password", invalid_credentials: true };
            Ok((StatusCode::FORBIDDEN, Json(reply)).into_response())
        }
        Err(error) => Err(error.into()),
    }
}

/// `POST /api/v1/signout`: ends every session of the user.
async fn sign_out(EndingCall(call): EndingCall) -> Result<Response, QuayError> {
    if let Some(caller) = call.caller().filter(|caller| caller.is_user()) {
        call.app.sign_out(caller, &call.origin).await?;
    }
    Ok(success())
}

fn success() -> Response {
    Success::json().into_response()
}

/// Gives the browser the session that has begun, and its CSRF token.
pub(crate) fn hand_over(response: &mut Response, begun: &SignedIn, https: bool) {
    let cookie = cookie::set(&begun.cookie, Some(begun.expires_at), https);
    response.headers_mut().extend(cookie.map(|value| (SET_COOKIE, value)));
    add_csrf(response, &begun.csrf);
}

fn add_csrf(response: &mut Response, csrf: &str) {
    if let Ok(value) = HeaderValue::from_str(csrf) {
        response.headers_mut().insert(NEXT_CSRF_TOKEN, value);
    }
}
