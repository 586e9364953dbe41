//! OAuth applications of an organisation, and their tokens made by hand.
//!
//! Source: `contract/quay.md` 4.5, 7; `contract/quay-clients.md` 2.7, 9.4.

use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use claviger_domain::{
    Error, UnixMillis,
    name::{Text, TextError},
    scope::QuayScope,
};
use claviger_service::{
    App,
    applications::{ApplicationDetails, ApplicationText, ApplicationView, PublicApplication},
    oauth_token::{ApplicationToken, NewApplicationToken, TOKEN_SECONDS},
    organisations::OrganisationView,
    settings::AvatarKind,
};
use http::StatusCode;
use serde::{Deserialize, Serialize, Serializer};
use time::{OffsetDateTime, format_description::BorrowedFormatItem, macros::format_description};

use super::{
    avatar::{self, Avatar, AvatarOf},
    body::Body,
    error::QuayError,
    gate::Call,
    json::{Json, NoContent},
    organisations::{self, permit},
    path::Path,
    schema::{Field, Kind, Schema},
};
use crate::{Routes, headers::keep_nowhere};

/// The routes of this file.
pub(crate) fn routes() -> Routes<Arc<App>> {
    Routes::new("quay", &["/api/v1"])
        .get("/api/v1/app/{client_id}", public)
        .get("/api/v1/organization/{orgname}/applications", list)
        .post("/api/v1/organization/{orgname}/applications", create)
        .get("/api/v1/organization/{orgname}/applications/{client_id}", get)
        .put("/api/v1/organization/{orgname}/applications/{client_id}", update)
        .delete("/api/v1/organization/{orgname}/applications/{client_id}", delete)
        .post("/api/v1/organization/{orgname}/applications/{client_id}/resetclientsecret", reset)
        .get("/api/v1/organization/{orgname}/applications/{client_id}/tokens", list_tokens)
        .post("/api/v1/organization/{orgname}/applications/{client_id}/tokens", create_token)
        .delete(
            "/api/v1/organization/{orgname}/applications/{client_id}/tokens/{uuid}",
            revoke_token,
        )
}

/// An application, as its owners see it. Without its secret where that is not shown again.
#[derive(Serialize)]
struct View {
    name: String,
    description: String,
    application_uri: String,
    client_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_secret: Option<String>,
    redirect_uri: String,
    avatar_email: Option<String>,
}

impl From<ApplicationView> for View {
    fn from(view: ApplicationView) -> Self {
        Self {
            name: view.name,
            description: view.description,
            application_uri: view.application_uri,
            client_id: view.client_id,
            client_secret: view.secret.map(|secret| secret.expose().to_owned()),
            redirect_uri: view.redirect_uri,
            avatar_email: view.avatar_email,
        }
    }
}

/// An answer that shows a secret.
fn shown(body: impl Serialize) -> Response {
    let mut response = Json(body).into_response();
    keep_nowhere(response.headers_mut());
    response
}

/// What an application is drawn from: its own address, else its organisation's.
pub(crate) fn avatar_of(style: AvatarKind, application: &PublicApplication) -> Avatar {
    let own = application.avatar_email.as_deref().filter(|email| !email.is_empty());
    let identifier = own.unwrap_or_else(|| avatar::identifier(&application.org));
    Avatar::new(style, AvatarOf::App, &application.name, identifier)
}

/// `GET /api/v1/app/{client_id}`: what everybody may know.
async fn public(call: Call, Path(client_id): Path<String>) -> Result<Response, QuayError> {
    #[derive(Serialize)]
    struct Reply {
        name: String,
        description: String,
        uri: String,
        avatar: Avatar,
        organization: organisations::View,
    }
    let style = call.avatars();
    let application = call.app.public_application(&client_id).await?;
    let org = call.app.organisation(call.caller(), &application.org.name).await?;
    let org = OrganisationView { teams: Some(Vec::new()), ..org };
    let reply = Reply {
        avatar: avatar_of(style, &application),
        organization: organisations::View::new(org, style),
        name: application.name,
        description: application.description,
        uri: application.application_uri,
    };
    Ok(Json(reply).into_response())
}

