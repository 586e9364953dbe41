//! Reach: who gets at a repository, and what somebody gets at, with the ways by which.

use claviger_domain::scope::QuayScope;
use claviger_service::program::Mint;
use claviger_store::{Query, Stmt};
use claviger_tests::{app::TestApp, both, visitor::Visitor};
use serde_json::{Value, json};

use super::{World, token, user, who::oauth};

/// An organisation with a team of each sort, a robot and two repositories, one of them public.
async fn organisation(world: &World) {
    user(&world.app, "carol").await;
    let admin = Visitor::sign_in(&world.app, "admin", "password").await;
    let org = json!({ "name": "acme", "email": "acme@example.com" });
    assert_eq!(admin.post("/api/v1/organization/", org).await.status, 201);
    for (team, role) in [("makers", "creator"), ("readers", "member")] {
        let path = format!("/api/v1/organization/acme/team/{team}");
        assert_eq!(admin.put(&path, json!({ "role": role })).await.status, 200);
    }
    for (team, member) in [("makers", "bob"), ("readers", "bob"), ("readers", "carol")] {
        let path = format!("/api/v1/organization/acme/team/{team}/members/{member}");
        assert_eq!(admin.put(&path, json!({})).await.status, 200);
    }
    assert_eq!(admin.put("/api/v1/organization/acme/robots/ci", json!({})).await.status, 201);
    for (name, visibility) in [("app", "private"), ("lib", "public")] {
        let repository = json!({
            "namespace": "acme", "repository": name, "visibility": visibility, "description": "",
        });
        assert_eq!(admin.post("/api/v1/repository", repository).await.status, 201);
        let on = format!("/api/v1/repository/acme/{name}/permissions");
        assert_eq!(admin.delete(&format!("{on}/user/admin")).await.status, 204);
        assert_eq!(
            admin.put(&format!("{on}/team/readers"), json!({ "role": "read" })).await.status,
            200
        );
        assert_eq!(
            admin.put(&format!("{on}/user/acme+ci"), json!({ "role": "write" })).await.status,
            200
        );
    }
}

/// All lines of a list, page by page.
pub(super) async fn lines(visitor: &Visitor<'_, TestApp>, path: &str, limit: u64) -> Vec<Value> {
    let (mut found, mut next) = (Vec::new(), String::new());
    for _ in 0..500 {
        let answer = visitor.get(&format!("{path}?limit={limit}{next}")).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        let body = answer.json();
        let items = body["items"].as_array().expect("items");
        assert!(items.len() as u64 <= limit);
        found.extend(items.iter().cloned());
        match body["metadata"]["continue"].as_str() {
            Some(token) => next = format!("&continue={token}"),
            None => return found,
        }
    }
    panic!("{path} does not end");
}

fn sorted(mut lines: Vec<Value>) -> Vec<Value> {
    lines.sort_by_key(ToString::to_string);
    lines
}

