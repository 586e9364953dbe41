//! The registry door: `/v2/auth` answers clients that a registry has refused with a signed token,
//! and `/.well-known/jwks.json` shows the keys.
//!
//! A client comes with what it wants, such as `repository:acme/api:pull,push`. It gets what it may
//! have, which can be less: an empty `access` list is a success, and the registry does the refusing.
//!
//! Source: `contract/registry.md`; `contract/quay.md` section 6; distribution
//! `docs/content/spec/auth/{token,oauth}.md`.
//! Not here: who may do what (`claviger_service::registry`), the registry itself.

mod error;
mod scope;
mod token;

use std::sync::Arc;

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use claviger_service::App;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, StatusCode,
    header::{
        ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
        ACCESS_CONTROL_MAX_AGE, ALLOW, CACHE_CONTROL, CONTENT_TYPE, VARY, WWW_AUTHENTICATE,
    },
    request::Parts,
};

use self::{
    error::{API_VERSION, JSON, Login, Refusal},
    scope::Grammar,
};
use crate::{Door, Porch, Routes, routes::Face};

const AUTH: &str = "/v2/auth";
const JWKS: &str = "/.well-known/jwks.json";

/// Scripts of any origin may ask, with a credential that they bring themselves.
const CORS: [(HeaderName, HeaderValue); 5] = [
    (ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*")),
    (ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, HEAD, OPTIONS, POST")),
    (ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("21600")),
    (ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("Authorization, Content-Type")),
    (VARY, HeaderValue::from_static("Origin")),
];

/// What the handlers need.
pub(crate) struct Registry {
    app: Arc<App>,
    /// What a 401 names: where tokens are to be had, and for which service.
    challenge: HeaderValue,
    /// Host and port of the public URL.
    host: String,
}

impl Registry {
    fn new(app: Arc<App>) -> Self {
        let settings = app.settings();
        let url = settings.public_url.as_str();
        let host = url.split_once("://").map_or(url, |(_, host)| host).to_owned();
        let service = settings.registry.services.first().map_or("", String::as_str);
        let challenge = format!(r#"Bearer realm="{url}{AUTH}",service="{service}""#);
        let challenge =
            HeaderValue::from_str(&challenge).unwrap_or(HeaderValue::from_static("Bearer"));
        Self { app, challenge, host }
    }

    fn grammar(&self) -> Grammar<'_> {
        let quay = &self.app.settings().quay;
        let library = quay.feature_library_support.then_some(quay.library_namespace.as_str());
        Grammar { host: &self.host, library, nested: quay.feature_extended_repository_names }
    }
}

/// The door.
pub fn door(app: &Arc<App>, porch: &Arc<Porch>) -> Door {
    let registry = Arc::new(Registry::new(Arc::clone(app)));
    let face = RegistryFace(Arc::clone(&registry));
    routes().open(porch, registry, face)
}

fn routes() -> Routes<Arc<Registry>> {
    Routes::new("registry", &["/v2", JWKS])
        .get("/v2", version)
        .get("/v2/", version)
        .directly(Method::GET, AUTH, token::get)
        .post(AUTH, token::post)
        .get(JWKS, jwks)
}

/// `GET /v2/`: a client asks whether this is a registry. Upstream is; here it learns where tokens
/// are to be had.
async fn version(State(registry): State<Arc<Registry>>) -> Response {
    let challenge = (WWW_AUTHENTICATE, registry.challenge.clone());
    let headers = [(CONTENT_TYPE, JSON), API_VERSION, challenge];
    (StatusCode::UNAUTHORIZED, headers, "true").into_response()
}

/// `GET /.well-known/jwks.json`: the keys with which tokens can be verified.
async fn jwks(State(registry): State<Arc<Registry>>) -> Response {
    match registry.app.jwks() {
        Ok(keys) => {
            let fresh = HeaderValue::from_static("public, max-age=300");
            ([(CONTENT_TYPE, JSON), (CACHE_CONTROL, fresh)], keys.to_string()).into_response()
        }
        Err(error) => Refusal::of(&error, &Login::User).answer(&registry.challenge, false),
    }
}

/// Lets scripts of other origins read the answer.
fn open_to_all(headers: &mut HeaderMap) {
    headers.extend(CORS);
}

struct RegistryFace(Arc<Registry>);

impl RegistryFace {
    fn refuse(&self, refusal: Refusal) -> Response {
        refusal.answer(&self.0.challenge, false)
    }
}

impl Face for RegistryFace {
    fn no_such_path(&self, _: &Parts) -> Response {
        self.refuse(Refusal::not_found())
    }

    fn no_such_method(&self, head: &Parts, allow: &[Method]) -> Response {
        let mut response = if head.method == Method::OPTIONS {
            StatusCode::OK.into_response()
        } else {
            self.refuse(Refusal::unsupported())
        };
        let allow: Vec<_> = allow.iter().chain([&Method::OPTIONS]).map(Method::as_str).collect();
        if let Ok(allow) = HeaderValue::from_str(&allow.join(", ")) {
            response.headers_mut().insert(ALLOW, allow);
        }
        if head.uri.path() == AUTH {
            open_to_all(response.headers_mut());
        }
        response
    }

    fn too_large(&self) -> Response {
        self.refuse(Refusal::too_large())
    }

    fn internal(&self) -> Response {
        self.refuse(Refusal::internal())
    }
}
