//! Users, their roles and their passwords: made, seen, changed and ended through the Astra door.

use claviger_service::Settings;
use claviger_tests::{app::TestApp, visitor::Visitor};
use http::Method;
use serde_json::{Value, json};

use super::{
    gate::{problem, with},
    world::{account, bearer, first_account, token, user},
};

const NIL: &str = "00000000-0000-0000-0000-000000000000";

/// A body of a user.
pub(super) fn a_user(email: &str) -> Value {
    json!({"type": "application/astra-user", "version": "1.2", "email": email,
        "firstName": "John", "lastName": "Doe"})
}

/// A body of a role.
pub(super) fn a_role(account: &str, user: &str, role: &str) -> Value {
    json!({"type": "application/astra-roleBinding", "version": "1.1", "accountID": account,
        "userID": user, "role": role})
}

/// A body of a password.
pub(super) fn a_password(user: &str, cleartext: &str) -> Value {
    use base64::{Engine as _, prelude::BASE64_STANDARD};
    json!({"type": "application/astra-credential", "version": "1.1", "name": user,
        "keyType": "passwordHash", "valid": "true",
        "keyStore": {"cleartext": BASE64_STANDARD.encode(cleartext), "change": "ZmFsc2U="}})
}

/// The id in an answer.
pub(super) fn id(answer: &claviger_tests::answer::Answer) -> String {
    assert_eq!(answer.status, 201, "{}", answer.text());
    answer.json()["id"].as_str().expect("an id").to_owned()
}

