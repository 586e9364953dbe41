//! App tokens, from the Quay door to the registry's and back.

use std::time::Duration;

use claviger_service::{Settings, settings::Reveal};
use claviger_store::{Stmt, audit};
use claviger_tests::{
    answer::Answer,
    app::TestApp,
    case::{secrets::Secrets, seed, settings},
    visitor::Visitor,
};
use http::StatusCode;
use serde_json::{Map, Value, json};

const TOKENS: &str = "/api/v1/user/apptoken";
const LOGIN: &str = "/v2/auth?service=localhost:5000";

fn test_settings() -> Settings {
    settings::of(&Map::new(), &seed::read())
}

/// The seed's OAuth token with this label, as this server made it.
fn oauth_token(secrets: &Secrets, label: &str) -> String {
    let seed = seed::read();
    let tokens = seed["oauth_tokens"].as_array().expect("tokens");
    let token = tokens.iter().find(|token| token["label"] == label).expect("the token");
    secrets.ours(token["token"].as_str().expect("a secret"))
}

/// An app token as its maker got it.
struct Made {
    path: String,
    code: String,
}

impl Made {
    fn from(answer: &Answer) -> Self {
        assert_eq!(answer.status, 201, "{}", answer.text());
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let token = &answer.json()["token"];
        let text = |key: &str| token[key].as_str().expect("a text").to_owned();
        Self { path: format!("{TOKENS}/{}", text("uuid")), code: text("token_code") }
    }
}

async fn make(owner: &Visitor<'_, TestApp>, title: &str) -> Made {
    Made::from(&owner.post(TOKENS, json!({ "title": title })).await)
}

async fn login(app: &TestApp, code: &str) -> StatusCode {
    Visitor::basic(app, "$app", code).get(LOGIN).await.status
}

