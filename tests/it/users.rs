//! Users make themselves, and change what they are.

use std::sync::Arc;

use claviger_domain::{Error, name::Namespace};
use claviger_http::{doors, metrics::Metrics};
use claviger_service::{Settings, settings::RegistryState};
use claviger_store::{Stmt, Tx};
use claviger_tests::{
    app::TestApp,
    case::{seed, settings},
    scratch::Engine,
    server::Server,
    stands::SeededChance,
    visitor::Visitor,
};
use http::Method;
use serde_json::{Map, Value, json};

const USER: &str = "/api/v1/user/";
const INITIALIZE: &str = "/api/v1/user/initialize";
const TOKENS: &str = "/api/v1/user/apptoken";
const REFRESH: &str = "/v2/auth?service=localhost:5000&offline_token=true";

fn test_settings() -> Settings {
    settings::of(&Map::new(), &seed::read())
}

fn without_mail() -> Settings {
    let mut settings = test_settings();
    settings.quay.feature_mailing = false;
    settings
}

fn person(name: &str) -> Value {
    json!({"username": name, "password": "password1", "email": format!("{name}@example.com")})
}

/// Whether the registry gives a token for this refresh token.
async fn refreshes(app: &TestApp, token: &str) -> bool {
    let form = format!("grant_type=refresh_token&service=localhost:5000&refresh_token={token}");
    Visitor::anonymous(app).form("/v2/auth", &form).await.status == 200
}

/// A store that nobody has made a user in yet.
async fn without_users(engine: Engine) -> TestApp {
    let mut settings = without_mail();
    settings.quay.feature_user_initialize = true;
    let app = TestApp::empty(engine, settings).await;
    let nobody = |tx: &mut Tx<'_>| {
        tx.execute(&Stmt::same("DELETE FROM principal"), &[])?;
        Ok::<_, Error>(())
    };
    app.db.write(nobody).await.unwrap();
    app
}

