//! The forward-auth door: what each proxy is answered, in this process.

mod real;
mod trust;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use claviger_service::{
    Settings,
    forward::{QuerySpec, RouteSpec, Table},
};
use claviger_tests::{
    answer::Answer,
    app::TestApp,
    case::{secrets::Secrets, seed, settings},
    scratch::Engine,
    server::Server,
    visitor::Visitor,
};
use http::{HeaderValue, Method, Request};
use serde_json::{Map, json};

/// App tokens of `freshuser` and `reader`, as the seed has them.
const FRESH: &str = "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF\
                     GGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGGG";
const READER: &str = "TTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTT\
                      UUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUU";
const READER_ID: &str = "00000000-0000-4000-8000-000000000e02";
const DEVTABLE_READS: &str = "tdevrreadxxxxxxxxxxxSdaerrved99999999999";
const ROBOT: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// How each proxy asks.
#[derive(Clone, Copy, Debug)]
enum Proxy {
    Nginx,
    Traefik,
    Caddy,
    Envoy,
}

impl Proxy {
    const ALL: [Self; 4] = [Self::Nginx, Self::Traefik, Self::Caddy, Self::Envoy];

    /// The sub-request about `method` `target`; `None` when no such request can be sent.
    fn asks(self, method: &str, target: &[u8]) -> Option<http::request::Builder> {
        let request = Request::builder().header("host", "claviger.internal:8080");
        let forwarded = |path: &str| {
            let uri = HeaderValue::from_bytes(target).ok()?;
            let request = Request::builder()
                .method("GET")
                .uri(path)
                .header("host", "claviger.internal:8080")
                .header("x-forwarded-for", "198.51.100.7")
                .header("x-forwarded-proto", "https")
                .header("x-forwarded-host", "app.example.com")
                .header("x-forwarded-method", method)
                .header("x-forwarded-uri", uri);
            Some(request)
        };
        match self {
            Self::Nginx => {
                let url = [b"https://app.example.com", target].concat();
                let request = request.method("GET").uri("/forward/nginx");
                let request = request.header("x-forwarded-for", "198.51.100.7");
                let request = request.header("x-original-method", method);
                Some(request.header("x-original-url", HeaderValue::from_bytes(&url).ok()?))
            }
            Self::Traefik => Some(forwarded("/forward/traefik")?.header("x-forwarded-port", "443")),
            Self::Caddy => forwarded("/forward/caddy"),
            Self::Envoy => {
                let path = [b"/forward/envoy", target].concat();
                let uri = http::Uri::try_from(path.as_slice()).ok()?;
                let request = request.method(method).uri(uri).header("content-length", "0");
                Some(request.header("x-forwarded-for", "198.51.100.7"))
            }
        }
    }
}

/// Asks as `proxy` does, for a client with this `Authorization`.
async fn ask(
    app: &TestApp,
    proxy: Proxy,
    method: &str,
    target: &str,
    authorization: Option<&str>,
) -> Answer {
    let mut request = proxy.asks(method, target.as_bytes()).expect("a request");
    if let Some(value) = authorization {
        request = request.header("authorization", value);
    }
    app.send(request.body(Vec::new()).expect("a request")).await
}

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

fn basic(user: &str, secret: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{secret}")))
}

fn right(path: &str, methods: &[&str], repository: &str, action: &str) -> RouteSpec {
    RouteSpec {
        path: path.to_owned(),
        methods: methods.iter().map(|&method| method.to_owned()).collect(),
        repository: Some(repository.to_owned()),
        action: Some(action.to_owned()),
        ..RouteSpec::default()
    }
}

fn routes() -> Table {
    let from = QuerySpec {
        name: "from".to_owned(),
        repository: "{from}".to_owned(),
        action: "pull".to_owned(),
    };
    let mount = RouteSpec {
        query: vec![from],
        ..right("/v2/{repository*}/blobs/uploads/", &["POST"], "{repository}", "push")
    };
    let plain = |path: &str| RouteSpec { path: path.to_owned(), ..RouteSpec::default() };
    Table::new(&[
        right("/v2/{repository*}/manifests/{tag}", &["GET", "HEAD"], "{repository}", "pull"),
        right("/v2/{repository*}/manifests/{tag}", &["PUT"], "{repository}", "push"),
        mount,
        RouteSpec { public: true, ..plain("/public/**") },
        RouteSpec { authenticated: true, ..plain("/api/**") },
        RouteSpec {
            authenticated: true,
            challenge: Some("basic".to_owned()),
            ..plain("/browser/**")
        },
    ])
    .expect("routes")
}