claviger_tests::both! {
    async fn user_is_made_given_a_role_and_a_password_and_then_signs_in_everywhere(engine: Engine) {
        let app = TestApp::empty(engine, Settings::default()).await;
        let root = bearer(&app, "admin").await;
        let home = first_account(&app).await.to_string();
        let core = format!("/accounts/{home}/core/v1");
        let made = root.post(&format!("{core}/users"), a_user("JDoe@example.com")).await;
        let ann = id(&made);
        let shown = made.json();
        assert_eq!(shown["state"], "active");
        assert_eq!(shown["isEnabled"], "true");
        assert_eq!((&shown["authProvider"], &shown["authID"]), (&json!("local"), &json!("JDoe@example.com")));
        assert_eq!(root.get(&format!("{core}/users/{ann}")).await.json(), shown);
        // not yet usable: no role, no password
        assert!(Visitor::try_sign_in(&app, "jdoe", "correct-horse").await.is_err());
        app.clock.advance_ms(60_000); // the wrong password is forgotten
        let role = root.post(&format!("{core}/roleBindings"), a_role(&home, &ann, "member")).await;
        let binding = id(&role);
        assert_eq!(role.json()["roleConstraints"], json!(["*"]));
        assert_eq!((&role.json()["groupID"], &role.json()["principalType"]), (&json!(NIL), &json!("user")));
        let password = root.post(&format!("{core}/credentials"), a_password(&ann, "correct-horse")).await;
        assert_eq!(id(&password), ann);
        assert!(password.json().get("keyStore").is_none(), "{}", password.text());
        assert!(!password.text().contains("argon2"));
        let again = root.post(&format!("{core}/credentials"), a_password(&ann, "correct-horse")).await;
        assert_eq!((again.status.as_u16(), problem(&again)), (409, 39));

        // the same user in every door
        let session = Visitor::sign_in(&app, "jdoe", "correct-horse").await;
        assert_eq!(session.get("/api/v1/user/").await.json()["username"], "jdoe");
        let login = "/v2/auth?service=registry";
        assert_eq!(Visitor::basic(&app, "jdoe", "correct-horse").get(login).await.status, 200);
        let jdoe = bearer(&app, "jdoe").await;
        let jdoes_token = token(&app, "jdoe").await;
        assert_eq!(jdoe.get(&format!("{core}/users/{ann}")).await.status, 200);

        // another password ends what was born of the former one, and no token
        let put = |body: Value| {
            let (app, root, path) = (&app, &root, format!("{core}/credentials/{ann}"));
            async move { with(app, root, Method::PUT, &path, &[], &body.to_string()).await }
        };
        assert_eq!(problem(&put(a_password(&ann, "correct-horse")).await), 81);
        assert_eq!(put(a_password(&ann, "battery-staple")).await.status, 204);
        assert_eq!(session.get("/api/v1/user/").await.status, 401);
        assert!(Visitor::try_sign_in(&app, "jdoe", "correct-horse").await.is_err());
        app.clock.advance_ms(60_000); // the wrong password is forgotten
        let session = Visitor::sign_in(&app, "jdoe", "battery-staple").await;
        assert_eq!(Visitor::basic(&app, "jdoe", &jdoes_token).get(login).await.status, 200);
        // a password goes with its user alone
        let kept = root.delete(&format!("{core}/credentials/{ann}")).await;
        assert_eq!((kept.status.as_u16(), problem(&kept)), (409, 164));

        // a disabled user opens nothing
        let off = json!({"type": "application/astra-user", "version": "1.2", "isEnabled": "false"});
        let path = format!("{core}/users/{ann}");
        assert_eq!(root.put(&path, off).await.status, 204);
        let shown = root.get(&path).await.json();
        assert_eq!((&shown["isEnabled"], &shown["state"]), (&json!("false"), &json!("suspended")));
        assert_eq!(shown["firstName"], "John");
        assert_eq!(problem(&jdoe.get(&path).await), 11);
        assert_eq!(session.get("/api/v1/user/").await.status, 401);
        assert_eq!(Visitor::basic(&app, "jdoe", &jdoes_token).get(login).await.status, 401);
        let mut on = shown.clone();
        on["state"] = json!("active");
        assert_eq!(root.put(&path, on).await.status, 204);
        assert_eq!(jdoe.get(&path).await.status, 200);
        assert_eq!(Visitor::basic(&app, "jdoe", &jdoes_token).get(login).await.status, 200);

        // with the last role the user goes, and his tokens at once
        assert_eq!(root.delete(&format!("{core}/roleBindings/{binding}")).await.status, 204);
        assert_eq!(problem(&root.get(&path).await), 2);
        assert_eq!(problem(&jdoe.get(&path).await), 4);
        assert_eq!(Visitor::basic(&app, "jdoe", &jdoes_token).get(login).await.status, 401);
        assert_eq!(problem(&root.delete(&format!("{core}/roleBindings/{binding}")).await), 1);
        // the name stays nobody's
        let next = root.post(&format!("{core}/users"), a_user("jdoe@example.com")).await;
        id(&next);
        assert!(Visitor::try_sign_in(&app, "jdoe", "battery-staple").await.is_err());
    }

    async fn name_of_a_user_is_never_one_that_is_taken_reserved_or_buried(engine: Engine) {
        let mut settings = Settings::default();
        settings.quay.super_users = vec!["boss".parse().expect("a name")];
        let app = TestApp::empty(engine, settings).await;
        let root = bearer(&app, "admin").await;
        let users = format!("/accounts/{}/core/v1/users", first_account(&app).await);
        let name = |id: String| {
            let app = &app;
            async move {
                let id: claviger_domain::id::PrincipalId = id.parse().expect("an id");
                let found = app.db.read(move |q| Ok(claviger_store::principals::find(q, &id)?)).await;
                found.expect("an answer").expect("a user").name
            }
        };
        for (email, expected) in [
            ("admin@example.com", "admin-2"),
            ("Admin@other.example", "admin-3"),
            ("boss@example.com", "boss-2"),
            ("gone@example.com", "gone"),
        ] {
            let made = id(&root.post(&users, a_user(email)).await);
            assert_eq!(name(made.clone()).await, expected);
            if expected == "gone" {
                assert_eq!(root.delete(&format!("{users}/{made}")).await.status, 204);
                let again = id(&root.post(&users, a_user(email)).await);
                assert_eq!(name(again).await, "gone-2");
            }
        }
        let taken = root.post(&users, a_user("BOSS@example.com")).await;
        assert_eq!((taken.status.as_u16(), problem(&taken)), (409, 19));
        for (body, number) in [
            (json!({"type": "application/astra-user", "version": "1.2"}), 8),
            (json!({"type": "application/astra-user", "version": "2.0", "email": "a@b"}), 8),
            (json!({"type": "application/astra-user", "version": "1.2", "email": "nobody"}), 9),
            (json!({"type": "application/astra-user", "version": "1.2", "email": "a@b", "firstName": "<b>"}), 9),
            (json!({"type": "application/astra-user", "version": "1.2", "email": "a@b", "companyName": ""}), 8),
            (json!({"type": "application/astra-user", "version": "1.2", "email": "a@b", "authProvider": "ldap"}), 9),
            (json!({"type": "application/astra-user", "version": "1.2", "email": "a@b", "isEnabled": "true"}), 8),
            (json!({"type": "application/astra-user", "version": "1.2", "email": "a@b", "postalAddress": {}}), 8),
        ] {
            assert_eq!(problem(&root.post(&users, body.clone()).await), number, "{body}");
        }
    }

    async fn user_who_is_needed_cannot_go(engine: Engine) {
        let app = TestApp::empty(engine, Settings::default()).await;
        let root = bearer(&app, "admin").await;
        let core = format!("/accounts/{}/core/v1", first_account(&app).await);
        let (ann, bob) = (user(&app, "ann", None).await, user(&app, "bob", None).await);
        let session = Visitor::sign_in(&app, "ann", "password").await;
        let repo = json!({"repository": "app", "visibility": "private", "description": "",
            "namespace": "ann", "repo_kind": "image"});
        assert_eq!(session.post("/api/v1/repository", repo).await.status, 201);
        let session = Visitor::sign_in(&app, "bob", "password").await;
        let org = json!({"name": "acme", "email": "acme@example.com"});
        assert_eq!(session.post("/api/v1/organization/", org).await.status, 201);
        for who in [ann, bob] {
            for path in [format!("{core}/users/{who}"), format!("{core}/roleBindings/{who}")] {
                let refused = root.delete(&path).await;
                assert_eq!((refused.status.as_u16(), problem(&refused)), (409, 164), "{path}");
            }
            assert_eq!(root.get(&format!("{core}/users/{who}")).await.status, 200);
        }
    }

    async fn role_is_changed_and_bound_to_nothing(engine: Engine) {
        let app = TestApp::empty(engine, Settings::default()).await;
        let root = bearer(&app, "admin").await;
        let home = first_account(&app).await.to_string();
        let core = format!("/accounts/{home}/core/v1");
        let ann_id = user(&app, "ann", None).await;
        let ann = bearer(&app, "ann").await;
        let path = format!("{core}/roleBindings/{ann_id}");
        let users = format!("{core}/users");
        assert_eq!(problem(&ann.post(&users, a_user("x@example.com")).await), 11);
        let change = |more: Value| {
            let mut body = json!({"type": "application/astra-roleBinding", "version": "1.1"});
            body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
            body
        };
        assert_eq!(root.put(&path, change(json!({"role": "admin"}))).await.status, 204);
        id(&ann.post(&users, a_user("x@example.com")).await);
        // lowered: gone at the next request
        assert_eq!(root.put(&path, change(json!({"role": "viewer"}))).await.status, 204);
        assert_eq!(problem(&ann.post(&users, a_user("y@example.com")).await), 11);
        assert_eq!(ann.get(&users).await.status, 200);
        assert_eq!(root.put(&path, change(json!({"roleConstraints": []}))).await.status, 204);
        assert_eq!(root.get(&path).await.json()["role"], "viewer");
        assert_eq!(problem(&ann.get(&users).await), 11);
        for (more, number) in [
            (json!({"userID": NIL}), 10),
            (json!({"accountID": "11111111-1111-4111-8111-111111111111"}), 10),
            (json!({"principalType": "group"}), 10),
            (json!({"role": "king"}), 8),
            (json!({"roleConstraints": [""]}), 9),
            (json!({"roleConstraints": [5]}), 8),
        ] {
            assert_eq!(problem(&root.put(&path, change(more.clone())).await), number, "{more}");
        }
        let whole = root.get(&path).await.json();
        assert_eq!(root.put(&path, whole).await.status, 204);
        // one role for each user
        let second = root.post(&format!("{core}/roleBindings"), a_role(&home, &ann_id, "viewer")).await;
        assert_eq!((second.status.as_u16(), problem(&second)), (409, 10));
        let of_user = format!("{core}/users/{ann_id}/roleBindings");
        assert_eq!(root.get(&of_user).await.json()["items"].as_array().map(Vec::len), Some(1));
        assert_eq!(root.get(&format!("{of_user}/{ann_id}")).await.status, 200);
        let other = user(&app, "bob", None).await;
        assert_eq!(problem(&root.get(&format!("{of_user}/{other}")).await), 2);
        assert_eq!(problem(&root.delete(&format!("{of_user}/{other}")).await), 1);
    }

    async fn user_changes_his_own_name_and_password_and_nothing_more(engine: Engine) {
        let app = TestApp::empty(engine, Settings::default()).await;
        let home = first_account(&app).await.to_string();
        let core = format!("/accounts/{home}/core/v1");
        let (ann_id, bob_id) = (user(&app, "ann", None).await, user(&app, "bob", None).await);
        let ann = bearer(&app, "ann").await;
        let own = format!("{core}/users/{ann_id}");
        let words = json!({"type": "application/astra-user", "version": "1.2", "firstName": "Ann",
            "lastName": "", "companyName": "NetApp, Inc.", "phone": "+1 23",
            "postalAddress": {"addressCountry": "US", "addressLocality": "A", "addressRegion": "B",
                "postalCode": "1", "streetAddress1": "C"}});
        assert_eq!(ann.put(&own, words.clone()).await.status, 204);
        let shown = ann.get(&own).await.json();
        assert_eq!((&shown["firstName"], &shown["companyName"]), (&json!("Ann"), &json!("NetApp, Inc.")));
        assert_eq!(shown["postalAddress"]["streetAddress2"], "");
        assert_eq!(shown["metadata"]["modifiedBy"], ann_id);
        // Quay's own view of him is the same
        let session = Visitor::sign_in(&app, "ann", "password").await;
        assert_eq!(session.get("/api/v1/user/").await.json()["given_name"], "Ann");
        assert_eq!(ann.put(&format!("{core}/credentials/{ann_id}"), a_password(&ann_id, "battery-staple")).await.status, 204);
        Visitor::sign_in(&app, "ann", "battery-staple").await;
        for path in [format!("{core}/users/{bob_id}"), format!("{core}/users/11111111-1111-4111-8111-111111111111")] {
            assert_eq!(problem(&ann.put(&path, words.clone()).await), 11, "{path}");
            assert_eq!(problem(&ann.delete(&path).await), 11, "{path}");
        }
        assert_eq!(problem(&ann.delete(&own).await), 11);
        assert_eq!(problem(&ann.put(&format!("{core}/credentials/{bob_id}"), a_password(&bob_id, "battery-staple")).await), 11);
        assert_eq!(problem(&ann.put(&format!("{core}/roleBindings/{ann_id}"), a_role(&home, &ann_id, "owner")).await), 11);
    }

    async fn users_of_another_account_do_not_sign_in_here(engine: Engine) {
        let app = TestApp::empty(engine, Settings::default()).await;
        let other = account(&app, "Other").await.to_string();
        let root = bearer(&app, "admin").await;
        let core = format!("/accounts/{other}/core/v1");
        let zed = id(&root.post(&format!("{core}/users"), a_user("zed@example.com")).await);
        id(&root.post(&format!("{core}/roleBindings"), a_role(&other, &zed, "owner")).await);
        id(&root.post(&format!("{core}/credentials"), a_password(&zed, "correct-horse")).await);
        assert!(Visitor::try_sign_in(&app, "zed", "correct-horse").await.is_err());
        let login = "/v2/auth?service=registry";
        assert_eq!(Visitor::basic(&app, "zed", "correct-horse").get(login).await.status, 401);
        let session = Visitor::basic(&app, "zed", "correct-horse").get("/broker/rest/user").await;
        assert_eq!(session.status, 401);
        let zed_token = bearer(&app, "zed").await;
        assert_eq!(zed_token.get(&format!("{core}/users")).await.json()["items"].as_array().map(Vec::len), Some(1));
        let home = first_account(&app).await;
        assert_eq!(problem(&zed_token.get(&format!("/accounts/{home}/core/v1/users")).await), 11);
        assert_eq!(problem(&root.delete(&format!("/accounts/{other}")).await), 164);
    }
}
