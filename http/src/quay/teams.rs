//! Teams of an organisation and their members.
//!
//! Source: `contract/quay.md` section 7, `contract/quay-clients.md` 2.3 and 9.1; quay
//! `endpoints/api/team.py`.

use std::sync::Arc;

use claviger_domain::{Conflict, Error, name::TeamName, principal::PrincipalKind};
use claviger_service::{
    App,
    settings::AvatarKind,
    teams::{OnRepo, TeamChange, TeamMember},
};
use http::StatusCode;
use serde::{Deserialize, Serialize};

use super::{
    avatar::Avatar,
    body::Body,
    error::QuayError,
    gate::Call,
    json::{Json, NoContent},
    organisations::permit,
    path::Path,
    query::Query,
    schema::{Field, Kind, Schema},
};
use crate::Routes;

const ONE: &str = "/api/v1/organization/{orgname}/team/{teamname}";
const MEMBERS: &str = "/api/v1/organization/{orgname}/team/{teamname}/members";
const MEMBER: &str = "/api/v1/organization/{orgname}/team/{teamname}/members/{membername}";
const PERMISSIONS: &str = "/api/v1/organization/{orgname}/team/{teamname}/permissions";

/// The routes of this file.
pub(crate) fn routes() -> Routes<Arc<App>> {
    Routes::new("quay", &["/api/v1"])
        .put(ONE, put)
        .delete(ONE, delete)
        .get(MEMBERS, members)
        .put(MEMBER, add_member)
        .delete(MEMBER, remove_member)
        .get(PERMISSIONS, permissions)
}

fn message(text: impl Into<String>) -> QuayError {
    QuayError::message(StatusCode::BAD_REQUEST, text)
}

const TEAM: Schema = Schema(&[
    Field::required("role", Kind::String).one_of(&["member", "creator", "admin"]),
    Field::optional("description", Kind::String),
]);

#[derive(Deserialize)]
struct Change {
    role: String,
    description: Option<String>,
}

#[derive(Serialize)]
struct TeamView {
    name: String,
    description: String,
    can_view: bool,
    role: &'static str,
    avatar: Avatar,
    new_team: bool,
}

/// `PUT …/team/{teamname}`: makes it or changes it.
async fn put(
    Path((org, name)): Path<(String, String)>,
    call: Call,
    body: Body,
) -> Result<Json<TeamView>, QuayError> {
    let (caller, permit) = (call.user()?, permit(&call, &org).await?);
    let Change { role, description } = body.read(&TEAM)?;
    let bad_name = |why| message(format!("Invalid team name {name}: Namespace {why}"));
    let change = TeamChange {
        name: name.parse::<TeamName>().map_err(bad_name)?,
        role: role.parse().map_err(|why| Error::invalid("role", why))?,
        description: description
            .map(|text| text.parse().map_err(|why| Error::invalid("description", why)))
            .transpose()?,
    };
    match call.app.put_team(&permit, caller, change, &call.origin).await {
        Ok(changed) => Ok(Json(TeamView {
            avatar: Avatar::of_team(call.avatars(), &name),
            name,
            description: changed.team.description,
            can_view: true,
            role: changed.team.role.as_str(),
            new_team: changed.new,
        })),
        Err(Error::Conflict(Conflict::LastAdmin)) => Err(message(format!(
            "Cannot remove admin from team '{name}' because calling user would no longer have \
             admin on org '{org}'"
        ))),
        Err(error) => Err(error.into()),
    }
}

/// `DELETE …/team/{teamname}`.
async fn delete(
    Path((org, name)): Path<(String, String)>,
    call: Call,
) -> Result<NoContent, QuayError> {
    let (caller, permit) = (call.user()?, permit(&call, &org).await?);
    match call.app.delete_team(&permit, caller, &name, &call.origin).await {
        Ok(()) => Ok(NoContent),
        Err(Error::NotFound(_)) => {
            Err(message(format!("Team '{name}' is not a team in org '{org}'")))
        }
        Err(Error::Conflict(Conflict::LastAdmin)) => Err(message(format!(
            "Deleting team '{name}' would remove admin ability for user '{}' in organization \
             '{org}'",
            caller.principal.name
        ))),
        Err(error) => Err(error.into()),
    }
}

