//! `/claviger/v1/deciders`: who may ask what anyone may do. Superusers say so.

use std::sync::Arc;

use axum::{
    extract::RawQuery,
    response::{IntoResponse as _, Response},
};
use claviger_domain::collection::nothing;
use claviger_service::App;
use http::StatusCode;
use serde_json::json;

use super::{
    body::Body,
    gate::{Call, EndingCall},
    json::{Listed, instant},
    path::Named,
    problem::Problem,
};
use crate::Routes;

const ONE: &str = "/claviger/v1/deciders/{name}";

pub(super) fn routes() -> Routes<Arc<App>> {
    super::none().get("/claviger/v1/deciders", list).put(ONE, make).delete(ONE, unmake)
}

/// `GET /claviger/v1/deciders`.
async fn list(call: Call, RawQuery(query): RawQuery) -> Result<Response, Problem> {
    let deciders = call.app.deciders(&call.caller).await?;
    nothing(&query.unwrap_or_default())?;
    let items = deciders.iter().map(|decider| {
        let since = instant(decider.since);
        json!({ "type": decider.kind.as_str(), "name": decider.name, "since": since })
    });
    Ok(Listed::all(items.collect()).into_response())
}

/// `PUT /claviger/v1/deciders/{name}`.
async fn make(
    call: Call,
    Named(name): Named<String>,
    RawQuery(query): RawQuery,
    body: Body,
) -> Result<StatusCode, Problem> {
    let by = call.app.permit_superuser(Some(&call.caller))?;
    nothing(&query.unwrap_or_default())?;
    body.members_if_any()?.done()?;
    call.app.make_decider(&by, &name, &call.origin).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `DELETE /claviger/v1/deciders/{name}`.
async fn unmake(
    EndingCall(call): EndingCall,
    Named(name): Named<String>,
    RawQuery(query): RawQuery,
) -> Result<StatusCode, Problem> {
    let by = call.app.permit_superuser(Some(&call.caller))?;
    nothing(&query.unwrap_or_default())?;
    call.app.unmake_decider(&by, &name, &call.origin).await?;
    Ok(StatusCode::NO_CONTENT)
}