both! {
    async fn who_reaches_a_repository_is_told_with_every_way(engine: Engine) {
        let world = World::new(engine).await;
        organisation(&world).await;
        let alice = Visitor::sign_in(&world.app, "alice", "password").await;
        let all = ["pull", "push", "delete", "administer"];
        assert_eq!(lines(&alice, "/claviger/v1/repositories/alice/record-1/reach", 100).await, [
            json!({ "type": "user", "name": "alice", "role": "admin", "actions": all, "paths": [
                { "by": "permission", "role": "admin" }, { "by": "namespace", "role": "admin" },
            ] }),
            json!({ "type": "user", "name": "bob", "role": "read", "actions": ["pull"], "paths": [
                { "by": "permission", "role": "read" },
            ] }),
        ]);
        let admin = Visitor::sign_in(&world.app, "admin", "password").await;
        let by_team = json!({ "by": "team", "team": "acme/readers", "role": "read" });
        let owners = json!({ "by": "team_role", "team": "acme/owners", "role": "admin" });
        let public = json!({ "by": "public", "role": "read" });
        let ci = json!({ "by": "permission", "role": "write" });
        let line = |kind: &str, name: Option<&str>, role: &str, actions: &[&str], paths: &[&Value]| {
            json!({ "type": kind, "name": name, "role": role, "actions": actions, "paths": paths })
        };
        let mut expected = vec![
            line("team", Some("acme/owners"), "admin", &all, &[&owners]),
            line("team", Some("acme/readers"), "read", &["pull"], &[&by_team]),
            line("user", Some("admin"), "admin", &all, &[&owners]),
            line("robot", Some("acme+ci"), "write", &["pull", "push"], &[&ci]),
            line("user", Some("bob"), "read", &["pull"], &[&by_team]),
            line("user", Some("carol"), "read", &["pull"], &[&by_team]),
        ];
        let path = "/claviger/v1/repositories/acme/app/reach";
        assert_eq!(sorted(lines(&admin, path, 100).await), sorted(expected.clone()));
        for limit in 1..5 {
            assert_eq!(sorted(lines(&admin, path, limit).await), sorted(expected.clone()), "{limit}");
        }
        // what is public is said once, and is nobody's own way alone
        for line in &mut expected {
            line["paths"].as_array_mut().expect("paths").push(public.clone());
        }
        expected.push(line("everybody", None, "read", &["pull"], &[&public]));
        let path = "/claviger/v1/repositories/acme%2Flib/reach";
        let found = lines(&admin, path, 100).await;
        assert_eq!(found[0]["type"], "everybody");
        assert_eq!(sorted(found), sorted(expected));
    }
}

both! {
    async fn what_somebody_reaches_is_told_to_himself_and_to_who_may_ask_about_anyone(engine: Engine) {
        let world = World::new(engine).await;
        organisation(&world).await;
        let bob = Visitor::sign_in(&world.app, "bob", "password").await;
        let by_team = json!({ "by": "team", "team": "acme/readers", "role": "read" });
        let public = json!({ "by": "public", "role": "read" });
        let line = |kind: &str, name: Option<&str>, role: &str, actions: &[&str], paths: &[&Value]| {
            json!({ "type": kind, "name": name, "role": role, "actions": actions, "paths": paths })
        };
        let direct = json!({ "by": "permission", "role": "read" });
        let makes = json!({ "by": "team_role", "team": "acme/makers", "role": "creator" });
        let member = json!({ "by": "team_role", "team": "acme/readers", "role": "member" });
        let mut expected = vec![
            line("public", None, "read", &["pull"], &[&public]),
            line("repository", Some("alice/record-1"), "read", &["pull"], &[&direct]),
            line("repository", Some("acme/app"), "read", &["pull"], &[&by_team]),
            line("repository", Some("acme/lib"), "read", &["pull"], &[&by_team, &public]),
            line("organization", Some("acme"), "creator", &["create"], &[&makes, &member]),
        ];
        let normal = |lines: Vec<Value>| {
            let paths = |mut line: Value| {
                let all = line["paths"].as_array_mut().expect("paths");
                all.sort_by_key(ToString::to_string);
                line
            };
            sorted(lines.into_iter().map(paths).collect())
        };
        let own = "/claviger/v1/principals/bob/reach";
        for limit in [1, 2, 3, 100] {
            assert_eq!(normal(lines(&bob, own, limit).await), normal(expected.clone()), "{limit}");
        }
        let admin = Visitor::sign_in(&world.app, "admin", "password").await;
        assert_eq!(normal(lines(&admin, own, 100).await), normal(expected.clone()));
        let robot = lines(&admin, "/claviger/v1/principals/acme+ci/reach", 100).await;
        assert_eq!(robot.len(), 3, "{robot:?}");
        // a token reaches what its scopes leave
        token(&world.app, "bob", Mint::Authorization("userinfo".parse().expect("scopes"))).await;
        let ids = world.app.db.read(|q: &mut dyn Query| {
            let stmt = Stmt::same("SELECT id FROM token WHERE principal_name = 'bob' ORDER BY seq");
            let rows = q.all(&stmt, &[])?;
            Ok(rows.iter().map(|row| row.text(0).expect("an id").to_owned()).collect::<Vec<_>>())
        });
        let ids = ids.await.expect("ids");
        let by_app = lines(&bob, &format!("/claviger/v1/tokens/{}/reach", ids[0]), 100).await;
        assert_eq!(normal(by_app), normal(expected.clone()));
        let weak = lines(&bob, &format!("/claviger/v1/tokens/{}/reach", ids[1]), 100).await;
        assert!(weak.is_empty(), "{weak:?}");
        // what keeps him from acting keeps him from reaching
        let disable = json!({ "enabled": false });
        assert_eq!(admin.put("/api/v1/superuser/users/bob", disable).await.status, 200);
        assert!(lines(&admin, own, 100).await.is_empty());
        expected.clear();
        assert_eq!(lines(&admin, &format!("/claviger/v1/tokens/{}/reach", ids[0]), 100).await, expected);
    }
}

