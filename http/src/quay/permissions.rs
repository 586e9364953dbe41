//! Permissions of users and teams on a repository.
//!
//! Source: `contract/quay.md`, section 3; quay `endpoints/api/permission.py`.

use std::sync::Arc;

use claviger_domain::{Conflict, Error, principal::PrincipalKind, role::Role};
use claviger_service::{
    App,
    permissions::{InNamespace, TeamPermission, UserPermission},
    settings::AvatarKind,
};
use http::StatusCode;
use serde::{Deserialize, Serialize, Serializer};

use super::{
    avatar::Avatar,
    body::Body,
    error::QuayError,
    gate::Call,
    json::{Json, NoContent},
    path::{Path, RepoPath, to_slash},
    schema::{Field, Kind, Schema},
};
use crate::Routes;

const USERS: &str = "/api/v1/repository/{repository*}/permissions/user/";
const USER: &str = "/api/v1/repository/{repository*}/permissions/user/{username}";
const TRANSITIVE: &str = "/api/v1/repository/{repository*}/permissions/user/{username}/transitive";
const TEAMS: &str = "/api/v1/repository/{repository*}/permissions/team/";
const TEAM: &str = "/api/v1/repository/{repository*}/permissions/team/{teamname}";

/// The routes of this file.
pub(crate) fn routes() -> Routes<Arc<App>> {
    Routes::new("quay", &["/api/v1"])
        .get(USERS, users)
        .get("/api/v1/repository/{repository*}/permissions/user", to_slash)
        .get(USER, user)
        .put(USER, give_user)
        .delete(USER, take_from_user)
        .get(TRANSITIVE, transitive)
        .get(TEAMS, teams)
        .get("/api/v1/repository/{repository*}/permissions/team", to_slash)
        .get(TEAM, team)
        .put(TEAM, give_team)
        .delete(TEAM, take_from_team)
}

const ROLE: Schema =
    Schema(&[Field::required("role", Kind::String).one_of(&["read", "write", "admin"])]);

#[derive(Deserialize)]
struct NewRole {
    role: String,
}

impl NewRole {
    fn parse(&self) -> Result<Role, QuayError> {
        // the schema has let through nothing else
        self.role.parse().map_err(|_| QuayError::invalid("unknown role"))
    }
}

#[derive(Serialize)]
struct UserView {
    role: &'static str,
    name: String,
    is_robot: bool,
    avatar: Avatar,
    #[serde(skip_serializing_if = "Option::is_none")]
    is_org_member: Option<bool>,
}

impl UserView {
    fn new(found: InNamespace<UserPermission>, style: AvatarKind) -> Self {
        let InNamespace { found: UserPermission { face, role, of_org: member }, of_org } = found;
        Self {
            role: role.as_str(),
            is_robot: face.kind == PrincipalKind::Robot,
            avatar: Avatar::of(style, &face),
            name: face.name,
            is_org_member: of_org.then_some(member),
        }
    }
}

#[derive(Serialize)]
struct TeamView {
    role: &'static str,
    name: String,
    avatar: Avatar,
}

impl TeamView {
    fn new(found: TeamPermission, style: AvatarKind) -> Self {
        let avatar = Avatar::of_team(style, &found.team);
        Self { role: found.role.as_str(), name: found.team, avatar }
    }
}

#[derive(Serialize)]
struct RoleView {
    role: &'static str,
}

/// A list: an object by name, in order.
#[derive(Serialize)]
struct ByName<T: Serialize + Named> {
    #[serde(serialize_with = "by_name")]
    permissions: Vec<T>,
}

trait Named {
    fn name(&self) -> &str;
}

impl Named for UserView {
    fn name(&self) -> &str {
        &self.name
    }
}

impl Named for TeamView {
    fn name(&self) -> &str {
        &self.name
    }
}

fn by_name<T: Serialize + Named, S: Serializer>(
    views: &[T],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(views.iter().map(|view| (view.name(), view)))
}

/// `GET …/permissions/user/`: everybody with a permission of his own.
async fn users(
    Path(repository): Path<RepoPath>,
    call: Call,
) -> Result<Json<ByName<UserView>>, QuayError> {
    let on = call.app.reach(call.caller(), repository.as_str()).await?;
    let InNamespace { found, of_org } = call.app.user_permissions(on).await?;
    let view = |found| UserView::new(InNamespace { found, of_org }, call.avatars());
    Ok(Json(ByName { permissions: found.into_iter().map(view).collect() }))
}

