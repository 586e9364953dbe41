//! What superusers do to users and organisations. All of it needs a fresh sign-in.
//!
//! Source: `contract/quay-clients.md` 2.1, 2.2 and 9.5; quay `endpoints/api/superuser.py`.

use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use claviger_domain::{Conflict, Error, name::Namespace, principal::PrincipalKind};
use claviger_service::{
    App,
    organisations::Face,
    passwords::Password,
    settings::AvatarKind,
    superusers::{OrganisationRename, Overseer, Superuser, UserChange, UserLine},
};
use http::StatusCode;
use serde::{Deserialize, Serialize, Serializer};

use super::{
    avatar::Avatar,
    body::Body,
    error::{QuayError, read_only},
    gate::{Call, EndingCall},
    json::{Json, NoContent},
    organisations::{bad_namespace, parse_email},
    path::Path,
    query::Query,
    schema::{Field, Kind, Schema},
};
use crate::{Routes, headers::keep_nowhere};

const USERS: &str = "/api/v1/superuser/users/";
const USER: &str = "/api/v1/superuser/users/{username}";
const ORGANISATIONS: &str = "/api/v1/superuser/organizations/";
const ORGANISATION: &str = "/api/v1/superuser/organizations/{orgname}";

/// The routes of this file.
pub(crate) fn routes() -> Routes<Arc<App>> {
    Routes::new("quay", &["/api/v1"])
        .get(USERS, users)
        .post(USERS, make_user)
        .get(USER, user)
        .put(USER, change_user)
        .delete(USER, delete_user)
        .get(ORGANISATIONS, organisations)
        .put(ORGANISATION, change_organisation)
        .delete(ORGANISATION, delete_organisation)
}

fn superuser(call: &Call) -> Result<Superuser, QuayError> {
    Ok(call.app.permit_superuser(call.caller())?)
}

fn overseer(call: &Call) -> Result<Overseer, QuayError> {
    Ok(call.app.permit_overseer(call.caller())?)
}

fn message(text: impl Into<String>) -> QuayError {
    QuayError::message(StatusCode::BAD_REQUEST, text)
}

#[derive(Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "the wire format")]
struct UserView {
    kind: &'static str,
    name: String,
    username: String,
    email: Option<String>,
    verified: bool,
    avatar: Avatar,
    super_user: bool,
    global_readonly_super_user: bool,
    enabled: bool,
}

impl UserView {
    fn new(line: UserLine, style: AvatarKind) -> Self {
        let UserLine { user, superuser, global_readonly } = line;
        let face = Face {
            id: user.id,
            kind: PrincipalKind::User,
            name: user.name,
            email: user.email,
            avatar_key: user.avatar_key,
        };
        Self {
            kind: "user",
            avatar: Avatar::of(style, &face),
            name: face.name.clone(),
            username: face.name,
            email: face.email,
            verified: user.verified_at.is_some(),
            super_user: superuser,
            global_readonly_super_user: global_readonly,
            enabled: user.disabled_at.is_none(),
        }
    }
}

#[derive(Serialize)]
struct Users {
    users: Vec<UserView>,
}

/// `GET /api/v1/superuser/users/`; without those who are disabled if `disabled` says no.
async fn users(query: Query, call: Call) -> Result<Json<Users>, QuayError> {
    let by = overseer(&call)?;
    let disabled = query.flag("disabled") != Some(false);
    let found = call.app.all_users(&by).await?.into_iter();
    let shown = found.filter(|line| disabled || line.user.disabled_at.is_none());
    let users = shown.map(|line| UserView::new(line, call.avatars())).collect();
    Ok(Json(Users { users }))
}

/// `GET /api/v1/superuser/users/{username}`.
async fn user(Path(name): Path<String>, call: Call) -> Result<Json<UserView>, QuayError> {
    let by = overseer(&call)?;
    let line = call.app.user(&by, &name).await?;
    Ok(Json(UserView::new(line, call.avatars())))
}

const NEW_USER: Schema =
    Schema(&[Field::required("username", Kind::String), Field::optional("email", Kind::String)]);

#[derive(Deserialize)]
struct NewUser {
    username: String,
    email: Option<String>,
}

#[derive(Serialize)]
struct MadeUser {
    username: String,
    email: Option<String>,
    #[serde(serialize_with = "expose")]
    password: Password,
    /// Passwords are not encrypted here: an app token serves where one would.
    encrypted_password: (),
}

/// The only place where a password that was drawn is written down.
fn expose<S: Serializer>(password: &Password, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(password.expose())
}

/// `POST /api/v1/superuser/users/`: makes a user with a password that is drawn.
async fn make_user(call: Call, body: Body) -> Result<Response, QuayError> {
    let by = superuser(&call)?;
    let NewUser { username, email } = body.read(&NEW_USER)?;
    let name: Namespace = username.parse().map_err(|why| message(bad_namespace(&username, why)))?;
    let address = parse_email(email.as_deref().unwrap_or_default())?;
    match call.app.make_user(&by, name, address, &call.origin).await {
        Ok(password) => {
            let made = MadeUser { username, email, password, encrypted_password: () };
            let mut response = Json(made).into_response();
            keep_nowhere(response.headers_mut());
            Ok(response)
        }
        Err(Error::Invalid { field: "email", .. }) => Err(message("Email address is required")),
        Err(Error::Conflict(Conflict::NameTaken(kind, name))) => {
            let by = match kind {
                PrincipalKind::User | PrincipalKind::Robot => "user",
                PrincipalKind::Org => "an organization",
            };
            Err(message(format!(
                "Username has already been taken by {by} and cannot be reused: {name}"
            )))
        }
        Err(Error::Conflict(Conflict::EmailTaken)) => Err(email_taken(email)),
        Err(error) => Err(error.into()),
    }
}

