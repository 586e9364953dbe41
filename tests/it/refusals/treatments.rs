//! What can be wrong with a request.

use base64::{Engine, prelude::BASE64_STANDARD};
use claviger_http::routes::RouteLine;
use claviger_service::program::{Mint, ProgramToken};
use claviger_store::audit::Actor;
use claviger_tests::{app::TestApp, case::secrets::Secrets, visitor::Visitor};
use http::{Method, Request};
use serde_json::{Value, json};

use super::{astra, fields, names::existing};

/// Who acts.
pub(super) struct Cast {
    /// Everything below is his: organisations, repositories, applications; and he is a superuser.
    owner: Who,
    /// Has nothing.
    stranger: Who,
    app_token: String,
    oauth_token: String,
}

struct Who {
    name: &'static str,
    cookie: String,
    csrf: String,
    api_token: String,
}

impl Cast {
    pub(super) async fn assemble(app: &TestApp, secrets: &Secrets) -> Self {
        astra::make_account(app).await;
        let seed = claviger_tests::case::seed::read();
        let token = |list: &str, label: &str, key: &str| {
            let tokens = seed[list].as_array().expect("tokens");
            let token = tokens.iter().find(|token| token["label"] == label).expect("the token");
            secrets.ours(token[key].as_str().expect("a secret"))
        };
        Self {
            owner: Who::sign_in(app, "devtable").await,
            stranger: Who::sign_in(app, "freshuser").await,
            app_token: token("app_specific_tokens", "fixture", "token_code"),
            oauth_token: token("oauth_tokens", "freshuadmin", "token"),
        }
    }

    /// What the owner shows at the Astra door.
    pub(super) fn owner_at_astra(&self) -> String {
        format!("Bearer {}", self.owner.api_token)
    }
}

impl Who {
    async fn sign_in(app: &TestApp, name: &'static str) -> Self {
        let visitor = Visitor::sign_in(app, name, "password").await;
        let (cookie, csrf) = visitor.session().expect("a session");
        let wish = ProgramToken {
            user: name.to_owned(),
            mint: Mint::Api,
            name: "refusals".parse().expect("a name"),
            life: None,
        };
        let program = Actor::program("tests".to_owned());
        let token = app.app.program_create_token(wish, program).await.expect("a token");
        let api_token = token.expose().to_owned();
        Self { name, cookie: cookie.to_owned(), csrf: csrf.to_owned(), api_token }
    }

    /// He comes with what this door takes from a person.
    fn at(&self, request: http::request::Builder, door: &str) -> http::request::Builder {
        if matches!(door, "registry" | "openshift") {
            request.header("authorization", basic(self.name, "password"))
        } else if matches!(door, "astra" | "decisions") {
            request.header("authorization", format!("Bearer {}", self.api_token))
        } else {
            request.header("cookie", &self.cookie).header("x-csrf-token", &self.csrf)
        }
    }
}

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}")))
}

type Make = fn(&RouteLine, &Cast) -> Vec<Request<Vec<u8>>>;

/// One thing that is wrong.
pub(super) struct Treatment {
    pub(super) name: &'static str,
    make: Make,
}

impl Treatment {
    /// All that make sense for a route: without a body, nothing can be wrong with it.
    pub(super) fn all(route: &RouteLine) -> Vec<Self> {
        let all: &[(&'static str, bool, Make)] = &[
            ("nobody", false, |route, _| vec![good(route, bare_request)]),
            ("wrong", false, wrong_credentials),
            ("stranger", false, |route, cast| {
                vec![good(route, |request| cast.stranger.at(request, route.door))]
            }),
            ("foreign-site", false, foreign_site),
            ("no-csrf", false, no_csrf),
            ("paths", false, paths),
            ("query", false, queries),
            ("not-json", true, |route, cast| {
                texts(route, cast, &[b"{\"", b"", b"nope", b"\xff\xfe", b"{\"title\":\"\xff\"}"])
            }),
            ("type", true, content_types),
            ("shape", true, |route, cast| {
                texts(route, cast, &[b"null", b"[]", b"5", b"\"x\"", b"{}"])
            }),
            ("deep", true, deep),
            ("large", true, large),
            ("values", true, values),
            ("twice", true, twice),
        ];
        let with_body = matches!(route.method, "POST" | "PUT" | "PATCH");
        let fitting = all.iter().filter(|(_, body, _)| with_body || !body);
        fitting.map(|(name, _, make)| Self { name, make: *make }).collect()
    }

    pub(super) fn requests(&self, route: &RouteLine, cast: &Cast) -> Vec<Request<Vec<u8>>> {
        (self.make)(route, cast)
    }
}

/// The route's path, with something that exists for every name in it; or with `instead`.
pub(super) fn path(route: &RouteLine, instead: Option<&str>) -> String {
    let mut path = String::new();
    let mut rest = route.template;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, tail) = after.split_once('}').expect("a name ends");
        path.push_str(before);
        path.push_str(instead.unwrap_or_else(|| existing(name, route.template)));
        rest = tail;
    }
    path + rest
}

