//! The Quay door: `/api/v1`.

mod app_tokens;
pub(crate) mod applications;
mod ascii;
mod authorizations;
pub(crate) mod avatar;
mod body;
mod content;
pub(crate) mod cookie;
mod date;
mod discovery;
mod entities;
mod error;
mod errors;
mod face;
mod find;
mod gate;
mod invitations;
pub(crate) mod json;
mod logs;
mod organisations;
mod path;
mod permissions;
mod prototypes;
mod query;
mod repositories;
mod robots;
mod schema;
mod sessions;
mod stars;
mod superusers;
mod teams;
mod user;

use std::sync::Arc;

use claviger_service::{App, Settings};

use crate::{Door, Porch, Routes};
use face::QuayFace;

/// Everything below `/api/v1`.
fn routes(settings: &Settings) -> Routes<Arc<App>> {
    let routes = sessions::routes()
        .and(applications::routes())
        .and(authorizations::routes())
        .and(content::routes())
        .and(discovery::routes())
        .and(errors::routes())
        .and(find::routes())
        .and(permissions::routes())
        .and(repositories::routes())
        .and(logs::routes())
        .and(organisations::routes())
        .and(teams::routes())
        .and(robots::routes())
        .and(prototypes::routes())
        .and(invitations::routes())
        .and(stars::routes())
        .and(superusers::routes())
        .and(entities::routes())
        .and(user::routes());
    let quay = &settings.quay;
    let optional = [
        (quay.feature_app_specific_tokens, app_tokens::routes()),
        (quay.feature_user_initialize, user::initialize_routes()),
        (quay.feature_mailing, invitations::code_routes()),
    ];
    optional
        .into_iter()
        .filter(|(exists, _)| *exists)
        .fold(routes, |routes, (_, more)| routes.and(more))
}

/// The door at `/api/v1`.
pub fn door(app: &Arc<App>, porch: &Arc<Porch>) -> Door {
    let public_url = app.settings().public_url.clone();
    routes(app.settings()).open(porch, Arc::clone(app), QuayFace { public_url, cors: true })
}

/// The door at `/csrf_token`, whose answers no other origin may read.
pub fn csrf_door(app: &Arc<App>, porch: &Arc<Porch>) -> Door {
    let public_url = app.settings().public_url.clone();
    Routes::new("quay", &["/csrf_token"]).get("/csrf_token", sessions::csrf_token).open(
        porch,
        Arc::clone(app),
        QuayFace { public_url, cors: false },
    )
}