fn email_taken(email: Option<String>) -> QuayError {
    message(format!("Email has already been used: {}", email.unwrap_or_default()))
}

fn bad_password() -> QuayError {
    message("Invalid password, password must be at least 8 characters and contain no whitespace.")
}

const CHANGE_USER: Schema = Schema(&[
    Field::optional("username", Kind::String),
    Field::optional("password", Kind::String),
    Field::optional("email", Kind::String),
    Field::optional("enabled", Kind::Boolean),
    Field::optional("superuser", Kind::Boolean),
]);

#[derive(Deserialize)]
struct ChangeUser {
    password: Option<String>,
    email: Option<String>,
    enabled: Option<bool>,
    superuser: Option<bool>,
}

impl ChangeUser {
    fn only_disables(&self) -> bool {
        matches!(self, Self { password: None, email: None, enabled: Some(false), superuser: None })
    }
}

#[derive(Serialize)]
struct ChangedUser {
    #[serde(flatten)]
    user: UserView,
    #[serde(skip_serializing_if = "Option::is_none")]
    encrypted_password: Option<()>,
}

/// `PUT /api/v1/superuser/users/{username}`.
async fn change_user(
    Path(name): Path<String>,
    EndingCall(call): EndingCall,
    body: Body,
) -> Result<Json<ChangedUser>, QuayError> {
    let asked = body.read(&CHANGE_USER);
    if call.is_read_only() && !asked.as_ref().is_ok_and(ChangeUser::only_disables) {
        return Err(read_only());
    }
    let by = superuser(&call)?;
    let ChangeUser { password, email, enabled, superuser } = asked?;
    let encrypted_password = password.is_some().then_some(());
    let change = UserChange {
        password: password.map(Password::new).transpose().map_err(|_| bad_password())?,
        email: email.as_deref().map(parse_email).transpose()?,
        enabled,
        superuser,
    };
    match call.app.change_user(&by, &name, change, &call.origin).await {
        Ok(line) => {
            let user = UserView::new(line, call.avatars());
            Ok(Json(ChangedUser { user, encrypted_password }))
        }
        Err(Error::Denied { .. }) => Err(QuayError::invalid("Cannot update a superuser")),
        Err(Error::Invalid { field: "password", .. }) => Err(bad_password()),
        Err(Error::Conflict(Conflict::EmailTaken)) => Err(email_taken(email)),
        Err(error) => Err(error.into()),
    }
}

/// `DELETE /api/v1/superuser/users/{username}`.
async fn delete_user(Path(name): Path<String>, call: Call) -> Result<NoContent, QuayError> {
    let by = superuser(&call)?;
    match call.app.delete_user(&by, &name, &call.origin).await {
        Ok(()) => Ok(NoContent),
        Err(Error::Denied { .. }) => Err(QuayError::invalid("Cannot delete a superuser")),
        Err(error) => Err(error.into()),
    }
}

#[derive(Serialize)]
struct OrganisationView {
    name: String,
    email: String,
    avatar: Avatar,
}

impl OrganisationView {
    fn new(face: Face, style: AvatarKind) -> Self {
        let avatar = Avatar::of_org(style, &face);
        Self { name: face.name, email: face.email.unwrap_or_default(), avatar }
    }
}

#[derive(Serialize)]
struct Organisations {
    organizations: Vec<OrganisationView>,
}

/// `GET /api/v1/superuser/organizations/`.
async fn organisations(call: Call) -> Result<Json<Organisations>, QuayError> {
    let by = overseer(&call)?;
    let found = call.app.all_organisations(&by).await?;
    let view = |face| OrganisationView::new(face, call.avatars());
    Ok(Json(Organisations { organizations: found.into_iter().map(view).collect() }))
}

const CHANGE_ORGANISATION: Schema = Schema(&[
    Field::optional("email", Kind::String),
    Field::optional("name", Kind::String),
    Field::optional("invoice_email", Kind::Boolean),
    Field::optional("invoice_email_address", Kind::String).or_null(),
    Field::optional("tag_expiration_s", Kind::Integer),
]);

#[derive(Deserialize)]
struct ChangeOrganisation {
    email: Option<String>,
    name: Option<String>,
}

/// `PUT /api/v1/superuser/organizations/{orgname}`.
async fn change_organisation(
    Path(org): Path<String>,
    call: Call,
    body: Body,
) -> Result<Json<OrganisationView>, QuayError> {
    let by = superuser(&call)?;
    let ChangeOrganisation { email, name } = body.read(&CHANGE_ORGANISATION)?;
    let parse =
        |name: String| name.parse().map_err(|why| QuayError::invalid(bad_namespace(&name, why)));
    let change = OrganisationRename {
        name: name.map(parse).transpose()?,
        email: email.as_deref().map(parse_email).transpose()?,
    };
    match call.app.rename_organisation(&by, &org, change, &call.origin).await {
        Ok(face) => Ok(Json(OrganisationView::new(face, call.avatars()))),
        Err(Error::Conflict(Conflict::NameTaken(..))) => {
            Err(QuayError::invalid("A user or organization with this name already exists"))
        }
        Err(error) => Err(error.into()),
    }
}

/// `DELETE /api/v1/superuser/organizations/{orgname}`.
async fn delete_organisation(Path(org): Path<String>, call: Call) -> Result<NoContent, QuayError> {
    let by = superuser(&call)?;
    call.app.delete_any_organisation(&by, &org, &call.origin).await?;
    Ok(NoContent)
}
