//! Rotation with overlap: two secrets for a while, and proof that the old one is quiet.

use claviger_tests::{app::TestApp, visitor::Visitor};
use serde_json::{Value, json};

use super::{
    code, test_settings,
    tokens::{TOKENS, app_token, authorization, filtered, login},
};

const HOUR_MS: i64 = 3_600_000;

fn secret(answer: &claviger_tests::answer::Answer) -> String {
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    answer.json()["secret"].as_str().expect("a secret").to_owned()
}

claviger_tests::both! {
    async fn both_secrets_open_until_the_old_one_ends(engine: Engine) {
        let (app, _) = TestApp::seeded(engine, test_settings()).await;
        let fresh = Visitor::sign_in(&app, "freshuser", "password").await;
        let (id, old) = app_token(&fresh, "ci").await;
        assert_eq!(login(&app, "$app", &old).await, 200);
        app.clock.advance_ms(HOUR_MS);
        let fresh = Visitor::sign_in(&app, "freshuser", "password").await;
        let path = format!("{TOKENS}/{id}");
        let rotated = fresh.post(&format!("{path}:rotate"), json!({})).await;
        let new = secret(&rotated);
        assert_ne!(old, new);
        assert_eq!(rotated.json()["token"]["secrets"][1]["validUntil"], "2026-11-23T06:11:11.000000Z");
        let again = fresh.get(&format!("/api/v1/user/apptoken/{id}")).await.json();
        assert_eq!(again["token"]["token_code"], new.as_str(), "its door shows the newest");

        app.clock.advance_ms(HOUR_MS);
        assert_eq!(login(&app, "$app", &new).await, 200);
        let shown = fresh.get(&path).await;
        assert!(!shown.text().contains(&new) && !shown.text().contains(&old));
        assert_eq!(shown.json()["secrets"], json!([
            {"created": "2026-11-22T06:11:11.000000Z", "validUntil": null,
             "lastUsed": "2026-11-22T07:11:11.000000Z", "lastUsedAddress": "127.0.0.1"},
            {"created": "2026-11-22T05:11:11.000000Z", "validUntil": "2026-11-23T06:11:11.000000Z",
             "lastUsed": "2026-11-22T05:11:11.000000Z", "lastUsedAddress": "127.0.0.1"},
        ]), "one sees that the old one is quiet");
        assert_eq!(login(&app, "$app", &old).await, 200);
        let fresh = Visitor::sign_in(&app, "freshuser", "password").await;
        assert_eq!(code(&fresh.post(&format!("{path}:rotate"), json!({})).await), "conflict");

        app.clock.advance_ms(23 * HOUR_MS - 1);
        assert_eq!(login(&app, "$app", &old).await, 200);
        app.clock.advance_ms(1);
        assert_eq!(login(&app, "$app", &old).await, 401, "its grace is over");
        assert_eq!(login(&app, "$app", &new).await, 200);
        let secrets = fresh.get(&path).await.json()["secrets"].clone();
        assert_eq!(secrets.as_array().map(Vec::len), Some(1));
    }

    async fn an_old_secret_is_cut_at_once(engine: Engine) {
        let (app, _) = TestApp::seeded(engine, test_settings()).await;
        let fresh = Visitor::sign_in(&app, "freshuser", "password").await;
        let openshift = Visitor::basic(&app, "freshuser", "password");
        let (id, first) = authorization(&openshift, "laptop").await;
        let path = format!("{TOKENS}/{id}");
        let user = "/broker/rest/user";
        assert_eq!(Visitor::bearer(&app, &first).get(user).await.status, 200);
        let second = secret(&fresh.post(&format!("{path}:rotate"), json!({"grace": "1h"})).await);
        assert_eq!(Visitor::bearer(&app, &first).get(user).await.status, 200);
        let listed = openshift.get("/broker/rest/user/authorizations").await.json();
        assert_eq!(listed["data"].as_array().map(Vec::len), Some(1), "one token, not two: {listed}");
        assert_eq!(listed["data"][0]["token"], second.as_str());
        let by_old = openshift.get(&format!("/broker/rest/user/authorization/{first}")).await.json();
        assert_eq!(by_old["data"]["token"], second.as_str());

        let cut = fresh.post(&format!("{path}:cut"), json!({})).await;
        assert_eq!(cut.status, 200, "{}", cut.text());
        assert_eq!(cut.json()["secrets"].as_array().map(Vec::len), Some(1));
        assert_eq!(Visitor::bearer(&app, &first).get(user).await.status, 401, "at once");
        assert_eq!(Visitor::bearer(&app, &second).get(user).await.status, 200);

        // a leak during a rotation: both end
        let third = secret(&fresh.post(&format!("{path}:rotate"), json!({"grace": 3600})).await);
        let fourth = secret(&fresh.post(&format!("{path}:rotate"), json!({"grace": 0})).await);
        for dead in [&first, &second, &third] {
            assert_eq!(Visitor::bearer(&app, dead).get(user).await.status, 401);
        }
        assert_eq!(Visitor::bearer(&app, &fourth).get(user).await.status, 200);
        assert_eq!(fresh.delete(&path).await.status, 204);
        assert_eq!(Visitor::bearer(&app, &fourth).get(user).await.status, 401);
        assert_eq!(code(&fresh.post(&format!("{path}:rotate"), json!({})).await), "conflict");
    }

    async fn a_new_secret_is_for_who_may_make_such_a_token(engine: Engine) {
        let (app, secrets) = TestApp::seeded(engine, test_settings()).await;
        let admin = Visitor::sign_in(&app, "devtable", "password").await;
        let fresh = Visitor::sign_in(&app, "freshuser", "password").await;
        let (his, _) = app_token(&fresh, "his").await;
        let path = format!("{TOKENS}/{his}:rotate");
        assert_eq!(code(&admin.post(&path, json!({})).await), "forbidden", "a superuser is not he");
        let stranger = Visitor::sign_in(&app, "reader", "password").await;
        assert_eq!(code(&stranger.post(&path, json!({})).await), "not_found");

        // a token gets no more than itself
        let weak = Visitor::bearer(&app, &secrets.ours("tdevuadminxxxxxxxxxxSnimdauved9999999999"));
        let (mine, _) = app_token(&admin, "mine").await;
        assert_eq!(code(&weak.post(&format!("{TOKENS}/{mine}:rotate"), json!({})).await), "forbidden");
        let me = weak.get("/claviger/v1/whoami").await.json()["credential"]["id"].clone();
        let me = format!("{TOKENS}/{}:rotate", me.as_str().expect("an id"));
        let new = secret(&weak.post(&me, json!({})).await);
        assert_eq!(Visitor::bearer(&app, &new).get("/claviger/v1/whoami").await.status, 200);

        // robots are rotated by who administers their home
        fresh.put("/api/v1/user/robots/mine", json!({})).await;
        let robots = fresh.get(&filtered("name eq 'freshuser+mine'")).await.json();
        let robot = format!("{TOKENS}/{}:rotate", robots["items"][0]["id"].as_str().expect("an id"));
        let new = secret(&fresh.post(&robot, json!({})).await);
        assert_eq!(login(&app, "freshuser+mine", &new).await, 200);
        let shown = fresh.get("/api/v1/user/robots/mine").await.json();
        assert_eq!(shown["token"], new.as_str());
        let all = fresh.get("/api/v1/user/robots").await.json();
        let found = |robot: &&Value| robot["name"] == "freshuser+mine";
        let listed = all["robots"].as_array().expect("robots").iter().filter(found).count();
        assert_eq!(listed, 1);

        for (body, pointer) in [
            (json!({"grace": "31d"}), "#/grace"),
            (json!({"grace": -1}), "#/grace"),
            (json!({"grace": "soon"}), "#/grace"),
            (json!({"for": 1}), "#/for"),
        ] {
            let refused = admin.post(&format!("{TOKENS}/{mine}:rotate"), body).await;
            assert_eq!((code(&refused), &refused.json()["errors"][0]["pointer"]), ("invalid".to_owned(), &json!(pointer)));
        }
        app.clock.advance_ms(11 * 60_000);
        let stale = admin.post(&format!("{TOKENS}/{mine}:rotate"), json!({})).await;
        assert_eq!(code(&stale), "fresh_sign_in_required");
    }
}
