//! Robots of a user and of an organisation.
//!
//! Source: `contract/quay.md` section 7, `contract/quay-clients.md` 2.5 and 9.2; quay
//! `endpoints/api/robot.py`.

use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use claviger_domain::{
    BadCredential, Error,
    name::RobotName,
    secret::{GivenSecret, TokenSecret},
};
use claviger_service::{
    App,
    robots::{NewRobot, RobotDetails, RobotHome, RobotView},
    settings::AvatarKind,
};
use http::StatusCode;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};

use super::{
    avatar::Avatar,
    body::Body,
    date::Date,
    error::QuayError,
    gate::Call,
    json::{Json, NoContent},
    path::Path,
    query::Query,
    schema::{Field, Kind, Schema},
    teams::Permissions,
};
use crate::{Routes, headers::keep_nowhere};

const OF_ORG: &str = "/api/v1/organization/{orgname}/robots";
const ORG_ROBOT: &str = "/api/v1/organization/{orgname}/robots/{robot_shortname}";
const ORG_REGENERATE: &str = "/api/v1/organization/{orgname}/robots/{robot_shortname}/regenerate";
const ORG_PERMISSIONS: &str = "/api/v1/organization/{orgname}/robots/{robot_shortname}/permissions";
const OWN: &str = "/api/v1/user/robots";
const OWN_ROBOT: &str = "/api/v1/user/robots/{robot_shortname}";
const OWN_REGENERATE: &str = "/api/v1/user/robots/{robot_shortname}/regenerate";
const OWN_PERMISSIONS: &str = "/api/v1/user/robots/{robot_shortname}/permissions";

/// The routes of this file.
pub(crate) fn routes() -> Routes<Arc<App>> {
    let both = Routes::new("quay", &["/api/v1"]).get(OF_ORG, list_of_org).get(OWN, list_own);
    [(ORG_ROBOT, ORG_REGENERATE, ORG_PERMISSIONS), (OWN_ROBOT, OWN_REGENERATE, OWN_PERMISSIONS)]
        .into_iter()
        .fold(both, |routes, (one, again, on)| {
            routes
                .get(one, show)
                .put(one, create)
                .delete(one, delete)
                .post(again, regenerate)
                .get(on, permissions)
        })
}

/// A robot of an organisation, or, without one, of the caller.
#[derive(Deserialize)]
struct Which {
    orgname: Option<String>,
    robot_shortname: String,
}

impl Which {
    /// The namespace it is in, which the caller must administer.
    async fn home(&self, call: &Call) -> Result<RobotHome, QuayError> {
        match &self.orgname {
            None => Ok(call.app.own_robots(call.caller())?),
            Some(org) => {
                let home = call.app.organisation_robots(call.caller(), org).await;
                home.map_err(|error| refusal(error, org))
            }
        }
    }
}

/// What is refused in this resource, in its words.
fn refusal(error: Error, org: &str) -> QuayError {
    let message = |text: String| QuayError::message(StatusCode::BAD_REQUEST, text);
    match error {
        Error::NotFound("organization") => message(format!("Organization does not exist: {org}")),
        Error::NotFound("robot") => {
            message("Could not find robot with specified username".to_owned())
        }
        Error::BadCredential(BadCredential::RobotsDisallowed) => QuayError::invalid(
            "Robot accounts have been disabled. Please contact your administrator.",
        ),
        error => error.into(),
    }
}

#[derive(Serialize)]
struct View {
    name: String,
    created: Date,
    last_accessed: Option<Date>,
    #[serde(skip_serializing_if = "Option::is_none")]
    teams: Option<Vec<Team>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    repositories: Option<Vec<String>>,
    description: String,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "expose")]
    token: Option<TokenSecret>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unstructured_metadata: Option<Value>,
}

#[derive(Serialize)]
struct Team {
    name: String,
    avatar: Avatar,
}

/// The only place where a secret is written down.
#[expect(clippy::ref_option, reason = "serde asks for it")]
fn expose<S: Serializer>(secret: &Option<TokenSecret>, serializer: S) -> Result<S::Ok, S::Error> {
    secret.as_ref().map(TokenSecret::expose).serialize(serializer)
}

impl View {
    /// Without teams, repositories and metadata.
    fn new(view: RobotView) -> Self {
        let RobotView { robot, secret, .. } = view;
        Self {
            name: robot.face.name,
            created: Date(robot.created_at),
            last_accessed: robot.last_used_at.map(Date),
            teams: None,
            repositories: None,
            description: robot.description,
            token: secret,
            unstructured_metadata: None,
        }
    }

    /// With its teams and repositories.
    fn with_permissions(mut view: RobotView, style: AvatarKind) -> Self {
        let team = |name: String| Team { avatar: Avatar::of_team(style, &name), name };
        let teams = std::mem::take(&mut view.teams).into_iter().map(team).collect();
        let repositories = std::mem::take(&mut view.repositories);
        Self { teams: Some(teams), repositories: Some(repositories), ..Self::new(view) }
    }
}

/// An answer that may hold a secret: nobody on the way keeps it.
fn secret(status: StatusCode, value: impl Serialize) -> Response {
    let mut response = (status, Json(value)).into_response();
    keep_nowhere(response.headers_mut());
    response
}

