//! Repositories.
//!
//! Source: `contract/quay.md` section 7, `contract/quay-clients.md` 2.8 and 9.3; quay
//! `endpoints/api/repository.py`.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use claviger_domain::{
    Conflict, Error,
    name::{Description, Namespace, RepoName},
    role::{RepoState, Role, Visibility},
};
use claviger_service::{
    App,
    repositories::{
        NewRepository, RepositoryChange, RepositoryFilter, RepositoryLine, RepositoryView,
    },
};
use http::StatusCode;
use serde::{Deserialize, Serialize};

use super::{
    body::Body,
    error::QuayError,
    gate::Call,
    json::{Json, NoContent, Success},
    path::{Path, RepoPath},
    query::Query,
    schema::{Field, Kind, Schema},
};
use crate::Routes;

const ALL: &str = "/api/v1/repository";
const ONE: &str = "/api/v1/repository/{repository*}";
const CHANGE_VISIBILITY: &str = "/api/v1/repository/{repository*}/changevisibility";
const CHANGE_STATE: &str = "/api/v1/repository/{repository*}/changestate";

/// How long tags are kept before they are collected, in seconds; we hold none.
const TAG_EXPIRATION_S: u32 = 1_209_600;

/// The routes of this file.
pub(crate) fn routes() -> Routes<Arc<App>> {
    Routes::new("quay", &["/api/v1"])
        .get(ALL, list)
        .post(ALL, create)
        .get(ONE, show)
        .put(ONE, describe)
        .delete(ONE, delete)
        .post(CHANGE_VISIBILITY, change_visibility)
        .put(CHANGE_STATE, change_state)
}

#[derive(Serialize)]
struct Listed {
    namespace: String,
    name: String,
    description: String,
    is_public: bool,
    kind: &'static str,
    state: &'static str,
    is_starred: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_modified: Option<Unknown>,
    #[serde(skip_serializing_if = "Option::is_none")]
    popularity: Option<f64>,
}

/// What the registry knows and we do not; shown as null.
#[derive(Clone, Copy, Serialize)]
struct Unknown;

#[derive(Serialize)]
struct Page {
    repositories: Vec<Listed>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page: Option<String>,
}

/// `GET /api/v1/repository`: what the caller sees, what is public, or both.
async fn list(query: Query, call: Call) -> Result<Json<Page>, QuayError> {
    let flag = |name| query.flag(name) == Some(true);
    let namespace = query.text("namespace").filter(|namespace| !namespace.is_empty());
    if namespace.is_none() && !flag("starred") && !flag("public") {
        return Err(QuayError::invalid(
            "namespace, starred or public are required for this API call",
        ));
    }
    let filter = RepositoryFilter {
        public: flag("public"),
        namespace: namespace.map(str::to_owned),
        starred: flag("starred"),
        after: query.text("next_page").and_then(read_place).unwrap_or_default(),
    };
    let found = call.app.repositories(call.caller(), filter).await?;
    let listed = |line: RepositoryLine| {
        let (namespace, name) = line.name.split_once('/').unwrap_or_default();
        Listed {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            description: line.description,
            is_public: line.visibility == Visibility::Public,
            kind: "image",
            state: line.state.as_str(),
            is_starred: line.starred,
            last_modified: flag("last_modified").then_some(Unknown),
            popularity: flag("popularity").then_some(0.0),
        }
    };
    Ok(Json(Page {
        repositories: found.repositories.into_iter().map(listed).collect(),
        next_page: found.next.map(show_place),
    }))
}

/// A place in a list, opaque to clients.
pub(super) fn show_place(place: i64) -> String {
    URL_SAFE_NO_PAD.encode(place.to_be_bytes())
}

pub(super) fn read_place(text: &str) -> Option<i64> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    Some(i64::from_be_bytes(bytes.try_into().ok()?))
}

const NEW: Schema = Schema(&[
    Field::required("repository", Kind::String),
    Field::required("visibility", Kind::String).one_of(&["public", "private"]),
    Field::optional("namespace", Kind::String),
    Field::required("description", Kind::String),
    Field::optional("repo_kind", Kind::String).or_null().one_of(&["image"]),
]);

#[derive(Deserialize)]
struct New {
    repository: String,
    visibility: String,
    namespace: Option<String>,
    description: String,
}

#[derive(Serialize)]
struct Created {
    namespace: String,
    name: String,
    kind: &'static str,
}

/// `POST /api/v1/repository`, in the caller's own namespace unless another is named.
async fn create(call: Call, body: Body) -> Result<(StatusCode, Json<Created>), QuayError> {
    let caller = call.user()?;
    if caller.caps.org.is_none() && !caller.caps.superuser {
        return Err(QuayError::forbidden());
    }
    let New { repository, visibility, namespace, description } = body.read(&NEW)?;
    let namespace = namespace.unwrap_or_else(|| caller.principal.name.to_string());
    call.app.may_create_in(caller, &namespace).await?;
    let bad_name = || QuayError::invalid("Invalid repository name");
    let owner: Namespace = namespace.parse().map_err(|_| bad_name())?;
    let name = RepoName::new(&owner, &repository).map_err(|_| bad_name())?;
    let nested = call.app.settings().quay.feature_extended_repository_names;
    if !nested && repository.contains('/') {
        return Err(bad_name());
    }
    let new = NewRepository {
        name,
        visibility: visibility.parse().map_err(|_| bad_name())?,
        description: parse_description(&description)?,
    };
    match call.app.create_repository(caller, new, &call.origin).await {
        Ok(()) => {
            let created = Created { namespace, name: repository, kind: "image" };
            Ok((StatusCode::CREATED, Json(created)))
        }
        Err(Error::Conflict(Conflict::NameReserved(_))) => {
            Err(QuayError::invalid("Repository name is not available"))
        }
        Err(error) => Err(error.into()),
    }
}

