//! `GET /api/v1/error/{code}`: what the code of a refusal means, for whoever follows its `type`.

use std::sync::Arc;

use axum::extract::State;
use claviger_service::App;
use serde::Serialize;

use super::{
    error::{CODES, QuayError},
    gate::Call,
    json::Json,
    path::Path,
};
use crate::Routes;

/// The route of this file.
pub(crate) fn routes() -> Routes<Arc<App>> {
    Routes::new("quay", &["/api/v1"]).get("/api/v1/error/{code}", explain)
}

#[derive(Serialize)]
struct Explained {
    r#type: String,
    title: &'static str,
    description: &'static str,
}

async fn explain(
    State(app): State<Arc<App>>,
    Path(code): Path<String>,
    _: Call,
) -> Result<Json<Explained>, QuayError> {
    let known = CODES.iter().find(|(known, _)| *known == code);
    let (title, description) = *known.ok_or_else(QuayError::not_found)?;
    let r#type = format!("{}/api/v1/error/{title}", app.settings().public_url);
    Ok(Json(Explained { r#type, title, description }))
}