/// `GET …/permissions/user/{username}`: his own permission, not that of his teams.
async fn user(
    Path((repository, username)): Path<(RepoPath, String)>,
    call: Call,
) -> Result<Json<UserView>, QuayError> {
    let on = call.app.reach(call.caller(), repository.as_str()).await?;
    match call.app.user_permission(on, &username).await {
        Ok(found) => Ok(Json(UserView::new(found, call.avatars()))),
        Err(Error::Conflict(Conflict::NoPermission)) => {
            let text = "User does not have permission for repo.";
            Err(QuayError::message(StatusCode::BAD_REQUEST, text))
        }
        Err(error) => Err(error.into()),
    }
}

/// `PUT …/permissions/user/{username}`: gives him a role in place of the one he may have.
async fn give_user(
    Path((repository, username)): Path<(RepoPath, String)>,
    call: Call,
    body: Body,
) -> Result<Json<UserView>, QuayError> {
    let on = call.app.reach(call.caller(), repository.as_str()).await?;
    let role = body.read::<NewRole>(&ROLE)?.parse()?;
    match call.app.give_user(call.user()?, on, &username, role, &call.origin).await {
        Ok(found) => Ok(Json(UserView::new(found, call.avatars()))),
        Err(Error::NotFound("user")) => {
            Err(QuayError::invalid(format!("Invalid username: {username}")))
        }
        Err(error) => Err(error.into()),
    }
}

/// `DELETE …/permissions/user/{username}`.
async fn take_from_user(
    Path((repository, username)): Path<(RepoPath, String)>,
    call: Call,
) -> Result<NoContent, QuayError> {
    let on = call.app.reach(call.caller(), repository.as_str()).await?;
    call.app.take_from_user(call.user()?, on, &username, &call.origin).await?;
    Ok(NoContent)
}

/// `GET …/permissions/user/{username}/transitive`: every permission that reaches him, his own and
/// those of his teams; nothing implied.
async fn transitive(
    Path((repository, username)): Path<(RepoPath, String)>,
    call: Call,
) -> Result<Json<Transitive>, QuayError> {
    let on = call.app.reach(call.caller(), repository.as_str()).await?;
    let roles = call.app.transitive_roles(on, &username).await?;
    let permissions = roles.into_iter().map(|role| RoleView { role: role.as_str() }).collect();
    Ok(Json(Transitive { permissions }))
}

#[derive(Serialize)]
struct Transitive {
    permissions: Vec<RoleView>,
}

/// `GET …/permissions/team/`.
async fn teams(
    Path(repository): Path<RepoPath>,
    call: Call,
) -> Result<Json<ByName<TeamView>>, QuayError> {
    let on = call.app.reach(call.caller(), repository.as_str()).await?;
    let found = call.app.team_permissions(on).await?;
    let view = |found| TeamView::new(found, call.avatars());
    Ok(Json(ByName { permissions: found.into_iter().map(view).collect() }))
}

/// `GET …/permissions/team/{teamname}`: the role alone.
async fn team(
    Path((repository, teamname)): Path<(RepoPath, String)>,
    call: Call,
) -> Result<Json<RoleView>, QuayError> {
    let on = call.app.reach(call.caller(), repository.as_str()).await?;
    match call.app.team_permission(on, &teamname).await {
        Ok(found) => Ok(Json(RoleView { role: found.role.as_str() })),
        Err(Error::Conflict(Conflict::NoPermission)) => {
            Err(QuayError::message(StatusCode::BAD_REQUEST, NO_TEAM_PERMISSION))
        }
        Err(error) => Err(error.into()),
    }
}

const NO_TEAM_PERMISSION: &str = "Team does not have permission for repo.";

/// `PUT …/permissions/team/{teamname}`: gives a team of the repository's organisation a role.
async fn give_team(
    Path((repository, teamname)): Path<(RepoPath, String)>,
    call: Call,
    body: Body,
) -> Result<Json<TeamView>, QuayError> {
    let on = call.app.reach(call.caller(), repository.as_str()).await?;
    let role = body.read::<NewRole>(&ROLE)?.parse()?;
    match call.app.give_team(call.user()?, on, &teamname, role, &call.origin).await {
        Ok(found) => Ok(Json(TeamView::new(found, call.avatars()))),
        Err(Error::NotFound("team")) => {
            let organization = repository.namespace();
            let text = format!("No team {teamname} in organization {organization}");
            Err(QuayError::invalid(text))
        }
        Err(error) => Err(error.into()),
    }
}

/// `DELETE …/permissions/team/{teamname}`.
async fn take_from_team(
    Path((repository, teamname)): Path<(RepoPath, String)>,
    call: Call,
) -> Result<NoContent, QuayError> {
    let on = call.app.reach(call.caller(), repository.as_str()).await?;
    match call.app.take_from_team(call.user()?, on, &teamname, &call.origin).await {
        Ok(()) => Ok(NoContent),
        Err(Error::Conflict(Conflict::NoPermission)) => Err(QuayError::invalid(NO_TEAM_PERMISSION)),
        Err(error) => Err(error.into()),
    }
}