both! {
    async fn reach_is_refused_before_anything_is_told(engine: Engine) {
        let world = World::new(engine).await;
        let [admin, alice, bob] = [
            Visitor::sign_in(&world.app, "admin", "password").await,
            Visitor::sign_in(&world.app, "alice", "password").await,
            Visitor::sign_in(&world.app, "bob", "password").await,
        ];
        let nothing = "00000000-0000-4000-8000-000000000000";
        for (who, path, status) in [
            (&bob, "repositories/alice/record-1/reach".to_owned(), 403),
            (&bob, "repositories/alice/none/reach".to_owned(), 403),
            (&alice, "repositories/alice/none/reach".to_owned(), 403),
            (&admin, "repositories/alice/none/reach".to_owned(), 404),
            (&admin, "repositories/none/reach".to_owned(), 404),
            (&bob, "principals/alice/reach".to_owned(), 403),
            (&bob, "principals/ghost/reach".to_owned(), 403),
            (&admin, "principals/ghost/reach".to_owned(), 404),
            (&admin, "principals/%00/reach".to_owned(), 404),
            (&bob, format!("tokens/{nothing}/reach"), 403),
            (&admin, format!("tokens/{nothing}/reach"), 404),
            (&admin, "tokens/nonsense/reach".to_owned(), 404),
            (&admin, "principals/alice/reach?limit=0".to_owned(), 400),
            (&admin, "principals/alice/reach?limit=x".to_owned(), 400),
            (&admin, "principals/alice/reach?continue=x".to_owned(), 400),
            (&admin, "principals/alice/reach?continue=".to_owned(), 400),
            (&admin, "principals/alice/reach?filter=x".to_owned(), 400),
        ] {
            let answer = who.get(&format!("/claviger/v1/{path}")).await;
            assert_eq!(answer.status, status, "{path}: {}", answer.text());
        }
        // a continue token leads on in its own list alone
        let first = admin.get("/claviger/v1/principals/alice/reach?limit=1").await.json();
        let next = first["metadata"]["continue"].as_str().expect("there is more").to_owned();
        for (who, path, status) in [
            (&admin, "principals/alice/reach", 200),
            (&admin, "principals/alice/reach?limit=5", 200),
            (&admin, "principals/bob/reach", 400),
            (&alice, "principals/alice/reach", 400),
        ] {
            let sign = if path.contains('?') { '&' } else { '?' };
            let answer = who.get(&format!("/claviger/v1/{path}{sign}continue={next}")).await;
            assert_eq!(answer.status, status, "{path}: {}", answer.text());
        }
        // an application that may only see who he is does not see what he reaches
        for (scopes, status) in [(QuayScope::UserRead, 403), (QuayScope::RepoRead, 403)] {
            let application = oauth(&world, "bob", scopes).await;
            let answer = Visitor::bearer(&world.app, &application).get("/claviger/v1/principals/bob/reach").await;
            assert_eq!(answer.status, status, "{scopes}");
        }
    }
}
