//! `GET /api/v1/discovery`: the routes of this door, as Swagger 2.0 writes them, from the table that
//! routes by them. What bodies look like is not said.

use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use claviger_service::App;
use serde_json::{Map, Value, json};

use super::{gate::OpenCall, json::Json};
use crate::Routes;

/// The route of this file.
pub(crate) fn routes() -> Routes<Arc<App>> {
    Routes::new("quay", &["/api/v1"]).get("/api/v1/discovery", discover)
}

/// `GET /api/v1/discovery`: the routes, from the table that routes by them.
async fn discover(OpenCall(call): OpenCall) -> Response {
    let (scheme, host) = call.app.settings().public_url.split_once("://").unwrap_or_default();
    let mut paths = Map::new();
    for line in super::routes(call.app.settings()).lines() {
        let path = line.template.replace("*}", "}");
        let parameters: Vec<_> = parameters(line.template).collect();
        let operation = json!({
            "parameters": parameters,
            "responses": { "default": { "description": "see the error types" } },
        });
        if let Value::Object(methods) = paths.entry(path).or_insert_with(|| json!({})) {
            methods.insert(line.method.to_ascii_lowercase(), operation);
        }
    }
    let reply = json!({
        "swagger": "2.0",
        "info": { "title": "Quay's API, served by Claviger", "version": "v1" },
        "host": host,
        "basePath": "/",
        "schemes": [scheme],
        "paths": paths,
    });
    Json(reply).into_response()
}

/// What the template names, as parameters.
fn parameters(template: &str) -> impl Iterator<Item = Value> {
    template.split('/').filter_map(|segment| {
        let name = segment.strip_prefix('{')?.strip_suffix('}')?.trim_end_matches('*');
        Some(json!({ "name": name, "in": "path", "required": true, "type": "string" }))
    })
}
