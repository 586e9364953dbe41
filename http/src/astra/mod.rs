//! The Astra door: `/accounts`, the tokens of NetApp Astra Control and the accounts, users, role
//! bindings and credentials around them.
//!
//! A handler checks in the order of section 3.1: account, permission, user, query, item,
//! preconditions, body, conflict; the gate has seen to the bearer token and the path before.
//!
//! Source: `contract/astra.md`; quirks: `docs/doors/astra.md`.
//! Not here: who manages whom (`claviger_service::residents`), the life of the tokens.

mod accounts;
mod body;
mod credentials;
mod empty;
mod etag;
mod gate;
mod lists;
mod media;
mod metadata;
mod problem;
mod reply;
mod role_bindings;
mod tokens;
mod users;

use std::sync::Arc;

use axum::{extract::State, middleware::from_fn_with_state, response::Response};
use claviger_service::App;
use http::{Method, request::Parts};

use self::problem::Problem;
use crate::{Door, Porch, Routes, routes::Face};

/// The id of nobody, of the program, and of what there is not.
const NIL: &str = "00000000-0000-0000-0000-000000000000";

/// What the handlers need.
pub(crate) struct Astra {
    app: Arc<App>,
}

type Here = State<Arc<Astra>>;

/// The door.
pub fn door(app: &Arc<App>, porch: &Arc<Porch>) -> Door {
    let state = Arc::new(Astra { app: Arc::clone(app) });
    let gate = from_fn_with_state(Arc::clone(&state), gate::pass);
    routes().open_behind(porch, state, AstraFace, |router| router.layer(gate))
}

fn routes() -> Routes<Arc<Astra>> {
    Routes::new("astra", &["/accounts"])
        .and(accounts::routes())
        .and(users::routes())
        .and(role_bindings::routes())
        .and(credentials::routes())
        .and(tokens::routes())
        .and(empty::routes())
}

/// A list to add routes to.
fn list() -> Routes<Arc<Astra>> {
    Routes::new("astra", &[])
}

struct AstraFace;

impl Face for AstraFace {
    fn no_such_path(&self, _: &Parts) -> Response {
        axum::response::IntoResponse::into_response(Problem::no_collection())
    }

    fn no_such_method(&self, _: &Parts, allow: &[Method]) -> Response {
        axum::response::IntoResponse::into_response(Problem::method(allow))
    }

    fn too_large(&self) -> Response {
        Problem::too_large().write(None)
    }

    fn internal(&self) -> Response {
        Problem::internal().write(None)
    }
}