/// A route that takes any method is tried with GET.
fn method(route: &RouteLine) -> &'static str {
    if route.method == "ANY" { "GET" } else { route.method }
}

/// A request with nothing but method and path.
pub(super) fn bare(method: Method, path: &str) -> Request<Vec<u8>> {
    let request = Request::builder().method(method).uri(path).header("host", "localhost:5000");
    request.body(Vec::new()).expect("a request")
}

type Show<'a> = &'a dyn Fn(http::request::Builder) -> http::request::Builder;

fn bare_request(request: http::request::Builder) -> http::request::Builder {
    request
}

fn sent(
    route: &RouteLine,
    path: &str,
    show: Show<'_>,
    kind: &str,
    body: &[u8],
) -> Request<Vec<u8>> {
    let request =
        Request::builder().method(method(route)).uri(path).header("host", "localhost:5000");
    let request = show(request).header("content-length", body.len());
    let request = if body.is_empty() && kind.is_empty() {
        request
    } else {
        request.header("content-type", kind)
    };
    request.body(body.to_vec()).expect("a request")
}

/// Whether the door reads forms and not JSON.
fn reads_forms(route: &RouteLine) -> bool {
    matches!(route.door, "oauth" | "registry")
}

/// A body that could be good.
fn fields(route: &RouteLine) -> Value {
    let in_organization = route.template.starts_with("/api/v1/organization/");
    let role =
        if in_organization && !route.template.contains("prototypes") { "member" } else { "read" };
    if route.door == "registry" {
        return json!({
            "grant_type": "password", "service": "localhost:5000", "username": "$app",
            "password": "password", "scope": "repository:buynlarge/orgrepo:pull",
            "client_id": "docker", "access_type": "offline", "refresh_token": "clvf_x",
        });
    }
    if route.door == "decisions" {
        return fields::decisions();
    }
    if route.door == "openshift" {
        return json!({"scope": "userinfo", "note": "laptop", "expires_in": "60", "reuse": "true"});
    }
    if route.door == "astra" {
        return astra::fields(route);
    }
    if route.door == "oauth" {
        return json!({
            "response_type": "token", "client_id": "deadbeef", "scope": "repo:read",
            "redirect_uri": "http://localhost:8000/o2c.html", "state": "s", "format": "json",
            "grant_type": "authorization_code", "client_secret": "secret", "code": "code",
            "username": "reader", "assignment_uuid": "00000000-0000-4000-8000-0000000000a5",
        });
    }
    json!({
        "title": "laptop", "role": role, "username": "newuser", "password": "password",
        "email": "new@example.com", "name": "newname", "namespace": "buynlarge",
        "repository": "newrepo", "visibility": "private", "description": "words",
        "redirect_uri": "http://app.test/cb", "application_uri": "http://app.test",
        "avatar_email": "a@example.com", "delegate": {"kind": "user", "name": "public"},
        "scope": "repo:read", "invite_code": "code", "repo_kind": "image", "state": "NORMAL",
        "friendlyName": "name", "enabled": true, "unstructured_metadata": {"a": "b"},
        "expiration": 3600, "company": "c", "location": "l", "token": "a-secret-from-elsewhere",
    })
}

fn encoded(route: &RouteLine, fields: &Value) -> (String, Vec<u8>) {
    if !reads_forms(route) {
        return ("application/json".to_owned(), fields.to_string().into_bytes());
    }
    let pairs = fields.as_object().expect("fields").iter().map(|(key, value)| {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let value =
            percent_encoding::utf8_percent_encode(&value, percent_encoding::NON_ALPHANUMERIC);
        format!("{key}={value}")
    });
    let form = pairs.collect::<Vec<_>>().join("&");
    ("application/x-www-form-urlencoded".to_owned(), form.into_bytes())
}

