//! Deciders: who enforces comes with a token that may ask about anyone, and do nothing else.

use claviger_service::program::Mint;
use claviger_store::{Query, Stmt, audit::Actor};
use claviger_tests::{both, visitor::Visitor};
use serde_json::json;

use super::{EVALUATION, World, question, token};

const DECIDERS: &str = "/claviger/v1/deciders";

async fn acts(world: &World) -> Vec<String> {
    let rows = world.app.db.read(|q: &mut dyn Query| {
        let stmt = Stmt::same(
            "SELECT act, actor_name, object_name FROM audit WHERE act LIKE '%decider' ORDER BY seq",
        );
        let text = |row: &claviger_store::Row| {
            (0..3).map(|at| row.text(at).unwrap_or_default()).collect::<Vec<_>>().join(" ")
        };
        Ok(q.all(&stmt, &[])?.iter().map(text).collect::<Vec<_>>())
    });
    rows.await.expect("rows")
}

both! {
    async fn token_of_a_decider_asks_about_anyone_and_does_nothing_else(engine: Engine) {
        let world = World::new(engine).await;
        let alice = Visitor::sign_in(&world.app, "alice", "password").await;
        let robot = "/api/v1/user/robots/pep";
        let made = alice.put(robot, json!({})).await;
        assert_eq!(made.status, 201);
        let about = question("bob", "pull", "alice/record-1");
        for (holder, mint) in [("alice+pep", Mint::RobotDecider), ("bob", Mint::Decider)] {
            let pep = token(&world.app, holder, mint).await;
            for who in ["alice", "bob", "ghost"] {
                let asked = question(who, "pull", "alice/record-1");
                assert_eq!(world.ask_as(&pep, EVALUATION, &asked).await.status, 200, "{holder} {who}");
            }
            let bearer = Visitor::bearer(&world.app, &pep);
            assert_eq!(bearer.get("/claviger/v1/whoami").await.status, 401, "{holder}");
            let login = Visitor::basic(&world.app, "$app", &pep);
            let scope = "/v2/auth?service=localhost:5000&scope=repository:alice/record-1:pull";
            let pulls = login.get(scope).await;
            assert!(!pulls.text().contains("alice/record-1"), "{}", pulls.text());
        }
        let program = Actor::program("tests".to_owned()).name;
        assert_eq!(acts(&world).await, [
            format!("make_decider {program} alice+pep"), format!("make_decider {program} bob"),
        ]);
        // no door shows it again, nor takes it for what logs the robot in
        assert_eq!(alice.get(robot).await.json()["token"], made.json()["token"]);
        let all = alice.get("/api/v1/user/robots").await.json();
        assert_eq!(all["robots"][0]["token"], made.json()["token"]);
        // a token of his without the scope, and his session, are his own
        assert_eq!(world.ask_as(&world.bob, EVALUATION, &question("alice", "pull", "alice/record-2")).await.status, 403);
        let session = Visitor::sign_in(&world.app, "bob", "password").await;
        let explain = "/claviger/v1/decisions:explain?subject=user:alice&action=pull&resource=repository:alice/record-2";
        assert_eq!(session.get(explain).await.status, 403);
        assert_eq!(session.get("/claviger/v1/principals/alice/reach").await.status, 403);
        // a robot's own right is asked with its own token
        let own = token(&world.app, "alice+pep", Mint::Robot).await;
        assert_eq!(world.ask_as(&own, EVALUATION, &about).await.status, 403);
    }
}

both! {
    async fn decider_who_is_none_any_more_asks_about_nobody_else_at_once(engine: Engine) {
        let world = World::new(engine).await;
        let pep = token(&world.app, "bob", Mint::Decider).await;
        let about = question("alice", "pull", "alice/record-2");
        let status = async || world.ask_as(&pep, EVALUATION, &about).await.status.as_u16();
        let admin = Visitor::sign_in(&world.app, "admin", "password").await;
        let alice = Visitor::sign_in(&world.app, "alice", "password").await;
        let one = format!("{DECIDERS}/bob");
        for path in [DECIDERS, &one] {
            assert_eq!(alice.get(path).await.status, if path == DECIDERS { 403 } else { 405 });
        }
        assert_eq!(alice.delete(&one).await.status, 403);
        assert_eq!(alice.put(&one, json!({})).await.status, 403);
        let listed = admin.get(DECIDERS).await.json();
        assert_eq!(listed["items"], json!([
            { "type": "user", "name": "bob", "since": "2026-11-22T05:11:11.000000Z" },
        ]));
        for _ in 0..2 {
            assert_eq!(status().await, 200);
            assert_eq!(admin.delete(&one).await.status, 204);
            assert_eq!(status().await, 403, "the very next question");
            assert_eq!(admin.delete(&one).await.status, 404);
            assert_eq!(admin.put(&one, json!({})).await.status, 204);
            assert_eq!(admin.put(&one, json!({})).await.status, 204);
        }
        for nobody in ["ghost", "a%00b"] {
            let path = format!("{DECIDERS}/{nobody}");
            assert_eq!(admin.put(&path, json!({})).await.status, 404);
            assert_eq!(admin.delete(&path).await.status, 404);
        }
        let acts: Vec<_> = acts(&world).await.iter().map(|act| act.split(' ').next().unwrap_or_default().to_owned()).collect();
        assert_eq!(acts, ["make_decider", "unmake_decider", "make_decider", "unmake_decider", "make_decider"]);
        // a superuser's token with the scope needs no more
        let pep = token(&world.app, "admin", Mint::Decider).await;
        assert_eq!(admin.delete(&format!("{DECIDERS}/admin")).await.status, 204);
        assert_eq!(world.ask_as(&pep, EVALUATION, &about).await.status, 200);
    }
}