#[derive(Serialize)]
struct MemberView {
    name: String,
    kind: &'static str,
    is_robot: bool,
    avatar: Avatar,
    invited: bool,
}

impl MemberView {
    fn new(member: TeamMember, style: AvatarKind) -> Self {
        let TeamMember { who, invited } = member;
        Self {
            is_robot: who.kind == PrincipalKind::Robot,
            avatar: Avatar::of(style, &who),
            name: who.name,
            kind: "user",
            invited,
        }
    }
}

#[derive(Serialize)]
struct MemberList {
    name: String,
    members: Vec<MemberView>,
    can_edit: bool,
}

/// `GET …/team/{teamname}/members`; with `includePending` also who is invited.
async fn members(
    Path((org, name)): Path<(String, String)>,
    query: Query,
    call: Call,
) -> Result<Json<MemberList>, QuayError> {
    let pending = query.flag("includePending") == Some(true);
    let found = call.app.team_members(call.caller(), &org, &name, pending).await?;
    let style = call.avatars();
    let members = found.members.into_iter().map(|member| MemberView::new(member, style)).collect();
    Ok(Json(MemberList { name, members, can_edit: found.can_edit }))
}

/// `PUT …/members/{membername}`; a body is not looked at.
async fn add_member(
    Path((org, team, name)): Path<(String, String, String)>,
    call: Call,
) -> Result<Json<MemberView>, QuayError> {
    let (caller, permit) = (call.user()?, permit(&call, &org).await?);
    match call.app.add_team_member(&permit, caller, &team, &name, &call.origin).await {
        Ok(member) => Ok(Json(MemberView::new(member, call.avatars()))),
        Err(Error::NotFound("user")) => Err(QuayError::invalid("Unknown user")),
        Err(Error::Conflict(Conflict::AlreadyMember(_))) => {
            Err(message(format!("User {name} is already a member of team {team}")))
        }
        Err(Error::Conflict(Conflict::ForeignRobot { .. })) => Err(message(
            "Cannot add the specified robot to this team, as it is not a member of the organization",
        )),
        Err(error) => Err(error.into()),
    }
}

/// `DELETE …/members/{membername}`, or of an invitation.
async fn remove_member(
    Path((org, team, name)): Path<(String, String, String)>,
    call: Call,
) -> Result<NoContent, QuayError> {
    let (caller, permit) = (call.user()?, permit(&call, &org).await?);
    match call.app.remove_team_member(&permit, caller, &team, &name, &call.origin).await {
        Ok(()) => Ok(NoContent),
        Err(Error::Conflict(Conflict::NotMember(_))) => {
            Err(message(format!("User {name} does not belong to team {team}")))
        }
        Err(Error::Conflict(Conflict::LastAdmin)) => {
            Err(message("User cannot remove themselves from their only admin team."))
        }
        Err(error) => Err(error.into()),
    }
}

#[derive(Serialize)]
struct RepositoryView {
    name: String,
    is_public: bool,
}

#[derive(Serialize)]
struct PermissionView {
    repository: RepositoryView,
    role: &'static str,
}

/// Permissions of a team or a robot.
#[derive(Serialize)]
pub(crate) struct Permissions {
    permissions: Vec<PermissionView>,
}

impl Permissions {
    /// The list of `found`.
    pub(crate) fn new(found: Vec<OnRepo>) -> Self {
        let view = |on: OnRepo| PermissionView {
            repository: RepositoryView {
                name: on.name,
                is_public: on.visibility == claviger_domain::role::Visibility::Public,
            },
            role: on.role.as_str(),
        };
        Self { permissions: found.into_iter().map(view).collect() }
    }
}

/// `GET …/team/{teamname}/permissions`.
async fn permissions(
    Path((org, name)): Path<(String, String)>,
    call: Call,
) -> Result<Json<Permissions>, QuayError> {
    let permit = permit(&call, &org).await?;
    let found = call.app.permissions_of_team(&permit, &name).await?;
    Ok(Json(Permissions::new(found)))
}
