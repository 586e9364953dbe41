//! What superusers do to users and organisations, in the Quay door; and that what they take away is
//! away.

use claviger_service::Settings;
use claviger_tests::{
    answer::Answer,
    app::TestApp,
    case::{seed, settings},
    visitor::Visitor,
};
use http::Method;
use serde_json::{Map, Value, json};

fn test_settings() -> Settings {
    let mut settings = settings::of(&Map::new(), &seed::read());
    settings.quay.feature_mailing = false;
    settings.quay.feature_superusers_full_access = false;
    settings
}

const USERS: &str = "/api/v1/superuser/users/";
const ORGS: &str = "/api/v1/superuser/organizations/";

fn detail(answer: &Answer) -> (u16, Value) {
    let body = answer.json();
    let text = body.get("detail").or(body.get("message")).cloned();
    (answer.status.as_u16(), text.unwrap_or_default())
}

async fn app_token(person: &Visitor<'_, TestApp>) -> String {
    let made = person.post("/api/v1/user/apptoken", json!({"title": "laptop"})).await;
    assert_eq!(made.status, 201, "{}", made.text());
    made.json()["token"]["token_code"].as_str().expect("a code").to_owned()
}

/// The status of a login at the registry.
async fn login(app: &TestApp, user: &str, password: &str) -> u16 {
    let answer = Visitor::basic(app, user, password).get("/v2/auth?service=localhost:5000").await;
    answer.status.as_u16()
}

