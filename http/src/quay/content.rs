//! What clients ask about the content, which is the registry's: what the registry can do, and the
//! tags of a repository. They go on with the little that can be said here.
//!
//! Source: `contract/quay-clients.md` section 4; quay `endpoints/api/capabilities.py`, `tag.py`.

use std::sync::Arc;

use claviger_domain::access::Administer;
use claviger_service::App;
use http::StatusCode;
use serde::Serialize;

use super::{
    error::QuayError,
    gate::{Call, OpenCall},
    json::Json,
    path::{Path, RepoPath, to_slash},
    query::Query,
};
use crate::Routes;

/// The routes of this file.
pub(crate) fn routes() -> Routes<Arc<App>> {
    Routes::new("quay", &["/api/v1"])
        .get("/api/v1/registry/capabilities", capabilities)
        .get("/api/v1/repository/{repository*}/tag/", tags)
        .get("/api/v1/repository/{repository*}/tokens", to_slash)
        .get("/api/v1/repository/{repository*}/tokens/", no_tokens)
}

#[derive(Serialize)]
struct SparseManifests {
    supported: bool,
    required_architectures: [(); 0],
    optional_architectures_allowed: bool,
}

#[derive(Serialize)]
struct Capabilities {
    sparse_manifests: SparseManifests,
    mirror_architectures: [(); 0],
}

/// `GET /api/v1/registry/capabilities`, for anybody: nothing is mirrored here.
async fn capabilities(OpenCall(_): OpenCall) -> Json<Capabilities> {
    Json(Capabilities {
        sparse_manifests: SparseManifests {
            supported: false,
            required_architectures: [],
            optional_architectures_allowed: false,
        },
        mirror_architectures: [],
    })
}

#[derive(Serialize)]
struct Listing {
    tags: [(); 0],
    page: i64,
    has_additional: bool,
}

/// `GET …/tag/`, for whoever sees the repository.
async fn tags(
    Path(repository): Path<RepoPath>,
    query: Query,
    call: Call,
) -> Result<Json<Listing>, QuayError> {
    call.app.repository(call.caller(), repository.as_str()).await?;
    let page = query.text("page").and_then(|page| page.parse().ok()).unwrap_or(1);
    Ok(Json(Listing { tags: [], page: i64::max(page, 1), has_additional: false }))
}

/// `GET …/tokens/`, for whoever administers the repository: tokens of repositories are of the past.
async fn no_tokens(Path(repository): Path<RepoPath>, call: Call) -> Result<Json<()>, QuayError> {
    call.app.reach::<Administer>(call.caller(), repository.as_str()).await?;
    Err(QuayError::message(StatusCode::GONE, "Handling of access tokens is no longer supported"))
}