async fn seeded(engine: Engine) -> (TestApp, Secrets) {
    seeded_with(engine, |_| ()).await
}

async fn seeded_with(engine: Engine, change: impl FnOnce(&mut Settings)) -> (TestApp, Secrets) {
    let mut settings = settings::of(&Map::new(), &seed::read());
    settings.forward.routes = routes();
    change(&mut settings);
    TestApp::seeded(engine, settings).await
}

fn identity(answer: &Answer) -> [Option<&str>; 4] {
    ["x-auth-user", "x-auth-kind", "x-auth-token-id", "x-auth-scopes"]
        .map(|name| answer.header(name))
}

const NOBODY: [Option<&str>; 4] = [Some(""); 4];

claviger_tests::both! {
    /// 200 without a body and with the identity, 401 with a challenge, 403: nothing else.
    async fn each_proxy_is_answered_by_its_contract(engine: Engine) {
        let (app, secrets) = seeded(engine).await;
        let reader = bearer(&secrets.ours(READER));
        for proxy in Proxy::ALL {
            let path = "/v2/devtable/shared/manifests/latest";
            for method in ["GET", "HEAD"] {
                let yes = ask(&app, proxy, method, path, Some(&reader)).await;
                assert_eq!(yes.status, 200, "{proxy:?} {}", yes.text());
                assert!(yes.body.is_empty());
                let who = [Some("reader"), Some("user"), Some(READER_ID), Some("registry")];
                assert_eq!(identity(&yes), who);
                assert_eq!(yes.header("cache-control"), Some("no-store"));
            }
            let no = ask(&app, proxy, "PUT", path, Some(&reader)).await;
            assert_eq!(no.status, 403, "{proxy:?}");
            assert_eq!(no.json()["error"], "insufficient_scope");
            let scope = "Bearer error=\"insufficient_scope\", scope=\"repository:devtable/shared:push\"";
            assert_eq!(no.header("www-authenticate"), Some(scope));
            assert_eq!(identity(&no), [None; 4]);
            for bad in [None, Some(""), Some("Bearer nothing"), Some("Bearer"), Some("Digest x")] {
                let who = ask(&app, proxy, "GET", path, bad).await;
                assert_eq!(who.status, 401, "{proxy:?} {bad:?}");
                let challenge = "Bearer realm=\"http://localhost:5000\", error=\"invalid_token\"";
                assert_eq!(who.header("www-authenticate"), Some(challenge));
                assert_eq!(who.json()["error"], "invalid_token");
                assert_eq!(who.header("location"), None);
            }
            let browser = ask(&app, proxy, "GET", "/browser/", None).await;
            let challenge = "Basic realm=\"http://localhost:5000\"";
            assert_eq!(browser.header("www-authenticate"), Some(challenge));
            for (method, path) in
                [("GET", "/"), ("GET", "/v2/"), ("DELETE", path), ("POST", path), ("BREW", "/api/x")]
            {
                let nowhere = ask(&app, proxy, method, path, Some(&reader)).await;
                assert_eq!(nowhere.status, 403, "{proxy:?} {method} {path}");
            }
        }
    }

    /// The very next request is refused, whatever was remembered.
    async fn what_is_taken_away_is_refused_by_the_very_next_request(engine: Engine) {
        let (app, secrets) = seeded(engine).await;
        let (reader, path) = (secrets.ours(READER), "/v2/devtable/shared/manifests/latest");
        let devtable = Visitor::sign_in(&app, "devtable", "password").await;
        let permission = "/api/v1/repository/devtable/shared/permissions/user/reader";
        for _ in 0..3 {
            let yes = ask(&app, Proxy::Nginx, "GET", path, Some(&bearer(&reader))).await;
            assert_eq!(yes.status, 200);
            assert_eq!(devtable.delete(permission).await.status, 204);
            let no = ask(&app, Proxy::Nginx, "GET", path, Some(&bearer(&reader))).await;
            assert_eq!(no.status, 403);
            assert_eq!(devtable.put(permission, json!({"role": "read"})).await.status, 200);
        }
        let reader_herself = Visitor::sign_in(&app, "reader", "password").await;
        let token = format!("/api/v1/user/apptoken/{READER_ID}");
        assert_eq!(reader_herself.delete(&token).await.status, 204);
        let no = ask(&app, Proxy::Nginx, "GET", path, Some(&bearer(&reader))).await;
        assert_eq!(no.status, 401);
        let fresh = secrets.ours(FRESH);
        let api = ask(&app, Proxy::Caddy, "GET", "/api/x", Some(&bearer(&fresh))).await;
        assert_eq!(identity(&api)[0], Some("freshuser"));
        let gone = devtable.delete("/api/v1/superuser/users/freshuser").await;
        assert_eq!(gone.status, 204, "{}", gone.text());
        let no = ask(&app, Proxy::Caddy, "GET", "/api/x", Some(&bearer(&fresh))).await;
        assert_eq!(no.status, 401);
    }

    /// As it is at the registry's door, and as AuthZEN says it is.
    async fn nobody_reaches_what_is_in_the_namespace_of_a_disabled_user(engine: Engine) {
        let (app, secrets) = seeded(engine).await;
        let fresh = Visitor::sign_in(&app, "freshuser", "password").await;
        let repository = json!({
            "namespace": "freshuser", "repository": "own", "visibility": "public", "description": "",
        });
        assert_eq!(fresh.post("/api/v1/repository", repository).await.status, 201);
        let permission = "/api/v1/repository/freshuser/own/permissions/user/reader";
        assert_eq!(fresh.put(permission, json!({"role": "read"})).await.status, 200);
        let superuser = Visitor::sign_in(&app, "devtable", "password").await;
        let reader = bearer(&secrets.ours(READER));
        for (enabled, of_reader, of_nobody) in [(true, 200, 200), (false, 403, 401), (true, 200, 200)] {
            let user = "/api/v1/superuser/users/freshuser";
            assert_eq!(superuser.put(user, json!({"enabled": enabled})).await.status, 200);
            let path = "/v2/freshuser/own/manifests/latest";
            for proxy in Proxy::ALL {
                let known = ask(&app, proxy, "GET", path, Some(&reader)).await;
                let nobody = ask(&app, proxy, "GET", path, None).await;
                assert_eq!((known.status.as_u16(), nobody.status.as_u16()), (of_reader, of_nobody));
            }
        }
    }
}

