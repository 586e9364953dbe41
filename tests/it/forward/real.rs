//! nginx and Caddy, set up as the guide says, in front of a service.

use std::path::Path;

use bytes::Bytes;
use claviger_tests::{
    answer::Answer,
    real::{
        free_port,
        program::{Program, run},
        proxy::{Proxy, Service, example},
    },
    visitor::Visitor,
};
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::TcpStream;

use super::{basic, bearer};

/// nginx takes a million bytes by default.
static LARGE: [u8; 900_000] = [b'x'; 900_000];
const PASSWORD: &str = "correct-horse-battery";

/// One connection to a proxy.
struct Connection(SendRequest<Full<Bytes>>);

impl Connection {
    async fn open(proxy: &Proxy) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", proxy.port())).await.expect("a connection");
        let (sender, connection) = handshake(TokioIo::new(stream)).await.expect("HTTP");
        tokio::spawn(connection);
        Self(sender)
    }

    async fn send(
        &mut self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &'static [u8],
    ) -> Answer {
        self.0.ready().await.expect("the connection is kept");
        let request =
            Request::builder().method(method).uri(target).header("host", "app.example.com");
        let add = |request: http::request::Builder, (name, value): &(&str, &str)| {
            request.header(*name, *value)
        };
        let request = headers.iter().fold(request, add).body(Full::from(body));
        let answer = self.0.send_request(request.expect("a request")).await.expect("an answer");
        let (head, body) = answer.into_parts();
        let body = body.collect().await.expect("a body").to_bytes();
        Answer { status: head.status, headers: head.headers, body }
    }
}

/// What the service saw of a header.
fn saw(answer: &Answer, name: &str) -> Vec<String> {
    assert_eq!(answer.status, 200, "{}", answer.text());
    let json = answer.json();
    let headers = json["headers"].as_array().expect("headers").iter();
    let named = headers.filter(|header| header[0] == name);
    // nginx does not pass an empty one on, Caddy does
    let values = named.filter_map(|header| header[1].as_str()).filter(|value| !value.is_empty());
    values.map(str::to_owned).collect()
}

struct World {
    program: Program,
    /// Where the program answers proxies.
    port: u16,
    alices: String,
    bobs: String,
}

/// alice owns `alice/app`, which bob may read; both have a token.
async fn world(folder: &Path) -> World {
    let port = free_port();
    std::fs::write(folder.join("claviger.toml"), example("toml", &[(8081, port)])).expect("a file");
    let serve = ["--listen", "127.0.0.1:0", "--config", "claviger.toml"];
    let program = Program::serve(folder, &serve);
    let token = |name: &str| {
        let made = run(folder, &["admin", "create-user", name], PASSWORD);
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let made = run(folder, &["admin", "create-token", "--user", name, "--kind", "app"], "");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        String::from_utf8(made.stdout).expect("text").trim().to_owned()
    };
    let (alices, bobs) = (token("alice"), token("bob"));
    let alice = Visitor::sign_in(&program, "alice", PASSWORD).await;
    let repository = json!({
        "namespace": "alice", "repository": "app", "visibility": "private", "description": "",
    });
    assert_eq!(alice.post("/api/v1/repository", repository).await.status, 201);
    let permission = "/api/v1/repository/alice/app/permissions/user/bob";
    assert_eq!(alice.put(permission, json!({"role": "read"})).await.status, 200);
    World { program, port, alices, bobs }
}