#[derive(Serialize)]
struct Robots {
    robots: Vec<View>,
}

/// What the query of a list asks for. Secrets are shown unless they are declined.
fn details(query: &Query) -> RobotDetails {
    RobotDetails {
        secrets: query.flag("token") != Some(false),
        permissions: query.flag("permissions") == Some(true),
        limit: query.text("limit").and_then(|text| text.parse().ok()).filter(|limit| *limit > 0),
    }
}

fn list(call: &Call, details: RobotDetails, found: Vec<RobotView>) -> Response {
    let style = call.avatars();
    let view = |view| {
        if details.permissions { View::with_permissions(view, style) } else { View::new(view) }
    };
    secret(StatusCode::OK, Robots { robots: found.into_iter().map(view).collect() })
}

/// `GET /api/v1/user/robots`.
async fn list_own(query: Query, call: Call) -> Result<Response, QuayError> {
    let home = call.app.own_robots(call.caller())?;
    let details = details(&query);
    let found = call.app.list_robots(&home, call.user()?, details, &call.origin).await?;
    Ok(list(&call, details, found))
}

/// `GET /api/v1/organization/{orgname}/robots`, for anybody who belongs to it.
async fn list_of_org(
    Path(org): Path<String>,
    query: Query,
    call: Call,
) -> Result<Response, QuayError> {
    let (caller, details) = (call.user()?, details(&query));
    let found = call.app.list_organisation_robots(caller, &org, details, &call.origin).await;
    Ok(list(&call, details, found.map_err(|error| refusal(error, &org))?))
}

/// `GET …/robots/{robot_shortname}`.
async fn show(Path(which): Path<Which>, call: Call) -> Result<Response, QuayError> {
    let home = which.home(&call).await?;
    let found = call.app.robot(&home, call.user()?, &which.robot_shortname, &call.origin).await;
    let found = found.map_err(|error| refusal(error, home.name()))?;
    let metadata = match &found.robot.metadata {
        Some(text) => serde_json::from_str(text).map_err(Error::internal)?,
        None => Value::Object(Map::new()),
    };
    let view = View { unstructured_metadata: Some(metadata), ..View::new(found) };
    Ok(secret(StatusCode::OK, view))
}

const NEW: Schema = Schema(&[
    Field::optional("description", Kind::String),
    Field::optional("unstructured_metadata", Kind::AnyObject),
    Field::optional("token", Kind::String),
]);

#[derive(Default, Deserialize)]
struct New {
    description: Option<String>,
    unstructured_metadata: Option<Map<String, Value>>,
    token: Option<String>,
}

/// `PUT …/robots/{robot_shortname}`: makes it, with the secret in `token` if there is one. A body
/// may be left out.
async fn create(Path(which): Path<Which>, call: Call, body: Body) -> Result<Response, QuayError> {
    let home = which.home(&call).await?;
    let New { description, unstructured_metadata, token } = body.read_or_default(&NEW)?;
    let short = &which.robot_shortname;
    let name = format!("{}+{short}", home.name()).parse::<RobotName>().map_err(|why| {
        QuayError::invalid(format!("The name for the robot '{short}' is invalid: Namespace {why}"))
    })?;
    let description = description.unwrap_or_default();
    let given = token.map(GivenSecret::new).transpose();
    let new = NewRobot {
        name,
        secret: given.map_err(|why| Error::invalid("token", why))?,
        description: description.parse().map_err(|why| Error::invalid("description", why))?,
        metadata: unstructured_metadata.clone().map(|map| Value::Object(map).to_string()),
    };
    let made = call.app.create_robot(&home, call.user()?, new, &call.origin).await;
    let made = made.map_err(|error| refusal(error, home.name()))?;
    let metadata = unstructured_metadata.map_or(Value::Null, Value::Object);
    let view = View { unstructured_metadata: Some(metadata), ..View::new(made) };
    Ok(secret(StatusCode::CREATED, view))
}

/// `POST …/robots/{robot_shortname}/regenerate`: another secret instead of the one it has.
async fn regenerate(Path(which): Path<Which>, call: Call) -> Result<Response, QuayError> {
    let home = which.home(&call).await?;
    let short = &which.robot_shortname;
    let made = call.app.regenerate_robot(&home, call.user()?, short, &call.origin).await;
    let made = made.map_err(|error| refusal(error, home.name()))?;
    Ok(secret(StatusCode::OK, View::new(made)))
}

/// `DELETE …/robots/{robot_shortname}`.
async fn delete(Path(which): Path<Which>, call: Call) -> Result<NoContent, QuayError> {
    let home = which.home(&call).await?;
    let done = call.app.delete_robot(&home, call.user()?, &which.robot_shortname, &call.origin);
    done.await.map_err(|error| refusal(error, home.name()))?;
    Ok(NoContent)
}

/// `GET …/robots/{robot_shortname}/permissions`.
async fn permissions(Path(which): Path<Which>, call: Call) -> Result<Json<Permissions>, QuayError> {
    let home = which.home(&call).await?;
    let found = call.app.permissions_of_robot(&home, &which.robot_shortname).await;
    let found = found.map_err(|error| refusal(error, home.name()))?;
    Ok(Json(Permissions::new(found)))
}
