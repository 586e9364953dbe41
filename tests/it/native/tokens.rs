//! Every token in one list: who sees which, and what is done to one or many.

use claviger_store::Stmt;
use claviger_tests::{app::TestApp, server::Server, visitor::Visitor};
use http::Method;
use serde_json::{Value, json};

use super::{code, test_settings};

pub(super) const TOKENS: &str = "/claviger/v1/tokens";
const DAY_MS: i64 = 86_400_000;

pub(super) fn filtered(filter: &str) -> String {
    let filter = percent_encoding::utf8_percent_encode(filter, percent_encoding::NON_ALPHANUMERIC);
    format!("{TOKENS}?filter={filter}")
}

/// The items that fit, as `kind/name`.
async fn names(who: &Visitor<'_, TestApp>, filter: &str) -> Vec<String> {
    let path = if filter.is_empty() { TOKENS.to_owned() } else { filtered(filter) };
    let answer = who.get(&path).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let body = answer.json();
    let items = body["items"].as_array().expect("items").iter();
    items.map(|t| format!("{}/{}", t["kind"], t["name"]).replace('"', "")).collect()
}

pub(super) async fn app_token(who: &Visitor<'_, TestApp>, title: &str) -> (String, String) {
    let made = who.post("/api/v1/user/apptoken", json!({"title": title})).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let token = made.json()["token"].clone();
    let text = |key: &str| token[key].as_str().expect("text").to_owned();
    (text("uuid"), text("token_code"))
}

pub(super) async fn authorization(who: &Visitor<'_, TestApp>, note: &str) -> (String, String) {
    let body = json!({"scope": "session", "note": note});
    let made = who.post("/broker/rest/user/authorizations", body).await.json();
    let text = |key: &str| made["data"][key].as_str().expect("text").to_owned();
    let id = text("id");
    let part = |from: usize, to: usize| id[from..to].to_owned();
    let id = [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-");
    (id, text("token"))
}

pub(super) async fn login(app: &TestApp, user: &str, token: &str) -> u16 {
    Visitor::basic(app, user, token).get("/v2/auth?service=localhost:5000").await.status.as_u16()
}

pub(super) async fn raise(app: &TestApp, who: &Visitor<'_, TestApp>, role: &'static str) {
    let me = who.get("/claviger/v1/whoami").await.json();
    let (id, account) = (me["id"].clone(), me["account"].clone());
    let text = |value: Value| value.as_str().expect("text").to_owned();
    let (id, account) = (text(id), text(account));
    let sql = Stmt::same(
        "INSERT INTO role_binding (id, account_id, principal_id, role, created_at)
         VALUES ($1, $2, $1, $3, 0) ON CONFLICT (principal_id) DO UPDATE SET role = $3",
    );
    let values = move |tx: &mut claviger_store::Tx<'_>| {
        Ok(tx.execute(&sql, &[(&id).into(), (&account).into(), role.into()])?)
    };
    app.db.write(values).await.expect("raised");
}

