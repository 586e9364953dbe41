//! What a user has granted to applications, and what was offered to him.
//!
//! Source: `contract/quay.md` 4.5; `contract/quay-clients.md` 9.4.

use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use claviger_service::{
    App, applications::PublicApplication, oauth_assign::AssignmentView, oauth_token::Authorization,
    settings::AvatarKind,
};
use serde::Serialize;

use super::{
    applications::avatar_of,
    avatar::Avatar,
    error::QuayError,
    gate::{Call, EndingCall},
    json::{Json, NoContent},
    path::Path,
};
use crate::{
    Routes,
    oauth::{ScopeView, scope_views},
};

/// The routes of this file.
pub(crate) fn routes() -> Routes<Arc<App>> {
    Routes::new("quay", &["/api/v1"])
        .get("/api/v1/user/authorizations", list)
        .get("/api/v1/user/authorizations/{uuid}", get)
        .delete("/api/v1/user/authorizations/{uuid}", revoke)
        .get("/api/v1/user/assignedauthorization", offered)
        .delete("/api/v1/user/assignedauthorization/{uuid}", drop_offered)
}

#[derive(Serialize)]
struct OrgView {
    name: String,
    avatar: Avatar,
}

fn org_view(style: AvatarKind, application: &PublicApplication) -> OrgView {
    let org = &application.org;
    OrgView { name: org.name.clone(), avatar: Avatar::of_org(style, org) }
}

#[derive(Serialize)]
struct Granted {
    application: GrantedTo,
    scopes: Vec<ScopeView>,
    uuid: String,
}

#[derive(Serialize)]
struct GrantedTo {
    name: String,
    description: String,
    url: String,
    avatar: Avatar,
    organization: OrgView,
}

impl Granted {
    fn new(style: AvatarKind, authorization: Authorization) -> Self {
        let application = authorization.application;
        Self {
            application: GrantedTo {
                avatar: avatar_of(style, &application),
                organization: org_view(style, &application),
                name: application.name,
                description: application.description,
                url: application.application_uri,
            },
            scopes: scope_views(&authorization.scopes),
            uuid: authorization.id.to_string(),
        }
    }
}

/// `GET /api/v1/user/authorizations`.
async fn list(call: Call) -> Result<Response, QuayError> {
    #[derive(Serialize)]
    struct Reply {
        authorizations: Vec<Granted>,
    }
    let found = call.app.authorizations(call.user_admin()?).await?;
    let style = call.avatars();
    let authorizations = found.into_iter().map(|one| Granted::new(style, one)).collect();
    Ok(Json(Reply { authorizations }).into_response())
}

/// `GET /api/v1/user/authorizations/{uuid}`.
async fn get(call: Call, Path(uuid): Path<String>) -> Result<Response, QuayError> {
    let found = call.app.authorizations(call.user_admin()?).await?;
    let one = found.into_iter().find(|one| *one.id.text() == *uuid);
    let one = one.ok_or_else(QuayError::not_found)?;
    let style = call.avatars();
    Ok(Json(Granted::new(style, one)).into_response())
}

/// `DELETE /api/v1/user/authorizations/{uuid}`: the token opens nothing any more.
async fn revoke(
    EndingCall(call): EndingCall,
    Path(uuid): Path<String>,
) -> Result<NoContent, QuayError> {
    let user = call.user_admin()?;
    let id = uuid.parse().map_err(|_| QuayError::not_found())?;
    call.app.revoke_authorization(user, id, &call.origin).await?;
    Ok(NoContent)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Offered {
    application: OfferedBy,
    uuid: String,
    redirect_uri: String,
    scopes: Vec<ScopeView>,
    response_type: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OfferedBy {
    name: String,
    client_id: String,
    description: String,
    url: String,
    avatar: Avatar,
    organization: OrgView,
}

impl Offered {
    fn new(style: AvatarKind, offer: AssignmentView) -> Self {
        let application = offer.application;
        Self {
            application: OfferedBy {
                avatar: avatar_of(style, &application),
                organization: org_view(style, &application),
                name: application.name,
                client_id: application.client_id,
                description: application.description,
                url: application.application_uri,
            },
            uuid: offer.id.to_string(),
            redirect_uri: offer.redirect_uri,
            scopes: scope_views(&offer.scopes),
            response_type: offer.response_type,
        }
    }
}

/// Whether tokens may be offered here at all.
fn offers(call: &Call) -> Result<(), QuayError> {
    let on = call.app.settings().quay.feature_assign_oauth_token;
    if on { Ok(()) } else { Err(QuayError::not_found()) }
}

/// `GET /api/v1/user/assignedauthorization`.
async fn offered(call: Call) -> Result<Response, QuayError> {
    #[derive(Serialize)]
    struct Reply {
        authorizations: Vec<Offered>,
    }
    offers(&call)?;
    let found = call.app.offered_tokens(call.user_admin()?).await?;
    let style = call.avatars();
    let authorizations = found.into_iter().map(|one| Offered::new(style, one)).collect();
    Ok(Json(Reply { authorizations }).into_response())
}

/// `DELETE /api/v1/user/assignedauthorization/{uuid}`.
async fn drop_offered(call: Call, Path(uuid): Path<String>) -> Result<NoContent, QuayError> {
    offers(&call)?;
    let user = call.user_admin()?;
    let id = uuid.parse().map_err(|_| QuayError::not_found())?;
    call.app.drop_offered_token(user, id, &call.origin).await?;
    Ok(NoContent)
}
