//! Spans for a collector: what is in them, what never is, and that nobody waits for it.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, extract::State, routing::post};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use claviger_tests::{
    real::{free_port, program::Program, wait_until},
    visitor::Visitor,
};
use http::Request;
use serde_json::{Value, json};
use tokio::net::TcpListener;

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// Somebody who takes spans, and keeps what was sent as it came.
struct Collector {
    url: String,
    sent: Arc<Mutex<Vec<String>>>,
}

impl Collector {
    async fn start() -> Self {
        let sent = Arc::<Mutex<Vec<String>>>::default();
        let take = async |State(sent): State<Arc<Mutex<Vec<String>>>>, body: String| {
            sent.lock().expect("whole").push(body);
            "{}"
        };
        let router = Router::new().route("/v1/traces", post(take)).with_state(Arc::clone(&sent));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        tokio::spawn(async { axum::serve(listener, router).await });
        Self { url, sent }
    }

    fn spans(&self) -> Vec<Value> {
        let sent = self.sent.lock().expect("whole");
        let spans = sent.iter().flat_map(|body| {
            let body: Value = serde_json::from_str(body).expect("JSON");
            let scope = &body["resourceSpans"][0]["scopeSpans"][0];
            scope["spans"].as_array().expect("spans").clone()
        });
        spans.collect()
    }

    /// The spans, when there are `count` of them.
    fn wait_for(&self, count: usize) -> Vec<Value> {
        wait_until("the collector has every span", || self.spans().len() >= count);
        let spans = self.spans();
        assert_eq!(spans.len(), count, "{spans:?}");
        spans
    }
}

fn attribute(span: &Value, key: &str) -> Option<String> {
    let attributes = span["attributes"].as_array().expect("a list");
    let found = attributes.iter().find(|attribute| attribute["key"] == key)?;
    let value = found["value"].as_object().expect("a value").values().next();
    Some(value.and_then(Value::as_str).expect("a text").to_owned())
}

fn serve(folder: &std::path::Path, endpoint: &str) -> Program {
    let arguments = ["--listen", "127.0.0.1:0"];
    Program::serve_with(folder, &arguments, &[("CLAVIGER_TRACING_ENDPOINT", endpoint)])
}

