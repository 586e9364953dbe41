//! `POST /oauth/access_token`: a token for a code. The only place of this door that scripts of
//! other origins may call: the code and the secret are their own, no cookie counts.

use axum::response::{IntoResponse, Response};
use claviger_service::oauth_token::CodeExchange;
use http::{
    HeaderMap, HeaderValue,
    header::{
        ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
        ACCESS_CONTROL_MAX_AGE,
    },
};
use serde::Serialize;

use super::{
    coming::{Coming, basic},
    refusal::Refusal,
};
use crate::{headers::keep_nowhere, quay::json::Json};

pub(super) const PATH: &str = "/oauth/access_token";

const REQUIRED: [&str; 5] = ["grant_type", "client_id", "redirect_uri", "code", "scope"];

#[derive(Serialize)]
struct Reply {
    access_token: String,
    token_type: &'static str,
    expires_in: i64,
    refresh_token: Option<String>,
}

/// Lets scripts of every origin read the answer.
pub(super) fn allow_origins(headers: &mut HeaderMap) {
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("POST, OPTIONS"));
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("21600"));
    let allowed = HeaderValue::from_static("Authorization, Content-Type");
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, allowed);
}

/// `POST /oauth/access_token`.
pub(super) async fn access_token(coming: Coming) -> Response {
    let mut response = match exchange(&coming).await {
        Ok(reply) => Json(reply).into_response(),
        Err(refusal) => refusal.into_response(),
    };
    keep_nowhere(response.headers_mut());
    allow_origins(response.headers_mut());
    response
}

async fn exchange(coming: &Coming) -> Result<Reply, Refusal> {
    let sent = coming.query.clone().and(coming.form.clone());
    if let Some(name) = sent.missing(&REQUIRED) {
        return Err(Refusal::Missing(name));
    }
    if sent.get("grant_type") != Some("authorization_code") {
        return Err(Refusal::Word("unsupported_grant_type"));
    }
    coming.refuse_read_only()?;
    let (name, secret) = basic(coming.headers()).unzip();
    let either = |own: Option<String>, name| {
        own.filter(|own| !own.is_empty()).unwrap_or_else(|| sent.text(name))
    };
    let exchange = CodeExchange {
        client_id: either(name, "client_id"),
        client_secret: either(secret, "client_secret"),
        redirect_uri: sent.text("redirect_uri"),
        code: sent.text("code"),
        scope: sent.text("scope"),
    };
    let granted = coming.app.exchange_code(exchange, &coming.origin).await?;
    let granted = granted.map_err(Refusal::Word)?;
    Ok(Reply {
        access_token: granted.secret.expose().to_owned(),
        token_type: "Bearer",
        expires_in: granted.life_s,
        refresh_token: None,
    })
}