/// What every proxy may be asked for, and no server should read in two ways (V6).
const EVIL: &[&[u8]] = &[
    b"/public/../api/x",
    b"/public/..",
    b"/public/./x",
    b"/./public/x",
    b"/public/%2e%2e/api/x",
    b"/public/%2E%2e/api",
    b"/public/.%2e/api",
    b"/public/x%2fy",
    b"/public/x%2Fy",
    b"/public%2fx",
    b"/public/%5c..%5capi",
    b"/public/\\..\\api",
    b"/public/x%00",
    b"/public/x%00.css",
    b"/public/%252e%252e/api",
    b"/public/x%25",
    b"//public/x",
    b"/public//x",
    b"//evil.example/public/",
    b"/public/x//",
    b"/public/..;/api",
    b"/public/x;/../api",
    b"/public/x;y",
    b"/public;x/y",
    b"/public/x%3by",
    b"/public/x%23",
    b"/public/x%3f",
    b"/public/x%0d%0aX-Auth-User:admin",
    b"/public/x%09",
    b"/public/x%7f",
    b"/public/%",
    b"/public/%2",
    b"/public/%zz",
    b"/public/%u002e",
    b"/public/%ff",
    b"/public/%c0%ae%c0%ae/api",
    b"/public/%c0%af..",
    b"/public/%e0%80%ae",
    b"/public/%ed%a0%80",
    b"/public/%f0%80%80%af",
    b"/public/%c2%80",
    b"/public/\xff",
    b"/public/\xc3\xa4",
    b"/public/x y",
    b"/public/x\ty",
    b"public/x",
    b"*",
    b"",
    b"http://app.example.com/public/x",
    b"https:/public/x",
    b"@evil/public/x",
    b"\\public\\x",
    b"/PUBLIC/x",
    b"/public/x?a b",
];
/// The same; but an HTTP server cuts a fragment off before anybody sees it.
const FRAGMENTS: &[&[u8]] =
    &[b"/api/x#/public/x", b"/public/x#", b"/public/x?a#b", b"/api#/../public/"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn path_that_can_be_read_in_two_ways_is_refused() {
    let (app, secrets) = seeded(Engine::Sqlite).await;
    let reader = bearer(&secrets.ours(READER));
    for proxy in Proxy::ALL {
        let more = if matches!(proxy, Proxy::Envoy) { &[][..] } else { FRAGMENTS };
        for target in EVIL.iter().chain(more) {
            let Some(request) = proxy.asks("GET", target) else { continue };
            let request = request.header("authorization", &reader).body(Vec::new());
            let answer = app.send(request.expect("a request")).await;
            let shown = String::from_utf8_lossy(target);
            assert_eq!(answer.status, 403, "{proxy:?} {shown}");
            assert_eq!(identity(&answer), [None; 4], "{proxy:?} {shown}");
        }
        for good in ["/public", "/public/", "/public/a/b%20c", "/public/x?next=https://a//b;c%2f.."]
        {
            assert_eq!(ask(&app, proxy, "GET", good, None).await.status, 200, "{proxy:?} {good}");
        }
    }
    for target in FRAGMENTS {
        let Some(request) = Proxy::Envoy.asks("GET", target) else { continue };
        let answer = app.send(request.body(Vec::new()).expect("a request")).await;
        // what is left is what the upstream gets, too
        let public = target.starts_with(b"/public");
        assert_eq!(answer.status, if public { 200 } else { 401 });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forged_headers_are_not_believed() {
    let (app, _) = seeded(Engine::Sqlite).await;
    let forged = [
        ("x-auth-user", "admin"),
        ("x-forwarded-uri", "/public/x"),
        ("x-original-url", "https://app.example.com/public/x"),
        ("x-original-uri", "/public/x"),
        ("x-rewrite-url", "/public/x"),
        ("x-envoy-original-path", "/public/x"),
        ("x-forwarded-method", "OPTIONS"),
        ("x-original-method", "OPTIONS"),
        ("x-http-method-override", "OPTIONS"),
        ("user-agent", "GoogleHC/1.0"),
        ("host", "evil.test"),
    ];
    for proxy in Proxy::ALL {
        for (name, value) in forged {
            let request = proxy.asks("GET", b"/api/x").expect("a request").header(name, value);
            let answer = app.send(request.body(Vec::new()).expect("a request")).await;
            let refused = [401, 403].contains(&answer.status.as_u16());
            assert!(refused, "{proxy:?} {name}: {}", answer.status);
            assert!(!answer.text().contains("evil.test"));
            let request = proxy.asks("GET", b"/public/x").expect("a request").header(name, value);
            let answer = app.send(request.body(Vec::new()).expect("a request")).await;
            assert!(answer.status != 200 || identity(&answer) == NOBODY, "{proxy:?} {name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_kind_of_token_opens_what_its_scopes_say() {
    let (app, secrets) = seeded(Engine::Sqlite).await;
    let shared = "/v2/devtable/shared/manifests/latest";
    let (reader, reads) = (secrets.ours(READER), secrets.ours(DEVTABLE_READS));
    let robot = secrets.ours(ROBOT);
    for (authorization, method, status, user, kind) in [
        (basic("$app", &reader), "GET", 200, "reader", "user"),
        (basic("reader", &reader), "GET", 200, "reader", "user"),
        (basic("devtable", &reader), "GET", 401, "", ""),
        (basic("$oauthtoken", &reader), "GET", 401, "", ""),
        (basic("$oauthtoken", &reads), "GET", 200, "devtable", "user"),
        (bearer(&reads), "GET", 200, "devtable", "user"),
        (bearer(&reads), "PUT", 403, "", ""),
        (basic("reader", "password"), "GET", 401, "", ""),
        (basic("$token", &reader), "GET", 401, "", ""),
        (basic("", ""), "GET", 401, "", ""),
        (basic("devtable+nobody", "x"), "GET", 401, "", ""),
    ] {
        let answer = ask(&app, Proxy::Nginx, method, shared, Some(&authorization)).await;
        assert_eq!(answer.status, status, "{authorization} {}", answer.text());
        if status == 200 {
            assert_eq!(identity(&answer)[..2], [Some(user), Some(kind)]);
        }
    }
    let robot = basic("devtable+dtrobot", &robot);
    let api = ask(&app, Proxy::Nginx, "GET", "/api/x", Some(&robot)).await;
    assert_eq!(
        (api.status.as_u16(), &identity(&api)[..2]),
        (200, &[Some("devtable+dtrobot"), Some("robot")][..])
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_public_is_for_everybody() {
    let (app, secrets) = seeded(Engine::Sqlite).await;
    let public = "/v2/public/publicrepo/manifests/latest";
    assert_eq!(identity(&ask(&app, Proxy::Nginx, "GET", public, None).await), NOBODY);
    assert_eq!(ask(&app, Proxy::Nginx, "PUT", public, None).await.status, 401);
    // a token that is no good is told so, except where nobody needs one
    assert_eq!(ask(&app, Proxy::Nginx, "GET", public, Some("Bearer x")).await.status, 401);
    let answer = ask(&app, Proxy::Nginx, "GET", "/public/x", Some("Bearer x")).await;
    assert_eq!((answer.status.as_u16(), identity(&answer)), (200, NOBODY));
    let reader = bearer(&secrets.ours(READER));
    let answer = ask(&app, Proxy::Nginx, "GET", "/public/x", Some(&reader)).await;
    assert_eq!(identity(&answer)[0], Some("reader"));

    let (app, _) = seeded_with(Engine::Sqlite, |settings| {
        settings.quay.feature_anonymous_access = false;
    })
    .await;
    assert_eq!(ask(&app, Proxy::Nginx, "GET", public, None).await.status, 401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mount_needs_a_right_on_where_it_is_taken_from() {
    let (app, secrets) = seeded(Engine::Sqlite).await;
    let devtable = Visitor::sign_in(&app, "devtable", "password").await;
    let write = devtable.put(
        "/api/v1/repository/devtable/shared/permissions/user/reader",
        json!({"role": "write"}),
    );
    assert_eq!(write.await.status, 200);
    let reader = bearer(&secrets.ours(READER));
    let uploads = "/v2/devtable/shared/blobs/uploads/";
    for (query, status) in [
        ("", 200),
        ("?mount=sha256:ab", 200),
        ("?mount=sha256:ab&from=devtable/shared", 200),
        ("?mount=sha256:ab&from=devtable%2Fshared", 200),
        ("?from=public%2Fpublicrepo", 200),
        ("?mount=sha256:ab&from=devtable/simple", 403),
        ("?mount=sha256:ab&%66rom=devtable%2fsimple", 403),
        ("?from=devtable/shared&from=devtable/simple", 403),
        ("?from=devtable/simple&from=devtable/shared", 403),
        ("?From=devtable/building", 403),
        ("?a=1;from=devtable/simple", 403),
        ("?from=", 403),
        ("?from=nowhere/atall", 403),
        ("?from=%zz", 403),
    ] {
        let target = format!("{uploads}{query}");
        let answer = ask(&app, Proxy::Nginx, "POST", &target, Some(&reader)).await;
        assert_eq!(answer.status, status, "{query}");
    }
    // the body of a form could say the same, and nobody here would see it
    let request = Proxy::Nginx.asks("POST", uploads.as_bytes()).expect("a request");
    let request = request
        .header("authorization", &reader)
        .header("content-type", "application/x-www-form-urlencoded");
    assert_eq!(app.send(request.body(Vec::new()).expect("a request")).await.status, 403);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn repository_without_a_row_is_refused_to_everybody() {
    let (app, secrets) = seeded(Engine::Sqlite).await;
    let devtable = bearer(&secrets.ours(DEVTABLE_READS));
    for path in
        ["/v2/devtable/nosuch/manifests/x", "/v2/nosuch/x/manifests/x", "/v2/UP/x/manifests/x"]
    {
        assert_eq!(
            ask(&app, Proxy::Nginx, "GET", path, Some(&devtable)).await.status,
            403,
            "{path}"
        );
        assert_eq!(ask(&app, Proxy::Nginx, "GET", path, None).await.status, 401, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sub_request_may_have_any_method() {
    let (app, secrets) = seeded(Engine::Sqlite).await;
    let reader = bearer(&secrets.ours(READER));
    for method in [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::DELETE] {
        let (mut head, body) = Proxy::Traefik
            .asks("GET", b"/api/x")
            .and_then(|request| request.header("authorization", &reader).body(Vec::new()).ok())
            .expect("a request")
            .into_parts();
        head.method = method;
        assert_eq!(app.send(Request::from_parts(head, body)).await.status, 200);
    }
}
