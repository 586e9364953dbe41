//! The user's invitations to teams, as notifications and by their codes.
//!
//! Nobody is notified of anything else here. The code of an invitation is the id of its team, which
//! opens nothing: only who is invited finds the invitation.
//!
//! Source: quay `endpoints/api/user.py`, `endpoints/api/team.py`.

use std::sync::Arc;

use claviger_domain::Error;
use claviger_service::{App, invitations::Invitation};
use http::StatusCode;
use serde::Serialize;

use super::{
    date::Date,
    error::QuayError,
    gate::Call,
    json::{Json, NoContent},
    path::Path,
    query::Query,
};
use crate::Routes;

const CODE: &str = "/api/v1/teaminvite/{code}";

/// How many notifications a page has, and may have.
const PAGE: (i64, i64) = (5, 100);

/// The routes of this file that there always are.
pub(crate) fn routes() -> Routes<Arc<App>> {
    Routes::new("quay", &["/api/v1"])
        .get("/api/v1/user/notifications", list)
        .get("/api/v1/user/notifications/{uuid}", show)
}

/// Those that there are where mail goes out.
pub(crate) fn code_routes() -> Routes<Arc<App>> {
    Routes::new("quay", &["/api/v1"]).put(CODE, accept).delete(CODE, decline)
}

#[derive(Serialize)]
struct Metadata {
    code: String,
    inviter: Option<String>,
    org: String,
    team: String,
}

#[derive(Serialize)]
struct Notification {
    id: String,
    /// Whose notification it is, where it is no user's.
    organization: (),
    kind: &'static str,
    created: Date,
    metadata: Metadata,
    dismissed: bool,
}

impl Notification {
    fn new(invitation: Invitation) -> Self {
        let Invitation { team, team_name, org_name, inviter, created_at, .. } = invitation;
        Self {
            id: team.to_string(),
            organization: (),
            kind: "org_team_invite",
            created: Date(created_at),
            metadata: Metadata { code: team.to_string(), inviter, org: org_name, team: team_name },
            dismissed: false,
        }
    }
}

#[derive(Serialize)]
struct Notifications {
    notifications: Vec<Notification>,
    additional: bool,
}

/// `GET /api/v1/user/notifications`; pages 0 and 1 are the first.
async fn list(query: Query, call: Call) -> Result<Json<Notifications>, QuayError> {
    let caller = call.user_admin()?;
    let number = |name| query.text(name).and_then(|text| text.parse::<i64>().ok());
    let page = number("page").unwrap_or_default().max(1) - 1;
    let limit = number("limit").unwrap_or(PAGE.0).clamp(1, PAGE.1);
    let (found, additional) = call.app.invitations(caller, page, limit).await?;
    let notifications = found.into_iter().map(Notification::new).collect();
    Ok(Json(Notifications { notifications, additional }))
}

/// `GET /api/v1/user/notifications/{uuid}`.
async fn show(Path(id): Path<String>, call: Call) -> Result<Json<Notification>, QuayError> {
    let caller = call.user_admin()?;
    let team = id.parse().map_err(|_| QuayError::not_found())?;
    Ok(Json(Notification::new(call.app.invitation(caller, team).await?)))
}

/// What is said of a code that is not this user's, whoever else it may be for.
fn invalid_code() -> QuayError {
    QuayError::message(StatusCode::BAD_REQUEST, "Invalid confirmation code.")
}

fn code_error(error: Error) -> QuayError {
    match error {
        Error::NotFound(_) => invalid_code(),
        error => error.into(),
    }
}

#[derive(Serialize)]
struct Accepted {
    org: String,
    team: String,
}

/// `PUT /api/v1/teaminvite/{code}`; a body is not looked at.
async fn accept(Path(code): Path<String>, call: Call) -> Result<Json<Accepted>, QuayError> {
    let caller = call.user_admin()?;
    let team = code.parse().map_err(|_| invalid_code())?;
    let joined = call.app.accept_invitation(caller, team, &call.origin).await;
    let Invitation { org_name, team_name, .. } = joined.map_err(code_error)?;
    Ok(Json(Accepted { org: org_name, team: team_name }))
}

/// `DELETE /api/v1/teaminvite/{code}`.
async fn decline(Path(code): Path<String>, call: Call) -> Result<NoContent, QuayError> {
    let caller = call.user_admin()?;
    let team = code.parse().map_err(|_| invalid_code())?;
    call.app.decline_invitation(caller, team, &call.origin).await.map_err(code_error)?;
    Ok(NoContent)
}
