//! Who may ask, about whom, and what of the answer he is told.

use claviger_domain::scope::QuayScope;
use claviger_service::{Settings, program::Mint, settings::AuditDecisions};
use claviger_store::{Query, Stmt};
use claviger_tests::{both, visitor::Visitor};
use serde_json::{Value, json};

use super::{EVALUATION, EVALUATIONS, World, decision, question, token, user};

both! {
    async fn callers_ask_about_themselves_and_what_they_administer(engine: Engine) {
        let world = World::new(engine).await;
        user(&world.app, "carol").await;
        let carol = token(&world.app, "carol", Mint::App).await;
        for (asker, about, repository, answer) in [
            (&world.alice, "alice", "alice/record-2", Some(true)),
            (&world.bob, "bob", "alice/record-1", Some(true)),
            (&world.bob, "bob", "alice/record-2", Some(false)),
            (&world.bob, "bob", "alice/none", Some(false)),
            (&world.alice, "bob", "alice/record-1", Some(true)),
            (&world.alice, "ghost", "alice/record-1", Some(false)),
            (&world.bob, "alice", "alice/record-1", None),
            (&world.bob, "ghost", "alice/record-1", None),
            (&carol, "bob", "alice/none", None),
            (&world.alice, "bob", "bob/none", None),
            (&world.admin, "bob", "alice/record-1", Some(true)),
            (&world.admin, "ghost", "alice/record-1", Some(false)),
            (&world.admin, "bob", "alice/none", Some(false)),
        ] {
            let asked = question(about, "pull", repository);
            let single = world.ask_as(asker, EVALUATION, &asked).await;
            let batch = world.ask_as(asker, EVALUATIONS, &json!({ "evaluations": [asked] })).await;
            let batch = &batch.json()["evaluations"][0];
            if let Some(allowed) = answer {
                assert_eq!(decision(&single), allowed, "{about} {repository}");
                assert_eq!(batch["decision"], allowed);
            } else {
                assert_eq!(single.status, 403, "{about} {repository}");
                assert_eq!(batch["decision"], false);
                assert_eq!(batch["context"]["error"]["status"], 403);
            }
        }
    }
}

both! {
    async fn tokens_of_the_table_open_the_door_and_no_others(engine: Engine) {
        let world = World::new(engine).await;
        let asked = question("alice", "pull", "alice/record-1");
        let nobody = Visitor::anonymous(&world.app).post(EVALUATION, asked.clone()).await;
        assert_eq!(nobody.status, 401);
        assert!(nobody.header("www-authenticate").is_some_and(|text| text.starts_with("Bearer")));
        let session = Visitor::sign_in(&world.app, "alice", "password").await;
        assert_eq!(session.post(EVALUATION, asked.clone()).await.status, 401);
        let basic = Visitor::basic(&world.app, "alice", "password");
        assert_eq!(basic.post(EVALUATION, asked.clone()).await.status, 401);
        let refresh = token(&world.app, "alice", Mint::Refresh).await;
        for opens_nothing in [refresh.as_str(), "nothing", &world.alice[1..]] {
            let answer = world.ask_as(opens_nothing, EVALUATION, &asked).await;
            assert_eq!(answer.status, 401);
            assert!(answer.header("www-authenticate").is_some());
        }
        for (scopes, status) in
            [("session", 200), ("read", 200), ("userinfo", 403), ("userinfo read", 200)]
        {
            let mint = Mint::Authorization(scopes.parse().expect("scopes"));
            let authorization = token(&world.app, "alice", mint).await;
            let answer = world.ask_as(&authorization, EVALUATION, &asked).await;
            assert_eq!(answer.status, status, "{scopes}");
        }
    }
}

/// An OAuth token of `name` with a scope.
pub(super) async fn oauth(world: &World, name: &str, scope: QuayScope) -> String {
    let admin = Visitor::sign_in(&world.app, "admin", "password").await;
    let org = json!({ "name": "acme", "email": "acme@example.com" });
    admin.post("/api/v1/organization/", org).await;
    let path = "/api/v1/organization/acme/applications";
    let made = admin.post(path, json!({ "name": "app" })).await.json();
    let client_id = made["client_id"].as_str().expect("an application").to_owned();
    token(&world.app, name, Mint::Oauth { client_id, scopes: vec![scope] }).await
}

