//! The search for users, robots and teams, and what everybody may know of a user.
//!
//! Source: `contract/quay-clients.md` 2.4 and 9.5; quay `endpoints/api/search.py`.

use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use claviger_domain::{Error, principal::PrincipalKind};
use claviger_service::{
    App,
    entities::{Entity, EntityQuery},
    settings::AvatarKind,
};
use http::StatusCode;
use serde::Serialize;

use super::{
    avatar::Avatar, error::QuayError, gate::Call, json::Json, path::Path, query::Query,
    user::view as own_view,
};
use crate::Routes;

/// The routes of this file.
pub(crate) fn routes() -> Routes<Arc<App>> {
    Routes::new("quay", &["/api/v1"])
        .get("/api/v1/entities/{prefix}", search)
        .get("/api/v1/users/{username}", public_user)
}

#[derive(Serialize)]
struct View {
    name: String,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    is_robot: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    is_org_member: Option<bool>,
    avatar: Avatar,
}

impl View {
    fn new(entity: Entity, style: AvatarKind) -> Self {
        match entity {
            Entity::Organisation(face) => Self {
                avatar: Avatar::of_org(style, &face),
                name: face.name,
                kind: "org",
                is_robot: None,
                is_org_member: Some(true),
            },
            Entity::Team(name) => Self {
                avatar: Avatar::of_team(style, &name),
                name,
                kind: "team",
                is_robot: None,
                is_org_member: Some(true),
            },
            Entity::Principal { face, of_org } => Self {
                avatar: Avatar::of(style, &face),
                is_robot: Some(face.kind == PrincipalKind::Robot),
                name: face.name,
                kind: "user",
                is_org_member: of_org,
            },
        }
    }
}

#[derive(Serialize)]
struct Found {
    results: Vec<View>,
}

/// `GET /api/v1/entities/{prefix}`, for anybody.
async fn search(
    Path(prefix): Path<String>,
    query: Query,
    call: Call,
) -> Result<Json<Found>, QuayError> {
    let query = EntityQuery {
        prefix: prefix.to_lowercase().replace(' ', ""),
        namespace: query.text("namespace").filter(|name| !name.is_empty()).map(str::to_owned),
        teams: query.flag("includeTeams") == Some(true),
        organisation: query.flag("includeOrgs") == Some(true),
    };
    let found = call.app.entities(call.caller(), query).await?;
    let results = found.into_iter().map(|entity| View::new(entity, call.avatars())).collect();
    Ok(Json(Found { results }))
}

/// What everybody may know of a user.
#[derive(Serialize)]
struct PublicUser {
    anonymous: bool,
    username: String,
    avatar: Avatar,
    #[serde(skip_serializing_if = "Option::is_none")]
    super_user: Option<bool>,
}

/// `GET /api/v1/users/{username}`, for anybody; oneself as `GET /api/v1/user/` shows one.
async fn public_user(Path(name): Path<String>, call: Call) -> Result<Response, QuayError> {
    if let Ok(caller) = call.user_reader()
        && *caller.principal.name == *name
    {
        return own_view(&call, caller).await;
    }
    let asks = call.caller().is_some_and(|c| c.standing.superuser && c.caps.superuser);
    match call.app.public_user(&name).await {
        Ok((face, is_superuser)) => {
            let avatar = Avatar::of(call.avatars(), &face);
            let view = PublicUser {
                anonymous: false,
                username: face.name,
                avatar,
                super_user: asks.then_some(is_superuser),
            };
            Ok(Json(view).into_response())
        }
        Err(Error::NotFound(_)) => Err(QuayError::message(StatusCode::NOT_FOUND, "Not Found")),
        Err(error) => Err(error.into()),
    }
}
