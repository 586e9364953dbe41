//! The refusal table: every route of every door, each time with something wrong.
//!
//! The routes come from the route table itself, so a new one is in here by itself; what it answers
//! stands in `refusals.golden`, so that somebody must have looked at it. Beside the statuses every
//! answer is held to this: never a 5xx, never a content type that its door does not speak, and a
//! refusal changes nothing.

mod astra;
mod fields;
mod names;
mod treatments;

use std::{collections::BTreeSet, fmt::Write};

use claviger_http::routes::RouteLine;
use claviger_service::Settings;
use claviger_store::Row;
use claviger_tests::{
    answer::Answer,
    app::TestApp,
    case::{seed, settings},
    scratch::Engine,
    server::Server,
};
use http::{HeaderValue, Method};
use serde_json::Map;
use treatments::{Cast, Treatment};

fn test_settings() -> Settings {
    settings::of(&Map::new(), &seed::read())
}

async fn routes() -> Vec<RouteLine> {
    let app = TestApp::empty(Engine::Sqlite, test_settings()).await;
    let mut lines: Vec<RouteLine> = app.site.lines().cloned().collect();
    lines.sort();
    lines.dedup();
    lines
}

/// What the requests are sent to, and what it held after the last one.
struct World {
    app: TestApp,
    cast: Cast,
    mark: String,
    rows: Vec<Vec<Row>>,
}

impl World {
    async fn new(engine: Engine) -> Self {
        let (app, secrets) = TestApp::seeded(engine, test_settings()).await;
        let cast = Cast::assemble(&app, &secrets).await;
        let (mark, rows) = (app.mark().await, app.rows().await);
        Self { app, cast, mark, rows }
    }
}

claviger_tests::both! {
    async fn every_route_refuses_as_it_should(engine: Engine) {
        let (mut table, mut wrong, mut world) = (String::new(), Vec::new(), None);
        for route in routes().await {
            // where passwords come with each request, wrong ones are remembered
            let mut spent = matches!(route.door, "openshift" | "registry");
            let World { app, cast, mut mark, mut rows } = match world.take().filter(|_| !spent) {
                Some(world) => world,
                None => World::new(engine).await,
            };
            let _ = write!(table, "{} {} {}", route.door, route.method, route.template);
            for treatment in Treatment::all(&route) {
                if route.door == "openshift" {
                    app.clock.advance_ms(60_000);
                }
                let mut statuses = BTreeSet::new();
                for request in treatment.requests(&route, &cast) {
                    let answer = app.send(request.clone()).await;
                    statuses.insert(answer.status.as_u16());
                    // it may have ended a session
                    spent |= answer.status.is_success() && route.method != "GET";
                    let mut changed = false;
                    let now = app.mark().await;
                    if now != mark {
                        let after = app.rows().await;
                        changed = after != rows;
                        spent |= changed;
                        (mark, rows) = (now, after);
                    }
                    wrong.extend(faults(&route, &answer, changed).into_iter().map(|fault| {
                        let uri: String = request.uri().to_string().chars().take(120).collect();
                        format!("{} {} {uri} ({}): {fault}", route.door, route.method, treatment.name)
                    }));
                }
                if statuses.is_empty() {
                    continue;
                }
                let statuses: Vec<String> = statuses.iter().map(u16::to_string).collect();
                let _ = write!(table, " {}:{}", treatment.name, statuses.join("/"));
            }
            table.push('\n');
            world = (!spent).then_some(World { app, cast, mark, rows });
        }
        assert!(wrong.is_empty(), "{} faults:\n{}", wrong.len(), wrong.join("\n"));
        golden(&table);
    }
}

/// What is wrong with an answer, whatever was asked.
fn faults(route: &RouteLine, answer: &Answer, changed: bool) -> Vec<String> {
    let mut faults = Vec::new();
    let status = answer.status;
    if status.is_server_error() {
        faults.push(format!("{status}: {}", answer.text()));
    }
    let spoken: &[&str] = match route.door {
        "registry" | "decisions" | "forward" => &["application/json"],
        "quay" | "oauth" => &["application/json", "text/html"],
        "openshift" => &["application/json", "application/xml", "text/html", "text/plain"],
        "native" | "astra" => &["application/problem+json"],
        "operators" => &["text/plain", "application/json"],
        other => panic!("say what the door `{other}` speaks"),
    };
    let kind = answer.header("content-type").unwrap_or_default();
    let speaks = spoken.iter().any(|word| kind.split(';').next() == Some(word));
    let says_nothing = answer.body.is_empty() && kind.is_empty();
    if !status.is_success() && !speaks && !says_nothing {
        faults.push(format!("{status} in the content type `{kind}`: {}", answer.text()));
    }
    if answer.header("x-content-type-options") != Some("nosniff") {
        faults.push("its content type may be guessed".to_owned());
    }
    if status == 405 && answer.header("allow").is_none() {
        faults.push("405 does not say what is allowed".to_owned());
    }
    if changed && (status.is_client_error() || status.is_server_error()) {
        faults.push(format!("it was refused ({status}) and changed something all the same"));
    }
    faults
}