both! {
    async fn scoped_token_of_a_superuser_asks_about_nobody_else(engine: Engine) {
        let world = World::new(engine).await;
        let about_bob = question("bob", "pull", "alice/record-1");
        let about_admin = question("admin", "pull", "alice/record-1");
        for (scope, own) in [
            (QuayScope::SuperUser, 403),
            (QuayScope::UserRead, 403),
            (QuayScope::RepoAdmin, 200),
            (QuayScope::OrgAdmin, 200),
        ] {
            let token = oauth(&world, "admin", scope).await;
            let status = world.ask_as(&token, EVALUATION, &about_bob).await.status;
            assert_eq!(status, 403, "{scope}");
            let status = world.ask_as(&token, EVALUATION, &about_admin).await.status;
            assert_eq!(status, own, "{scope}");
        }
        assert!(decision(&world.ask(EVALUATION, &about_bob).await));
    }
}

both! {
    /// V1: the subject's own right and that of each of his tokens are never taken for one another.
    async fn token_is_asked_about_by_its_id_or_its_secret(engine: Engine) {
        let world = World::new(engine).await;
        let mint = Mint::Authorization("read".parse().expect("scopes"));
        let reads = token(&world.app, "alice", mint).await;
        let ids = world.app.db.read(|q: &mut dyn Query| {
            let stmt = Stmt::same("SELECT id, kind FROM token WHERE principal_name = 'alice' ORDER BY seq");
            let rows = q.all(&stmt, &[])?;
            Ok(rows.iter().map(|row| row.text(0).expect("an id").to_owned()).collect::<Vec<_>>())
        });
        let ids = ids.await.expect("an answer");
        let by_id = |id: &str, action: &str| {
            let mut asked = question("", action, "alice/record-1");
            asked["subject"] = json!({ "type": "token", "id": id });
            asked
        };
        let by_secret = |subject: Value, secret: &str, action: &str| {
            let mut asked = question("", action, "alice/record-1");
            asked["subject"] = subject;
            asked["context"] = json!({ "token": secret });
            asked
        };
        let alice = json!({ "type": "user", "id": "alice" });
        let bob = json!({ "type": "user", "id": "bob" });
        let presented = |id: &str| json!({ "type": "token", "id": id });
        for (asked, allowed) in [
            (by_id(&ids[0], "push"), true),
            (by_id(&ids[1], "pull"), true),
            (by_id(&ids[1], "push"), false),
            (by_id("00000000-0000-4000-8000-000000000000", "pull"), false),
            (by_id("x", "pull"), false),
            (by_secret(alice.clone(), &world.alice, "push"), true),
            (by_secret(alice.clone(), &reads, "push"), false),
            (by_secret(alice.clone(), &reads, "pull"), true),
            (by_secret(bob, &world.alice, "pull"), false),
            (by_secret(presented("presented"), &reads, "pull"), true),
            (by_secret(presented(&ids[1]), &reads, "pull"), true),
            (by_secret(presented(&ids[0]), &reads, "pull"), false),
            (by_secret(alice, "nothing", "pull"), false),
        ] {
            assert_eq!(decision(&world.ask(EVALUATION, &asked).await), allowed, "{asked}");
        }
        // his own tokens are his to ask about, others' are not
        let own = world.ask_as(&world.alice, EVALUATION, &by_id(&ids[1], "pull")).await;
        assert!(decision(&own));
        let foreign = world.ask_as(&world.bob, EVALUATION, &by_id(&ids[1], "pull")).await;
        assert_eq!(foreign.status, 403);
    }
}

both! {
    async fn organisations_are_asked_about_too(engine: Engine) {
        let world = World::new(engine).await;
        let admin = Visitor::sign_in(&world.app, "admin", "password").await;
        let org = json!({ "name": "acme", "email": "acme@example.com" });
        assert_eq!(admin.post("/api/v1/organization/", org).await.status, 201);
        let team = "/api/v1/organization/acme/team/makers";
        assert_eq!(admin.put(team, json!({ "role": "creator" })).await.status, 200);
        assert_eq!(admin.put(&format!("{team}/members/bob"), json!({})).await.status, 200);
        for (who, action, org, allowed) in [
            ("bob", "create", "acme", true),
            ("bob", "administer", "acme", false),
            ("admin", "administer", "acme", true),
            ("alice", "create", "acme", false),
            ("bob", "pull", "acme", false),
            ("bob", "create", "none", false),
            ("alice", "create", "alice", false),
        ] {
            let mut asked = question(who, action, org);
            asked["resource"]["type"] = json!("organization");
            assert_eq!(decision(&world.ask(EVALUATION, &asked).await), allowed, "{asked}");
        }
        let mut asked = question("bob", "create", "acme");
        asked["resource"]["type"] = json!("organization");
        asked["context"] = json!({ "explain": true });
        let why = &world.ask_as(&world.bob, EVALUATION, &asked).await.json()["context"];
        assert_eq!(
            why["reason"],
            "`bob` may create repositories in `acme`: \
             its team `acme/makers` has the role creator in the organization"
        );
    }
}

