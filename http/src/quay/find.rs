//! The search for repositories and namespaces.
//!
//! Source: `contract/quay-clients.md` section 4; quay `endpoints/api/search.py`.

use std::sync::Arc;

use claviger_domain::{principal::PrincipalKind, role::Visibility};
use claviger_service::{App, organisations::Face, search::FoundRepository, settings::AvatarKind};
use serde::Serialize;

use super::{avatar::Avatar, error::QuayError, gate::Call, json::Json, query::Query};
use crate::Routes;

/// How many repositories a page has.
const PAGE: i64 = 10;
/// The last page that is shown.
const LAST_PAGE: i64 = 10;
/// How many repositories stand among everything that is found.
const FEW: i64 = 5;

/// The routes of this file.
pub(crate) fn routes() -> Routes<Arc<App>> {
    Routes::new("quay", &["/api/v1"])
        .get("/api/v1/find/repositories", find_repositories)
        .get("/api/v1/find/all", find_all)
}

/// How well a name fits what was asked for: the kind's weight, or half of it.
fn score(weight: f64, name: &str, text: &str) -> f64 {
    if name == text { weight } else { weight / 2.0 }
}

#[derive(Serialize)]
struct Namespace {
    title: &'static str,
    kind: &'static str,
    avatar: Avatar,
    name: String,
    score: f64,
    href: String,
}

impl Namespace {
    fn new(face: Face, text: &str, style: AvatarKind) -> Self {
        let (title, kind, avatar) = match face.kind {
            PrincipalKind::Org => ("org", "organization", Avatar::of_org(style, &face)),
            PrincipalKind::User | PrincipalKind::Robot => {
                ("user", "user", Avatar::of(style, &face))
            }
        };
        let (score, href) = (score(1.0, &face.name, text), format!("/{kind}/{}", face.name));
        Self { title, kind, avatar, name: face.name, score, href }
    }
}

#[derive(Serialize)]
struct Repository {
    kind: &'static str,
    title: &'static str,
    namespace: Namespace,
    name: String,
    description: String,
    is_public: bool,
    score: f64,
    href: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    stars: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    popularity: Option<f64>,
}

impl Repository {
    fn new(found: FoundRepository, text: &str, style: AvatarKind) -> Self {
        let (_, name) = found.name.split_once('/').unwrap_or_default();
        Self {
            kind: "repository",
            title: "repo",
            namespace: Namespace::new(found.namespace, text, style),
            score: score(4.0, name, text),
            name: name.to_owned(),
            description: found.description,
            is_public: found.visibility == Visibility::Public,
            href: format!("/repository/{}", found.name),
            stars: Some(found.stars),
            popularity: Some(0.0),
        }
    }

    /// Without what only the search for repositories shows.
    fn brief(self) -> Self {
        Self { stars: None, popularity: None, ..self }
    }
}

#[derive(Serialize)]
struct FoundPage {
    results: Vec<Repository>,
    has_additional: bool,
    page: i64,
    page_size: i64,
    start_index: i64,
}

/// `GET /api/v1/find/repositories`, for anybody: what he sees.
async fn find_repositories(query: Query, call: Call) -> Result<Json<FoundPage>, QuayError> {
    let text = query.text("query").unwrap_or_default();
    let page = query.text("page").and_then(|page| page.parse().ok()).unwrap_or(1);
    let page = i64::clamp(page, 1, LAST_PAGE);
    let start_index = (page - 1) * PAGE;
    let mut found =
        call.app.find_repositories(call.caller(), text, start_index, PAGE + 1).await?.into_iter();
    let view = |found| Repository::new(found, text, call.avatars());
    let results = found.by_ref().take(usize::try_from(PAGE).unwrap_or_default()).map(view);
    let results = results.collect();
    let has_additional = found.next().is_some();
    Ok(Json(FoundPage { results, has_additional, page, page_size: PAGE, start_index }))
}

#[derive(Serialize)]
#[serde(untagged)]
enum Anything {
    Repository(Repository),
    Namespace(Namespace),
}

#[derive(Serialize)]
struct Everything {
    results: Vec<Anything>,
}

/// `GET /api/v1/find/all`, for anybody: repositories that he sees, and the namespaces he belongs to.
async fn find_all(query: Query, call: Call) -> Result<Json<Everything>, QuayError> {
    let text = query.text("query").unwrap_or_default();
    if text.is_empty() {
        return Ok(Json(Everything { results: Vec::new() }));
    }
    let style = call.avatars();
    let repositories = call.app.find_repositories(call.caller(), text, 0, FEW).await?;
    let namespaces = match call.caller().filter(|caller| caller.is_user()) {
        Some(caller) => call.app.find_namespaces(caller, text).await?,
        None => Vec::new(),
    };
    let repository = |found| Anything::Repository(Repository::new(found, text, style).brief());
    let namespace = |face| Anything::Namespace(Namespace::new(face, text, style));
    let mut results: Vec<_> = repositories.into_iter().map(repository).collect();
    results.extend(namespaces.into_iter().map(namespace));
    Ok(Json(Everything { results }))
}
