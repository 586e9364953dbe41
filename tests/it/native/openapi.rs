//! The description for programs. That answers are as it says is checked wherever a test asks
//! (`claviger_tests::described`).

use std::collections::BTreeSet;

use claviger_tests::{
    answer::Answer, app::TestApp, described::Described, scratch::Engine, server::Server,
    visitor::Visitor,
};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::test_settings;

const PATH: &str = "/openapi.json";

async fn described(app: &TestApp) -> Value {
    let answer = Visitor::anonymous(app).get(PATH).await;
    assert_eq!(answer.status, 200);
    answer.json()
}

#[tokio::test]
async fn every_route_is_described_and_nothing_else() {
    let app = TestApp::empty(Engine::Sqlite, test_settings()).await;
    let lines = app.site.lines().filter(|line| matches!(line.door, "native" | "decisions"));
    let there: BTreeSet<_> =
        lines.map(|line| (line.method.to_owned(), line.template.replace("*}", "}"))).collect();
    let told = Described::new(described(&app).await).operations();
    assert_eq!(told.into_iter().collect::<BTreeSet<_>>(), there);
}

#[tokio::test]
async fn description_is_whole_and_says_no_more_than_it_uses() {
    let app = TestApp::empty(Engine::Sqlite, test_settings()).await;
    let document = described(&app).await;
    let (mut used, mut ids) = (BTreeSet::new(), BTreeSet::new());
    walk(&document, &mut |value| {
        if let Some(reference) = value["$ref"].as_str() {
            let pointer = reference.strip_prefix('#').expect("a place in this document");
            assert!(document.pointer(pointer).is_some(), "{reference}");
            used.insert(reference.to_owned());
        }
        if let Some(id) = value["operationId"].as_str() {
            assert!(ids.insert(id.to_owned()), "`{id}` is two operations");
            assert!(value["summary"].is_string() && value["tags"].is_array(), "{id}");
        }
    });
    for kind in ["schemas", "responses", "parameters", "headers"] {
        for name in document["components"][kind].as_object().expect("components").keys() {
            assert!(used.contains(&format!("#/components/{kind}/{name}")), "{name} is not used");
        }
    }
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("methods") {
            if method == "parameters" {
                continue;
            }
            assert!(operation["security"].is_array(), "{method} {path}: who gets in?");
            let named = path.matches('{').count();
            let here = item["parameters"].as_array().map_or(0, Vec::len);
            assert_eq!(named, here, "{path}");
        }
    }
}

fn walk(value: &Value, see: &mut impl FnMut(&Value)) {
    see(value);
    match value {
        Value::Object(members) => members.values().for_each(|member| walk(member, see)),
        Value::Array(items) => items.iter().for_each(|item| walk(item, see)),
        _ => {}
    }
}

#[tokio::test]
async fn who_has_the_description_is_not_sent_it_again() {
    let app = TestApp::empty(Engine::Sqlite, test_settings()).await;
    let nobody = Visitor::anonymous(&app);
    let first = nobody.get(PATH).await;
    let tag = first.header("etag").expect("a tag").to_owned();
    assert_eq!(first.header("cache-control"), Some("public, max-age=300"));
    let ask = |tag: &str| {
        let mut request = nobody.request(&Method::GET, PATH, None);
        request.headers_mut().insert("if-none-match", tag.parse().expect("a header"));
        app.send(request)
    };
    let again = ask(&tag).await;
    assert_eq!((again.status.as_u16(), again.body.len()), (304, 0));
    assert_eq!(again.header("etag"), Some(&*tag));
    assert_eq!(ask("\"other\"").await.status, 200);
}

#[tokio::test]
async fn answer_that_is_not_as_described_is_noticed() {
    let app = TestApp::empty(Engine::Sqlite, test_settings()).await;
    let told = Described::new(described(&app).await);
    let admin = Visitor::sign_in(&app, "admin", "password").await;
    let path = "/claviger/v1/whoami";
    let good = admin.get(path).await;
    assert_eq!(told.faults(&Method::GET, path, &good), [""; 0]);
    let with = |change: fn(&mut Value)| {
        let mut body = good.json();
        change(&mut body);
        let answer = Answer { body: body.to_string().into(), ..good.clone() };
        told.faults(&Method::GET, path, &answer).len()
    };
    assert_eq!(with(|body| body["more"] = json!(1)), 1);
    assert_eq!(with(|body| body["id"] = json!("x")), 1);
    assert_eq!(with(|body| body["credential"]["scopes"] = json!([1])), 1);
    assert_eq!(with(|body| drop(body.as_object_mut().expect("members").remove("name"))), 1);
    let status = Answer { status: StatusCode::IM_A_TEAPOT, ..good.clone() };
    assert_eq!(told.faults(&Method::GET, path, &status).len(), 1);
}
