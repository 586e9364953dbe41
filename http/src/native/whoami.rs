//! `GET /claviger/v1/whoami`: who is calling, and with what.

use std::sync::Arc;

use axum::extract::RawQuery;
use claviger_domain::collection::nothing;
use claviger_service::{App, caller::Credential};
use serde::Serialize;

use super::{
    gate::Call,
    json::{Json, instant},
    problem::Problem,
};
use crate::{Routes, told::scope};

pub(super) fn routes() -> Routes<Arc<App>> {
    super::none().get("/claviger/v1/whoami", whoami)
}

#[derive(Serialize)]
struct Whoami {
    id: String,
    name: String,
    account: String,
    superuser: bool,
    credential: Shown,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    /// `session`, or the kind of the token.
    kind: &'static str,
    id: Option<String>,
    /// When the password of a session was last given.
    signed_in: Option<String>,
    /// What a token may do at most; a session may do all that its user may.
    scopes: Option<Vec<String>>,
}

async fn whoami(call: Call, RawQuery(query): RawQuery) -> Result<Json<Whoami>, Problem> {
    nothing(&query.unwrap_or_default())?;
    let caller = &call.caller;
    let credential = match &caller.credential {
        Credential::Session { id, signed_in_at } => Shown {
            kind: "session",
            id: Some(id.to_string()),
            signed_in: Some(instant(*signed_in_at)),
            scopes: None,
        },
        Credential::Token(token) => Shown {
            kind: token.kind.as_str(),
            id: Some(token.id.to_string()),
            signed_in: None,
            scopes: Some(token.scopes.iter().map(scope).collect()),
        },
        Credential::Password => Shown { kind: "password", id: None, signed_in: None, scopes: None },
    };
    Ok(Json(Whoami {
        id: caller.principal.id.to_string(),
        name: caller.principal.name.to_string(),
        account: caller.principal.account.to_string(),
        superuser: caller.standing.superuser && caller.caps.superuser,
        credential,
    }))
}
