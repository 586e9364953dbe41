//! Organisations and who belongs to them.
//!
//! Source: `contract/quay.md` section 7, `contract/quay-clients.md` 2.2 and 9.1; quay
//! `endpoints/api/organization.py`.

use std::sync::Arc;

use claviger_domain::{Conflict, Error, name::Email, name::Namespace, name::Text};
use claviger_service::{
    App, NamespaceAdmin,
    organisations::{
        MemberLine, OrganisationChange, OrganisationSettings, OrganisationView, TeamLine,
    },
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
    path::Path,
    schema::{Field, Kind, Schema},
};
use crate::Routes;

const ALL: &str = "/api/v1/organization/";
const ONE: &str = "/api/v1/organization/{orgname}";
const MEMBERS: &str = "/api/v1/organization/{orgname}/members";
const MEMBER: &str = "/api/v1/organization/{orgname}/members/{membername}";
const COLLABORATORS: &str = "/api/v1/organization/{orgname}/collaborators";

/// The routes of this file.
pub(crate) fn routes() -> Routes<Arc<App>> {
    Routes::new("quay", &["/api/v1"])
        .post(ALL, create)
        .get(ONE, show)
        .put(ONE, change)
        .delete(ONE, delete)
        .get(MEMBERS, members)
        .get(MEMBER, member)
        .delete(MEMBER, remove_member)
        .get(COLLABORATORS, collaborators)
}

/// The proof that the caller administers the organisation.
pub(crate) async fn permit(call: &Call, org: &str) -> Result<NamespaceAdmin, QuayError> {
    Ok(call.app.permit_organisation(call.caller(), org).await?)
}

/// An address, or none where the text is empty.
pub(crate) fn parse_email(text: &str) -> Result<Option<Email>, QuayError> {
    match text {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(|_| QuayError::invalid("Invalid email address")),
    }
}

/// The words for a name that breaks the grammar.
pub(crate) fn bad_namespace(name: &str, why: impl std::fmt::Display) -> String {
    format!("Invalid namespace {name}: Namespace {why}")
}

const NEW: Schema = Schema(&[
    Field::required("name", Kind::String),
    Field::optional("email", Kind::String),
    Field::optional("contact_email", Kind::String),
    Field::optional("recaptcha_response", Kind::String),
]);

#[derive(Deserialize)]
struct New {
    name: String,
    email: Option<String>,
}

/// `POST /api/v1/organization/`.
async fn create(call: Call, body: Body) -> Result<(StatusCode, Json<&'static str>), QuayError> {
    let caller = call.user_admin()?;
    let New { name, email } = body.read(&NEW)?;
    let name: Namespace =
        name.parse().map_err(|why| QuayError::invalid(bad_namespace(&name, why)))?;
    let email = email.unwrap_or_default();
    let address = parse_email(&email)?;
    match call.app.create_organisation(caller, name, address, &call.origin).await {
        Ok(()) => Ok((StatusCode::CREATED, Json("Created"))),
        Err(Error::Conflict(Conflict::NameTaken(..))) => {
            Err(QuayError::invalid("A user or organization with this name already exists"))
        }
        Err(Error::Conflict(Conflict::EmailTaken)) => {
            Err(QuayError::invalid(format!("Email has already been used: {email}")))
        }
        Err(error) => Err(error.into()),
    }
}

/// An organisation, as the caller sees it.
#[derive(Serialize)]
pub(crate) struct View {
    name: String,
    email: String,
    avatar: Avatar,
    is_admin: bool,
    is_member: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    teams: Option<Teams>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ordered_teams: Option<Vec<String>>,
    #[serde(flatten)]
    settings: Option<Settings>,
}

#[derive(Serialize)]
struct Settings {
    invoice_email: bool,
    invoice_email_address: Option<String>,
    tag_expiration_s: i64,
    is_free_account: bool,
}

/// An object by name, in order.
struct Teams(Vec<TeamView>);

impl Serialize for Teams {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|team| (&team.name, team)))
    }
}

#[derive(Serialize)]
struct TeamView {
    name: String,
    description: String,
    role: &'static str,
    avatar: Avatar,
    can_view: bool,
    repo_count: i64,
    member_count: i64,
    is_synced: bool,
}

impl TeamView {
    fn new(line: TeamLine, style: AvatarKind) -> Self {
        Self {
            avatar: Avatar::of_team(style, &line.name),
            name: line.name,
            description: line.description,
            role: line.role.as_str(),
            can_view: line.can_view,
            repo_count: line.repositories,
            member_count: line.members,
            is_synced: false,
        }
    }
}

impl View {
    /// The view of `view`.
    pub(crate) fn new(view: OrganisationView, style: AvatarKind) -> Self {
        let OrganisationView { face, is_admin, is_member, teams, settings } = view;
        let avatar = Avatar::of(style, &face);
        let ordered_teams =
            teams.as_ref().map(|teams| teams.iter().map(|team| team.name.clone()).collect());
        let teams = teams
            .map(|teams| Teams(teams.into_iter().map(|team| TeamView::new(team, style)).collect()));
        let settings = settings.map(|settings| Settings {
            invoice_email: settings.invoice_email,
            invoice_email_address: settings.invoice_email_address,
            tag_expiration_s: settings.tag_expiration_s,
            is_free_account: true,
        });
        let email = face.email.filter(|_| is_admin).unwrap_or_default();
        Self { name: face.name, email, avatar, is_admin, is_member, teams, ordered_teams, settings }
    }
}