/// `GET /api/v1/organization/{orgname}/applications`.
async fn list(call: Call, Path(org): Path<String>) -> Result<Response, QuayError> {
    #[derive(Serialize)]
    struct Reply {
        applications: Vec<View>,
    }
    let admin = permit(&call, &org).await?;
    let found = call.app.applications(&admin, call.user()?, &call.origin).await?;
    Ok(shown(Reply { applications: found.into_iter().map(View::from).collect() }))
}

/// `GET /api/v1/organization/{orgname}/applications/{client_id}`.
async fn get(
    call: Call,
    Path((org, client_id)): Path<(String, String)>,
) -> Result<Response, QuayError> {
    let admin = permit(&call, &org).await?;
    let view = call.app.application(&admin, &client_id, call.user()?, &call.origin).await?;
    Ok(shown(View::from(view)))
}

#[derive(Deserialize)]
struct Details {
    name: String,
    #[serde(default)]
    redirect_uri: String,
    #[serde(default)]
    application_uri: String,
    #[serde(default)]
    description: String,
    avatar_email: Option<String>,
}

impl Details {
    fn parse(&self) -> Result<ApplicationDetails, QuayError> {
        let email = self.avatar_email.as_deref();
        Ok(ApplicationDetails {
            name: text("name", &self.name)?,
            redirect_uri: text("redirect_uri", &self.redirect_uri)?,
            application_uri: text("application_uri", &self.application_uri)?,
            description: text("description", &self.description)?,
            avatar_email: email.map(|email| text("avatar_email", email)).transpose()?,
        })
    }
}

fn text<const MAX: usize>(field: &'static str, text: &str) -> Result<Text<MAX>, QuayError> {
    text.parse().map_err(|problem: TextError| Error::invalid(field, problem).into())
}

const NEW: Schema = Schema(&[
    Field::required("name", Kind::String),
    Field::optional("redirect_uri", Kind::String),
    Field::optional("application_uri", Kind::String),
    Field::optional("description", Kind::String),
    Field::optional("avatar_email", Kind::String),
]);

/// `POST /api/v1/organization/{orgname}/applications`.
async fn create(call: Call, Path(org): Path<String>, body: Body) -> Result<Response, QuayError> {
    let admin = permit(&call, &org).await?;
    let details = body.read::<Details>(&NEW)?.parse()?;
    let view = call.app.create_application(&admin, details, call.user()?, &call.origin).await?;
    Ok(shown(View::from(view)))
}

const CHANGED: Schema = Schema(&[
    Field::required("name", Kind::String),
    Field::required("redirect_uri", Kind::String),
    Field::required("application_uri", Kind::String),
    Field::optional("description", Kind::String),
    Field::optional("avatar_email", Kind::String),
]);

/// `PUT /api/v1/organization/{orgname}/applications/{client_id}`. What is left out becomes empty.
async fn update(
    call: Call,
    Path((org, client_id)): Path<(String, String)>,
    body: Body,
) -> Result<Response, QuayError> {
    let admin = permit(&call, &org).await?;
    let details = body.read::<Details>(&CHANGED)?.parse()?;
    let (app, user) = (&call.app, call.user()?);
    let view = app.update_application(&admin, &client_id, details, user, &call.origin).await?;
    Ok(shown(View::from(view)))
}

/// `POST /api/v1/organization/{orgname}/applications/{client_id}/resetclientsecret`.
async fn reset(
    call: Call,
    Path((org, client_id)): Path<(String, String)>,
) -> Result<Response, QuayError> {
    let admin = permit(&call, &org).await?;
    let view = call.app.reset_client_secret(&admin, &client_id, call.user()?, &call.origin).await?;
    Ok(shown(View::from(view)))
}

/// `DELETE /api/v1/organization/{orgname}/applications/{client_id}`: its tokens end with it.
async fn delete(
    call: Call,
    Path((org, client_id)): Path<(String, String)>,
) -> Result<NoContent, QuayError> {
    let admin = permit(&call, &org).await?;
    call.app.delete_application(&admin, &client_id, call.user()?, &call.origin).await?;
    Ok(NoContent)
}

/// A time of this newer resource: ISO 8601 with microseconds.
struct Time(UnixMillis);