async fn listed(owner: &Visitor<'_, TestApp>, query: &str) -> Vec<Value> {
    let answer = owner.get(&format!("{TOKENS}{query}")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["tokens"].as_array().expect("a list").clone()
}

async fn acts(app: &TestApp, user: &'static str) -> Vec<String> {
    let acts = app.db.read(move |q| {
        assert_eq!(audit::first_broken(q)?, None);
        let stmt = Stmt::same("SELECT act FROM audit WHERE namespace = $1 ORDER BY seq");
        let rows = q.all(&stmt, &[user.into()])?;
        Ok(rows.iter().map(|row| row.text(0).unwrap().to_owned()).collect())
    });
    acts.await.unwrap()
}

claviger_tests::both! {
    async fn a_token_opens_the_registry_until_it_is_revoked(engine: Engine) {
        let (app, _) = TestApp::seeded(engine, test_settings()).await;
        let owner = Visitor::sign_in(&app, "randomuser", "password").await;
        let made = make(&owner, "laptop").await;
        assert!(made.code.starts_with("clva_") && made.code.len() == 57, "{}", made.code);
        assert_eq!(login(&app, &made.code).await, 200);
        let mut mistyped = made.code.clone();
        mistyped.replace_range(10..11, if mistyped[10..].starts_with('a') { "b" } else { "a" });
        assert_eq!(login(&app, &mistyped).await, 401);

        let again = owner.get(&made.path).await;
        assert_eq!(again.header("cache-control"), Some("no-store"));
        assert_eq!(again.header("etag"), None);
        assert_eq!(again.json()["token"]["token_code"], made.code.as_str());
        assert_eq!(again.json()["token"]["last_accessed"], "Sun, 22 Nov 2026 05:11:11 -0000");
        let other = Visitor::sign_in(&app, "reader", "password").await;
        assert_eq!(other.get(&made.path).await.status, 404);
        assert_eq!(other.delete(&made.path).await.status, 404);
        assert!(listed(&owner, "").await.iter().all(|token| token.get("token_code").is_none()));

        assert_eq!(owner.delete(&made.path).await.status, 204);
        assert_eq!(login(&app, &made.code).await, 401, "at once");
        assert_eq!(owner.get(&made.path).await.status, 404);
        assert_eq!(owner.delete(&made.path).await.status, 404);
        assert_eq!(
            acts(&app, "randomuser").await,
            ["create_app_specific_token", "reveal_app_specific_token", "revoke_app_specific_token"]
        );
    }

    async fn a_token_dies_at_the_very_second_and_leaves_in_steps(engine: Engine) {
        let mut settings = test_settings();
        settings.quay.app_specific_token_expiration = Some(Duration::from_secs(3600));
        settings.quay.fresh_login_timeout = Duration::from_secs(1_000_000_000);
        settings.quay.session_timeout = Duration::from_secs(1_000_000_000);
        let (app, _) = TestApp::seeded(engine, settings).await;
        let owner = Visitor::sign_in(&app, "creator", "password").await;
        let made = make(&owner, "").await;
        assert_eq!(listed(&owner, "?expiring=yes").await.len(), 0, "it lives an hour");
        app.clock.advance_ms(3_600_000 - 360_000);
        assert_eq!(listed(&owner, "?expiring=yes").await.len(), 1, "a tenth of its life is left");
        app.clock.advance_ms(359_999);
        assert_eq!(login(&app, &made.code).await, 200);
        app.clock.advance_ms(1);
        assert_eq!(login(&app, &made.code).await, 401);
        assert_eq!(owner.get(&made.path).await.status, 404);
        assert_eq!(listed(&owner, "?expiring=yes").await.len(), 0);
        assert_eq!(listed(&owner, "").await.len(), 1, "it stays in the list for a day");

        app.clock.advance_ms(24 * 3_600_000);
        assert_eq!(listed(&owner, "").await.len(), 0);
        assert_eq!(owner.delete(&made.path).await.status, 404);
        assert_eq!(app.app.sweep().await.unwrap().tokens, 0, "its tombstone stays");
        app.clock.advance_ms(90 * 24 * 3_600_000);
        assert!(app.app.sweep().await.unwrap().tokens >= 1);
        let id = made.path.rsplit('/').next().unwrap().to_owned();
        let row = app.db.read(move |q| {
            let stmt = Stmt::same("SELECT s.lookup FROM secret s WHERE s.token_id = $1");
            Ok(q.optional(&stmt, &[(&id).into()])?)
        });
        assert!(row.await.unwrap().is_none(), "its secret is gone with it");
    }

    async fn a_secret_is_shown_again_as_the_settings_say(engine: Engine) {
        let mut settings = test_settings();
        settings.tokens.reveal = Reveal::Fresh;
        let (app, secrets) = TestApp::seeded(engine, settings.clone()).await;
        let owner = Visitor::sign_in(&app, "freshuser", "password").await;
        let made = make(&owner, "laptop").await;
        assert_eq!(owner.get(&made.path).await.json()["token"]["token_code"], made.code.as_str());
        let bearer = Visitor::bearer(&app, &oauth_token(&secrets, "freshuadmin"));
        let shown = bearer.get(&made.path).await;
        assert_eq!(shown.status, 200);
        assert_eq!(shown.json()["token"].get("token_code"), None);

        settings.tokens.reveal = Reveal::None;
        let (app, _) = TestApp::seeded(engine, settings).await;
        let owner = Visitor::sign_in(&app, "freshuser", "password").await;
        let made = make(&owner, "laptop").await;
        let shown = owner.get(&made.path).await;
        assert_eq!((shown.status.as_u16(), shown.json()["token"].get("token_code")), (200, None));
        let id = made.path.rsplit('/').next().unwrap().to_owned();
        let selector = app.db.read(move |q| {
            let stmt = Stmt::same("SELECT selector FROM secret WHERE token_id = $1");
            Ok(q.optional(&stmt, &[(&id).into()])?.unwrap().opt_blob(0)?.map(<[u8]>::to_vec))
        });
        assert_eq!(selector.await.unwrap(), None, "nobody can rebuild it");
        assert_eq!(login(&app, &made.code).await, 200);
    }

    async fn last_use_is_shown_at_once_and_written_in_batches(engine: Engine) {
        let (app, _) = TestApp::seeded(engine, test_settings()).await;
        let owner = Visitor::sign_in(&app, "creator", "password").await;
        let made = make(&owner, "laptop").await;
        assert_eq!(listed(&owner, "").await[0]["last_accessed"], Value::Null);
        app.clock.advance_ms(5_000);
        assert_eq!(login(&app, &made.code).await, 200);
        let used = json!("Sun, 22 Nov 2026 05:11:16 -0000");
        assert_eq!(listed(&owner, "").await[0]["last_accessed"], used);
        assert_eq!(app.app.flush_activity().await.unwrap(), 1);
        assert_eq!(app.app.flush_activity().await.unwrap(), 0);
        assert_eq!(listed(&owner, "").await[0]["last_accessed"], used);
    }

    async fn a_use_brings_nothing_back_that_was_swept_out(engine: Engine) {
        let (app, _) = TestApp::seeded(engine, test_settings()).await;
        let owner = Visitor::sign_in(&app, "creator", "password").await;
        let uses = async || {
            let stmt = Stmt::same("SELECT CAST(COUNT(*) AS BIGINT) FROM token_use");
            let count = app.db.read(move |q| Ok(q.optional(&stmt, &[])?.unwrap().int(0)?)).await;
            count.unwrap()
        };
        let [written, waiting] = [make(&owner, "laptop").await, make(&owner, "desktop").await];
        assert_eq!(login(&app, &written.code).await, 200);
        assert_eq!((app.app.flush_activity().await.unwrap(), uses().await), (1, 1));
        assert_eq!(login(&app, &waiting.code).await, 200);
        for made in [&written, &waiting] {
            let id = made.path.rsplit('/').next().unwrap().to_owned();
            let stmt = Stmt::same("DELETE FROM token WHERE id = $1");
            let swept = app.db.write(move |tx| Ok(tx.execute(&stmt, &[(&id).into()])?)).await;
            assert_eq!(swept.unwrap(), 1);
        }
        assert_eq!((app.app.flush_activity().await.unwrap(), uses().await), (1, 0));
    }

    async fn a_token_made_with_a_bearer_remembers_it_and_outlives_it(engine: Engine) {
        let (app, secrets) = TestApp::seeded(engine, test_settings()).await;
        let bearer = Visitor::bearer(&app, &oauth_token(&secrets, "reauadmin"));
        let made = make(&bearer, "made by a program").await;
        let id = made.path.rsplit('/').next().unwrap().to_owned();
        let minter = app.db.read(move |q| {
            let stmt = Stmt::same("SELECT parent_id, minted_by FROM token WHERE id = $1");
            let row = q.optional(&stmt, &[(&id).into()])?.unwrap();
            Ok((row.opt_text(0)?.is_some(), row.opt_text(1)?.is_some()))
        });
        assert_eq!(minter.await.unwrap(), (false, true));
        let owner = Visitor::sign_in(&app, "reader", "password").await;
        let grants = owner.get("/api/v1/user/authorizations").await.json();
        for grant in grants["authorizations"].as_array().unwrap() {
            let uuid = grant["uuid"].as_str().unwrap();
            let ended = owner.delete(&format!("/api/v1/user/authorizations/{uuid}")).await;
            assert_eq!(ended.status, 204);
        }
        assert_eq!(bearer.get(TOKENS).await.status, 401);
        assert_eq!(login(&app, &made.code).await, 200);
    }

    async fn superusers_see_everybodys_tokens_without_secrets(engine: Engine) {
        let (app, _) = TestApp::seeded(engine, test_settings()).await;
        let all = "/api/v1/superuser/apptokens";
        for (name, status) in [("devtable", 200), ("globalreadonlysuperuser", 200), ("reader", 403)]
        {
            let visitor = Visitor::sign_in(&app, name, "password").await;
            let answer = visitor.get(all).await;
            assert_eq!(answer.status, status, "{name}");
            assert!(!answer.text().contains("token_code"), "{name}");
            if status == 200 {
                assert!(answer.json()["tokens"].as_array().unwrap().len() > 5, "{name}");
            }
            app.clock.advance_ms(601_000);
            let stale = visitor.get(all).await;
            assert_eq!(stale.status, if status == 200 { 401 } else { 403 }, "{name}");
        }
    }
}
