//! The OAuth door of Quay: consent and tokens of applications, below `/oauth`.
//!
//! Pages for people, redirects for applications. A page has no script of its own; the one that the
//! built-in application needs is a file.
//!
//! Source: `contract/quay.md` section 4; `SECURITY.md` section 4; quirks: `docs/doors/oauth.md`.

mod authorize;
mod coming;
mod exchange;
mod face;
mod location;
mod page;
mod refusal;
mod scopes;

use std::sync::Arc;

use claviger_service::App;

use crate::{Door, Porch, Routes};

pub(crate) use self::{
    face::SiteFace,
    scopes::{ScopeView, views as scope_views},
};

/// Everything below `/oauth`.
fn routes() -> Routes<Arc<App>> {
    Routes::new("oauth", &["/oauth"])
        .get("/oauth/authorize", authorize::ask)
        .post("/oauth/authorizeapp", authorize::consent)
        .post("/oauth/denyapp", authorize::deny)
        .post("/oauth/authorize/assignuser", authorize::offer)
        .post("/oauth/access_token", exchange::access_token)
        .get("/oauth/localapp", authorize::local_application)
        .get("/oauth/localapp.js", page::local_application_script)
}

/// The door at `/oauth`.
pub fn door(app: &Arc<App>, porch: &Arc<Porch>) -> Door {
    routes().open(porch, Arc::clone(app), SiteFace)
}

/// What is answered where no door is.
pub fn no_door(porch: &Arc<Porch>) -> Door {
    Routes::new("site", &["/"]).open(porch, (), SiteFace)
}
