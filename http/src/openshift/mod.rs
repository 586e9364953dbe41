//! The OpenShift door: `/broker/rest`, the chapter Authorizations of the OpenShift v2 broker, for
//! `rhc` and scripts.
//!
//! Source: `contract/openshift.md`; quirks: `docs/doors/openshift.md`.
//! Not here: what scopes mean (`claviger_domain::scope::openshift`), the life of the tokens
//! (`claviger_service::authorizations`).

mod authorizations;
mod envelope;
mod error;
mod gate;
mod links;
mod login;
mod multipart;
mod node;
mod params;
mod user;
mod version;

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use claviger_domain::UnixMillis;
use claviger_service::App;
use http::{HeaderValue, Method, StatusCode, Uri, header::LOCATION, request::Parts};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use self::{
    envelope::Style,
    error::Refusal,
    version::{Format, Version},
};
use crate::{Door, Porch, Routes, Visit, routes::Face};

const ROOT: &str = "/broker/rest";
const USER: &str = "/broker/rest/user";
const ALL: &str = "/broker/rest/user/authorizations";
const ONE: &str = "/broker/rest/user/authorization/{id}";
/// The older form of [`ONE`].
const ONE_OF_ALL: &str = "/broker/rest/user/authorizations/{id}";

/// What the handlers need.
struct Openshift {
    app: Arc<App>,
    /// Where the door is reached from outside.
    base: String,
}

/// What a path is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Resource {
    EntryPoint,
    Environment,
    User,
    All,
    One,
}

/// The format that the path ended with.
#[derive(Clone, Copy, Debug)]
struct Suffix(Format);

/// The door.
pub fn door(app: &Arc<App>, porch: &Arc<Porch>) -> Door {
    let base = format!("{}{ROOT}", app.settings().public_url);
    let state = Arc::new(Openshift { app: Arc::clone(app), base });
    routes().open(porch, state, OpenshiftFace).prepared(take_suffix)
}

/// A `POST` may stand for another method, so it has a route wherever that has one.
fn routes() -> Routes<Arc<Openshift>> {
    Routes::new("openshift", &[ROOT])
        .get(ROOT, root)
        .get("/broker/rest/api", entry_point)
        .get("/broker/rest/environment", environment)
        .get(USER, user)
        .post(USER, user)
        .delete(USER, user)
        .get(ALL, all)
        .post(ALL, all)
        .delete(ALL, all)
        .get(ONE, one)
        .post(ONE, one)
        .put(ONE, one)
        .delete(ONE, one)
        .get(ONE_OF_ALL, one)
        .post(ONE_OF_ALL, one)
        .put(ONE_OF_ALL, one)
        .delete(ONE_OF_ALL, one)
}

type Here = State<Arc<Openshift>>;

/// `GET /broker/rest`: on to the entry point.
async fn root(State(door): Here) -> Response {
    let to = HeaderValue::from_str(&format!("{}/api", door.base));
    let to = to.unwrap_or(HeaderValue::from_static("/broker/rest/api"));
    (StatusCode::MOVED_PERMANENTLY, [(LOCATION, to)]).into_response()
}

async fn entry_point(State(door): Here, visit: Visit, request: Request) -> Response {
    gate::serve(&door, &visit, Resource::EntryPoint, request).await
}

async fn environment(State(door): Here, visit: Visit, request: Request) -> Response {
    gate::serve(&door, &visit, Resource::Environment, request).await
}

async fn user(State(door): Here, visit: Visit, request: Request) -> Response {
    gate::serve(&door, &visit, Resource::User, request).await
}

async fn all(State(door): Here, visit: Visit, request: Request) -> Response {
    gate::serve(&door, &visit, Resource::All, request).await
}

async fn one(State(door): Here, visit: Visit, request: Request) -> Response {
    gate::serve(&door, &visit, Resource::One, request).await
}

/// Takes `.json` or `.xml`, and a slash, off the end of the path.
fn take_suffix(request: &mut Request) {
    let path = request.uri().path();
    let path = path.strip_suffix('/').unwrap_or(path);
    let last = path.rsplit('/').next().unwrap_or_default();
    let suffix = last.rsplit_once('.').filter(|(rest, suffix)| {
        !rest.is_empty() && matches!(*suffix, "xml" | "json" | "yml" | "yaml" | "xhtml")
    });
    let bare = match suffix {
        Some((_, suffix)) => path.get(..path.len() - suffix.len() - 1).unwrap_or(path),
        None => path,
    };
    let suffix = suffix.map(|(_, suffix)| Suffix(Format::named(suffix)));
    let uri: Option<Uri> = match request.uri().query() {
        _ if bare == request.uri().path() => None,
        Some(query) => format!("{bare}?{query}").parse().ok(),
        None => bare.parse().ok(),
    };
    if let Some(uri) = uri {
        *request.uri_mut() = uri;
    }
    if let Some(suffix) = suffix {
        request.extensions_mut().insert(suffix);
    }
}

/// An instant as clients read it: UTC, whole seconds.
fn date(at: UnixMillis) -> String {
    let at = OffsetDateTime::from_unix_timestamp(at.seconds()).ok();
    at.and_then(|at| at.format(&Rfc3339).ok()).unwrap_or_default()
}

struct OpenshiftFace;

impl OpenshiftFace {
    const STYLE: Style = Style { format: Format::Json, version: Version::NEWEST, links: true };
}

impl Face for OpenshiftFace {
    fn no_such_path(&self, _: &Parts) -> Response {
        Refusal::nothing().write(Self::STYLE)
    }

    fn no_such_method(&self, _: &Parts, _: &[Method]) -> Response {
        // upstream's router knows methods and paths together
        Refusal::nothing().write(Self::STYLE)
    }

    fn too_large(&self) -> Response {
        Refusal::too_large().write(Self::STYLE)
    }

    fn internal(&self) -> Response {
        Refusal::internal().write(Self::STYLE)
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    #[test]
    fn suffix_is_taken_off_the_path() {
        let taken = |uri: &str| {
            let mut request = Request::builder().uri(uri).body(Body::empty()).unwrap();
            take_suffix(&mut request);
            let suffix = request.extensions().get::<Suffix>().map(|suffix| suffix.0);
            (request.uri().to_string(), suffix)
        };
        for (uri, bare, format) in [
            ("/broker/rest/api.xml?a=b.json", "/broker/rest/api?a=b.json", Some(Format::Xml)),
            ("/broker/rest/api.json", "/broker/rest/api", Some(Format::Json)),
            ("/broker/rest/api.yml/", "/broker/rest/api", Some(Format::Json)),
            ("/broker/rest/user/", "/broker/rest/user", None),
            ("/broker/rest/user/authorization/a.b", "/broker/rest/user/authorization/a.b", None),
            ("/broker/rest/x/.xml", "/broker/rest/x/.xml", None),
            ("/broker/rest", "/broker/rest", None),
        ] {
            assert_eq!(taken(uri), (bare.to_owned(), format), "{uri}");
        }
    }
}
