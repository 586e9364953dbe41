//! App-specific tokens.
//!
//! Source: `contract/quay.md`, section 2; quay `endpoints/api/appspecifictokens.py`. Creating one
//! answers 201, as the published reference says.

use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use claviger_domain::{id::TokenId, name::TokenTitle, secret::TokenSecret};
use claviger_service::{App, app_tokens::AppToken};
use http::{
    HeaderValue, StatusCode,
    header::{CACHE_CONTROL, HeaderName},
};
use serde::{Deserialize, Serialize};

use super::{
    body::Body,
    date::Date,
    error::QuayError,
    gate::Call,
    json::{Json, NoContent},
    path::Path,
    query::Query,
    schema::{Field, Kind, Schema},
};
use crate::Routes;

const ALL: &str = "/api/v1/user/apptoken";
const ONE: &str = "/api/v1/user/apptoken/{token_uuid}";
/// Of every answer that holds a secret.
const NO_STORE: [(HeaderName, HeaderValue); 1] =
    [(CACHE_CONTROL, HeaderValue::from_static("no-store"))];

/// The routes of this file.
pub(crate) fn routes() -> Routes<Arc<App>> {
    Routes::new("quay", &["/api/v1"])
        .get(ALL, list)
        .post(ALL, create)
        .get(ONE, show)
        .delete(ONE, revoke)
        .get("/api/v1/superuser/apptokens", list_all)
}

#[derive(Serialize)]
struct TokenView {
    uuid: String,
    title: String,
    last_accessed: Option<Date>,
    created: Date,
    expiration: Option<Date>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_code: Option<String>,
}

impl From<AppToken> for TokenView {
    fn from(token: AppToken) -> Self {
        Self {
            uuid: token.id.to_string(),
            title: token.title,
            last_accessed: token.last_used_at.map(Date),
            created: Date(token.created_at),
            expiration: token.expires_at.map(Date),
            token_code: None,
        }
    }
}

#[derive(Serialize)]
struct OneView {
    token: TokenView,
}

impl OneView {
    fn new(token: AppToken, secret: Option<&TokenSecret>) -> Self {
        let token_code = secret.map(|secret| secret.expose().to_owned());
        Self { token: TokenView { token_code, ..token.into() } }
    }
}

#[derive(Serialize)]
struct ListView {
    tokens: Vec<TokenView>,
    only_expiring: Option<bool>,
}

impl ListView {
    fn new(tokens: Vec<AppToken>, only_expiring: Option<bool>) -> Self {
        Self { tokens: tokens.into_iter().map(TokenView::from).collect(), only_expiring }
    }
}

#[derive(Deserialize)]
struct NewToken {
    title: String,
}

const NEW_TOKEN: Schema = Schema(&[Field::required("title", Kind::String)]);

#[derive(Deserialize)]
struct Named {
    token_uuid: String,
}

impl Named {
    fn id(&self) -> Result<TokenId, QuayError> {
        self.token_uuid.parse().map_err(|_| QuayError::not_found())
    }
}

/// `GET /api/v1/user/apptoken`.
async fn list(call: Call, query: Query) -> Result<Json<ListView>, QuayError> {
    let caller = call.user_admin()?;
    let expiring = query.flag("expiring");
    let tokens = call.app.app_tokens(caller, expiring == Some(true)).await?;
    Ok(Json(ListView::new(tokens, expiring)))
}

/// `POST /api/v1/user/apptoken`.
async fn create(call: Call, body: Body) -> Result<Response, QuayError> {
    call.user_admin()?;
    let by = call.fresh()?;
    let NewToken { title } = body.read(&NEW_TOKEN)?;
    let title: TokenTitle =
        title.parse().map_err(|problem| QuayError::invalid(format!("title {problem}")))?;
    let (token, secret) = call.app.create_app_token(&by, title, &call.origin).await?;
    let view = OneView::new(token, Some(&secret));
    Ok((StatusCode::CREATED, NO_STORE, Json(view)).into_response())
}

/// `GET /api/v1/user/apptoken/{token_uuid}`.
async fn show(call: Call, Path(named): Path<Named>) -> Result<Response, QuayError> {
    call.user_admin()?;
    let by = call.fresh()?;
    let (token, secret) = call.app.app_token(&by, named.id()?, &call.origin).await?;
    Ok((NO_STORE, Json(OneView::new(token, secret.as_ref()))).into_response())
}

/// `DELETE /api/v1/user/apptoken/{token_uuid}`.
async fn revoke(call: Call, Path(named): Path<Named>) -> Result<NoContent, QuayError> {
    call.user_admin()?;
    let by = call.fresh()?;
    call.app.revoke_app_token(&by, named.id()?, &call.origin).await?;
    Ok(NoContent)
}

/// `GET /api/v1/superuser/apptokens`: everybody's, without secrets.
async fn list_all(call: Call, query: Query) -> Result<Json<ListView>, QuayError> {
    call.user()?.must_be_auditor()?;
    let by = call.fresh()?;
    let expiring = query.flag("expiring");
    let tokens = call.app.all_app_tokens(&by, expiring == Some(true)).await?;
    Ok(Json(ListView::new(tokens, expiring)))
}