/// The context of an explained answer.
async fn why(world: &World, who: &str, mut asked: Value) -> Value {
    if asked["context"].is_null() {
        asked["context"] = json!({});
    }
    asked["context"]["explain"] = json!(true);
    let answer = world.ask_as(who, EVALUATION, &asked).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let plain = {
        asked["context"]["explain"] = json!(false);
        asked
    };
    let plain = world.ask_as(who, EVALUATION, &plain).await;
    assert_eq!(answer.json()["decision"], plain.json()["decision"], "one logic");
    answer.json()["context"].clone()
}

both! {
    async fn reasons_are_told_to_who_wants_them_as_far_as_he_may_know(engine: Engine) {
        let world = World::new(engine).await;
        let about = |who, action| question(who, action, "alice/record-1");
        assert_eq!(
            why(&world, &world.bob, about("bob", "pull")).await,
            json!({
                "reason": "`bob` may pull `alice/record-1`: it has the permission read",
                "needs": "read",
                "role": "read",
                "paths": [{ "by": "permission", "role": "read", "grants": true }],
            })
        );
        let below = why(&world, &world.bob, about("bob", "push")).await;
        assert_eq!((&below["missing"], &below["needs"]), (&json!("role"), &json!("write")));
        // whether it exists is told to who may ask about anyone, and to nobody else
        let none = question("bob", "pull", "alice/none");
        let secret = question("bob", "pull", "alice/record-2");
        let (none, secret) =
            (why(&world, &world.bob, none).await, why(&world, &world.bob, secret).await);
        let text = |value: &Value| value.to_string().replace("none", "record-2");
        assert_eq!(text(&none), text(&secret));
        let none = question("bob", "pull", "alice/none");
        assert_eq!(why(&world, &world.admin, none).await["missing"], "resource");
        // what is with somebody else's account is not told to who administers the repository
        let disable = json!({ "enabled": false });
        let admin = Visitor::sign_in(&world.app, "admin", "password").await;
        assert_eq!(admin.put("/api/v1/superuser/users/bob", disable).await.status, 200);
        let of_admin = why(&world, &world.admin, about("bob", "pull")).await;
        assert_eq!(of_admin["missing"], "subject_disabled");
        let ghost = why(&world, &world.alice, about("ghost", "pull")).await;
        let disabled = why(&world, &world.alice, about("bob", "pull")).await;
        assert_eq!(ghost.to_string().replace("ghost", "bob"), disabled.to_string());
    }
}

both! {
    async fn token_that_is_dead_is_told_so_and_its_secret_is_told_to_nobody(engine: Engine) {
        let mut settings = Settings::default();
        settings.audit.decisions = AuditDecisions::All;
        let world = World::with(engine, settings).await;
        let mint = Mint::Authorization("read".parse().expect("scopes"));
        let reads = token(&world.app, "alice", mint).await;
        let asked = |action: &str| {
            let mut asked = question("alice", action, "alice/record-1");
            asked["context"] = json!({ "token": reads });
            asked
        };
        let live = why(&world, &world.admin, asked("push")).await;
        assert_eq!((&live["missing"], &live["token"]["state"]), (&json!("scope"), &json!("live")));
        assert_eq!(live["token"]["scopes"], json!(["openshift:read"]));
        assert_eq!(live["token"]["ceiling"], "read");
        assert!(!live.to_string().contains(&reads));
        world.app.clock.advance_ms(400 * 24 * 3_600_000);
        let dead = why(&world, &world.admin, asked("pull")).await;
        assert_eq!(dead["missing"], "token_expired");
        world.app.app.flush_decisions().await.expect("it is written");
        let rows = world.app.db.read(|q: &mut dyn Query| {
            let stmt = Stmt::same(
                "SELECT actor_name, door, object_name, before, after, outcome FROM audit
                 WHERE act = 'decide' ORDER BY seq",
            );
            let rows = q.all(&stmt, &[])?;
            let text = |row: &claviger_store::Row| {
                (0..6).map(|at| row.text(at).unwrap_or_default().to_owned()).collect::<Vec<_>>()
            };
            Ok(rows.iter().map(text).collect::<Vec<_>>())
        });
        let rows = rows.await.expect("rows");
        assert_eq!(rows.len(), 4);
        let asked = r#"{"actions":["push"],"subject":"alice"}"#;
        let refused = ["admin", "decisions", "alice/record-1", asked, r#"{"actions":[]}"#, "denied"];
        assert_eq!(rows[0], refused);
        assert!(!format!("{rows:?}").contains(&reads));
    }
}