/// A request in which only who sends it may be wrong.
fn good(
    route: &RouteLine,
    show: impl Fn(http::request::Builder) -> http::request::Builder,
) -> Request<Vec<u8>> {
    with_fields(route, &show, &path(route, None), &fields(route))
}

fn with_fields(route: &RouteLine, show: Show<'_>, path: &str, fields: &Value) -> Request<Vec<u8>> {
    if matches!(route.method, "POST" | "PUT" | "PATCH") {
        let (kind, body) = encoded(route, fields);
        sent(route, path, show, &kind, &body)
    } else {
        sent(route, path, show, "", b"")
    }
}

/// The owner, who says that we are somebody else.
pub(super) fn misnamed(route: &RouteLine, cast: &Cast, host: &str) -> Request<Vec<u8>> {
    let mut request = good(route, |request| cast.owner.at(request, route.door));
    let headers = request.headers_mut();
    headers.insert("host", host.parse().expect("a header"));
    headers.insert("x-forwarded-host", host.parse().expect("a header"));
    headers.insert("x-forwarded-server", host.parse().expect("a header"));
    headers.insert("forwarded", format!("host={host};proto=https").parse().expect("a header"));
    request
}

fn wrong_credentials(route: &RouteLine, cast: &Cast) -> Vec<Request<Vec<u8>>> {
    // the last character belongs to the checksum, the one before the last six to the MAC
    let mut damaged = cast.oauth_token.clone();
    let last = if damaged.pop() == Some('0') { '1' } else { '0' };
    damaged.push(last);
    let headers = [
        "Bearer nothing".to_owned(),
        "Bearer".to_owned(),
        "Bearer \u{80}\u{ff}".to_owned(),
        "Basic !!!".to_owned(),
        "Negotiate abc".to_owned(),
        format!("Bearer {damaged}"),
        format!("Bearer {}", "x".repeat(8_000)),
        // another door's token opens nothing here
        format!("Bearer {}", cast.app_token),
        basic("nobody", "password"),
        basic("$app", &damaged),
        basic("a\0b", "pass\0word"),
        basic(&"x".repeat(10_000), "password"),
        basic("devtable", &"x".repeat(10_000)),
    ];
    let by_header = headers.iter().map(|value| {
        let value = http::HeaderValue::from_bytes(value.as_bytes()).expect("a header");
        good(route, |request| request.header("authorization", value.clone()))
    });
    let cookies =
        ["claviger=nothing", "claviger=", "=;;;", "claviger=\u{ff}"].into_iter().map(|value| {
            let value = http::HeaderValue::from_bytes(value.as_bytes()).expect("a header");
            good(route, |request| {
                request.header("cookie", value.clone()).header("x-csrf-token", "x")
            })
        });
    by_header.chain(cookies).collect()
}