claviger_tests::both! {
    async fn an_authorization_is_in_the_list_and_ends_everywhere_at_once(engine: Engine) {
        let (app, _) = TestApp::seeded(engine, test_settings()).await;
        let alice = Visitor::sign_in(&app, "freshuser", "password").await;
        let openshift = Visitor::basic(&app, "freshuser", "password");
        let (id, token) = authorization(&openshift, "laptop").await;
        assert_eq!(login(&app, "freshuser", &token).await, 200);
        let there = Visitor::bearer(&app, &token);
        assert_eq!(there.get("/broker/rest/user").await.status, 200);

        let shown = alice.get(&format!("{TOKENS}/{id}")).await;
        assert_eq!(shown.status, 200);
        let tag = shown.header("etag").expect("a tag").to_owned();
        let mut item = shown.json();
        assert_eq!(alice.get(&filtered("kind eq 'authorization'")).await.json()["items"], json!([item]));
        assert!(!item.to_string().contains(&token), "never a secret");
        let principal = item["principal"].take();
        let account = item["account"].take();
        assert_eq!(principal["name"], "freshuser");
        assert!(account.is_string());
        let secret = json!({
            "created": "2026-11-22T05:11:11.000000Z", "validUntil": null,
            "lastUsed": "2026-11-22T05:11:11.000000Z", "lastUsedAddress": "127.0.0.1",
        });
        assert_eq!(item, json!({
            "id": id, "kind": "authorization", "name": "laptop", "state": "live",
            "principal": null, "account": null, "application": null, "service": null,
            "scopes": ["openshift:session"], "created": "2026-11-22T05:11:11.000000Z",
            "createdBy": {"id": principal["id"], "name": "freshuser"},
            "expires": "2026-11-23T05:11:11.000000Z", "modified": "2026-11-22T05:11:11.000000Z",
            "lastUsed": "2026-11-22T05:11:11.000000Z", "lastUsedAddress": "127.0.0.1",
            "idleSince": "2026-11-22T05:11:11.000000Z", "revoked": null, "revokedBy": null,
            "revokeReason": null, "parent": null, "mintedBy": null, "labels": [],
            "secrets": [secret],
        }));

        let mut stale = alice.request(&Method::DELETE, &format!("{TOKENS}/{id}"), None);
        stale.headers_mut().insert("if-match", "\"other\"".parse().expect("a header"));
        assert_eq!(code(&app.send(stale).await), "precondition_failed");
        let mut known = alice.request(&Method::DELETE, &format!("{TOKENS}/{id}"), None);
        known.headers_mut().insert("if-match", tag.parse().expect("a header"));
        assert_eq!(app.send(known).await.status, 204);
        assert_eq!(there.get("/broker/rest/user").await.status, 401, "in its own door");
        assert_eq!(login(&app, "freshuser", &token).await, 401, "at the registry");
        assert_eq!(there.get(TOKENS).await.status, 401, "here");
        let gone = alice.get(&format!("{TOKENS}/{id}")).await.json();
        assert_eq!((&gone["state"], &gone["revokedBy"]), (&json!("revoked"), &json!("freshuser")));
        let listed = openshift.get("/broker/rest/user/authorizations").await.json();
        assert_eq!(listed["data"], json!([]));
    }

    async fn what_one_looks_for_is_one_request(engine: Engine) {
        let (app, _) = TestApp::seeded(engine, test_settings()).await;
        let admin = Visitor::sign_in(&app, "devtable", "password").await;
        let openshift = Visitor::basic(&app, "subscription", "password");
        let fresh = Visitor::sign_in(&app, "subscription", "password").await;
        let (short, _) = authorization(&openshift, "short").await;
        app.clock.advance_ms(1);
        let (used, secret) = app_token(&fresh, "used").await;
        app.clock.advance_ms(1);
        app_token(&fresh, "unused").await;
        let body = json!({"labels": [{"name": "env", "value": "prod"}]});
        let path = format!("{TOKENS}/{used}");
        let labelled = fresh.send(Method::PATCH, &path, Some("application/json"), body.to_string().into_bytes()).await;
        assert_eq!(labelled.status, 200, "{}", labelled.text());

        let of_fresh = "principal.name eq 'subscription'";
        assert_eq!(names(&admin, of_fresh).await, ["authorization/short", "app/used", "app/unused"]);
        let soon = format!("{of_fresh},state eq 'live',expires lt '2026-11-29T05:11:11Z'");
        assert_eq!(names(&admin, &soon).await, ["authorization/short"]);
        assert_eq!(names(&fresh, "labels[*].name eq 'env',labels[*].value eq 'prod'").await, ["app/used"]);
        assert_eq!(names(&fresh, "scopes[*] eq 'openshift:session'").await, ["authorization/short"]);

        app.clock.advance_ms(100 * DAY_MS);
        let admin = Visitor::sign_in(&app, "devtable", "password").await;
        let fresh = Visitor::sign_in(&app, "subscription", "password").await;
        assert_eq!(login(&app, "$app", &secret).await, 200);
        let unused = format!("{of_fresh},state eq 'live',idleSince lt '2026-12-02T05:11:11Z'");
        assert_eq!(names(&admin, &unused).await, ["app/unused"], "a use is seen at once");
        let ended = names(&admin, &format!("{of_fresh},state eq 'expired'")).await;
        assert_eq!(ended, ["authorization/short"]);
        assert_eq!(admin.get(&format!("{TOKENS}/{short}")).await.json()["state"], "expired");

        let rows = admin.get(&format!("{}&include=name,state&limit=2&count=true&orderBy=name%20desc", filtered(of_fresh))).await.json();
        assert_eq!(rows["items"], json!([["used", "live"], ["unused", "live"]]));
        assert_eq!(rows["metadata"]["count"], 3);
        let next = rows["metadata"]["continue"].as_str().expect("a token").to_owned();
        let rest = admin.get(&format!("{TOKENS}?include=name&continue={next}")).await.json();
        assert_eq!(rest, json!({"items": [["short"]], "metadata": {}}));
        assert_eq!(code(&fresh.get(&format!("{TOKENS}?continue={next}")).await), "invalid_query", "another's");
        for bad in ["limit=0", "nope=1", "filter=secrets%20eq%20'x'", "orderBy=labels", "include=token"] {
            assert_eq!(code(&admin.get(&format!("{TOKENS}?{bad}")).await), "invalid_query", "{bad}");
        }
    }

    async fn everybody_sees_what_he_may_and_the_list_says_what_each_id_says(engine: Engine) {
        let (app, secrets) = TestApp::seeded(engine, test_settings()).await;
        let admin = Visitor::sign_in(&app, "devtable", "password").await;
        let fresh = Visitor::sign_in(&app, "freshuser", "password").await;
        let reader = Visitor::sign_in(&app, "reader", "password").await;
        let all: Vec<String> = {
            app_token(&fresh, "his").await;
            app_token(&reader, "other").await;
            fresh.put("/api/v1/user/robots/mine", json!({})).await;
            reader.post("/api/v1/organization/", json!({"name": "theirs"})).await;
            let robot = reader.put("/api/v1/organization/theirs/robots/ci", json!({})).await;
            assert!(robot.status.is_success(), "{}", robot.text());
            let body = admin.get(&format!("{TOKENS}?include=id")).await.json();
            let rows = body["items"].as_array().expect("rows").iter();
            rows.map(|row| row[0].as_str().expect("an id").to_owned()).collect()
        };
        let count = app.db.read(|q| {
            let row = q.optional(&Stmt::same("SELECT COUNT(*) FROM token"), &[])?;
            Ok(row.expect("a row").int(0)?)
        });
        assert_eq!(i64::try_from(all.len()), Ok(count.await.expect("a count")), "a superuser sees all");
        let his = names(&fresh, "").await;
        assert!(his.contains(&"app/his".to_owned()) && his.contains(&"robot/freshuser+mine".to_owned()));
        assert!(!his.contains(&"app/other".to_owned()));
        assert_eq!(names(&reader, "kind eq 'robot'").await, ["robot/theirs+ci"]);
        assert!(names(&reader, "").await.contains(&"app/other".to_owned()));

        let user_admin = Visitor::bearer(&app, &secrets.ours("tdevuadminxxxxxxxxxxSnimdauved9999999999"));
        let mine = names(&user_admin, "principal.name eq 'freshuser'").await;
        assert_eq!(mine, [""; 0], "a token for one's own user is not the superuser");

        raise(&app, &reader, "admin").await;
        assert!(names(&reader, "").await.contains(&"app/his".to_owned()));
        assert!(!names(&reader, "").await.contains(&"robot/freshuser+mine".to_owned()));
        for who in [&fresh, &reader, &user_admin] {
            let body = who.get(&format!("{TOKENS}?include=id")).await.json();
            let seen: Vec<_> = body["items"].as_array().expect("rows").iter().map(|r| r[0].clone()).collect();
            for id in &all {
                let status = who.get(&format!("{TOKENS}/{id}")).await.status.as_u16();
                let expected = if seen.contains(&json!(id)) { 200 } else { 404 };
                assert_eq!(status, expected, "{id}");
            }
        }
        // nobody changes what belongs to somebody above him
        let above = reader.get(&filtered("principal.name eq 'devtable',kind eq 'app'")).await.json();
        let id = above["items"][0]["id"].as_str().expect("an id").to_owned();
        assert_eq!(code(&reader.delete(&format!("{TOKENS}/{id}")).await), "forbidden");
        let below = reader.get(&filtered("name eq 'his'")).await.json();
        let id = below["items"][0]["id"].as_str().expect("an id").to_owned();
        assert_eq!(code(&user_admin.delete(&format!("{TOKENS}/{id}")).await), "not_found");
        assert_eq!(reader.delete(&format!("{TOKENS}/{id}")).await.status, 204);
        for nowhere in ["00000000-0000-4000-8000-00000000ffff", "x", "a%00b"] {
            assert_eq!(code(&admin.get(&format!("{TOKENS}/{nowhere}")).await), "not_found");
        }
    }

    async fn a_token_is_renamed_labelled_and_made_shorter(engine: Engine) {
        let (app, _) = TestApp::seeded(engine, test_settings()).await;
        let fresh = Visitor::sign_in(&app, "freshuser", "password").await;
        let admin = Visitor::sign_in(&app, "devtable", "password").await;
        let (id, secret) = app_token(&fresh, "x").await;
        let path = format!("{TOKENS}/{id}");
        let patch = async |body: Value| {
            fresh.send(Method::PATCH, &path, Some("application/merge-patch+json"), body.to_string().into_bytes()).await
        };
        let login_token = "/v2/auth?service=localhost:5000&offline_token=true";
        let refresh = Visitor::basic(&app, "$app", &secret).get(login_token).await;
        assert_eq!(refresh.status, 200);

        let changed = patch(json!({"name": "y", "expires": "2026-12-01T00:00:00Z", "labels": [{"name": "a", "value": ""}]})).await;
        assert_eq!(changed.status, 200, "{}", changed.text());
        let item = changed.json();
        assert_eq!((&item["name"], &item["expires"]), (&json!("y"), &json!("2026-12-01T00:00:00.000000Z")));
        assert_eq!(item["labels"], json!([{"name": "a", "value": ""}]));
        let child = fresh.get(&filtered("kind eq 'refresh'")).await.json();
        assert_eq!(child["items"][0]["expires"], item["expires"], "what stands for it ends with it");

        for (body, pointer) in [
            (json!({"expires": "2026-12-02T00:00:00Z"}), "#/expires"),
            (json!({"expires": null}), "#/expires"),
            (json!({"expires": "2026-11-01T00:00:00Z"}), "#/expires"),
            (json!({"expires": 5}), "#/expires"),
            (json!({"name": "x".repeat(256)}), "#/name"),
            (json!({"name": null}), "#/name"),
            (json!({"labels": [{"name": ""}]}), "#/labels"),
            (json!({"kind": "api"}), "#/kind"),
        ] {
            let refused = patch(body.clone()).await;
            assert_eq!(code(&refused), "invalid", "{body}");
            assert_eq!(refused.json()["errors"][0]["pointer"], pointer, "{body}");
        }
        let account = item["account"].as_str().expect("an account").to_owned();
        let policy = json!({"maximumLifetime": "30d"});
        assert_eq!(admin.put(&format!("/claviger/v1/lifetimes/{account}/app"), policy).await.status, 200);
        assert_eq!(patch(json!({"expires": "2026-12-22T05:11:11Z"})).await.status, 200, "the policy allows");
        assert_eq!(code(&patch(json!({"expires": "2026-12-22T05:11:12Z"})).await), "invalid");

        assert_eq!(patch(json!({"expires": "2026-11-23T00:00:00Z"})).await.status, 200);
        assert_eq!(login(&app, "$app", &secret).await, 200);
        app.clock.advance_ms(DAY_MS);
        assert_eq!(login(&app, "$app", &secret).await, 401, "what is remembered was evicted");
        assert_eq!(code(&patch(json!({"name": "z"})).await), "conflict", "it has ended");
    }

    async fn many_end_by_one_request_that_says_how_many(engine: Engine) {
        let (app, _) = TestApp::seeded(engine, test_settings()).await;
        let fresh = Visitor::sign_in(&app, "freshuser", "password").await;
        let reader = Visitor::sign_in(&app, "reader", "password").await;
        let (_, other) = app_token(&reader, "ci").await;
        let mut secrets = Vec::new();
        for _ in 0..3 {
            secrets.push(app_token(&fresh, "ci").await.1);
        }
        let (_, kept) = app_token(&fresh, "kept").await;
        let login_token = "/v2/auth?service=localhost:5000&offline_token=true";
        assert_eq!(Visitor::basic(&app, "$app", &secrets[0]).get(login_token).await.status, 200);
        let revoke = async |body: Value| fresh.post("/claviger/v1/tokens:revoke", body).await;

        let dry = revoke(json!({"filter": "name eq 'ci'", "dryRun": true})).await;
        assert_eq!(dry.status, 200, "{}", dry.text());
        let dry = dry.json();
        assert_eq!((&dry["matched"], &dry["dryRun"]), (&json!(3), &json!(true)));
        assert_eq!(dry["items"].as_array().expect("items").len(), 4, "with the refresh token");
        assert_eq!(login(&app, "$app", &secrets[0]).await, 200);
        let refused = revoke(json!({"filter": "name eq 'ci'", "cap": 2})).await;
        assert_eq!(code(&refused), "cap_exceeded");
        for bad in [json!({}), json!({"filter": ""}), json!({"filter": "x"}), json!({"filter": "name eq 'ci'", "cap": -1})] {
            assert_eq!(code(&revoke(bad).await), "invalid");
        }
        let done = revoke(json!({"filter": "name eq 'ci'", "cap": 3, "reason": "leaked"})).await.json();
        assert_eq!((&done["matched"], &done["items"][0]["state"]), (&json!(3), &json!("revoked")));
        assert_eq!(done["items"][3]["revokeReason"], "leaked");
        for secret in &secrets {
            assert_eq!(login(&app, "$app", secret).await, 401);
        }
        assert_eq!(login(&app, "$app", &kept).await, 200);
        assert_eq!(login(&app, "$app", &other).await, 200, "another's");
        assert_eq!(revoke(json!({"filter": "name eq 'ci'"})).await.json()["matched"], 0);
    }
}