/// Compares the table with the one that somebody has looked at.
fn golden(table: &str) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/it/refusals/refusals.golden");
    let golden = std::fs::read_to_string(path).unwrap_or_default();
    if golden == table {
        return;
    }
    let found = std::env::temp_dir().join("refusals.golden");
    std::fs::write(&found, table).expect("it is written");
    let (old, new): (BTreeSet<&str>, BTreeSet<&str>) =
        (golden.lines().collect(), table.lines().collect());
    let gone = old.difference(&new).map(|line| format!("- {line}"));
    let come = new.difference(&old).map(|line| format!("+ {line}"));
    let lines: Vec<String> = gone.chain(come).collect();
    panic!(
        "the routes do not answer as in {path}; if all of this is as it should be, copy {}:\n{}",
        found.display(),
        lines.join("\n")
    );
}

#[tokio::test]
async fn a_method_that_no_route_has_is_refused_with_those_it_has() {
    let (app, secrets) = TestApp::seeded(Engine::Sqlite, test_settings()).await;
    let cast = Cast::assemble(&app, &secrets).await;
    let lines = routes().await;
    for route in lines.iter().filter(|route| route.method != "ANY") {
        let path = treatments::path(route, None);
        let methods =
            [Method::PATCH, Method::TRACE, Method::from_bytes(b"BREW").expect("a method")];
        let knows = |method: &Method| {
            lines
                .iter()
                .any(|line| line.template == route.template && line.method == method.as_str())
        };
        for method in methods.into_iter().filter(|method| !knows(method)) {
            let mut request = treatments::bare(method.clone(), &path);
            if route.door == "astra" {
                // it asks who is calling before it looks at the path
                let owner = HeaderValue::from_str(&cast.owner_at_astra()).expect("a header");
                request.headers_mut().insert("authorization", owner);
            }
            let answer = app.send(request).await;
            assert_eq!(faults(route, &answer, false), [""; 0], "{method} {path}");
            if route.door == "openshift" {
                // its router knows paths and methods together
                assert_eq!(answer.status, 404, "{method} {path}");
                continue;
            }
            assert_eq!(answer.status, 405, "{method} {path}");
            let allow = answer.header("allow").unwrap_or_default();
            assert!(allow.split(", ").any(|word| word == route.method), "{path}: {allow}");
        }
    }
}

/// V7: nothing is built from what a client says of us, documents of discovery least of all.
#[tokio::test]
async fn host_header_never_appears_in_an_answer() {
    let (app, secrets) = TestApp::seeded(Engine::Sqlite, test_settings()).await;
    let cast = Cast::assemble(&app, &secrets).await;
    for route in routes().await {
        let mut nobody = treatments::misnamed(&route, &cast, "evil.test");
        nobody.headers_mut().remove("authorization");
        nobody.headers_mut().remove("cookie");
        for request in [nobody, treatments::misnamed(&route, &cast, "evil.test")] {
            let answer = app.send(request).await;
            let headers = format!("{:?}", answer.headers);
            assert!(!answer.text().contains("evil.test"), "{route:?}: {}", answer.text());
            assert!(!headers.contains("evil.test"), "{route:?}: {headers}");
        }
    }
}

#[tokio::test]
async fn a_path_that_nobody_has_is_refused_in_the_words_of_its_door() {
    let (app, _) = TestApp::seeded(Engine::Sqlite, test_settings()).await;
    for path in [
        "/",
        "/nope",
        "/api/v1/nope",
        "/v2/nope",
        "/oauth/nope",
        "/broker/rest/nope",
        "/claviger/v1/nope",
        "/accounts/nope",
        "/access/v1/nope",
        "/forward/nope",
        "/api/v1/../../etc/passwd",
    ] {
        let answer = app.send(treatments::bare(Method::GET, path)).await;
        assert!(!answer.status.is_server_error(), "{path}: {}", answer.status);
        assert_ne!(answer.status, 200, "{path}");
    }
}
