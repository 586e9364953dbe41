//! What is asked of a route that it does not know is refused, whatever the route.

use claviger_tests::{app::TestApp, scratch::Engine, server::Server, visitor::Visitor};
use http::Method;
use serde_json::{Value, json};

use super::{
    code,
    lifetimes::{LIFETIMES, account},
    test_settings,
    tokens::{TOKENS, app_token},
};

#[tokio::test]
async fn every_route_refuses_a_parameter_that_it_does_not_know() {
    let (app, _) = TestApp::seeded(Engine::Sqlite, test_settings()).await;
    let admin = Visitor::sign_in(&app, "devtable", "password").await;
    let account = account(&admin).await;
    let policy = json!({"maximumLifetime": "90d"});
    assert_eq!(admin.put(&format!("{LIFETIMES}/{account}/app"), policy).await.status, 200);
    let (id, _) = app_token(&admin, "x").await;
    let there = [
        ("{id}", &*id),
        ("{account}", &account),
        ("{kind}", "app"),
        ("{name}", "devtable"),
        ("{repository*}", "devtable/simple"),
    ];
    let before = app.rows().await;
    let (mut asked, mut wrong) = (0, Vec::new());
    for line in app.site.lines().filter(|line| line.door == "native") {
        let path = there
            .iter()
            .fold(line.template.to_owned(), |path, (place, name)| path.replace(place, name));
        let method: Method = line.method.parse().expect("a method");
        let body = matches!(line.method, "POST" | "PUT" | "PATCH").then(|| json!({}));
        for query in ["nope=1", "nope", "%6Eope="] {
            let request = admin.request(&method, &format!("{path}?{query}"), body.as_ref());
            let answer = app.send(request).await;
            asked += 1;
            let named = |flaw: &Value| flaw["parameter"] == "nope";
            let told =
                |body: &Value| body["errors"].as_array().is_some_and(|all| all.iter().any(named));
            if answer.status == 400 && told(&answer.json()) {
                assert_eq!(code(&answer), "invalid_query", "{method} {path}");
            } else {
                wrong.push(format!("{method} {path}?{query}: {} {}", answer.status, answer.text()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(asked >= 3 * 19, "{asked}");
    assert_eq!(app.rows().await, before, "nothing has happened");
}

#[tokio::test]
async fn whether_what_descends_ends_too_is_true_or_false_and_said_once() {
    let (app, _) = TestApp::seeded(Engine::Sqlite, test_settings()).await;
    let admin = Visitor::sign_in(&app, "devtable", "password").await;
    let (id, _) = app_token(&admin, "x").await;
    let path = format!("{TOKENS}/{id}");
    for bad in ["=maybe", "", "=", "=true&descendants=true"] {
        let refused = admin.delete(&format!("{path}?descendants{bad}")).await;
        assert_eq!(code(&refused), "invalid_query", "{bad}");
        assert_eq!(refused.json()["errors"][0]["parameter"], "descendants", "{bad}");
    }
    assert_eq!(admin.delete(&format!("{path}?descendants=false")).await.status, 204);
}
