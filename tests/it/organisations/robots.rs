//! Robots: made, shown, regenerated and removed.

use claviger_service::settings::Reveal;
use claviger_store::Stmt;
use claviger_tests::{app::TestApp, visitor::Visitor};
use http::Method;
use serde_json::{Value, json};

use super::{ORG, acme, actions, make_repository, put_member, test_settings};

/// What was done last, the newest first.
async fn last_acts(app: &TestApp) -> Vec<String> {
    let acts = app.db.read(|q| {
        let rows = q.all(&Stmt::same("SELECT act FROM audit ORDER BY seq DESC LIMIT 2"), &[])?;
        Ok(rows.iter().map(|row| row.text(0).expect("a word").to_owned()).collect())
    });
    acts.await.expect("an answer")
}

claviger_tests::both! {
    async fn a_robot_lives_and_ends_with_its_secret(engine: Engine) {
        let (app, _) = TestApp::seeded(engine, test_settings()).await;
        let owner = acme(&app).await;
        make_repository(&owner, "app").await;
        let robot = format!("{ORG}/robots/ci");
        let metadata = json!({"b": [1, null], "a": "ü"});
        let body = json!({"description": " two\nlines ", "unstructured_metadata": metadata});
        let made = owner.put(&robot, body).await;
        assert_eq!(made.status, 201, "{}", made.text());
        assert_eq!(made.header("cache-control"), Some("no-store"));
        let made = made.json();
        let secret = made["token"].as_str().expect("a secret").to_owned();
        assert!(secret.starts_with("clvr_"), "{secret}");
        assert_eq!(made["unstructured_metadata"], metadata);
        assert_eq!(owner.get(&robot).await.json(), made, "the same secret again");
        assert_eq!(last_acts(&app).await, ["reveal_robot_token", "create_robot"]);

        owner
            .put(
                "/api/v1/repository/acme/app/permissions/user/acme+ci",
                json!({"role": "read"}),
            )
            .await;
        assert_eq!(actions(&app, "acme+ci", &secret).await, Ok(json!(["pull"])));
        let used = owner.get(&robot).await.json();
        assert!(used["last_accessed"].is_string(), "shown at once: {used}");
        let listed = owner.get(&format!("{ORG}/robots?permissions=true&limit=5")).await.json();
        assert_eq!(listed["robots"][0]["repositories"], json!(["app"]));
        assert_eq!(listed["robots"][0]["token"], secret.as_str());
        let permissions = owner.get(&format!("{robot}/permissions")).await.json();
        let on = json!({"repository": {"name": "app", "is_public": false}, "role": "read"});
        assert_eq!(permissions, json!({"permissions": [on]}));

        let again = owner.send(Method::POST, &format!("{robot}/regenerate"), None, vec![]).await;
        let second = again.json()["token"].as_str().expect("a secret").to_owned();
        assert_eq!(actions(&app, "acme+ci", &secret).await, Err(401), "the old one is dead");
        assert_eq!(actions(&app, "acme+ci", &second).await, Ok(json!(["pull"])));

        assert_eq!(owner.delete(&robot).await.status, 204);
        assert_eq!(actions(&app, "acme+ci", &second).await, Err(401));
        let gone = owner.get(&robot).await;
        assert_eq!(
            (gone.status.as_u16(), gone.json()),
            (400, json!({"message": "Could not find robot with specified username"}))
        );
        // another of that name has nothing of it
        let third = owner.put(&robot, json!({})).await.json();
        let third = third["token"].as_str().expect("a secret");
        assert_eq!(actions(&app, "acme+ci", third).await, Ok(json!([])));
        assert_eq!(actions(&app, "acme+ci", &second).await, Err(401));
    }

    async fn a_secret_that_is_brought_along_opens_the_registry(engine: Engine) {
        let (app, _) = TestApp::seeded(engine, test_settings()).await;
        let owner = acme(&app).await;
        make_repository(&owner, "app").await;
        let (robot, secret) = (format!("{ORG}/robots/ci"), "K7".repeat(32));
        assert_eq!(actions(&app, "acme+ci", &secret).await, Err(401));
        let made = owner.put(&robot, json!({"token": secret})).await;
        assert_eq!((made.status.as_u16(), &made.json()["token"]), (201, &json!(secret)));
        assert_eq!(owner.get(&robot).await.json()["token"], secret, "and again");
        let listed = owner.get(&format!("{ORG}/robots")).await.json();
        assert_eq!(listed["robots"][0]["token"], secret);
        let grant = "/api/v1/repository/acme/app/permissions/user/acme+ci";
        owner.put(grant, json!({"role": "write"})).await;
        assert_eq!(actions(&app, "acme+ci", &secret).await, Ok(json!(["pull", "push"])));
        assert_eq!(actions(&app, "acme+ci", &secret[1..]).await, Err(401));
        assert_eq!(actions(&app, "acme+other", &secret).await, Err(401), "it is not another's");

        // nobody else has it while it is good
        let taken = owner.put(&format!("{ORG}/robots/other"), json!({"token": secret})).await;
        let words = json!({"message": "the secret is in use"});
        assert_eq!((taken.status.as_u16(), taken.json()), (400, words));
        let ours = owner.put("/api/v1/user/robots/own", json!({})).await.json();
        let short = "x".repeat(19);
        let spaced = format!("{short} x");
        for bad in [ours["token"].as_str().expect("a secret"), &short, &spaced, "", "a\0"] {
            let refused = owner.put(&format!("{ORG}/robots/other"), json!({"token": bad})).await;
            let said = refused.json()["detail"].as_str().expect("a text").to_owned();
            assert!(refused.status == 400 && said.starts_with("`token` "), "{bad}: {said}");
        }
        assert_eq!(owner.get(&format!("{ORG}/robots/other")).await.status, 400, "none was made");

        // a regenerated one is drawn; the old one may be brought along again, even by another
        let again = owner.send(Method::POST, &format!("{robot}/regenerate"), None, vec![]).await;
        let drawn = again.json()["token"].as_str().expect("a secret").to_owned();
        assert!(drawn.starts_with("clvr_"), "{drawn}");
        assert_eq!(actions(&app, "acme+ci", &secret).await, Err(401));
        for _ in 0..2 {
            assert_eq!(owner.put(&format!("{ORG}/robots/other"), json!({"token": secret})).await.status, 201);
            assert_eq!(actions(&app, "acme+other", &secret).await, Ok(json!([])));
            assert_eq!(actions(&app, "acme+ci", &secret).await, Err(401));
            assert_eq!(owner.delete(&format!("{ORG}/robots/other")).await.status, 204);
            assert_eq!(actions(&app, "acme+other", &secret).await, Err(401));
        }
        // at rest there is a keyed hash and a sealed copy, never the text
        let rows = app.db.read(|q| {
            Ok(q.all(&Stmt::same("SELECT form, sealed, prefix FROM secret WHERE form <> 'derived'"), &[])?)
        });
        for row in rows.await.expect("an answer") {
            assert_eq!((row.text(0).expect("a form"), row.text(2).expect("a prefix")), ("sealed", ""));
            let sealed = row.blob(1).expect("a copy");
            assert!(!sealed.windows(20).any(|part| part == &secret.as_bytes()[..20]));
        }
    }

    async fn robot_secrets_are_shown_to_administrators_alone(engine: Engine) {
        let mut settings = test_settings();
        settings.quay.feature_superusers_full_access = true;
        let (app, _) = TestApp::seeded(engine, settings).await;
        let owner = acme(&app).await;
        let robot = format!("{ORG}/robots/ci");
        owner.put(&robot, json!({})).await;
        put_member(&owner, "devs", "freshuser").await;
        let token = |answer: Value| answer["robots"][0].get("token").is_some();
        let list = format!("{ORG}/robots");

        assert!(token(owner.get(&list).await.json()));
        assert!(!token(owner.get(&format!("{list}?token=false")).await.json()));
        let member = Visitor::sign_in(&app, "freshuser", "password").await;
        let listed = member.get(&list).await.json();
        assert_eq!(listed["robots"][0]["name"], "acme+ci");
        assert!(!token(listed), "a member sees that it is there");
        assert_eq!(member.get(&robot).await.status, 403);
        // full access is every right but this one
        let superuser = Visitor::sign_in(&app, "devtable", "password").await;
        assert!(!token(superuser.get(&list).await.json()));
        let seen = superuser.get(&robot).await;
        assert_eq!((seen.status.as_u16(), seen.json().get("token")), (200, None));

        // a namespace that is no organisation
        let own = owner.get("/api/v1/organization/reader/robots/ci").await;
        assert_eq!(own.json(), json!({"message": "Organization does not exist: reader"}));
        let other = owner.get("/api/v1/organization/public/robots").await;
        assert_eq!(other.status, 403);
        assert_eq!(owner.get("/api/v1/user/robots/public").await.status, 400);
    }

    async fn with_reveal_off_a_secret_is_shown_once(engine: Engine) {
        let mut settings = test_settings();
        settings.tokens.reveal = Reveal::None;
        let (app, _) = TestApp::seeded(engine, settings).await;
        let owner = Visitor::sign_in(&app, "reader", "password").await;
        let robot = "/api/v1/user/robots/ci";
        let made = owner.put(robot, json!({})).await.json();
        assert!(made["token"].is_string());
        assert!(owner.get(robot).await.json().get("token").is_none());
        let listed = owner.get("/api/v1/user/robots").await.json();
        assert!(listed["robots"][0].get("token").is_none());
        // of one that is brought along no copy is kept either
        let secret = "K7".repeat(32);
        let other = "/api/v1/user/robots/other";
        assert_eq!(owner.put(other, json!({"token": secret})).await.json()["token"], secret);
        assert!(owner.get(other).await.json().get("token").is_none());
        let login = Visitor::basic(&app, "reader+other", &secret);
        assert_eq!(login.get("/v2/auth?service=localhost:5000").await.status, 200);
    }
}