fn parse_description(text: &str) -> Result<Description, QuayError> {
    text.parse().map_err(|why| QuayError::from(Error::invalid("description", why)))
}

#[derive(Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "the wire format")]
struct View {
    namespace: String,
    name: String,
    kind: &'static str,
    description: String,
    is_public: bool,
    is_organization: bool,
    is_starred: bool,
    status_token: &'static str,
    trust_enabled: bool,
    tag_expiration_s: u32,
    is_free_account: bool,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    tags: Option<Nothing>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stats: Option<[(); 0]>,
    can_write: bool,
    can_admin: bool,
}

/// An object with nothing in it: the content is the registry's.
#[derive(Serialize)]
struct Nothing {}

/// `GET /api/v1/repository/{repository}`.
async fn show(
    Path(repository): Path<RepoPath>,
    query: Query,
    call: Call,
) -> Result<Json<View>, QuayError> {
    let found = call.app.repository(call.caller(), repository.as_str()).await?;
    let RepositoryView { repository: line, of_org, role } = found;
    let (namespace, name) = line.name.split_once('/').unwrap_or_default();
    Ok(Json(View {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        kind: "image",
        is_public: line.visibility == Visibility::Public,
        is_organization: of_org,
        is_starred: line.starred,
        status_token: "",
        trust_enabled: false,
        tag_expiration_s: TAG_EXPIRATION_S,
        is_free_account: true,
        state: line.state.as_str(),
        tags: query.flag("includeTags").unwrap_or(true).then_some(Nothing {}),
        stats: query.flag("includeStats").unwrap_or(false).then_some([]),
        can_write: role >= Role::Write,
        can_admin: role >= Role::Admin,
        description: line.description,
    }))
}

const DESCRIPTION: Schema = Schema(&[Field::required("description", Kind::String)]);

#[derive(Deserialize)]
struct NewDescription {
    description: String,
}

/// `PUT /api/v1/repository/{repository}`: says something else of it.
async fn describe(
    Path(repository): Path<RepoPath>,
    call: Call,
    body: Body,
) -> Result<Json<Success>, QuayError> {
    let on = call.app.reach(call.caller(), repository.as_str()).await?;
    let NewDescription { description } = body.read(&DESCRIPTION)?;
    let description = parse_description(&description)?;
    call.app.describe_repository(call.user()?, on, description, &call.origin).await?;
    Ok(Success::json())
}

/// `DELETE /api/v1/repository/{repository}`; one that is not there is deleted as well.
async fn delete(Path(repository): Path<RepoPath>, call: Call) -> Result<NoContent, QuayError> {
    let on = call.app.reach(call.caller(), repository.as_str()).await?;
    call.app.delete_repository(call.user()?, on, &call.origin).await?;
    Ok(NoContent)
}

const VISIBILITY: Schema =
    Schema(&[Field::required("visibility", Kind::String).one_of(&["public", "private"])]);

#[derive(Deserialize)]
struct NewVisibility {
    visibility: String,
}

/// `POST /api/v1/repository/{repository}/changevisibility`.
async fn change_visibility(
    Path(repository): Path<RepoPath>,
    call: Call,
    body: Body,
) -> Result<Json<Success>, QuayError> {
    let on = call.app.reach(call.caller(), repository.as_str()).await?;
    let NewVisibility { visibility } = body.read(&VISIBILITY)?;
    let visibility = visibility.parse().map_err(|_| QuayError::invalid("unknown visibility"))?;
    let change = RepositoryChange::Visibility(visibility);
    call.app.change_repository(call.user()?, on, change, &call.origin).await?;
    Ok(Success::json())
}

const STATE: Schema =
    Schema(&[Field::required("state", Kind::String).one_of(&["NORMAL", "READ_ONLY", "MIRROR"])]);

#[derive(Deserialize)]
struct NewState {
    state: String,
}

/// `PUT /api/v1/repository/{repository}/changestate`. Nothing is mirrored here, so nothing becomes
/// a mirror.
async fn change_state(
    Path(repository): Path<RepoPath>,
    call: Call,
    body: Body,
) -> Result<Json<Success>, QuayError> {
    let on = call.app.reach(call.caller(), repository.as_str()).await?;
    let NewState { state } = body.read(&STATE)?;
    let state = match state.parse() {
        Ok(state @ (RepoState::Normal | RepoState::ReadOnly)) => state,
        Ok(RepoState::Mirror) | Err(_) => {
            return Err(QuayError::invalid(format!("Unknown Repository State: {state}")));
        }
    };
    let change = RepositoryChange::State(state);
    call.app.change_repository(call.user()?, on, change, &call.origin).await?;
    Ok(Success::json())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn place_in_a_list_is_read_back_and_other_texts_are_none() {
        assert_eq!(read_place(&show_place(4711)), Some(4711));
        for other in ["", "x", "AAAA", "!"] {
            assert_eq!(read_place(other), None, "{other}");
        }
    }
}
