//! The logs of organisations, repositories and users, in the Quay door: each sees what is his.

use claviger_tests::{
    app::TestApp,
    case::{seed, settings},
    visitor::Visitor,
};
use serde_json::{Map, Value, json};

fn kinds(page: &Value) -> Vec<&str> {
    let logs = page["logs"].as_array().expect("a list");
    logs.iter().map(|entry| entry["kind"].as_str().expect("a word")).collect()
}

claviger_tests::both! {
    async fn log_shows_what_was_done_to_whoever_administers_it(engine: Engine) {
        let settings = settings::of(&Map::new(), &seed::read());
        let (app, _) = TestApp::seeded(engine, settings).await;
        let owner = Visitor::sign_in(&app, "reader", "password").await;
        let stranger = Visitor::sign_in(&app, "freshuser", "password").await;
        let org = "/api/v1/organization/acme";
        owner.post("/api/v1/organization/", json!({"name": "acme"})).await;
        owner.put(&format!("{org}/team/devs"), json!({"role": "member"})).await;
        owner.put(&format!("{org}/robots/ci"), json!({})).await;
        for name in ["app", "other"] {
            let new = json!({
                "namespace": "acme", "repository": name, "visibility": "private", "description": "",
            });
            assert_eq!(owner.post("/api/v1/repository", new).await.status, 201);
        }
        let repository = "/api/v1/repository/acme/app";
        let permission = format!("{repository}/permissions/team/devs");
        assert_eq!(owner.put(&permission, json!({"role": "write"})).await.status, 200);
        owner.post("/api/v1/user/starred", json!({"namespace": "acme", "repository": "app"})).await;
        owner.post("/api/v1/user/apptoken", json!({"title": "laptop"})).await;

        let log = owner.get(&format!("{org}/logs")).await.json();
        assert_eq!(
            kinds(&log),
            ["change_repo_permission", "create_repo", "create_repo", "create_robot",
                "org_create_team", "org_create"]
        );
        assert_eq!(log.get("next_page"), None);
        let newest = &log["logs"][0];
        assert_eq!(
            newest["metadata"],
            json!({"namespace": "acme", "repo": "app", "team": "devs", "role": "write"})
        );
        assert_eq!(newest["performer"]["name"], "reader");
        assert_eq!(newest["performer"]["is_robot"], false);
        assert_eq!(newest["ip"], "127.0.0.1");
        let of_repository = owner.get(&format!("{repository}/logs")).await.json();
        assert_eq!(kinds(&of_repository), ["change_repo_permission", "create_repo"]);
        let own = owner.get("/api/v1/user/logs").await.json();
        assert_eq!(kinds(&own), ["create_app_specific_token"]);
        assert_eq!(own["logs"][0]["metadata"]["app_specific_token_title"], "laptop");
        assert!(!own.to_string().contains("clva_"), "no secret");

        let counts = owner.get(&format!("{org}/aggregatelogs")).await.json();
        let counted: Vec<(&Value, &Value)> = counts["aggregated"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|entry| (&entry["kind"], &entry["count"]))
            .collect();
        assert_eq!(counted[1], (&json!("create_repo"), &json!(2)));
        assert_eq!(counted.len(), 5);
        for query in ["performer=freshuser", "performer=a%00b", "starttime=01/01/2000&endtime=1/2/2000"] {
            let none = owner.get(&format!("{org}/logs?{query}")).await.json();
            assert_eq!(kinds(&none), [""; 0], "{query}");
        }
        let some = owner.get(&format!("{org}/logs?performer=reader&starttime=x")).await.json();
        assert_eq!(kinds(&some).len(), 6);

        for path in [org, repository] {
            for log in ["logs", "aggregatelogs"] {
                let path = format!("{path}/{log}");
                assert_eq!(stranger.get(&path).await.status, 403, "{path}");
                assert_eq!(Visitor::anonymous(&app).get(&path).await.status, 401, "{path}");
            }
        }
        assert_eq!(kinds(&stranger.get("/api/v1/user/logs").await.json()), [""; 0]);
    }

    async fn log_goes_on_page_by_page(engine: Engine) {
        let settings = settings::of(&Map::new(), &seed::read());
        let (app, _) = TestApp::seeded(engine, settings).await;
        let owner = Visitor::sign_in(&app, "reader", "password").await;
        for n in 0..45 {
            owner.post("/api/v1/user/apptoken", json!({"title": format!("t{n}")})).await;
        }
        let (mut titles, mut next) = (Vec::new(), String::new());
        for entries in [20, 20, 5] {
            let page = owner.get(&format!("/api/v1/user/logs{next}")).await.json();
            assert_eq!(kinds(&page).len(), entries);
            for entry in page["logs"].as_array().expect("a list") {
                titles.push(entry["metadata"]["app_specific_token_title"].as_str().unwrap().to_owned());
            }
            next = format!("?next_page={}", page["next_page"].as_str().unwrap_or_default());
        }
        assert_eq!(next, "?next_page=");
        let expected: Vec<String> = (0..45).rev().map(|n| format!("t{n}")).collect();
        assert_eq!(titles, expected);
    }
}