/// The owner's browser, sent here by somebody else's page.
fn foreign_site(route: &RouteLine, cast: &Cast) -> Vec<Request<Vec<u8>>> {
    if method(route) == "GET" {
        return Vec::new();
    }
    let marks = [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")];
    marks
        .iter()
        .map(|(name, value)| {
            good(route, |request| cast.owner.at(request, route.door).header(*name, *value))
        })
        .collect()
}

fn no_csrf(route: &RouteLine, cast: &Cast) -> Vec<Request<Vec<u8>>> {
    if method(route) == "GET" {
        return Vec::new();
    }
    vec![
        good(route, |request| request.header("cookie", &cast.owner.cookie)),
        good(route, |request| {
            request.header("cookie", &cast.owner.cookie).header("x-csrf-token", &cast.stranger.csrf)
        }),
    ]
}

/// Names that nothing has.
fn paths(route: &RouteLine, cast: &Cast) -> Vec<Request<Vec<u8>>> {
    if !route.template.contains('{') {
        return Vec::new();
    }
    let long = "x".repeat(10_000);
    let names = [
        "nosuch",
        "a%00b",
        "%ff%fe",
        "..%2f..%2fetc%2fpasswd",
        "%2e%2e",
        "%252e",
        "UPPER",
        "%D0%BA",
        "a%20b",
        "a;b",
        "*",
        "'%22--",
        &long,
    ];
    names
        .iter()
        .map(|name| {
            let path = path(route, Some(name));
            with_fields(route, &|r| cast.owner.at(r, route.door), &path, &fields(route))
        })
        .collect()
}

fn queries(route: &RouteLine, cast: &Cast) -> Vec<Request<Vec<u8>>> {
    let long = format!("?scope={}", "x".repeat(10_000));
    let queries = [
        "?",
        "?&&&=",
        "?limit=-1&page=x&expiring=%ff&token=%00",
        "?scope=%00&service=%ff",
        "?scope=repository:a/b:pull&scope=repository:%00:pull&scope=x",
        "?next_page=abc",
        &long,
        "?redirect_uri=javascript:alert(1)&client_id=%00&response_type=token",
    ];
    queries
        .iter()
        .map(|query| {
            // nothing is asked for in the body, so that nothing is done
            let path = path(route, None) + query;
            sent(route, &path, &|r| cast.stranger.at(r, route.door), "text/plain", b"")
        })
        .collect()
}

fn texts(route: &RouteLine, cast: &Cast, bodies: &[&[u8]]) -> Vec<Request<Vec<u8>>> {
    let kind = encoded(route, &json!({})).0;
    let send = |body: &&[u8]| {
        sent(route, &path(route, None), &|r| cast.owner.at(r, route.door), &kind, body)
    };
    bodies.iter().map(send).collect()
}

fn content_types(route: &RouteLine, cast: &Cast) -> Vec<Request<Vec<u8>>> {
    let body = fields(route).to_string().into_bytes();
    let send = |kind: &&str| {
        sent(route, &path(route, None), &|r| cast.owner.at(r, route.door), kind, &body)
    };
    ["text/plain", "application/xml", "multipart/form-data", ";;;"].iter().map(send).collect()
}

fn deep(route: &RouteLine, cast: &Cast) -> Vec<Request<Vec<u8>>> {
    let open = [vec![b'['; 50_000], b"{\"title\":".repeat(20_000)];
    let bodies: Vec<&[u8]> = open.iter().map(Vec::as_slice).collect();
    texts(route, cast, &bodies)
}

fn large(route: &RouteLine, cast: &Cast) -> Vec<Request<Vec<u8>>> {
    let body = format!("{{\"title\":\"{}\"}}", "x".repeat(10 << 20));
    texts(route, cast, &[body.as_bytes()])
}

/// Values of the wrong type, or that no name may be: in all places at once, and the worst of them in
/// one place after another.
fn values(route: &RouteLine, cast: &Cast) -> Vec<Request<Vec<u8>>> {
    let good = fields(route);
    let keys: Vec<String> = good.as_object().expect("fields").keys().cloned().collect();
    let worst = [json!("a\0b"), json!("x".repeat(10_000)), json!({"kind": 5})];
    let others = [
        json!("../../etc/passwd"),
        json!(""),
        json!("\u{202e}ключ"),
        json!(5),
        json!(-1e300),
        json!(null),
        json!(true),
        json!(["x"]),
        json!({"kind": "user", "name": "a\0b"}),
        json!({"kind": "team", "name": 7}),
    ];
    let mut bodies = Vec::new();
    for value in worst.iter().chain(&others) {
        let all = keys.iter().map(|key| (key.clone(), value.clone()));
        bodies.push(Value::Object(all.collect()));
    }
    for key in &keys {
        for value in &worst {
            let mut fields = good.clone();
            fields[key] = value.clone();
            bodies.push(fields);
        }
    }
    let show = |request| cast.owner.at(request, route.door);
    let path = path(route, None);
    bodies.iter().map(|fields| with_fields(route, &show, &path, fields)).collect()
}

/// Every key stands there twice.
fn twice(route: &RouteLine, cast: &Cast) -> Vec<Request<Vec<u8>>> {
    let (kind, body) = encoded(route, &fields(route));
    let body = String::from_utf8(body).expect("text");
    let doubled = match body.strip_prefix('{').and_then(|body| body.strip_suffix('}')) {
        Some(inside) => format!("{{{inside},{inside}}}"),
        None => format!("{body}&{body}"),
    };
    let show = |request| cast.owner.at(request, route.door);
    vec![sent(route, &path(route, None), &show, &kind, doubled.as_bytes())]
}
