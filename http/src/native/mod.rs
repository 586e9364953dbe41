//! The native door: `/claviger/v1`, which says what no foreign dialect can say. Refusals are
//! RFC 9457 problems; no other site's script is let in (no CORS).
//!
//! Who gets in: `gate`. Described in `docs/doors/native.md`, and for programs by `openapi`.

mod body;
mod deciders;
mod decisions;
mod etag;
mod gate;
mod json;
mod lifetimes;
mod openapi;
mod path;
mod problem;
mod reach;
mod tokens;
mod whoami;

use std::sync::Arc;

use axum::response::{IntoResponse as _, Response};
use claviger_service::App;
use http::{Method, header::CACHE_CONTROL, request::Parts};

pub(crate) use self::json::instant;
use self::problem::Problem;
use crate::{Door, Porch, Routes, headers::keep_nowhere, routes::Face};

const PREFIXES: &[&str] = &["/claviger/v1", openapi::PATH];

/// An empty list of this door's.
fn none() -> Routes<Arc<App>> {
    Routes::new("native", PREFIXES)
}

/// Everything that this door answers below its own prefix.
fn routes() -> Routes<Arc<App>> {
    none()
        .and(whoami::routes())
        .and(tokens::routes())
        .and(lifetimes::routes())
        .and(decisions::routes())
        .and(reach::routes())
        .and(deciders::routes())
}

/// The door.
pub fn door(app: &Arc<App>, porch: &Arc<Porch>) -> Door {
    routes().and(openapi::routes(app.settings())).open(porch, Arc::clone(app), NativeFace)
}

struct NativeFace;

impl Face for NativeFace {
    fn no_such_path(&self, _: &Parts) -> Response {
        Problem::no_such_path().into_response()
    }

    fn no_such_method(&self, _: &Parts, allow: &[Method]) -> Response {
        Problem::no_such_method(allow)
    }

    fn too_large(&self) -> Response {
        Problem::too_large().into_response()
    }

    fn internal(&self) -> Response {
        Problem::internal().into_response()
    }

    /// Nobody keeps an answer that does not say who may.
    fn finish(&self, mut response: Response) -> Response {
        if !response.headers().contains_key(CACHE_CONTROL) {
            keep_nowhere(response.headers_mut());
        }
        response
    }
}
