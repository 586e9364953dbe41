//! A token of every kind: listed, rotated and ended here, and felt at its own door at once.

use claviger_service::program::{Mint, ProgramToken};
use claviger_store::audit::Actor;
use claviger_tests::{app::TestApp, case::seed, visitor::Visitor};
use serde_json::{Value, json};

use super::{
    test_settings,
    tokens::{TOKENS, app_token, authorization, filtered, login, raise},
};

const LOGIN: &str = "/v2/auth?service=localhost:5000&offline_token=true";

/// What the door of its kind answers to a secret.
async fn at_its_door(app: &TestApp, kind: &str, secret: &str) -> u16 {
    let bearer = Visitor::bearer(app, secret);
    let answer = match kind {
        "app" => return login(app, "$app", secret).await,
        "robot" => return login(app, "freshuser+kinds", secret).await,
        "oauth" => bearer.get("/api/v1/user/").await,
        "authorization" => bearer.get("/broker/rest/user").await,
        "api" => bearer.get("/accounts").await,
        _ => {
            let form = format!("grant_type=refresh_token&client_id=x&refresh_token={secret}");
            Visitor::anonymous(app).form("/v2/auth", &form).await
        }
    };
    answer.status.as_u16()
}

async fn api_token(app: &TestApp, user: &str) -> String {
    let wish = ProgramToken {
        user: user.to_owned(),
        mint: Mint::Api,
        name: "kinds".parse().expect("a name"),
        life: None,
    };
    let program = Actor::program("tests".to_owned());
    app.app.program_create_token(wish, program).await.expect("a token").expose().to_owned()
}

