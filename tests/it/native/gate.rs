//! Who gets in, and how everybody else is refused.

use claviger_tests::{app::TestApp, case::seed, scratch::Engine, visitor::Visitor};
use http::Method;
use serde_json::json;

use super::{code, test_settings};

const WHOAMI: &str = "/claviger/v1/whoami";

claviger_tests::both! {
    async fn sessions_and_the_tokens_of_the_table_open_the_door_and_no_others(engine: Engine) {
        let (app, secrets) = TestApp::seeded(engine, test_settings()).await;
        let alice = Visitor::sign_in(&app, "devtable", "password").await;
        let me = alice.get(WHOAMI).await;
        assert_eq!(me.status, 200);
        assert_eq!(me.json()["name"], "devtable");
        assert_eq!(me.json()["credential"]["kind"], "session");
        assert_eq!(me.header("cache-control"), Some("private, no-cache"));

        let openshift = Visitor::basic(&app, "devtable", "password");
        let path = "/broker/rest/user/authorizations";
        for (scope, status) in [("session", 200), ("read", 401), ("userinfo", 401)] {
            let made = openshift.post(path, json!({ "scope": scope })).await.json();
            let token = made["data"]["token"].as_str().expect("a token");
            let answer = Visitor::bearer(&app, token).get(WHOAMI).await;
            assert_eq!(answer.status, status, "{scope}");
        }

        let made = alice.post("/api/v1/user/apptoken", json!({ "title": "x" })).await.json();
        let app_token = made["token"]["token_code"].as_str().expect("a token");
        let seed = seed::read();
        let mut oauth = seed["oauth_tokens"].as_array().expect("tokens").iter();
        let oauth = oauth.find(|token| token["user"] == "devtable").expect("a token");
        let oauth = secrets.ours(oauth["token"].as_str().expect("a token"));
        assert_eq!(Visitor::bearer(&app, &oauth).get(WHOAMI).await.status, 200);
        for token in [app_token, "nothing", &oauth[1..]] {
            let refused = Visitor::bearer(&app, token).get(WHOAMI).await;
            assert_eq!(code(&refused), "invalid_credential");
        }
        let refused = Visitor::basic(&app, "devtable", "password").get(WHOAMI).await;
        assert_eq!(code(&refused), "invalid_credential");
        let refused = Visitor::anonymous(&app).get(WHOAMI).await;
        assert_eq!(code(&refused), "missing_credential");
    }
}

#[tokio::test]
async fn refusals_of_the_porch_are_problems_too() {
    let (app, _) = TestApp::seeded(Engine::Sqlite, test_settings()).await;
    let alice = Visitor::sign_in(&app, "devtable", "password").await;
    assert_eq!(code(&alice.get("/claviger/v1/nope").await), "no_such_path");
    assert_eq!(code(&alice.get("/claviger/v1").await), "no_such_path");
    let refused = alice.delete(WHOAMI).await;
    assert_eq!(code(&refused), "method_not_allowed");
    assert_eq!(refused.header("allow"), Some("GET, HEAD"));
    let large = alice.send(Method::GET, WHOAMI, None, vec![b'x'; 2 << 20]).await;
    assert_eq!(code(&large), "body_too_large");
}
