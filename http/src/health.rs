//! The operators' door: `/healthz` (the process answers), `/readyz` (so does its store), `/metrics`.

use std::{pin::Pin, sync::Arc};

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::{
    HeaderMap, Method, StatusCode,
    header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue},
    request::Parts,
};

use crate::{
    Door, Face, Porch, Routes, Visit,
    client_ip::{FORWARDED_FOR, is_among},
    metrics::Metrics,
};

/// Whether the store can be reached at this moment.
pub type Ready = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = bool> + Send>> + Send + Sync>;

/// Who gets `/metrics`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricsFor {
    /// Clients on this machine.
    Loopback,
    /// Everybody who reaches this listener.
    Everybody,
    /// Nobody here: there is a listener of its own.
    Nobody,
}

#[derive(Clone)]
struct Operators {
    ready: Ready,
    porch: Arc<Porch>,
    metrics_for: MetricsFor,
}

/// The operators' door.
pub fn door(porch: &Arc<Porch>, ready: Ready, metrics_for: MetricsFor) -> Door {
    let routes = Routes::new("operators", &["/healthz", "/readyz", "/metrics"])
        .get("/healthz", healthz)
        .get("/readyz", readyz);
    let routes = match metrics_for {
        MetricsFor::Nobody => routes,
        MetricsFor::Loopback | MetricsFor::Everybody => routes.get("/metrics", show_metrics),
    };
    routes.open(porch, Operators { ready, porch: Arc::clone(porch), metrics_for }, Plain)
}

async fn healthz() -> Response {
    plain(StatusCode::OK, "ok")
}

async fn readyz(State(operators): State<Operators>) -> Response {
    if (operators.ready)().await {
        plain(StatusCode::OK, "ready")
    } else {
        plain(StatusCode::SERVICE_UNAVAILABLE, "the store cannot be reached")
    }
}

async fn show_metrics(
    State(Operators { porch, metrics_for, .. }): State<Operators>,
    visit: Visit,
    headers: HeaderMap,
) -> Response {
    if metrics_for == MetricsFor::Loopback && !local(&porch, &visit, &headers) {
        return plain(StatusCode::FORBIDDEN, "only for clients on this machine");
    }
    let text = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    ([(CONTENT_TYPE, text)], Metrics::text(&porch.metrics)).into_response()
}

/// Whether the client is on this machine. What a proxy passes on does not count as local, even
/// where the operator forgot to name the proxy as trusted.
fn local(porch: &Porch, visit: &Visit, headers: &HeaderMap) -> bool {
    let trusted = visit.peer().is_some_and(|peer| is_among(peer.0.ip(), &porch.trusted_proxies));
    let passed_on = headers.contains_key(FORWARDED_FOR) || headers.contains_key("forwarded");
    (trusted || !passed_on) && visit.address().is_some_and(|address| address.is_loopback())
}

fn plain(status: StatusCode, text: &'static str) -> Response {
    let mut response = (status, format!("{text}\n")).into_response();
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Plain text, for people with `curl`.
struct Plain;

impl Face for Plain {
    fn no_such_path(&self, _: &Parts) -> Response {
        plain(StatusCode::NOT_FOUND, "not found")
    }

    fn no_such_method(&self, _: &Parts, allow: &[Method]) -> Response {
        let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "method not allowed");
        let allow: Vec<_> = allow.iter().map(Method::as_str).collect();
        if let Ok(allow) = HeaderValue::from_str(&allow.join(", ")) {
            response.headers_mut().insert(ALLOW, allow);
        }
        response
    }

    fn too_large(&self) -> Response {
        plain(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large")
    }

    fn internal(&self) -> Response {
        plain(StatusCode::INTERNAL_SERVER_ERROR, "internal error")
    }
}