claviger_tests::both! {
    async fn every_kind_is_listed_rotated_and_ended_here_and_its_door_feels_it_at_once(engine: Engine) {
        let (app, secrets) = TestApp::seeded(engine, test_settings()).await;
        let alice = Visitor::sign_in(&app, "freshuser", "password").await;
        let by_password = Visitor::basic(&app, "freshuser", "password");
        // without a role the Astra door shows nothing
        raise(&app, &alice, "member").await;
        let text = |value: &Value| value.as_str().expect("a secret").to_owned();
        let seed = seed::read();
        let mut oauth = seed["oauth_tokens"].as_array().expect("tokens").iter();
        let oauth = oauth.find(|token| token["label"] == "freshuadmin").expect("a token");
        let robot = alice.put("/api/v1/user/robots/kinds", json!({})).await.json();
        let of_kinds = [
            ("app", app_token(&alice, "kinds").await.1),
            ("oauth", secrets.ours(&text(&oauth["token"]))),
            ("authorization", authorization(&by_password, "kinds").await.1),
            ("api", api_token(&app, "freshuser").await),
            ("robot", text(&robot["token"])),
            ("refresh", text(&by_password.get(LOGIN).await.json()["refresh_token"])),
        ];
        for (kind, secret) in &of_kinds {
            assert_eq!(at_its_door(&app, kind, secret).await, 200, "{kind}");
            let filter = format!("kind eq '{kind}',state eq 'live',principal.name in 'freshuser'");
            let found = alice.get(&filtered(&filter)).await.json();
            let used = |token: &&Value| token["lastUsed"] == "2026-11-22T05:11:11.000000Z";
            let token = found["items"].as_array().expect("items").iter().find(used);
            let token = token.unwrap_or_else(|| panic!("{kind}: {found}"));
            assert!(!found.to_string().contains(secret), "never a secret");
            let path = format!("{TOKENS}/{}", text(&token["id"]));

            let rotated = alice.post(&format!("{path}:rotate"), json!({})).await;
            let mut all = vec![secret.clone()];
            if *kind == "refresh" {
                assert_eq!(rotated.status, 409, "clients keep the first");
            } else {
                assert_eq!(rotated.status, 200, "{kind}: {}", rotated.text());
                let new = text(&rotated.json()["secret"]);
                for opens in [secret, &new] {
                    assert_eq!(at_its_door(&app, kind, opens).await, 200, "{kind}");
                }
                let cut = alice.post(&format!("{path}:cut"), json!({})).await;
                assert_eq!(cut.status, 200, "{kind}: {}", cut.text());
                assert_eq!(at_its_door(&app, kind, secret).await, 401, "{kind}: the old one");
                assert_eq!(at_its_door(&app, kind, &new).await, 200, "{kind}: the new one");
                all.push(new);
            }
            assert_eq!(alice.delete(&path).await.status, 204, "{kind}");
            for dead in &all {
                assert_eq!(at_its_door(&app, kind, dead).await, 401, "{kind}: at once");
            }
            assert_eq!(alice.get(&path).await.json()["state"], "revoked", "{kind}");
        }
    }

    async fn whoever_ends_a_token_is_told_until_when_registries_take_what_they_have(engine: Engine) {
        // five minutes that registry tokens live, and a minute of leeway
        const UNTIL: &str = "2026-11-22T05:17:11.000000Z";
        const HEADER: &str = "claviger-registry-tokens-until";
        let (app, _) = TestApp::seeded(engine, test_settings()).await;
        let alice = Visitor::sign_in(&app, "freshuser", "password").await;
        let by_password = Visitor::basic(&app, "freshuser", "password");
        let one = async |title: &str| format!("{TOKENS}/{}", app_token(&alice, title).await.0);
        let opens = one("a").await;
        assert_eq!(alice.delete(&opens).await.header(HEADER), Some(UNTIL));
        assert_eq!(alice.delete(&opens).await.header(HEADER), None, "it had ended");
        let other = one("b").await;
        let path = |verb: &str| format!("{other}:{verb}");
        let kept = alice.post(&path("rotate"), json!({"grace": "1h"})).await;
        assert_eq!((kept.header(HEADER), &kept.json()["registryTokensUntil"]), (None, &Value::Null));
        let cut = alice.post(&path("cut"), json!({})).await;
        assert_eq!(cut.header(HEADER), Some(UNTIL));
        assert_eq!(alice.post(&path("cut"), json!({})).await.header(HEADER), None, "nothing was left");
        let leaked = alice.post(&path("rotate"), json!({"grace": 0})).await;
        assert_eq!(leaked.json()["registryTokensUntil"], UNTIL);
        let revoke = async |dry: bool| {
            let body = json!({"filter": "name eq 'b',principal.name eq 'freshuser'", "dryRun": dry});
            alice.post("/claviger/v1/tokens:revoke", body).await.json()["registryTokensUntil"].clone()
        };
        assert_eq!(revoke(true).await, Value::Null, "nothing has ended");
        assert_eq!(revoke(false).await, UNTIL);
        let body = json!({"scope": "userinfo", "note": "identity alone"});
        let made = by_password.post("/broker/rest/user/authorizations", body).await;
        assert!(made.status.is_success(), "{}", made.text());
        let body = json!({"filter": "name eq 'identity alone'"});
        let ended = alice.post("/claviger/v1/tokens:revoke", body).await;
        assert_eq!((&ended.json()["matched"], ended.header(HEADER)), (&json!(1), None));
    }

    async fn more_than_a_hundred_end_only_for_who_says_how_many(engine: Engine) {
        let (app, _) = TestApp::seeded(engine, test_settings()).await;
        let alice = Visitor::sign_in(&app, "freshuser", "password").await;
        let mut secret = String::new();
        for _ in 0..101 {
            secret = app_token(&alice, "many").await.1;
        }
        let revoke = async |more: Value| {
            let mut body = json!({"filter": "name eq 'many'"});
            body.as_object_mut().expect("members").extend(more.as_object().expect("members").clone());
            alice.post("/claviger/v1/tokens:revoke", body).await
        };
        let dry = revoke(json!({"dryRun": true})).await.json();
        assert_eq!((&dry["matched"], dry["items"].as_array().map(Vec::len)), (&json!(101), Some(101)));
        for refused in [revoke(json!({})).await, revoke(json!({"cap": 100})).await] {
            assert_eq!((refused.status.as_u16(), &refused.json()["code"]), (409, &json!("cap_exceeded")));
        }
        assert_eq!(login(&app, "$app", &secret).await, 200, "none has ended");
        assert_eq!(revoke(json!({"cap": 101})).await.json()["matched"], 101);
        assert_eq!(login(&app, "$app", &secret).await, 401);
    }
}
