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

    async fn change_of_a_team_is_logged_for_what_it_changes(engine: Engine) {
        let settings = settings::of(&Map::new(), &seed::read());
        let (app, _) = TestApp::seeded(engine, settings).await;
        let owner = Visitor::sign_in(&app, "reader", "password").await;
        let org = "/api/v1/organization/acme";
        owner.post("/api/v1/organization/", json!({"name": "acme"})).await;
        for team in [
            json!({"role": "member"}),
            json!({"role": "member", "description": ""}),
            json!({"role": "member", "description": "who builds"}),
            json!({"role": "creator"}),
            json!({"role": "member", "description": "who tests"}),
        ] {
            assert_eq!(owner.put(&format!("{org}/team/devs"), team).await.status, 200);
        }
        let log = owner.get(&format!("{org}/logs")).await.json();
        assert_eq!(
            kinds(&log),
            ["org_set_team_role", "org_set_team_description", "org_set_team_role",
                "org_set_team_description", "org_create_team", "org_create"]
        );
        assert_eq!(
            log["logs"][3]["metadata"],
            json!({"namespace": "acme", "team": "devs", "role": "member", "description": "who builds"})
        );
    }

    async fn superusers_see_the_log_of_every_namespace(engine: Engine) {
        let settings = settings::of(&Map::new(), &seed::read());
        let (app, _) = TestApp::seeded(engine, settings).await;
        let owner = Visitor::sign_in(&app, "reader", "password").await;
        owner.post("/api/v1/organization/", json!({"name": "acme"})).await;
        owner.post("/api/v1/user/apptoken", json!({"title": "laptop"})).await;
        let root = Visitor::sign_in(&app, "devtable", "password").await;
        for n in 0..25 {
            root.post("/api/v1/user/apptoken", json!({"title": format!("t{n}")})).await;
        }
        let log = root.get("/api/v1/superuser/logs").await.json();
        assert_eq!(kinds(&log), ["create_app_specific_token"; 20]);
        let next = log["next_page"].as_str().expect("more").to_owned();
        let log = root.get(&format!("/api/v1/superuser/logs?next_page={next}")).await.json();
        let seen: Vec<[&str; 4]> = log["logs"]
            .as_array()
            .expect("a list")
            .iter()
            .skip(5)
            .take(2)
            .map(|entry| {
                [&entry["kind"], &entry["performer"]["name"], &entry["namespace"]["kind"],
                    &entry["namespace"]["name"]]
                .map(|value| value.as_str().unwrap_or("nobody"))
            })
            .collect();
        assert_eq!(
            seen,
            [["create_app_specific_token", "reader", "user", "reader"],
                ["org_create", "reader", "org", "acme"]]
        );
        assert_eq!(log.get("next_page"), None);
        let counts = root.get("/api/v1/superuser/aggregatelogs").await.json();
        let counts: Vec<(&Value, &Value)> = counts["aggregated"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|entry| (&entry["kind"], &entry["count"]))
            .collect();
        assert_eq!(
            counts[..2],
            [(&json!("create_app_specific_token"), &json!(26)), (&json!("org_create"), &json!(1))]
        );
        for log in ["logs", "aggregatelogs"] {
            let path = format!("/api/v1/superuser/{log}");
            assert_eq!(owner.get(&path).await.status, 403, "{path}");
            assert_eq!(Visitor::anonymous(&app).get(&path).await.status, 401, "{path}");
        }
        app.clock.advance_ms(11 * 60 * 1_000);
        let stale = root.get("/api/v1/superuser/logs").await;
        assert_eq!(stale.json()["error_type"], "fresh_login_required");
        // what was done the day before yesterday needs to be asked for
        app.clock.advance_ms(3 * 24 * 60 * 60 * 1_000);
        let root = Visitor::sign_in(&app, "devtable", "password").await;
        assert_eq!(kinds(&root.get("/api/v1/superuser/logs").await.json()), [""; 0]);
        let log = root.get("/api/v1/superuser/logs?starttime=01/01/2000").await.json();
        assert_eq!(kinds(&log).len(), 20);
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
