//! Stars: repositories that the user wants to find again.
//!
//! Source: `contract/quay-clients.md` 2.8, 2.11 and 9.3; quay `endpoints/api/user.py`.

use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use claviger_domain::role::Visibility;
use claviger_service::{
    App,
    repositories::{RepositoryFilter, RepositoryLine},
};
use http::StatusCode;
use serde::{Deserialize, Serialize};

use super::{
    body::Body,
    error::QuayError,
    gate::Call,
    json::{Json, NoContent},
    path::{Path, RepoPath},
    query::Query,
    repositories::{read_place, show_place},
    schema::{Field, Kind, Schema},
};
use crate::Routes;

const ALL: &str = "/api/v1/user/starred";
const ONE: &str = "/api/v1/user/starred/{repository*}";

/// The routes of this file.
pub(crate) fn routes() -> Routes<Arc<App>> {
    Routes::new("quay", &["/api/v1"]).get(ALL, list).post(ALL, star).delete(ONE, unstar)
}

#[derive(Serialize)]
struct Starred {
    namespace: String,
    name: String,
    description: String,
    is_public: bool,
}

#[derive(Serialize)]
struct Page {
    repositories: Vec<Starred>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page: Option<String>,
}

/// `GET /api/v1/user/starred`: those that the user still sees.
async fn list(query: Query, call: Call) -> Result<Json<Page>, QuayError> {
    let filter = RepositoryFilter {
        starred: true,
        after: query.text("next_page").and_then(read_place).unwrap_or_default(),
        ..RepositoryFilter::default()
    };
    let found = call.app.repositories(Some(call.user_admin()?), filter).await?;
    let starred = |line: RepositoryLine| {
        let (namespace, name) = line.name.split_once('/').unwrap_or_default();
        Starred {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            is_public: line.visibility == Visibility::Public,
            description: line.description,
        }
    };
    Ok(Json(Page {
        repositories: found.repositories.into_iter().map(starred).collect(),
        next_page: found.next.map(show_place),
    }))
}

const STAR: Schema = Schema(&[
    Field::required("namespace", Kind::String),
    Field::required("repository", Kind::String),
]);

#[derive(Deserialize, Serialize)]
struct Star {
    namespace: String,
    repository: String,
}

/// `POST /api/v1/user/starred`; `null` where the user sees no repository.
async fn star(call: Call, body: Body) -> Result<Response, QuayError> {
    let caller = call.user_admin()?;
    let star: Star = body.read(&STAR)?;
    let path = format!("{}/{}", star.namespace, star.repository);
    if call.app.star(caller, &path, &call.origin).await? {
        Ok((StatusCode::CREATED, Json(star)).into_response())
    } else {
        Ok(Json(()).into_response())
    }
}

/// `DELETE /api/v1/user/starred/{repository}`; what has no star has none afterwards.
async fn unstar(Path(repository): Path<RepoPath>, call: Call) -> Result<NoContent, QuayError> {
    call.app.unstar(call.user_admin()?, repository.as_str(), &call.origin).await?;
    Ok(NoContent)
}
