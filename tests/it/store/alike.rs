//! Both engines under the same random requests, through the whole application: every answer and
//! every row is the same.

use claviger_store::Row;
use claviger_tests::{
    answer::Answer,
    app::TestApp,
    case::{jwt, line, seed, settings},
    scratch::Engine,
    stands::SeededChance,
    visitor::Visitor,
};
use http::Method;
use serde_json::{Value, json};

const STEPS: usize = 400;
const USERS: [&str; 5] = ["devtable", "public", "reader", "freshuser", "creator"];
const ORGS: [&str; 4] = ["buynlarge", "acme", "zeta", "nosuch"];
const TEAMS: [&str; 4] = ["owners", "readers", "devs", "nosuch"];
const REPOS: [&str; 5] = ["orgrepo", "app", "a/b/c", "Bad", "nosuch"];
const ROLES: [&str; 5] = ["read", "write", "admin", "member", "creator"];
const PEOPLE: [&str; 6] =
    ["public", "reader", "freshuser", "buynlarge+coolrobot", "acme+ci", "nosuch"];

/// One request, the same for both.
struct Step {
    who: &'static str,
    method: Method,
    path: String,
    body: Option<Value>,
}

/// A request that means something half of the time.
fn random_step(chance: &SeededChance) -> Step {
    let org = *chance.pick(&ORGS);
    let namespace = *chance.pick(&[org, org, "devtable", "public", "freshuser"]);
    let repo = format!("{namespace}/{}", chance.pick(&REPOS));
    let (team, person, role) = (chance.pick(&TEAMS), chance.pick(&PEOPLE), chance.pick(&ROLES));
    let anybody = *chance.pick(&USERS);
    let who = *chance.pick(&["devtable", anybody]);
    let (method, path, body) = match chance.below(24) {
        0 => ("POST", "/organization/".to_owned(), Some(json!({"name": org, "email": "o@x.test"}))),
        1 | 2 => {
            let name = repo.split_once('/').map(|(_, name)| name);
            let body = json!({
                "namespace": namespace, "repository": name, "description": "",
                "visibility": chance.pick(&["public", "private"]),
            });
            ("POST", "/repository".to_owned(), Some(body))
        }
        3 => ("PUT", format!("/organization/{org}/team/{team}"), Some(json!({"role": role}))),
        4 => ("DELETE", format!("/organization/{org}/team/{team}"), None),
        5 | 6 => {
            ("PUT", format!("/organization/{org}/team/{team}/members/{person}"), Some(json!({})))
        }
        7 => ("DELETE", format!("/organization/{org}/team/{team}/members/{person}"), None),
        8 => ("GET", format!("/organization/{org}/team/{team}/members?includePending=true"), None),
        9..=11 => {
            let body = Some(json!({"role": role}));
            ("PUT", format!("/repository/{repo}/permissions/user/{person}"), body)
        }
        12 => {
            let body = Some(json!({"role": role}));
            ("PUT", format!("/repository/{repo}/permissions/team/{team}"), body)
        }
        13 => ("DELETE", format!("/repository/{repo}/permissions/user/{person}"), None),
        14 => ("GET", format!("/repository/{repo}/permissions/user/"), None),
        15 => ("GET", format!("/repository/{repo}/permissions/team/"), None),
        16 => ("GET", format!("/repository/{repo}/permissions/user/{person}/transitive"), None),
        17 => {
            let body = json!({"visibility": chance.pick(&["public", "private"])});
            ("POST", format!("/repository/{repo}/changevisibility"), Some(body))
        }
        18 => {
            let title = *chance.pick(&["", "laptop", "ключ"]);
            ("POST", "/user/apptoken".to_owned(), Some(json!({"title": title})))
        }
        19 => ("GET", "/user/apptoken".to_owned(), None),
        20 => ("PUT", format!("/organization/{org}/robots/ci"), Some(json!({}))),
        21 => ("DELETE", format!("/organization/{org}/robots/ci"), None),
        22 => {
            let body = json!({"role": role, "delegate": {"kind": "user", "name": person}});
            ("POST", format!("/organization/{org}/prototypes"), Some(body))
        }
        _ => {
            let path =
                format!("/v2/auth?service=localhost:5000&scope=repository:{repo}:pull,push,*");
            return Step { who, method: Method::GET, path, body: None };
        }
    };
    let method = method.parse().expect("a method");
    Step { who, method, path: format!("/api/v1{path}"), body }
}

async fn send(app: &TestApp, visitors: &[Visitor<'_, TestApp>], step: &Step) -> Answer {
    let at = USERS.iter().position(|name| *name == step.who).expect("somebody");
    if step.path.starts_with("/v2/") {
        return Visitor::basic(app, step.who, "password").get(&step.path).await;
    }
    let body = step.body.as_ref().map_or_else(Vec::new, |body| body.to_string().into_bytes());
    let kind = step.body.as_ref().map(|_| "application/json");
    visitors[at].send(step.method.clone(), &step.path, kind, body).await
}

/// An answer without what is random although nobody decides it: the signature of a token.
fn comparable(answer: &Answer) -> (u16, Value, String) {
    let mut body = answer.json();
    for key in ["token", "access_token"] {
        if let Some(token) = body[key].as_str() {
            let claims = jwt::claims(token);
            body[key] = claims;
        }
    }
    let text = if body.is_null() { answer.text() } else { String::new() };
    (answer.status.as_u16(), body, text)
}

/// A row without the number that the engines count up in their own ways: a refused write leaves a
/// gap in PostgreSQL's.
fn without_number(row: &Row) -> String {
    let shown = format!("{row:?}");
    match shown.split_once(", ") {
        Some((number, rest)) if number.starts_with("Row([Int(") => rest.to_owned(),
        _ => shown,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_engines_answer_alike_and_keep_the_same_rows() {
    let mut settings = settings::of(&line::group("apptoken")[0].config, &seed::read());
    settings.quay.feature_mailing = false;
    let (a, _) = TestApp::seeded(Engine::Sqlite, settings.clone()).await;
    let (b, _) = TestApp::seeded(Engine::Postgres, settings).await;
    let (mut of_a, mut of_b) = (Vec::new(), Vec::new());
    for name in USERS {
        of_a.push(Visitor::sign_in(&a, name, "password").await);
        of_b.push(Visitor::sign_in(&b, name, "password").await);
    }
    let chance = SeededChance::new(0xa11ce);
    let mut done = 0;
    for number in 0..STEPS {
        let step = random_step(&chance);
        let (first, second) = (send(&a, &of_a, &step).await, send(&b, &of_b, &step).await);
        let said =
            format!("step {number}: {} {} {} {:?}", step.who, step.method, step.path, step.body);
        assert_eq!(comparable(&first), comparable(&second), "{said}");
        assert!(!first.status.is_server_error(), "{said}: {}", first.text());
        done += usize::from(first.status.is_success());
        a.clock.advance_ms(1000);
        b.clock.advance_ms(1000);
    }
    for (number, (first, second)) in a.rows().await.iter().zip(&b.rows().await).enumerate() {
        let bare = |rows: &Vec<Row>| rows.iter().map(without_number).collect::<Vec<_>>();
        assert_eq!(bare(first), bare(second), "table {number}");
    }
    assert!(done > STEPS / 4, "only {done} of {STEPS} steps meant something");
}
