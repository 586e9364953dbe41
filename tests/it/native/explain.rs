//! Explanations in the native door.

use claviger_service::Settings;
use claviger_tests::{
    app::TestApp,
    case::{seed, settings},
    visitor::Visitor,
};
use serde_json::{Map, json};

fn test_settings() -> Settings {
    settings::of(&Map::new(), &seed::read())
}

const EXPLAIN: &str = "/claviger/v1/decisions:explain";

claviger_tests::both! {
    async fn decision_is_explained_in_json_and_in_a_sentence(engine: Engine) {
        let (app, _) = TestApp::seeded(engine, test_settings()).await;
        let reader = Visitor::sign_in(&app, "reader", "password").await;
        let asked = "action=pull&resource=repository:buynlarge%2Forgrepo";
        let own = reader.get(&format!("{EXPLAIN}?{asked}")).await;
        assert_eq!(own.status, 200, "{}", own.text());
        assert_eq!(own.json(), json!({
            "subject": { "type": "user", "id": "reader" },
            "action": "pull",
            "resource": { "type": "repository", "id": "buynlarge/orgrepo" },
            "decision": true,
            "reason": "`reader` may pull `buynlarge/orgrepo`: \
                       its team `buynlarge/readers` has the permission read",
            "needs": "read",
            "role": "read",
            "paths": [
                { "by": "team", "team": "buynlarge/readers", "role": "read", "grants": true },
            ],
        }));
        let other = reader.get(&format!("{EXPLAIN}?{asked}&subject=user:devtable")).await;
        assert_eq!((other.status.as_u16(), &other.json()["code"]), (403, &json!("forbidden")));

        let superuser = Visitor::sign_in(&app, "devtable", "password").await;
        let about = |subject: &str, action: &str| {
            format!("{EXPLAIN}?subject={subject}&action={action}\
                     &resource=repository:buynlarge/orgrepo")
        };
        let every = superuser.get(&about("user:devtable", "administer")).await.json();
        let ways: Vec<_> = every["paths"].as_array().expect("paths").iter()
            .map(|path| path["by"].as_str().expect("a word")).collect();
        assert!(ways.contains(&"team_role") && ways.contains(&"superuser"), "{every}");
        let refused = superuser.get(&about("user:randomuser", "pull")).await.json();
        assert_eq!(refused["missing"], "path");
        assert_eq!(
            refused["reason"],
            "`randomuser` may not pull `buynlarge/orgrepo`: nothing gives a right on it"
        );
        let disabled = superuser.get(&about("user:disabled", "pull")).await.json();
        assert_eq!(disabled["missing"], "subject_disabled");
        let app_token = "token:00000000-0000-4000-8000-000000000e01";
        let expired = superuser.get(&about(app_token, "pull")).await.json();
        assert_eq!((&expired["missing"], &expired["token"]["state"]), (
            &json!("token_expired"), &json!("expired"),
        ));
    }
}

claviger_tests::both! {
    async fn bad_question_says_all_that_is_wrong(engine: Engine) {
        let (app, _) = TestApp::seeded(engine, test_settings()).await;
        let reader = Visitor::sign_in(&app, "reader", "password").await;
        for (query, parameters) in [
            ("", &["action", "resource"][..]),
            ("action=pull&resource=", &["resource"]),
            ("action=pull&action=push&resource=repository:a/b", &["action"]),
            ("action=pull&resource=a/b&subject=x&foo=1", &["resource", "subject", "foo"]),
        ] {
            let answer = reader.get(&format!("{EXPLAIN}?{query}")).await;
            assert_eq!(answer.status, 400, "{query}");
            let body = answer.json();
            let found = body["errors"].as_array().expect("errors").iter();
            let mut found: Vec<_> = found.map(|flaw| flaw["parameter"].as_str().unwrap()).collect();
            found.sort_unstable();
            let mut parameters = parameters.to_vec();
            parameters.sort_unstable();
            assert_eq!(found, parameters, "{query}");
        }
        let none = reader.get(&format!("{EXPLAIN}?action=read&resource=repository:a/b")).await;
        assert_eq!((&none.json()["decision"], &none.json()["missing"]), (
            &json!(false), &json!("action"),
        ));
    }
}
