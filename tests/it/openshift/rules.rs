//! Who gets in here, what a token of this door opens elsewhere, and what is not shown.

use claviger_service::{
    Settings,
    settings::{RegistryState, Reveal},
};
use claviger_tests::{
    answer::Answer,
    app::TestApp,
    case::jwt,
    openshift::{ALL, PASSWORD, bare, person, with, world, xml::Element},
    scratch::Engine,
    server::Server,
    visitor::Visitor,
};
use http::{Method, Request};
use serde_json::{Value, json};

async fn made(visitor: &Visitor<'_, TestApp>, body: Value) -> Value {
    let answer = visitor.post(ALL, body).await;
    assert!(answer.status.is_success(), "{}", answer.text());
    answer.json()["data"].clone()
}

async fn token(app: &TestApp, scope: &str) -> String {
    let made = made(&person(app, "alice"), json!({ "scope": scope })).await;
    made["token"].as_str().expect("a token").to_owned()
}

async fn count(app: &TestApp, user: &str) -> usize {
    let answer = person(app, user).get(ALL).await;
    answer.json()["data"].as_array().expect("a list").len()
}

claviger_tests::both! {
    async fn scopes_open_the_registry_as_far_as_they_should(engine: Engine) {
        let app = world(engine, Settings::default()).await;
        let alice = Visitor::sign_in(&app, "alice", PASSWORD).await;
        let body = json!({"namespace": "alice", "repository": "app", "visibility": "private",
            "description": ""});
        assert_eq!(alice.post("/api/v1/repository", body).await.status, 201);

        let access = |answer: &Answer| {
            let json = answer.json();
            let claims = jwt::claims(json["token"].as_str().unwrap_or_default());
            claims["access"][0]["actions"].clone()
        };
        let ask = "/v2/auth?service=registry&scope=repository:alice/app:pull,push";
        let domain = "domain/51ed4adbb8c2e70a72000294/admin";
        for (scope, actions) in [
            ("session", json!(["push", "pull"])),
            ("read", json!(["pull"])),
            ("read userinfo", json!(["pull"])),
            ("userinfo", json!([])),
            (domain, json!([])),
            ("sso", json!([])),
        ] {
            let token = token(&app, scope).await;
            let registry = Visitor::basic(&app, "alice", &token);
            let answer = registry.get(ask).await;
            let mut allowed: Vec<String> =
                serde_json::from_value(access(&answer)).unwrap_or_default();
            allowed.sort();
            let mut expected: Vec<String> = serde_json::from_value(actions).expect("words");
            expected.sort();
            assert_eq!(allowed, expected, "{scope}: {}", answer.text());
            let bob = Visitor::basic(&app, "bob", &token).get(ask).await;
            assert_eq!(bob.status, 401, "somebody else's name");
            // revoked here, it opens nothing there
            person(&app, "alice").delete(&format!("{ALL}/{token}")).await;
            assert_eq!(registry.get(ask).await.status, 401, "{scope}");
        }
    }

    async fn the_hole_of_upstream_is_closed(engine: Engine) {
        let app = world(engine, Settings::default()).await;
        token(&app, "session").await;
        let domain = "domain/51ed4adbb8c2e70a72000294/view";
        for scope in [format!("read {domain}"), format!("{domain} userinfo read")] {
            let token = token(&app, &scope).await;
            let bearer = Visitor::bearer(&app, &token);
            assert_eq!(bearer.get(ALL).await.json()["data"], json!([]), "{scope}");
            assert_eq!(bearer.get(&format!("{ALL}/{token}")).await.status, 404, "{scope}");
        }
    }

    async fn a_token_is_no_password_and_no_guess(engine: Engine) {
        let app = world(engine, Settings::default()).await;
        let token = token(&app, "session").await;
        for _ in 0..10 {
            let answer = Visitor::basic(&app, "alice", &token).get(ALL).await;
            assert_eq!(answer.status, 401);
            assert_eq!(answer.header("www-authenticate"), Some("Basic realm=\"Application\""));
        }
        // no request without credentials is a failed login either
        for _ in 0..10 {
            assert_eq!(Visitor::anonymous(&app).get(ALL).await.status, 401);
        }
        assert_eq!(person(&app, "alice").get(ALL).await.status, 200);
        // but a wrong password is
        for _ in 0..4 {
            Visitor::basic(&app, "alice", "wrong").get(ALL).await;
        }
        let slowed = person(&app, "alice").get(ALL).await;
        assert_eq!(slowed.status, 429);
        assert!(slowed.header("retry-after").is_some());
        assert_eq!(Visitor::bearer(&app, &token).get(ALL).await.status, 200);
    }

    async fn another_doors_token_opens_nothing(engine: Engine) {
        let app = world(engine, Settings::default()).await;
        let alice = Visitor::sign_in(&app, "alice", PASSWORD).await;
        let made = alice.post("/api/v1/user/apptoken", json!({"title": "laptop"})).await.json();
        let foreign = made["token"]["token_code"].as_str().expect("a token");
        assert_eq!(Visitor::bearer(&app, foreign).get("/broker/rest/user").await.status, 401);
        let answer = person(&app, "alice").delete(&format!("{ALL}/{foreign}")).await;
        assert_eq!(answer.status, 200, "as for anything that is not there");
        assert_eq!(alice.get("/api/v1/user/apptoken").await.json()["tokens"][0]["uuid"],
            made["token"]["uuid"]);
        // and this door's opens no other
        let session = token(&app, "session").await;
        assert_eq!(Visitor::bearer(&app, &session).get("/api/v1/user/").await.status, 401);
    }

    async fn another_site_changes_nothing(engine: Engine) {
        let app = world(engine, Settings::default()).await;
        let token = token(&app, "session").await;
        let alice = person(&app, "alice");
        let evil = [("origin", "https://evil.example")];
        for (method, path, over) in [
            (Method::POST, ALL, ""),
            (Method::DELETE, ALL, ""),
            (Method::POST, ALL, "DELETE"),
            (Method::POST, &format!("{ALL}/{token}"), "DELETE"),
            (Method::POST, &format!("{ALL}/{token}"), "PUT"),
        ] {
            for sign in [evil, [("sec-fetch-site", "same-site")]] {
                let headers = [("x-http-method-override", over), sign[0]];
                let request = bare(&alice, &method, path);
                let answer = with(&app, request, &headers).await;
                assert_eq!(answer.status, 403, "{method} {path} {over} {sign:?}");
            }
        }
        // a GET never stands for anything else
        let over = [("x-http-method-override", "DELETE")];
        let get = with(&app, bare(&alice, &Method::GET, ALL), &over).await;
        assert_eq!((get.status.as_u16(), count(&app, "alice").await), (200, 1));
        let query = format!("{ALL}?_method=DELETE");
        assert_eq!(alice.send(Method::POST, &query, None, Vec::new()).await.status, 201);
        // scripts that bring a token themselves may
        let bearer = Visitor::bearer(&app, &token);
        let answer = with(&app, bare(&bearer, &Method::POST, ALL), &evil).await;
        assert_eq!(answer.status, 201);
        assert!(answer.header("access-control-allow-origin").is_none());
    }

    async fn a_form_can_stand_for_another_method(engine: Engine) {
        let app = world(engine, Settings::default()).await;
        let token = token(&app, "session").await;
        let alice = person(&app, "alice");
        let one = format!("{ALL}/{token}");
        let changed = alice.form(&one, "_method=put&note=formed").await;
        assert_eq!(changed.json()["data"]["note"], "formed", "{}", changed.text());
        assert_eq!(alice.form(&one, "note=x").await.status, 404);
        assert_eq!(alice.form(&one, "_method=get").await.status, 404);
        assert_eq!(alice.form(&one, "_method=delete").await.status, 200);
        assert_eq!(count(&app, "alice").await, 0);
    }

    async fn secrets_are_shown_again_as_the_settings_say(engine: Engine) {
        for (reveal, by_password, by_token) in
            [(Reveal::All, true, true), (Reveal::Fresh, true, false), (Reveal::None, false, false)]
        {
            let mut settings = Settings::default();
            settings.tokens.reveal = reveal;
            let app = world(engine, settings).await;
            let alice = person(&app, "alice");
            let made = made(&alice, json!({"scope": "session"})).await;
            let token = made["token"].as_str().expect("it is shown once");
            let bearer = Visitor::bearer(&app, token);
            for (visitor, shown) in [(&alice, by_password), (&bearer, by_token)] {
                let list = visitor.get(ALL).await;
                assert_eq!(list.header("cache-control"), Some("no-store"));
                assert_eq!(list.json()["data"][0]["token"] == made["token"], shown, "{reveal:?}");
                let again = visitor.post(ALL, json!({"scope": "session", "reuse": true})).await;
                assert_eq!(again.status == 200, shown, "{reveal:?}");
                assert!(again.json()["data"]["token"].is_string());
            }
        }
    }

    async fn an_expired_one_is_found_without_its_secret(engine: Engine) {
        let app = world(engine, Settings::default()).await;
        let alice = person(&app, "alice");
        let made = made(&alice, json!({"scope": "session", "expires_in": 10})).await;
        let token = made["token"].as_str().expect("a token");
        app.clock.advance_ms(9_999);
        assert_eq!(Visitor::bearer(&app, token).get(ALL).await.status, 200);
        app.clock.advance_ms(1);
        assert_eq!(Visitor::bearer(&app, token).get(ALL).await.status, 401);
        assert_eq!(count(&app, "alice").await, 0);
        let found = alice.get(&format!("{ALL}/{token}")).await.json()["data"].clone();
        assert_eq!((&found["id"], &found["token"]), (&made["id"], &Value::Null));
        assert_eq!(found["expires_in_seconds"], 0);
    }

    async fn nothing_changes_while_the_system_is_read_only(engine: Engine) {
        let mut settings = Settings::default();
        let app = world(engine, settings.clone()).await;
        let token = token(&app, "session").await;
        settings.quay.registry_state = RegistryState::Readonly;
        let beside = app.beside(settings);
        let site = claviger_http::doors::site(
            &beside,
            std::sync::Arc::new(claviger_tests::stands::SeededChance::new(9)),
            &std::sync::Arc::default(),
        );
        for (method, path) in [(Method::POST, ALL), (Method::DELETE, ALL), (Method::GET, ALL)] {
            let request = Request::builder().method(&method).uri(path);
            let request = request.header("authorization", format!("Bearer {token}"));
            let answer = site.answer(None, request.body(axum::body::Body::empty()).unwrap()).await;
            let expected = if method == Method::GET { 200 } else { 503 };
            assert_eq!(answer.status(), expected, "{method}");
        }
        beside.close();
        assert_eq!(count(&app, "alice").await, 1);
    }

    async fn what_a_user_writes_stays_text_in_xml(engine: Engine) {
        let app = world(engine, Settings::default()).await;
        let alice = person(&app, "alice");
        let note = "</note><id>x</id>&amp;\"'\u{1}<!--";
        made(&alice, json!({ "note": note })).await;
        let answer = alice.get(&format!("{ALL}.xml")).await;
        let root = Element::parse(&answer.text());
        let shown = root.all("data/authorization/note");
        assert_eq!(shown[0].text, note.replace('\u{1}', "\u{fffd}"));
        let echoed = alice.delete(&format!("{ALL}/%3Cid%3E%00.xml")).await;
        let root = Element::parse(&echoed.text());
        let said = root.all("messages/message/text");
        assert_eq!(said[0].text, "Authorization <id>\u{fffd} is revoked.");
    }

    async fn what_cannot_be_used_is_refused_and_changes_nothing(engine: Engine) {
        let app = world(engine, Settings::default()).await;
        let alice = person(&app, "alice");
        let long = "\u{e4}".repeat(4097);
        for (body, status, field) in [
            (json!({ "note": long }), 422, json!("note")),
            (json!({ "note": "a\0b" }), 422, json!("note")),
            (json!({ "note": ["a"] }), 422, json!("note")),
            (json!({ "scope": {"a": 1} }), 422, json!("scopes")),
            (json!({ "nolinks": "maybe" }), 422, Value::Null),
        ] {
            let answer = alice.post(ALL, body.clone()).await;
            assert_eq!(answer.status.as_u16(), status, "{body}");
            assert_eq!(answer.json()["messages"][0]["field"], field, "{body}");
        }
        let text = "Only valid UTF-8 encoded inputs are accepted";
        for path in [format!("{ALL}?note=%ff"), format!("{ALL}/%ff")] {
            let answer = alice.get(&path).await;
            assert_eq!((answer.status.as_u16(), &answer.json()["messages"][0]["text"]),
                (400, &json!(text)), "{path}");
        }
        // a scope that is no text must not end everything
        made(&alice, json!({})).await;
        let body = json!({"scope": ["read"]}).to_string().into_bytes();
        let answer = alice.send(Method::DELETE, ALL, Some("application/json"), body).await;
        assert_eq!(answer.status, 422);
        assert_eq!(count(&app, "alice").await, 1);
    }

    async fn everything_is_in_the_audit(engine: Engine) {
        use claviger_store::{Query, Stmt};
        const ROWS: Stmt = Stmt::same(
            "SELECT act, object_name FROM audit WHERE door = 'openshift' ORDER BY seq");
        let app = world(engine, Settings::default()).await;
        let alice = person(&app, "alice");
        let made = made(&alice, json!({"note": "a", "scope": "session"})).await;
        let one = format!("{ALL}/{}", made["id"].as_str().expect("an id"));
        alice.put(&one, json!({"note": "b"})).await;
        alice.get(ALL).await;
        alice.delete(&one).await;
        alice.delete(&one).await;
        let rows = app.db.read(|q: &mut dyn Query| Ok(q.all(&ROWS, &[])?)).await.expect("rows");
        let rows: Vec<_> = rows
            .iter()
            .map(|row| format!("{} {}", row.text(0).unwrap(), row.text(1).unwrap()))
            .collect();
        assert_eq!(rows, [
            "create_authorization a",
            "change_authorization b",
            "show_authorizations alice",
            "show_authorizations alice",
            "revoke_authorization b",
        ]);
    }
}

#[tokio::test]
async fn the_entry_point_is_found_and_other_paths_are_not() {
    let app = world(Engine::Sqlite, Settings::default()).await;
    let nobody = Visitor::anonymous(&app);
    let moved = nobody.get("/broker/rest").await;
    assert_eq!(moved.status, 301);
    assert_eq!(moved.header("location"), Some("http://127.0.0.1:8080/broker/rest/api"));
    let request = Request::get("/broker/rest/api").header("host", "evil.example");
    let answer = app.send(request.body(Vec::new()).expect("a request")).await;
    assert!(!answer.text().contains("evil"), "the Host header is nobody's URL");
    for path in ["/broker/rest/nope", "/broker/rest/user/authorization", "/broker/rest/api/x"] {
        let answer = nobody.get(path).await;
        assert_eq!(answer.status, 404, "{path}");
        assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"), "{path}");
    }
}