/// Allowed and refused, who it is, forged headers, bodies, several requests on one connection.
async fn guards_a_service(world: &World, proxy: &Proxy) {
    let (alice, bob) = (bearer(&world.alices), bearer(&world.bobs));
    let page = "/apps/alice/app/page";
    let mut client = Connection::open(proxy).await;

    // nobody
    let home = client.send("GET", "/", &[("x-auth-user", "admin"), ("x-auth-scopes", "x")], b"");
    let home = home.await;
    for name in ["x-auth-user", "x-auth-kind", "x-auth-token-id", "x-auth-scopes"] {
        assert_eq!(saw(&home, name), [""; 0], "{name}");
    }
    let who = client.send("GET", page, &[], b"").await;
    assert_eq!(who.status, 401);
    let challenge = who.header("www-authenticate").expect("a challenge");
    assert!(challenge.starts_with("Bearer realm=") && challenge.contains("invalid_token"));

    // bob reads and does not write, with the credential in both forms
    let basics = basic("bob", &world.bobs);
    for credential in [&bob, &basics] {
        let headers = [
            ("authorization", credential.as_str()),
            ("x-auth-user", "alice"),
            ("x-auth-kind", "robot"),
            ("x-original-url", "http://app.example.com/"),
            ("x-original-method", "OPTIONS"),
            ("x-forwarded-uri", "/"),
            ("x-forwarded-method", "OPTIONS"),
            ("x-forwarded-for", "127.0.0.1"),
        ];
        let read = client.send("GET", &format!("{page}?a=%2F&b=//"), &headers, b"").await;
        assert_eq!(saw(&read, "x-auth-user"), ["bob"]);
        assert_eq!(saw(&read, "x-auth-kind"), ["user"]);
        assert_eq!(saw(&read, "x-auth-token-id").len(), 1);
        assert_eq!(saw(&read, "x-auth-scopes"), ["registry"]);
        assert_eq!(read.json()["target"], format!("{page}?a=%2F&b=//"));
        let write = client.send("POST", page, &headers, b"body").await;
        assert_eq!(write.status, 403);
    }
    assert_eq!(client.send("GET", "/admin", &[("authorization", &alice)], b"").await.status, 403);

    // bodies reach the service and not us
    for body in [&b"small"[..], &LARGE, b""] {
        let write = client.send("POST", page, &[("authorization", &alice)], body).await;
        assert_eq!(saw(&write, "x-auth-user"), ["alice"]);
        assert_eq!(write.json()["body_bytes"], body.len());
        let head = client.send("HEAD", page, &[("authorization", &alice)], b"").await;
        assert_eq!(head.status, 200);
    }

    // what can be read in two ways
    for target in [
        "/reports/../admin",
        "/apps/alice%2fapp/page",
        "/reports//x",
        "/reports/x;y",
        "/reports/%2e%2e/admin",
    ] {
        let answer = client.send("GET", target, &[("authorization", &alice)], b"").await;
        assert_eq!(answer.status, 403, "{target}");
    }
}

/// A permission and a token are taken away: the next request on the same connection is refused.
async fn forgets_at_once(world: &World, proxy: &Proxy) {
    let admin = Visitor::sign_in(&world.program, "alice", PASSWORD).await;
    let bob = bearer(&world.bobs);
    let mut client = Connection::open(proxy).await;
    let headers = [("authorization", bob.as_str())];
    let page = "/apps/alice/app/page";
    let permission = "/api/v1/repository/alice/app/permissions/user/bob";
    assert_eq!(client.send("GET", page, &headers, b"").await.status, 200);
    assert_eq!(admin.delete(permission).await.status, 204);
    assert_eq!(client.send("GET", page, &headers, b"").await.status, 403);
    assert_eq!(client.send("GET", "/reports/", &headers, b"").await.status, 200);
    let bobs_own = Visitor::sign_in(&world.program, "bob", PASSWORD).await;
    let tokens = bobs_own.get("/api/v1/user/apptoken").await.json();
    let id = tokens["tokens"][0]["uuid"].as_str().unwrap_or_else(|| panic!("{tokens}")).to_owned();
    assert_eq!(bobs_own.delete(&format!("/api/v1/user/apptoken/{id}")).await.status, 204);
    assert_eq!(client.send("GET", "/reports/", &headers, b"").await.status, 401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nginx_guards_a_service() {
    let folder = tempfile::tempdir().expect("a folder");
    let (world, service) = (world(folder.path()).await, Service::start().await);
    let proxy = Proxy::nginx(folder.path(), world.port, service.port());
    guards_a_service(&world, &proxy).await;
    forgets_at_once(&world, &proxy).await;
    // without us nobody gets in
    let mut client = Connection::open(&proxy).await;
    assert_eq!(client.send("GET", "/", &[], b"").await.status, 200);
    let World { program, .. } = world;
    assert!(program.stop().success());
    assert_eq!(client.send("GET", "/", &[], b"").await.status, 500);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn caddy_guards_a_service() {
    let folder = tempfile::tempdir().expect("a folder");
    let (world, service) = (world(folder.path()).await, Service::start().await);
    let proxy = Proxy::caddy(folder.path(), world.port, service.port());
    guards_a_service(&world, &proxy).await;
    forgets_at_once(&world, &proxy).await;
    let mut client = Connection::open(&proxy).await;
    assert_eq!(client.send("GET", "/", &[], b"").await.status, 200);
    let World { program, .. } = world;
    assert!(program.stop().success());
    assert_eq!(client.send("GET", "/", &[], b"").await.status, 502);
}