fn request(method: &str, path: &str, headers: &[(&str, &str)]) -> Request<Vec<u8>> {
    let request = Request::builder().method(method).uri(path);
    let with = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    with.body(Vec::new()).expect("a request")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn span_says_route_method_status_and_door_and_belongs_to_the_trace_of_the_client() {
    let (folder, collector) = (tempfile::tempdir().expect("a folder"), Collector::start().await);
    let program = serve(folder.path(), &collector.url);
    let answer =
        program.try_send(request("GET", "/v2/auth?service=x", &[])).await.expect("it answers");
    let id = answer.header("x-request-id").expect("an id").to_owned();
    for headers in [
        &[("traceparent", PARENT), ("tracestate", "canary=1")][..],
        &[("traceparent", &PARENT.replace("-01", "-00"))],
        &[("traceparent", "canary")],
    ] {
        program
            .try_send(request("DELETE", "/api/v1/user/apptoken/x", headers))
            .await
            .expect("it answers");
    }
    // the second of the three did not want to be told of
    let spans = collector.wait_for(3);
    let told = |span: &Value| {
        ["claviger.door", "http.route", "http.request.method", "http.response.status_code"]
            .map(|key| attribute(span, key).unwrap_or_default())
            .join(" ")
    };
    assert_eq!(told(&spans[0]), "registry /v2/auth GET 401");
    assert_eq!((&spans[0]["name"], &spans[0]["kind"]), (&json!("GET /v2/auth"), &json!(2)));
    assert_eq!(attribute(&spans[0], "claviger.request_id"), Some(id));
    assert_eq!(told(&spans[1]), "quay /api/v1/user/apptoken/{token_uuid} DELETE 403");
    assert_eq!(spans[1]["traceId"], "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(spans[1]["parentSpanId"], "00f067aa0ba902b7");
    for begun in [&spans[0], &spans[2]] {
        assert_eq!(begun.get("parentSpanId"), None);
        assert_eq!(begun["traceId"].as_str().map(str::len), Some(32));
    }
    let ids: BTreeSet<_> =
        spans.iter().map(|span| span["spanId"].as_str().expect("an id")).collect();
    assert_eq!(ids.len(), 3);
    let nanoseconds = |span: &Value, key: &str| -> u128 {
        span[key].as_str().expect("digits").parse().expect("digits")
    };
    for span in &spans {
        let (began, ended) =
            (nanoseconds(span, "startTimeUnixNano"), nanoseconds(span, "endTimeUnixNano"));
        assert!(
            began < ended && ended - began < 60_000_000_000 && began > 1_700_000_000_000_000_000
        );
        assert_eq!(span["status"], json!({}));
    }
    let body = collector.sent.lock().expect("whole")[0].clone();
    let body: Value = serde_json::from_str(&body).expect("JSON");
    let of = &body["resourceSpans"][0]["resource"]["attributes"][0];
    assert_eq!(*of, json!({"key": "service.name", "value": {"stringValue": "claviger"}}));
    // what is still waiting when the program ends goes along
    program.try_send(request("GET", "/healthz", &[])).await.expect("it answers");
    assert!(program.stop().success());
    assert_eq!(collector.wait_for(4).len(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_a_client_sent_is_ever_in_a_span() {
    let (folder, collector) = (tempfile::tempdir().expect("a folder"), Collector::start().await);
    let program = serve(folder.path(), &collector.url);
    let (name, password) = program.superuser();
    let admin = Visitor::sign_in(&program, &name, &password).await;
    let made = admin.post("/api/v1/user/apptoken", json!({"title": "canary"})).await.json();
    let secret = made["token"]["token_code"].as_str().expect("a token").to_owned();
    let (cookie, csrf) = admin.session().expect("a session");
    let basic = BASE64_STANDARD.encode(format!("canary:{secret}"));
    let headers = [
        ("authorization", format!("Basic {basic}")),
        ("cookie", cookie.to_owned()),
        ("x-csrf-token", csrf.to_owned()),
        ("user-agent", "canary".to_owned()),
        ("referer", "https://canary.example/".to_owned()),
        ("x-forwarded-for", "canary".to_owned()),
        ("x-forwarded-uri", "/canary?canary".to_owned()),
        ("x-request-id", "canary".to_owned()),
        ("traceparent", "00-canary".to_owned()),
        ("tracestate", "canary=canary".to_owned()),
        ("baggage", "canary=canary".to_owned()),
    ];
    let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let paths = [
        "/canary",
        "/v2/auth?service=canary&scope=repository:canary/canary:pull&account=canary",
        "/api/v1/repository/canary/canary/permissions/user/canary?canary=1",
        "/broker/rest/user/authorization/canary",
        "/accounts/canary/core/v1/users/canary/tokens?filter=canary",
        "/claviger/v1/tokens/canary",
        "/access/v1/evaluation?canary",
        "/forward/nginx?canary",
        "/forward/envoy/canary?canary",
        "/oauth/authorize?client_id=canary&redirect_uri=canary",
    ];
    for path in paths {
        for method in ["GET", "DELETE", "CANARY"] {
            program.try_send(request(method, path, &headers)).await.expect("it answers");
        }
    }
    wait_until("everything is told", || collector.spans().len() >= 3 + 3 * paths.len());
    let known = [
        "http.request.method",
        "http.response.status_code",
        "claviger.door",
        "claviger.request_id",
        "http.route",
        "error.type",
    ];
    for span in collector.spans() {
        for attribute in span["attributes"].as_array().expect("a list") {
            assert!(known.contains(&attribute["key"].as_str().expect("a key")), "{attribute}");
        }
    }
    let sent = collector.sent.lock().expect("whole").join("\n");
    assert!(sent.contains("\"_OTHER\""), "the unknown method is there, without its name");
    for secret in ["canary", "CANARY", &secret, &password, cookie, csrf, &basic] {
        assert!(!sent.contains(secret), "{secret} was told");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_waits_for_a_collector_that_is_away_or_does_not_answer() {
    let folder = tempfile::tempdir().expect("a folder");
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let silent = silent.local_addr().expect("an address").port();
    for port in [free_port(), silent] {
        let program = serve(folder.path(), &format!("http://127.0.0.1:{port}"));
        for _ in 0..50 {
            let asked = program.try_send(request("GET", "/healthz", &[]));
            let answer = tokio::time::timeout(Duration::from_secs(5), asked).await;
            assert_eq!(answer.expect("in time").expect("it answers").status, 200);
        }
        assert!(program.stop().success(), "and it ends");
    }
    // what is lost is counted, and said once
    let program = serve(folder.path(), &format!("http://127.0.0.1:{}", free_port()));
    let lost = "claviger_trace_spans_total{outcome=\"failed\"} ";
    for _ in 0..100 {
        let text =
            program.try_send(request("GET", "/metrics", &[])).await.expect("it answers").text();
        if text.lines().any(|line| line.strip_prefix(lost).is_some_and(|count| count != "0")) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let said = program.said();
    let warned = said.iter().filter(|line| line.contains("takes no spans"));
    assert_eq!(warned.count(), 1, "{said:?}");
    drop(program);

    for bad in ["127.0.0.1:4318", "http://name:password@127.0.0.1:4318"] {
        let refused = std::process::Command::new(claviger_tests::real::program::binary())
            .args(["config", "check"])
            .current_dir(folder.path())
            .env_clear()
            .env("CLAVIGER_TRACING_ENDPOINT", bad)
            .output()
            .expect("it runs");
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(!refused.status.success() && said.contains("TRACING_ENDPOINT"), "{said}");
        assert!(!said.contains("password"), "{said}");
    }
}