#[tokio::test]
async fn rights_are_taken_away_while_the_system_is_read_only() {
    let mut settings = test_settings();
    settings.quay.registry_state = claviger_service::settings::RegistryState::Readonly;
    let (app, secrets) = TestApp::seeded(claviger_tests::scratch::Engine::Sqlite, settings).await;
    let all = Visitor::bearer(&app, &secrets.ours("tdevuadminxxxxxxxxxxSnimdauved9999999999"));
    let items =
        all.get(&filtered("kind in 'a',state eq 'live',principal.name eq 'devtable'")).await.json();
    let ids: Vec<_> =
        items["items"].as_array().expect("items").iter().map(|t| t["id"].clone()).collect();
    assert!(ids.len() > 1, "{items}");
    let path = format!("{TOKENS}/{}", ids[0].as_str().expect("an id"));
    let patched = all.send(Method::PATCH, &path, Some("application/json"), b"{}".to_vec()).await;
    assert_eq!(code(&patched), "read_only");
    assert_eq!(all.delete(&path).await.status, 204);
    let body = json!({"filter": "state eq 'live'", "cap": 1000});
    let revoked = all.post("/claviger/v1/tokens:revoke", body).await;
    assert_eq!(revoked.status, 200, "{}", revoked.text());
    assert_eq!(all.get("/claviger/v1/whoami").await.status, 401, "itself among them");
}