const TIME: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:6]Z");

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0.0) * 1_000_000)
            .map_err(serde::ser::Error::custom)?
            .format(TIME)
            .map_err(serde::ser::Error::custom)?;
        serializer.serialize_str(&text)
    }
}

#[derive(Serialize)]
struct TokenView {
    uuid: String,
    name: String,
    scope: String,
    expires_at: Option<Time>,
    created: Time,
    created_by: String,
    last_accessed: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

impl From<ApplicationToken> for TokenView {
    fn from(token: ApplicationToken) -> Self {
        let scopes: Vec<_> = token.scopes.iter().map(|scope| scope.as_str()).collect();
        Self {
            uuid: token.id.to_string(),
            name: token.name,
            scope: scopes.join(" "),
            expires_at: token.expires_at.map(Time),
            created: Time(token.created_at),
            created_by: token.created_by,
            last_accessed: token.last_used_at.map(Time),
            token: None,
        }
    }
}

/// `GET …/applications/{client_id}/tokens`: the live ones.
async fn list_tokens(
    call: Call,
    Path((org, client_id)): Path<(String, String)>,
) -> Result<Response, QuayError> {
    #[derive(Serialize)]
    struct Reply {
        tokens: Vec<TokenView>,
    }
    let admin = permit(&call, &org).await?;
    let tokens = call.app.application_tokens(&admin, &client_id).await?;
    let tokens = tokens.into_iter().map(TokenView::from).collect();
    Ok(Json(Reply { tokens }).into_response())
}

#[derive(Deserialize)]
struct NewToken {
    name: String,
    scope: String,
    expiration: Option<i64>,
}

const NEW_TOKEN: Schema = Schema(&[
    Field::required("name", Kind::String),
    Field::required("scope", Kind::String),
    Field::optional("expiration", Kind::Integer).or_null(),
]);

/// The rules of this resource have words of their own.
fn rule(text: impl Into<String>) -> QuayError {
    QuayError::framework(StatusCode::BAD_REQUEST, text)
}

impl NewToken {
    fn parse(&self) -> Result<NewApplicationToken, QuayError> {
        if self.name.trim().is_empty() {
            return Err(rule("'name' must not be empty"));
        }
        let name: ApplicationText =
            self.name.parse().map_err(|problem: TextError| rule(format!("'name' {problem}")))?;
        let scopes = QuayScope::parse_set(&self.scope);
        if scopes.is_empty() {
            return Err(rule("'scope' must name valid scopes"));
        }
        let seconds = self.expiration;
        if seconds.is_some_and(|seconds| !(1..=TOKEN_SECONDS).contains(&seconds)) {
            return Err(rule(format!("'expiration' must be from 1 to {TOKEN_SECONDS} seconds")));
        }
        Ok(NewApplicationToken { name, scopes, seconds })
    }
}

/// `POST …/applications/{client_id}/tokens`: a token that acts for the caller.
async fn create_token(
    call: Call,
    Path((org, client_id)): Path<(String, String)>,
    body: Body,
) -> Result<Response, QuayError> {
    let admin = permit(&call, &org).await?;
    let new = body.read::<NewToken>(&NEW_TOKEN)?.parse()?;
    let (app, user) = (&call.app, call.user()?);
    let made = app.create_application_token(&admin, &client_id, new, user, &call.origin).await;
    let (token, secret) = made.map_err(|error| match error {
        Error::Invalid { field, problem } => rule(format!("'{field}' {problem}")),
        other => other.into(),
    })?;
    let view = TokenView { token: Some(secret.expose().to_owned()), ..token.into() };
    Ok(shown(view))
}

/// `DELETE …/applications/{client_id}/tokens/{uuid}`.
async fn revoke_token(
    call: Call,
    Path((org, client_id, uuid)): Path<(String, String, String)>,
) -> Result<NoContent, QuayError> {
    let admin = permit(&call, &org).await?;
    let id = uuid.parse().map_err(|_| QuayError::not_found())?;
    let (app, user) = (&call.app, call.user()?);
    app.revoke_application_token(&admin, &client_id, id, user, &call.origin).await?;
    Ok(NoContent)
}
