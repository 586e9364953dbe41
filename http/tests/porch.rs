//! The porch in front of a small door: routing, limits, headers, panics, the log line.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::{
    io::Write,
    sync::{Arc, Mutex},
};

use axum::{
    body::Body,
    extract::{Path, Request},
    response::{IntoResponse, Response},
};
use claviger_domain::{Error, time::Chance};
use claviger_http::{
    Door, Face, Porch, Routes, Site, Visit,
    health::{self, MetricsFor},
    limit::{self, BodyError},
    log::Cause,
    metrics::Metrics,
    origin::Peer,
};
use http::{Method, StatusCode, request::Parts};
use http_body_util::BodyExt as _;

struct Counting(Mutex<u8>);

impl Chance for Counting {
    fn fill(&self, bytes: &mut [u8]) {
        let mut next = self.0.lock().unwrap();
        *next += 1;
        bytes.fill(*next);
    }
}

fn porch() -> Arc<Porch> {
    Arc::new(Porch {
        body_limit: 10,
        trusted_proxies: vec!["10.0.0.0/8".parse().unwrap()],
        chance: Arc::new(Counting(Mutex::new(0))),
        metrics: Arc::default(),
    })
}

/// Words of the test's door.
struct Words;

impl Face for Words {
    fn no_such_path(&self, head: &Parts) -> Response {
        (StatusCode::NOT_FOUND, format!("no path {}", head.uri.path())).into_response()
    }
    fn no_such_method(&self, _: &Parts, allow: &[Method]) -> Response {
        (StatusCode::METHOD_NOT_ALLOWED, format!("only {allow:?}")).into_response()
    }
    fn too_large(&self) -> Response {
        (StatusCode::PAYLOAD_TOO_LARGE, "too large").into_response()
    }
    fn internal(&self) -> Response {
        (StatusCode::INTERNAL_SERVER_ERROR, "sorry").into_response()
    }
}

async fn echo(body: Body) -> Response {
    match limit::read(body).await {
        Ok(body) => body.into_response(),
        Err(BodyError::TooLarge) => Words.too_large(),
        Err(other) => other.to_string().into_response(),
    }
}

async fn path(path: axum::extract::RawPathParams) -> String {
    let pairs: Vec<_> = path.iter().map(|(name, value)| format!("{name}={value};")).collect();
    pairs.concat()
}

async fn explode() -> String {
    panic!("canary-in-the-panic")
}

async fn fail() -> Response {
    let cause = std::io::Error::other("the disk is full");
    let mut response = StatusCode::SERVICE_UNAVAILABLE.into_response();
    response.extensions_mut().insert(Cause::of(&Error::Unavailable(cause.into())));
    response
}

async fn whence(visit: Visit) -> String {
    visit.note_principal("00000000-0000-4000-8000-000000000001".parse().unwrap());
    format!("{:?}", visit.origin().address)
}

async fn secret(Path(name): Path<String>) -> String {
    name
}

fn door(porch: &Arc<Porch>) -> Door {
    Routes::new("test", &["/api/v1", "/csrf_token"])
        .post("/api/v1/echo", echo)
        .get("/api/v1/panic", explode)
        .get("/api/v1/fail", fail)
        .get("/api/v1/whence", whence)
        .get("/api/v1/secret/{name}", secret)
        .get("/csrf_token", async || "token")
        .get("/api/v1/repository/{repository*}", path)
        .delete("/api/v1/repository/{repository*}", path)
        .get("/api/v1/repository/{repository*}/permissions/user/", path)
        .get("/api/v1/repository/{repository*}/permissions/user/{user}", path)
        .get("/api/v1/repository/{repository*}/permissions/user/{user}/transitive", path)
        .open(porch, (), Words)
}

fn site() -> Site {
    let porch = porch();
    let rest = Routes::new("site", &["/"]).get("/", async || "home").open(&porch, (), Words);
    Site::new(vec![door(&porch), rest])
}

async fn answer(site: &Site, method: &str, uri: &str, body: &'static str) -> (u16, String) {
    let request = Request::builder().method(method).uri(uri).body(Body::from(body)).unwrap();
    show(site.answer(None, request).await).await
}