async fn view(call: &Call, org: &str) -> Result<Json<View>, QuayError> {
    let view = call.app.organisation(call.caller(), org).await?;
    Ok(Json(View::new(view, call.avatars())))
}

/// `GET /api/v1/organization/{orgname}`, for anybody.
async fn show(Path(org): Path<String>, call: Call) -> Result<Json<View>, QuayError> {
    view(&call, &org).await
}

const CHANGE: Schema = Schema(&[
    Field::optional("invoice_email", Kind::Boolean),
    Field::optional("invoice_email_address", Kind::String).or_null(),
    Field::optional("email", Kind::String),
    Field::optional("tag_expiration_s", Kind::Integer),
]);

#[derive(Deserialize)]
#[expect(clippy::option_option, reason = "absent and null are two wishes")]
struct Change {
    invoice_email: Option<bool>,
    #[serde(default, deserialize_with = "given")]
    invoice_email_address: Option<Option<String>>,
    email: Option<String>,
    tag_expiration_s: Option<i64>,
}

/// Tells null from nothing.
#[expect(clippy::option_option, reason = "absent and null are two wishes")]
pub(crate) fn given<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// `PUT /api/v1/organization/{orgname}`.
async fn change(Path(org): Path<String>, call: Call, body: Body) -> Result<Json<View>, QuayError> {
    let (caller, permit) = (call.user()?, permit(&call, &org).await?);
    let Change { invoice_email, invoice_email_address, email, tag_expiration_s } =
        body.read(&CHANGE)?;
    if tag_expiration_s.is_some_and(|s| !OrganisationSettings::TAG_EXPIRATIONS.contains(&s)) {
        return Err(QuayError::message(StatusCode::BAD_REQUEST, "Invalid tag expiration option"));
    }
    if let Some(Some(address)) = &invoice_email_address {
        address.parse::<Text<254>>().map_err(|_| QuayError::invalid("Invalid email address"))?;
    }
    let email = email.map(|email| parse_email(&email)).transpose()?;
    let change =
        OrganisationChange { email, tag_expiration_s, invoice_email, invoice_email_address };
    call.app.change_organisation(&permit, caller, change, &call.origin).await?;
    view(&call, &org).await
}

/// `DELETE /api/v1/organization/{orgname}`.
async fn delete(Path(org): Path<String>, call: Call) -> Result<NoContent, QuayError> {
    let permit = permit(&call, &org).await?;
    call.app.delete_organisation(&permit, &call.fresh()?, &call.origin).await?;
    Ok(NoContent)
}

#[derive(Serialize)]
struct Named {
    name: String,
    avatar: Avatar,
}

#[derive(Serialize)]
struct MemberView {
    name: String,
    kind: &'static str,
    avatar: Avatar,
    teams: Vec<Named>,
    repositories: Vec<String>,
}

impl MemberView {
    fn new(line: MemberLine, style: AvatarKind) -> Self {
        let named = |name: String| Named { avatar: Avatar::of_team(style, &name), name };
        Self {
            avatar: Avatar::of(style, &line.who),
            name: line.who.name,
            kind: "user",
            teams: line.teams.into_iter().map(named).collect(),
            repositories: line.repositories,
        }
    }
}

#[derive(Serialize)]
struct Members {
    members: Vec<MemberView>,
}

/// `GET …/members`: the users in its teams.
async fn members(Path(org): Path<String>, call: Call) -> Result<Json<Members>, QuayError> {
    let permit = permit(&call, &org).await?;
    let found = call.app.organisation_members(&permit).await?.into_iter();
    let members = found.map(|line| MemberView::new(line, call.avatars())).collect();
    Ok(Json(Members { members }))
}

/// `GET …/members/{membername}`.
async fn member(
    Path((org, name)): Path<(String, String)>,
    call: Call,
) -> Result<Json<MemberView>, QuayError> {
    let permit = permit(&call, &org).await?;
    let line = call.app.organisation_member(&permit, &name).await?;
    Ok(Json(MemberView::new(line, call.avatars())))
}

/// `DELETE …/members/{membername}`: out of its teams, and his permissions in it.
async fn remove_member(
    Path((org, name)): Path<(String, String)>,
    call: Call,
) -> Result<NoContent, QuayError> {
    let (caller, permit) = (call.user()?, permit(&call, &org).await?);
    match call.app.remove_organisation_member(&permit, caller, &name, &call.origin).await {
        Err(Error::Conflict(Conflict::LastAdmin)) => Err(QuayError::message(
            StatusCode::BAD_REQUEST,
            "Cannot remove user as they are the only organization admin",
        )),
        done => done.map(|()| NoContent).map_err(QuayError::from),
    }
}

#[derive(Serialize)]
struct Collaborator {
    kind: &'static str,
    name: String,
    avatar: Avatar,
    repositories: Vec<String>,
}

#[derive(Serialize)]
struct Collaborators {
    collaborators: Vec<Collaborator>,
}

/// `GET …/collaborators`: users with permissions in it who are in none of its teams.
async fn collaborators(
    Path(org): Path<String>,
    call: Call,
) -> Result<Json<Collaborators>, QuayError> {
    let permit = permit(&call, &org).await?;
    let found = call.app.organisation_collaborators(&permit).await?;
    let collaborator = |line: MemberLine| Collaborator {
        kind: "user",
        avatar: Avatar::of(call.avatars(), &line.who),
        name: line.who.name,
        repositories: line.repositories,
    };
    let collaborators = found.into_iter().map(collaborator).collect();
    Ok(Json(Collaborators { collaborators }))
}
