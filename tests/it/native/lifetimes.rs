//! Lifetime policies: who sets them, what they make of new tokens in every door, the end of idle
//! ones.

use claviger_domain::scope::QuayScope;
use claviger_service::program::{Mint, ProgramToken};
use claviger_store::{Stmt, audit::Actor};
use claviger_tests::{app::TestApp, server::Server, stands::StillClock, visitor::Visitor};
use http::Method;
use serde_json::{Value, json};

use super::{code, test_settings};

const DAY_MS: i64 = 86_400_000;
pub(super) const LIFETIMES: &str = "/claviger/v1/lifetimes";

pub(super) async fn account(visitor: &Visitor<'_, TestApp>) -> String {
    let me = visitor.get("/claviger/v1/whoami").await.json();
    me["account"].as_str().expect("an account").to_owned()
}

async fn set(admin: &Visitor<'_, TestApp>, kind: &str, rules: Value) {
    let account = account(admin).await;
    let answer = admin.put(&format!("{LIFETIMES}/{account}/{kind}"), rules).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

/// In how many days the newest token of a kind ends; `None` is never.
async fn ends_in_days(app: &TestApp, kind: &'static str) -> Option<i64> {
    let end = app.db.read(move |q| {
        let newest = Stmt::same(
            "SELECT expires_at FROM token WHERE kind = $1 ORDER BY created_at DESC, seq DESC LIMIT 1",
        );
        let row = q.optional(&newest, &[kind.into()])?.expect("a token");
        Ok(row.opt_int(0)?)
    });
    end.await.expect("an answer").map(|end| (end - StillClock::START.0) / DAY_MS)
}

claviger_tests::both! {
    async fn policies_are_set_by_owners_and_seen_by_their_account(engine: Engine) {
        let (app, secrets) = TestApp::seeded(engine, test_settings()).await;
        let admin = Visitor::sign_in(&app, "devtable", "password").await;
        let other = Visitor::sign_in(&app, "freshuser", "password").await;
        let account = account(&admin).await;
        let path = format!("{LIFETIMES}/{account}/app");
        assert_eq!(code(&admin.get(&path).await), "not_found");

        let rules = json!({"maximumLifetime": "90d", "defaultLifetime": 86400, "required": true});
        assert_eq!(code(&other.put(&path, rules.clone()).await), "forbidden");
        let made = admin.put(&path, rules).await;
        assert_eq!(made.status, 200, "{}", made.text());
        let shown = json!({
            "account": account, "kind": "app", "defaultLifetime": 86400,
            "maximumLifetime": 7_776_000, "required": true, "maximumIdle": null,
            "modified": "2026-11-22T05:11:11.000000Z", "modifiedBy": made.json()["modifiedBy"],
        });
        assert_eq!(made.json(), shown);
        assert_eq!(other.get(&path).await.json(), shown);
        assert_eq!(other.get(LIFETIMES).await.json()["items"], json!([shown]));

        for (bad, pointer) in [
            (json!({"maximumLifetime": "1d", "defaultLifetime": "2d"}), "#/defaultLifetime"),
            (json!({"maximumLifetime": 0}), "#/maximumLifetime"),
            (json!({"maximumIdle": -1}), "#/maximumIdle"),
            (json!({"maximumIdle": "soon"}), "#/maximumIdle"),
            (json!({"required": "yes"}), "#/required"),
            (json!({"required": true}), "#/required"),
            (json!({"maximum": 1}), "#/maximum"),
        ] {
            let refused = admin.put(&path, bad).await;
            assert_eq!(code(&refused), "invalid");
            assert_eq!(refused.json()["errors"][0]["pointer"], pointer);
        }

        let tag = made.header("etag").expect("a tag").to_owned();
        let with = |tag: &str, body: &Value| {
            let mut request = admin.request(&Method::PUT, &path, Some(body));
            request.headers_mut().insert("if-match", tag.parse().expect("a header"));
            request
        };
        let body = json!({"maximumLifetime": "30d"});
        assert_eq!(app.send(with(&tag, &body)).await.status, 200);
        assert_eq!(code(&app.send(with(&tag, &body)).await), "precondition_failed");

        let nowhere = format!("{LIFETIMES}/00000000-0000-4000-8000-000000000000/app");
        assert_eq!(code(&other.put(&nowhere, json!({})).await), "not_found");
        assert_eq!(code(&admin.put(&nowhere, json!({})).await), "not_found");
        for path in [format!("{LIFETIMES}/x/app"), format!("{LIFETIMES}/{account}/x")] {
            assert_eq!(code(&admin.get(&path).await), "not_found");
        }
        assert_eq!(code(&other.delete(&path).await), "forbidden");

        // a token for one's own user alone is not the superuser, and an owner of the account may
        let token = secrets.ours("tdevuadminxxxxxxxxxxSnimdauved9999999999");
        let own = Visitor::bearer(&app, &token);
        assert_eq!(code(&own.put(&path, json!({})).await), "forbidden");
        let id = other.get("/claviger/v1/whoami").await.json()["id"].as_str().expect("an id").to_owned();
        let raise = Stmt::same(
            "INSERT INTO role_binding (id, account_id, principal_id, role, created_at)
             VALUES ($1, $2, $1, 'owner', 0)
             ON CONFLICT (principal_id) DO UPDATE SET role = 'owner'",
        );
        let home = account.clone();
        let raised = app.db.write(move |tx| Ok(tx.execute(&raise, &[(&id).into(), (&home).into()])?));
        raised.await.expect("raised");
        assert_eq!(other.put(&path, json!({"maximumLifetime": "20d"})).await.status, 200);
        assert_eq!(code(&other.put(&nowhere, json!({})).await), "not_found");
        assert_eq!(admin.delete(&path).await.status, 204);
        assert_eq!(code(&admin.delete(&path).await), "not_found");
    }

    async fn every_door_keeps_within_the_policy(engine: Engine) {
        let (app, _) = TestApp::seeded(engine, test_settings()).await;
        let admin = Visitor::sign_in(&app, "devtable", "password").await;
        for kind in ["app", "oauth", "authorization", "robot", "refresh", "api"] {
            set(&admin, kind, json!({"maximumLifetime": "7d", "required": true})).await;
        }

        // the Quay door cuts it down
        let made = admin.post("/api/v1/user/apptoken", json!({"title": "x"})).await.json();
        assert_eq!(made["token"]["expiration"], "Sun, 29 Nov 2026 05:11:11 -0000");
        let token = made["token"]["token_code"].as_str().expect("a token").to_owned();
        admin.put("/api/v1/user/robots/fresh", json!({})).await;
        assert_eq!(ends_in_days(&app, "robot").await, Some(7));
        let body = json!({"name": "t", "scope": "repo:read", "expiration": 30 * 86400});
        let path = "/api/v1/organization/buynlarge/applications/deadbeef/tokens";
        let made = admin.post(path, body).await;
        assert!(made.status.is_success(), "{}", made.text());
        assert_eq!(ends_in_days(&app, "oauth").await, Some(7));

        // so does the Astra door, which cannot be asked for an end
        let me = admin.get("/claviger/v1/whoami").await.json();
        let (id, home) = (me["id"].as_str().expect("an id"), account(&admin).await);
        let tokens = format!("/accounts/{home}/core/v1/users/{id}/tokens");
        let made = super::tenants::bearer(&app, "devtable").await;
        assert_eq!(ends_in_days(&app, "api").await, Some(7), "the program's");
        app.clock.advance_ms(1);
        let body = json!({"type": "application/astra-token", "version": "1.0", "name": "x"});
        let made = made.post(&tokens, body).await;
        assert_eq!(made.status, 201, "{}", made.text());
        assert_eq!(ends_in_days(&app, "api").await, Some(7));

        // the OpenShift door takes the lower of both maxima
        let openshift = Visitor::basic(&app, "devtable", "password");
        for (asked, seconds) in [(json!(30 * 86400), 7 * 86400), (json!(60), 60), (json!(null), 7 * 86400)] {
            let body = json!({"scope": "read", "expires_in": asked});
            let made = openshift.post("/broker/rest/user/authorizations", body).await.json();
            assert_eq!(made["data"]["expires_in"], seconds, "{made}");
        }

        // what stands for a token ends with it; a refresh token of a password by its own policy
        let login = "/v2/auth?service=localhost:5000&offline_token=true";
        assert_eq!(Visitor::basic(&app, "$app", &token).get(login).await.status, 200);
        assert_eq!(ends_in_days(&app, "refresh").await, Some(7));
        assert_eq!(Visitor::basic(&app, "devtable", "password").get(login).await.status, 200);
        assert_eq!(ends_in_days(&app, "refresh").await, Some(7));

        // the program refuses what is asked, and cuts down what is only usual
        let wish = |mint, days: Option<u64>| ProgramToken {
            user: "devtable".to_owned(),
            mint,
            name: "p".parse().expect("a title"),
            life: days.map(|days| std::time::Duration::from_secs(days * 86_400)),
        };
        let oauth = || Mint::Oauth { client_id: "deadbeef".to_owned(), scopes: vec![QuayScope::RepoRead] };
        let program = || Actor::program("tests".to_owned());
        for mint in [Mint::App, Mint::Api, oauth(), Mint::Authorization("read".parse().expect("scopes")), Mint::Refresh] {
            let refused = app.app.program_create_token(wish(mint.clone(), Some(8)), program()).await;
            let text = "`expires` must be at most `1w` away, as the lifetime policy says";
            assert_eq!(refused.expect_err("too long").to_string(), text, "{mint:?}");
            app.app.program_create_token(wish(mint.clone(), Some(7)), program()).await.expect("a token");
            app.app.program_create_token(wish(mint, None), program()).await.expect("a token");
        }
        assert_eq!(ends_in_days(&app, "app").await, Some(7));

        // where nothing is asked the default counts, in each door
        for kind in ["app", "authorization", "robot", "api"] {
            set(&admin, kind, json!({"defaultLifetime": "3d", "maximumLifetime": "7d"})).await;
        }
        app.clock.advance_ms(1);
        admin.post("/api/v1/user/apptoken", json!({"title": "y"})).await;
        admin.put("/api/v1/user/robots/other", json!({})).await;
        openshift.post("/broker/rest/user/authorizations", json!({"scope": "read"})).await;
        super::tenants::bearer(&app, "devtable").await;
        for kind in ["app", "authorization", "robot", "api"] {
            assert_eq!(ends_in_days(&app, kind).await, Some(3), "{kind}");
        }
    }

    async fn idle_tokens_end_and_used_ones_live_on(engine: Engine) {
        let (app, _) = TestApp::seeded(engine, test_settings()).await;
        let admin = Visitor::sign_in(&app, "devtable", "password").await;
        let make = async |title: &str| {
            let made = admin.post("/api/v1/user/apptoken", json!({"title": title})).await.json();
            made["token"]["token_code"].as_str().expect("a token").to_owned()
        };
        let login = async |token: &str| {
            Visitor::basic(&app, "$app", token).get("/v2/auth?service=localhost:5000").await.status.as_u16()
        };
        let (idle, used) = (make("idle").await, make("used").await);
        assert_eq!((login(&idle).await, login(&used).await), (200, 200));
        set(&admin, "app", json!({"maximumIdle": "10d"})).await;

        app.clock.advance_ms(9 * DAY_MS);
        app.app.flush_activity().await.expect("written");
        app.app.end_idle_tokens().await.expect("ended");
        assert_eq!(login(&used).await, 200);
        // it was used, and that is not written yet
        app.clock.advance_ms(DAY_MS + 3 * 60_000);
        app.app.end_idle_tokens().await.expect("ended");
        assert_eq!(login(&idle).await, 401, "at once");
        assert_eq!(login(&used).await, 200);
        app.app.flush_activity().await.expect("written");
        assert_eq!(app.app.end_idle_tokens().await.expect("ended"), 0);

        let rows = app.db.read(|q| {
            let acts = Stmt::same(
                "SELECT object_name, reason FROM audit WHERE act = 'end_idle_token'");
            let rows = q.all(&acts, &[])?;
            let text = |row: &claviger_store::Row, at| row.text(at).expect("text").to_owned();
            Ok(rows.iter().map(|row| (text(row, 0), text(row, 1))).collect::<Vec<_>>())
        });
        let rows = rows.await.expect("an answer");
        assert!(rows.contains(&("idle".to_owned(), "idle".to_owned())), "{rows:?}");
        assert!(!rows.iter().any(|(name, _)| name == "used"), "{rows:?}");
    }
}