async fn show(response: Response) -> (u16, String) {
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn nested_repository_name_is_one_parameter_with_or_without_encoding() {
    let site = site();
    for (uri, seen) in [
        ("acme/app", "repository=acme/app;"),
        ("acme%2Fapp", "repository=acme/app;"),
        ("acme/a/b?x=/y/z", "repository=acme/a/b;"),
        ("acme/app/permissions/user/", "repository=acme/app;"),
        ("acme/a/b/permissions/user/bob", "repository=acme/a/b;user=bob;"),
        ("acme%2Fapp/permissions/user/bob", "repository=acme/app;user=bob;"),
        ("acme/app/permissions/user/acme+ci", "repository=acme/app;user=acme+ci;"),
        ("acme/app/permissions/user/bob/transitive", "repository=acme/app;user=bob;"),
        (
            "acme/permissions/user/x/permissions/user/bob",
            "repository=acme/permissions/user/x;user=bob;",
        ),
        ("acme/app/permissions/other", "repository=acme/app/permissions/other;"),
    ] {
        let uri = format!("/api/v1/repository/{uri}");
        assert_eq!(answer(&site, "GET", &uri, "").await, (200, seen.into()), "{uri}");
    }
    for uri in ["acme/app/", "acme/app/permissions/user/bob/", ""] {
        let uri = format!("/api/v1/repository/{uri}");
        assert_eq!(answer(&site, "GET", &uri, "").await.0, 404, "{uri}");
    }
}

#[tokio::test]
async fn each_door_words_its_own_404_and_405() {
    let site = site();
    let nowhere = answer(&site, "GET", "/api/v1/nowhere", "").await;
    assert_eq!(nowhere, (404, "no path /api/v1/nowhere".into()));
    assert_eq!(answer(&site, "GET", "/api/v12", "").await.0, 404);
    let only = answer(&site, "PUT", "/api/v1/repository/acme/app", "").await;
    assert_eq!(only, (405, "only [GET, HEAD, DELETE]".into()));
    assert_eq!(answer(&site, "GET", "/", "").await, (200, "home".into()));
    assert_eq!(answer(&site, "GET", "/csrf_token", "").await.0, 200);
}

#[test]
fn every_route_is_in_the_table() {
    let site = site();
    let lines: Vec<_> = site.lines().map(|l| (l.door, l.method, l.template)).collect();
    assert_eq!(lines.len(), 12);
    assert!(lines.contains(&("test", "DELETE", "/api/v1/repository/{repository*}")));
    assert!(lines.contains(&("site", "GET", "/")));
}

#[tokio::test]
async fn body_above_the_limit_is_413_in_the_words_of_the_door() {
    let site = site();
    assert_eq!(answer(&site, "POST", "/api/v1/echo", "0123456789").await.1, "0123456789");
    let large = (413, "too large".to_owned());
    assert_eq!(answer(&site, "POST", "/api/v1/echo", "0123456789a").await, large);
    // announced: refused on every route, read or not
    for (method, uri) in [("POST", "/api/v1/echo"), ("GET", "/api/v1/whence")] {
        let request = Request::builder().method(method).uri(uri).header("content-length", "11");
        let response = site.answer(None, request.body(Body::empty()).unwrap()).await;
        assert_eq!(show(response).await, large);
    }
}

#[tokio::test]
async fn every_answer_has_the_headers_and_an_id_of_its_own() {
    let site = site();
    let mut ids = Vec::new();
    for uri in ["/", "/api/v1/panic", "/api/v1/nowhere"] {
        let response = site.answer(None, Request::get(uri).body(Body::empty()).unwrap()).await;
        let headers = response.headers();
        assert_eq!(headers["x-content-type-options"], "nosniff");
        assert_eq!(headers["x-frame-options"], "DENY");
        assert_eq!(headers["referrer-policy"], "no-referrer");
        assert!(headers["content-security-policy"].to_str().unwrap().contains("base-uri 'none'"));
        assert!(!headers.contains_key("access-control-allow-origin"));
        ids.push(headers["x-request-id"].clone());
    }
    ids.dedup();
    assert_eq!(ids.len(), 3);
}

#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What is logged while `requests` are answered.
async fn logged(requests: Vec<Request>) -> String {
    let sink = Sink::default();
    let writer = sink.clone();
    let subscriber = tracing_subscriber::fmt()
        .json()
        .without_time()
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let site = site();
    for request in requests {
        site.answer(Some(Peer("10.0.0.1:4711".parse().unwrap())), request).await;
    }
    let text = sink.0.lock().unwrap().clone();
    String::from_utf8(text).unwrap()
}

fn get(uri: &str) -> Request {
    Request::get(uri).body(Body::empty()).unwrap()
}

#[tokio::test]
async fn log_line_names_the_route_and_never_what_was_in_it() {
    let mut request = get("/api/v1/secret/canary-path?token=canary-query");
    let headers = request.headers_mut();
    headers.insert("authorization", "Basic Y2FuYXJ5OmNhbmFyeQ==".parse().unwrap());
    headers.insert("cookie", "claviger=canary-cookie".parse().unwrap());
    headers.insert("x-forwarded-for", "6.6.6.6, 192.0.2.7".parse().unwrap());
    let text =
        logged(vec![request, get("/api/v1/canary-nowhere"), get("/canary/v9?x=canary")]).await;
    assert!(!text.contains("canary") && !text.contains("Y2Fu"), "{text}");
    let line = text.lines().next().unwrap();
    for part in [
        r#""level":"INFO""#,
        r#""method":"GET""#,
        r#""door":"test""#,
        r#""route":"/api/v1/secret/{name}""#,
        r#""status":200"#,
        r#""duration_us":"#,
        r#""address":"192.0.2.7""#,
    ] {
        assert!(line.contains(part), "{part} is not in {line}");
    }
    assert_eq!(text.lines().count(), 3);
}

#[tokio::test]
async fn log_line_names_the_principal_and_the_causes_of_our_trouble() {
    let text = logged(vec![get("/api/v1/whence"), get("/api/v1/fail"), get("/api/v1/panic")]).await;
    let lines: Vec<_> = text.lines().collect();
    assert!(lines[0].contains(r#""principal":"00000000-0000-4000-8000-000000000001""#));
    assert!(lines[1].contains(r#""error":"storage is unavailable: the disk is full""#));
    assert!(lines[1].contains(r#""level":"ERROR""#));
    assert!(lines[2].contains(r#""error":"panic""#) && !lines[2].contains("canary"));
}

#[tokio::test]
async fn panic_is_a_500_without_detail() {
    assert_eq!(answer(&site(), "GET", "/api/v1/panic", "").await, (500, "sorry".into()));
}

async fn metrics(metrics_for: MetricsFor, peer: &str, forwarded: Option<&str>) -> u16 {
    let site =
        Site::new(vec![health::door(&porch(), Arc::new(|| Box::pin(async { true })), metrics_for)]);
    let mut request = Request::get("/metrics").body(Body::empty()).unwrap();
    let peer = Peer(peer.parse().unwrap());
    if let Some(client) = forwarded {
        request.headers_mut().insert("x-forwarded-for", client.parse().unwrap());
    }
    site.answer(Some(peer), request).await.status().as_u16()
}

#[tokio::test]
async fn metrics_are_for_this_machine_unless_they_have_a_listener_of_their_own() {
    let loopback = MetricsFor::Loopback;
    assert_eq!(metrics(loopback, "127.0.0.1:1", None).await, 200);
    assert_eq!(metrics(loopback, "[::ffff:127.0.0.1]:1", None).await, 200);
    assert_eq!(metrics(loopback, "192.0.2.1:1", None).await, 403);
    // a proxy on this machine that the operator forgot to trust does not make its clients local
    assert_eq!(metrics(loopback, "127.0.0.1:1", Some("192.0.2.1")).await, 403);
    assert_eq!(metrics(loopback, "127.0.0.1:1", Some("127.0.0.1")).await, 403);
    assert_eq!(metrics(loopback, "10.0.0.1:1", Some("127.0.0.1")).await, 200);
    assert_eq!(metrics(loopback, "10.0.0.1:1", Some("127.0.0.1, 192.0.2.1")).await, 403);
    assert_eq!(metrics(MetricsFor::Everybody, "192.0.2.1:1", None).await, 200);
    assert_eq!(metrics(MetricsFor::Nobody, "127.0.0.1:1", None).await, 404);
}

#[tokio::test]
async fn readiness_follows_the_store() {
    for (ready, status) in [(true, 200), (false, 503)] {
        let door = health::door(
            &porch(),
            Arc::new(move || Box::pin(async move { ready })),
            MetricsFor::Loopback,
        );
        let site = Site::new(vec![door]);
        assert_eq!(answer(&site, "GET", "/readyz", "").await.0, status);
        assert_eq!(answer(&site, "GET", "/healthz", "").await, (200, "ok\n".into()));
        assert_eq!(answer(&site, "POST", "/healthz", "").await.0, 405);
    }
}

#[tokio::test]
async fn requests_are_counted_by_route() {
    let porch = porch();
    let site = Site::new(vec![door(&porch)]);
    answer(&site, "GET", "/api/v1/secret/a", "").await;
    answer(&site, "GET", "/api/v1/secret/b", "").await;
    let text = Metrics::text(&porch.metrics);
    let line =
        r#"claviger_http_requests_total{door="test",route="/api/v1/secret/{name}",status="2xx"} 2"#;
    assert!(text.contains(line), "{text}");
}