claviger_tests::both! {
    async fn who_makes_himself_a_user_is_signed_in_where_no_mail_goes_out(engine: Engine) {
        let app = TestApp::empty(engine, without_mail()).await;
        let stranger = Visitor::stranger(&app).await;
        let made = stranger.post(USER, person("newcomer")).await;
        assert_eq!(made.status, 200, "{}", made.text());
        assert_eq!(made.json()["username"], "newcomer");
        assert_eq!(made.json()["email"], "newcomer@example.com");
        assert!(made.cookie().is_some() && made.header("x-next-csrf-token").is_some());
        let user = Visitor::sign_in(&app, "NEWCOMER@example.com", "password1").await;
        assert_eq!(user.get(USER).await.json()["verified"], true);

        for (body, detail) in [
            (person("newcomer"), "The username already exists"),
            (
                json!({"username": "other", "password": "password1", "email": "newcomer@EXAMPLE.com"}),
                "Email has already been used",
            ),
            (json!({"username": "other", "password": "password1", "email": "x"}), "Invalid email address: x"),
            (
                json!({"username": "x", "password": "password1"}),
                "Invalid namespace x: Namespace must be between 2 and 255 characters in length",
            ),
            (person("devtable"), "Username is not available"),
            (person("globalreadonlysuperuser"), "Username is not available"),
        ] {
            let answer = stranger.post(USER, body).await;
            assert_eq!(answer.status, 400);
            assert_eq!(answer.json()["detail"], detail);
        }
        let nameless = json!({"username": "nameless", "password": "password1"});
        assert_eq!(stranger.post(USER, nameless).await.status, 200, "an address is optional");
    }

    async fn nobody_makes_himself_a_user_where_that_is_off(engine: Engine) {
        let mut settings = without_mail();
        settings.quay.feature_user_creation = false;
        let app = TestApp::empty(engine, settings).await;
        let answer = Visitor::stranger(&app).await.post(USER, person("newcomer")).await;
        assert_eq!(answer.status, 404);
        assert_eq!(Visitor::stranger(&app).await.post(INITIALIZE, person("x1")).await.status, 404);
    }

    async fn another_password_ends_what_was_born_of_the_former(engine: Engine) {
        let app = TestApp::empty(engine, without_mail()).await;
        let here = Visitor::sign_in(&app, "admin", "password").await;
        let there = Visitor::sign_in(&app, "admin", "password").await;
        let made = here.post(TOKENS, json!({"title": "x"})).await.json();
        let code = made["token"]["token_code"].as_str().unwrap().to_owned();
        let by_password = Visitor::basic(&app, "admin", "password").get(REFRESH).await.json();
        let by_token = Visitor::basic(&app, "$app", &code).get(REFRESH).await.json();
        let refresh = |answer: &Value| answer["refresh_token"].as_str().unwrap().to_owned();
        let (by_password, by_token) = (refresh(&by_password), refresh(&by_token));
        assert!(refreshes(&app, &by_password).await && refreshes(&app, &by_token).await);

        for (bad, detail) in [
            ("short", "Invalid password, password must be at least 8 characters and contain no whitespace."),
            (code.as_str(), "`password` must not be a token"),
        ] {
            let refused = here.put(USER, json!({ "password": bad })).await;
            assert_eq!(refused.status, 400);
            assert_eq!(refused.json()["detail"], detail);
        }
        let changed = here.put(USER, json!({"password": "another-password"})).await;
        assert_eq!(changed.status, 200, "{}", changed.text());
        let cookie = changed.cookie().expect("a new session");
        assert_eq!(here.get(USER).await.status, 401);
        assert_eq!(there.get(USER).await.status, 401);
        let request = Visitor::anonymous(&app).request(&Method::GET, USER, None);
        let (mut head, body) = request.into_parts();
        head.headers.insert("cookie", cookie.parse().unwrap());
        assert_eq!(app.send(http::Request::from_parts(head, body)).await.status, 200);
        assert!(!refreshes(&app, &by_password).await);
        assert!(refreshes(&app, &by_token).await, "it stands for a token of its own");
        assert_eq!(Visitor::basic(&app, "$app", &code).get(REFRESH).await.status, 200);
        Visitor::sign_in(&app, "admin", "another-password").await;
        assert!(Visitor::try_sign_in(&app, "admin", "password").await.is_err());
    }

    async fn a_user_changes_what_he_says_of_himself(engine: Engine) {
        let app = TestApp::empty(engine, without_mail()).await;
        let user = Visitor::sign_in(&app, "admin", "password").await;
        let change = json!({"email": "a@example.com", "company": "ACME", "location": null,
            "tag_expiration_s": 86_400, "username": "somebody-else"});
        let changed = user.put(USER, change).await;
        assert_eq!(changed.status, 200, "{}", changed.text());
        let shown = user.get(USER).await.json();
        assert_eq!((&shown["email"], &shown["company"]), (&json!("a@example.com"), &json!("ACME")));
        assert_eq!((&shown["tag_expiration_s"], &shown["location"]), (&json!(86_400), &json!(null)));
        assert_eq!(shown["username"], "admin");
        assert_eq!(user.put(USER, json!({"company": null})).await.json()["company"], json!(null));
        assert_eq!(user.get(USER).await.json()["tag_expiration_s"], 86_400, "the rest stays");
        for bad in [json!({"tag_expiration_s": 1}), json!({"email": "x"}), json!({"company": "x".repeat(256)})] {
            assert_eq!(user.put(USER, bad).await.status, 400);
        }
        app.clock.advance_ms(601_000);
        let stale = user.put(USER, json!({"company": "x"})).await;
        assert_eq!(stale.json()["error_type"], "fresh_login_required");
    }

    async fn what_takes_rights_away_works_in_read_only_state(engine: Engine) {
        let (app, _) = TestApp::seeded(engine, test_settings()).await;
        let superuser = Visitor::sign_in(&app, "devtable", "password").await.kept();
        let user = Visitor::sign_in(&app, "freshuser", "password").await.kept();
        let mut settings = test_settings();
        settings.quay.registry_state = RegistryState::Readonly;
        let beside = app.beside(settings);
        let chance = Arc::new(SeededChance::new(4));
        let read_only = doors::site(&beside, chance, &Arc::<Metrics>::default());
        let superuser = Visitor::again(&read_only, &superuser);
        let reader = "/api/v1/superuser/users/reader";
        for change in [json!({"enabled": true}), json!({"enabled": false, "email": "x@y"}), json!({})] {
            assert_eq!(superuser.put(reader, change).await.status, 503);
        }
        let disabled = superuser.put(reader, json!({"enabled": false})).await;
        assert_eq!(disabled.status, 200, "{}", disabled.text());
        let user = Visitor::again(&read_only, &user);
        assert_eq!(user.post(TOKENS, json!({"title": "x"})).await.status, 503);
        assert_eq!(user.post("/api/v1/signout", json!({})).await.status, 200);
        assert_eq!(user.get(USER).await.status, 401);
        beside.close();
    }

    async fn an_empty_store_takes_its_first_user_from_this_machine_once(engine: Engine) {
        let app = without_users(engine).await;
        let anonymous = Visitor::anonymous(&app);
        let first = json!({"username": "quayadmin", "password": "password1",
            "email": "quayadmin@example.com", "access_token": true});
        for (name, value) in [
            ("x-forwarded-for", "127.0.0.1"),
            ("forwarded", "for=127.0.0.1"),
            ("via", "1.1 proxy"),
            ("origin", "https://evil.example"),
            ("sec-fetch-site", "cross-site"),
        ] {
            let mut request = anonymous.request(&Method::POST, INITIALIZE, Some(&first));
            request.headers_mut().insert(name, value.parse().unwrap());
            assert_eq!(app.send(request).await.status, 403, "{name}");
        }
        let short = anonymous.post(INITIALIZE, json!({"username": "a", "password": "b"})).await;
        assert_eq!(short.status, 400);
        let text = short.json()["message"].as_str().unwrap().to_owned();
        assert!(text.starts_with("Failed to initialize user: Invalid password"), "{text}");

        let made = anonymous.post(INITIALIZE, first.clone()).await;
        assert_eq!(made.status, 200, "{}", made.text());
        assert_eq!(made.header("cache-control"), Some("no-store"));
        assert!(made.cookie().is_some() && made.header("x-next-csrf-token").is_some());
        let reply = made.json();
        assert_eq!(reply["encrypted_password"], Value::Null);
        let bearer = Visitor::bearer(&app, reply["access_token"].as_str().unwrap());
        let user = bearer.get(USER).await.json();
        assert_eq!((&user["username"], &user["super_user"]), (&json!("quayadmin"), &json!(true)));
        let grants = bearer.get("/api/v1/user/authorizations").await.json();
        assert_eq!(grants["authorizations"].as_array().unwrap().len(), 1, "he finds it again");

        let again = anonymous.post(INITIALIZE, person("second")).await;
        assert_eq!(again.status, 400);
        assert_eq!(again.json()["message"], "Cannot initialize user in a non-empty database");
    }

    async fn of_many_first_users_one_wins(engine: Engine) {
        let app = without_users(engine).await;
        let one = |n: usize| {
            let name: Namespace = format!("first{n}").parse().unwrap();
            person(name.as_str())
        };
        let visitor = Visitor::anonymous(&app);
        let (a, b, c, d) = tokio::join!(
            visitor.post(INITIALIZE, one(1)),
            visitor.post(INITIALIZE, one(2)),
            visitor.post(INITIALIZE, one(3)),
            visitor.post(INITIALIZE, one(4)),
        );
        let won = [a, b, c, d].iter().filter(|answer| answer.status == 200).count();
        assert_eq!(won, 1);
    }
}