claviger_tests::both! {
    async fn a_user_is_made_changed_and_removed(engine: Engine) {
        let (app, _) = TestApp::seeded(engine, test_settings()).await;
        let root = Visitor::sign_in(&app, "devtable", "password").await;
        let carol = format!("{USERS}carol");
        assert_eq!(root.get(&carol).await.status, 404);
        let body = json!({"username": "carol", "email": "Carol@Example.com"});
        let made = root.post(USERS, body.clone()).await;
        assert_eq!(made.status, 200, "{}", made.text());
        assert_eq!(made.header("cache-control"), Some("no-store"));
        let drawn = made.json()["password"].as_str().expect("a password").to_owned();
        let seen = root.get(&carol).await.json();
        assert_eq!(seen["email"], "Carol@Example.com");
        assert_eq!(
            (&seen["enabled"], &seen["super_user"], &seen["verified"]),
            (&json!(true), &json!(false), &json!(true))
        );
        Visitor::sign_in(&app, "carol", &drawn).await;

        let again = root.post(USERS, body).await;
        assert_eq!(
            detail(&again),
            (400, json!("Username has already been taken by user and cannot be reused: carol"))
        );
        let org = root.post(USERS, json!({"username": "buynlarge"})).await;
        assert_eq!(
            detail(&org).1,
            "Username has already been taken by an organization and cannot be reused: buynlarge"
        );
        let address = root.post(USERS, json!({"username": "dave", "email": "carol@example.COM"}));
        assert_eq!(detail(&address.await), (400, json!("Email has already been used: carol@example.COM")));
        let name = root.post(USERS, json!({"username": "No!"})).await;
        assert_eq!(
            detail(&name).1,
            "Invalid namespace No!: Namespace must match expression \
             ^([a-z0-9]+(?:[._-][a-z0-9]+)*)$"
        );

        let short = root.put(&carol, json!({"password": "short"})).await;
        assert_eq!(
            detail(&short),
            (400, json!("Invalid password, password must be at least 8 characters and contain no whitespace."))
        );
        let change = json!({"password": "another-one", "email": "c@example.com", "enabled": true});
        let changed = root.put(&carol, change).await;
        assert_eq!(changed.status, 200, "{}", changed.text());
        assert_eq!(changed.json()["email"], "c@example.com");
        assert_eq!(login(&app, "carol", "another-one").await, 200);
        assert_eq!(login(&app, "carol", &drawn).await, 401);
        app.clock.advance_ms(1_000);

        let names = |answer: Value| {
            let users = answer["users"].as_array().expect("a list").clone();
            users.iter().map(|u| u["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        let all = names(root.get(USERS).await.json());
        assert!(all.contains(&"carol".to_owned()) && all.contains(&"disabled".to_owned()));
        assert!(!all.iter().any(|name| name.contains('+') || name == "buynlarge"));
        let enabled = names(root.get(&format!("{USERS}?disabled=false")).await.json());
        assert!(!enabled.contains(&"disabled".to_owned()));

        assert_eq!(root.delete(&carol).await.status, 204);
        assert_eq!(root.delete(&carol).await.status, 404);
        assert_eq!(root.get(&carol).await.status, 404);
        assert_eq!(login(&app, "carol", "another-one").await, 401);
        // a superuser may give the name away again
        assert_eq!(root.post(USERS, json!({"username": "carol"})).await.status, 200);
    }

    async fn a_disabled_user_and_his_robots_open_nothing(engine: Engine) {
        let (app, _) = TestApp::seeded(engine, test_settings()).await;
        let root = Visitor::sign_in(&app, "devtable", "password").await;
        let reader = Visitor::sign_in(&app, "reader", "password").await;
        let token = app_token(&reader).await;
        let robot = reader.put("/api/v1/user/robots/ci", json!({})).await.json();
        let robot = robot["token"].as_str().expect("a secret").to_owned();
        for (user, secret) in [("$app", &token), ("reader+ci", &robot)] {
            assert_eq!(login(&app, user, secret).await, 200, "{user}");
        }
        let path = format!("{USERS}reader");
        let off = root.put(&path, json!({"enabled": false})).await;
        assert_eq!(off.json()["enabled"], false);
        for (user, secret) in [("$app", &token), ("reader+ci", &robot)] {
            assert_eq!(login(&app, user, secret).await, 401, "{user}");
        }
        assert_eq!(login(&app, "reader", "password").await, 401);
        assert_eq!(reader.get("/api/v1/user/apptoken").await.status, 401, "his session has ended");
        assert!(Visitor::try_sign_in(&app, "reader", "password").await.is_err());

        assert_eq!(root.put(&path, json!({"enabled": true})).await.json()["enabled"], true);
        for (user, secret) in [("$app", &token), ("reader+ci", &robot)] {
            assert_eq!(login(&app, user, secret).await, 200, "tokens were suspended: {user}");
        }
        let session = reader.get("/api/v1/user/apptoken").await;
        assert_eq!(session.status, 401, "sessions have ended for good");
    }

    async fn a_new_password_ends_sessions_and_leaves_tokens(engine: Engine) {
        let (app, _) = TestApp::seeded(engine, test_settings()).await;
        let root = Visitor::sign_in(&app, "devtable", "password").await;
        let reader = Visitor::sign_in(&app, "reader", "password").await;
        let token = app_token(&reader).await;
        let changed = root.put(&format!("{USERS}reader"), json!({"password": "another-one"})).await;
        assert_eq!(changed.status, 200);
        assert_eq!(reader.get("/api/v1/user/apptoken").await.status, 401);
        assert_eq!(login(&app, "$app", &token).await, 200);
    }

    async fn a_deleted_user_takes_all_that_is_his_along(engine: Engine) {
        let (app, _) = TestApp::seeded(engine, test_settings()).await;
        let root = Visitor::sign_in(&app, "devtable", "password").await;
        let reader = Visitor::sign_in(&app, "reader", "password").await;
        let token = app_token(&reader).await;
        let robot = reader.put("/api/v1/user/robots/ci", json!({})).await.json();
        let robot = robot["token"].as_str().expect("a secret").to_owned();
        reader.post("/api/v1/organization/", json!({"name": "lonely"})).await;
        assert_eq!(root.delete(&format!("{USERS}reader")).await.status, 204);
        for (user, secret) in [("$app", &token), ("reader+ci", &robot)] {
            assert_eq!(login(&app, user, secret).await, 401, "{user}");
        }
        assert_eq!(reader.get("/api/v1/user/apptoken").await.status, 401);
        assert_eq!(root.get("/api/v1/organization/lonely").await.status, 200, "it stays");

        // his name is not for everybody, and what has it is not he
        let other = Visitor::sign_in(&app, "freshuser", "password").await;
        let taken = other.post("/api/v1/organization/", json!({"name": "reader"})).await;
        assert_eq!(detail(&taken), (400, json!("Username is not available")));
        root.post(USERS, json!({"username": "reader"})).await;
        assert_eq!(login(&app, "$app", &token).await, 401);
        assert_eq!(reader.get("/api/v1/user/apptoken").await.status, 401);
    }

    async fn superusers_are_left_alone_and_others_refused(engine: Engine) {
        let (app, _) = TestApp::seeded(engine, test_settings()).await;
        let root = Visitor::sign_in(&app, "devtable", "password").await;
        let made = root.put(&format!("{USERS}reader"), json!({"superuser": true})).await;
        assert_eq!(made.json()["super_user"], true);
        let reader = Visitor::sign_in(&app, "reader", "password").await;
        assert_eq!(reader.get(USERS).await.status, 200);
        for name in ["devtable", "reader"] {
            let path = format!("{USERS}{name}");
            let change = reader.put(&path, json!({"enabled": false})).await;
            assert_eq!(detail(&change), (400, json!("Cannot update a superuser")));
            let delete = root.delete(&path).await;
            assert_eq!(detail(&delete), (400, json!("Cannot delete a superuser")));
        }
        let before = app.rows().await;
        for (person, status) in [
            (Visitor::sign_in(&app, "freshuser", "password").await, 403),
            (Visitor::stranger(&app).await, 401),
        ] {
            for (method, path, body) in [
                (Method::GET, USERS.to_owned(), None),
                (Method::POST, USERS.to_owned(), Some(json!({"username": "new"}))),
                (Method::GET, format!("{USERS}public"), None),
                (Method::PUT, format!("{USERS}public"), Some(json!({"enabled": false}))),
                (Method::DELETE, format!("{USERS}public"), None),
                (Method::GET, ORGS.to_owned(), None),
                (Method::PUT, format!("{ORGS}titi"), Some(json!({"name": "toto"}))),
                (Method::DELETE, format!("{ORGS}titi"), None),
            ] {
                let request = person.request(&method, &path, body.as_ref());
                let answer = claviger_tests::server::Server::send(&app, request).await;
                assert_eq!(answer.status, status, "{method} {path}");
            }
        }
        assert!(before == app.rows().await, "nothing has changed");
        // who may read everything, may
        let auditor = Visitor::sign_in(&app, "globalreadonlysuperuser", "password").await;
        assert_eq!(auditor.get(USERS).await.status, 200);
        assert_eq!(auditor.delete(&format!("{USERS}public")).await.status, 403);
        for (name, kind) in [("buynlarge", "organisation"), ("devtable+dtrobot", "robot")] {
            assert_eq!(root.get(&format!("{USERS}{name}")).await.status, 404, "{kind}");
            assert_eq!(root.delete(&format!("{USERS}{name}")).await.status, 404, "{kind}");
        }
        app.clock.advance_ms(11 * 60 * 1000);
        assert_eq!(root.get(USERS).await.json()["title"], "fresh_login_required");
    }

    async fn an_organisation_is_renamed_with_all_that_is_in_it(engine: Engine) {
        let (app, _) = TestApp::seeded(engine, test_settings()).await;
        let root = Visitor::sign_in(&app, "devtable", "password").await;
        let owner = Visitor::sign_in(&app, "reader", "password").await;
        owner.post("/api/v1/organization/", json!({"name": "old"})).await;
        let robot = owner.put("/api/v1/organization/old/robots/ci", json!({})).await.json();
        let secret = robot["token"].as_str().expect("a secret").to_owned();
        let repository = json!({
            "namespace": "old", "repository": "app", "visibility": "private", "description": "",
        });
        owner.post("/api/v1/repository", repository).await;

        let taken = root.put(&format!("{ORGS}old"), json!({"name": "titi"})).await;
        assert_eq!(detail(&taken).1, "A user or organization with this name already exists");
        let renamed = root.put(&format!("{ORGS}old"), json!({"name": "new", "email": "n@x"})).await;
        assert_eq!((&renamed.json()["name"], &renamed.json()["email"]), (&json!("new"), &json!("n@x")));
        assert_eq!(owner.get("/api/v1/organization/old").await.status, 404);
        assert_eq!(owner.get("/api/v1/organization/new").await.json()["is_admin"], true);
        assert_eq!(owner.get("/api/v1/repository/new/app").await.status, 200);
        assert_eq!(owner.get("/api/v1/repository/old/app").await.status, 403);
        assert_eq!(login(&app, "new+ci", &secret).await, 200);
        assert_eq!(login(&app, "old+ci", &secret).await, 401);
        // a registry may still hold what lies under the old name
        let again = owner.post("/api/v1/organization/", json!({"name": "old"})).await;
        assert_eq!(detail(&again), (400, json!("Username is not available")));

        let all = root.get(ORGS).await.json();
        let all = all["organizations"].as_array().expect("a list");
        let new = all.iter().find(|org| org["name"] == "new").expect("it is listed");
        assert_eq!(new["avatar"]["kind"], "org");
        assert_eq!(root.delete(&format!("{ORGS}new")).await.status, 204);
        assert_eq!(root.delete(&format!("{ORGS}new")).await.status, 404);
        assert_eq!(login(&app, "new+ci", &secret).await, 401);
    }

    async fn everybody_may_know_that_a_user_is_there(engine: Engine) {
        let (app, _) = TestApp::seeded(engine, test_settings()).await;
        let nobody = Visitor::anonymous(&app);
        let seen = nobody.get("/api/v1/users/reader").await.json();
        assert_eq!((&seen["username"], &seen["anonymous"]), (&json!("reader"), &json!(false)));
        assert!(seen.get("email").is_none() && seen.get("super_user").is_none());
        let reader = Visitor::sign_in(&app, "reader", "password").await;
        let own = reader.get("/api/v1/users/reader").await.json();
        assert_eq!(own, reader.get("/api/v1/user/").await.json());
        let root = Visitor::sign_in(&app, "devtable", "password").await;
        assert_eq!(root.get("/api/v1/users/reader").await.json()["super_user"], false);
        for name in ["buynlarge", "devtable+dtrobot", "nosuch"] {
            let answer = nobody.get(&format!("/api/v1/users/{name}")).await;
            assert_eq!(answer.status, 404);
            assert!(answer.json()["message"].is_string());
        }
    }
}
