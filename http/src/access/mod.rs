//! The decisions door: AuthZEN's Authorization API 1.0 below `/access/v1`, and its discovery
//! document.
//!
//! Who asks comes with a bearer token that opens decisions. A decision is `true` or `false` with the
//! status 200; other statuses are about the request.
//!
//! Source: `contract/standards.md` section 2; `OpenID` AuthZEN, "Authorization API 1.0" and its
//! certification scenario. Described in `docs/doors/decisions.md`.
//! Not here: who may ask and what is answered (`claviger_service::questions`,
//! `claviger_service::searches`).

mod body;
mod evaluation;
mod gate;
mod refusal;
mod search;

use std::sync::Arc;

use axum::{
    extract::State,
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use claviger_service::App;
use http::{
    HeaderValue, Method, StatusCode,
    header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE},
    request::Parts,
};
use serde_json::json;

use self::refusal::Refusal;
use crate::{Door, Porch, Routes, headers::keep_nowhere, routes::Face};

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const CONFIGURATION: &str = "/.well-known/authzen-configuration";
const EVALUATION: &str = "/access/v1/evaluation";
const EVALUATIONS: &str = "/access/v1/evaluations";
const SUBJECTS: &str = "/access/v1/search/subject";
const RESOURCES: &str = "/access/v1/search/resource";
const ACTIONS: &str = "/access/v1/search/action";

/// What the handlers need.
pub(crate) struct Access {
    app: Arc<App>,
    /// The discovery document.
    configuration: Bytes,
}

/// The door.
pub fn door(app: &Arc<App>, porch: &Arc<Porch>) -> Door {
    // from the settings, never from what a client says of us
    let configuration = configuration(&app.settings().public_url);
    let access = Arc::new(Access { app: Arc::clone(app), configuration });
    routes().open(porch, access, AccessFace)
}

fn routes() -> Routes<Arc<Access>> {
    Routes::new("decisions", &["/access/v1", CONFIGURATION])
        .directly(Method::POST, EVALUATION, evaluation::one)
        .post(EVALUATIONS, evaluation::many)
        .post(SUBJECTS, search::subjects)
        .post(RESOURCES, search::resources)
        .post(ACTIONS, search::actions)
        .get(CONFIGURATION, discover)
}

fn configuration(url: &str) -> Bytes {
    let document = json!({
        "policy_decision_point": url,
        "access_evaluation_endpoint": format!("{url}{EVALUATION}"),
        "access_evaluations_endpoint": format!("{url}{EVALUATIONS}"),
        "search_subject_endpoint": format!("{url}{SUBJECTS}"),
        "search_resource_endpoint": format!("{url}{RESOURCES}"),
        "search_action_endpoint": format!("{url}{ACTIONS}"),
    });
    document.to_string().into()
}

/// `GET /.well-known/authzen-configuration`: where is what.
async fn discover(State(access): State<Arc<Access>>) -> Response {
    let fresh = HeaderValue::from_static("public, max-age=300");
    ([(CONTENT_TYPE, JSON), (CACHE_CONTROL, fresh)], access.configuration.clone()).into_response()
}

struct AccessFace;

impl Face for AccessFace {
    fn no_such_path(&self, _: &Parts) -> Response {
        let text = "there is nothing at this path";
        Refusal::new(StatusCode::NOT_FOUND, text).into_response()
    }

    fn no_such_method(&self, _: &Parts, allow: &[Method]) -> Response {
        let words = allow.iter().map(Method::as_str).collect::<Vec<_>>().join(", ");
        let text = format!("this path knows {words}");
        let mut response = Refusal::new(StatusCode::METHOD_NOT_ALLOWED, text).into_response();
        let allow = HeaderValue::from_str(&words).ok();
        response.headers_mut().extend(allow.map(|allow| (ALLOW, allow)));
        response
    }

    fn too_large(&self) -> Response {
        Refusal::too_large().into_response()
    }

    fn internal(&self) -> Response {
        Refusal::internal().into_response()
    }

    /// Nobody keeps a decision.
    fn finish(&self, mut response: Response) -> Response {
        if !response.headers().contains_key(CACHE_CONTROL) {
            keep_nowhere(response.headers_mut());
        }
        response
    }

    fn echoes_request_id(&self) -> bool {
        true
    }
}
