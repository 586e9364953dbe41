//! An act at this door that is under way when its right is taken away does not happen.

use claviger_domain::{Error, TokenKind, UnixMillis, id::PrincipalId, role::AccountRole};
use claviger_service::Settings;
use claviger_store::{Tx, endings::Ending, role_bindings, tokens, users};
use claviger_tests::{app::TestApp, visitor::Visitor};
use http::Method;
use serde_json::{Value, json};

use super::{
    users::{a_password, a_role, a_user},
    world::{bearer, first_account, user},
};
use crate::still::{Take, overtaken};

fn role(tx: &mut Tx<'_>, who: PrincipalId) -> Result<(), Error> {
    let binding = &who.text().parse().expect("the first one has his id");
    let (role, now) = (AccountRole::Member, UnixMillis(1));
    Ok(role_bindings::change(tx, binding, role, r#"["*"]"#, now, &who)?)
}

fn token(tx: &mut Tx<'_>, who: PrincipalId) -> Result<(), Error> {
    let ending = Ending { now: UnixMillis(1), by: "tests", reason: "leaked" };
    assert!(tokens::revoke_kind(tx, &who, TokenKind::Api, &ending)?);
    Ok(())
}

fn being_enabled(tx: &mut Tx<'_>, who: PrincipalId) -> Result<(), Error> {
    Ok(users::disable(tx, &who, UnixMillis(1))?)
}

claviger_tests::both! {
    async fn an_act_whose_right_is_taken_away_before_it_commits_is_refused(engine: Engine) {
        let cases: [(&str, Take, u16); 3] =
            [("role", role, 403), ("token", token, 401), ("being enabled", being_enabled, 401)];
        for (what, take, status) in cases {
            let app = TestApp::empty(engine, Settings::default()).await;
            let home = first_account(&app).await.to_string();
            let core = format!("/accounts/{home}/core/v1");
            let root = bearer(&app, "admin").await;
            let (ann, bob) = (user(&app, "ann", None).await, user(&app, "bob", None).await);
            let who: PrincipalId = ann.parse().expect("an id");
            let raised = a_role(&home, &ann, "admin");
            let path = format!("{core}/roleBindings/{ann}");
            assert_eq!(root.put(&path, raised.clone()).await.status, 204);
            let named = json!({"type": "application/astra-user", "version": "1.2", "firstName": "X"});
            let made = json!({"type": "application/astra-token", "version": "1.0", "name": "late"});
            let acts: [(Method, String, Value); 5] = [
                (Method::POST, format!("{core}/users"), a_user("late@example.com")),
                (Method::PUT, format!("{core}/users/{bob}"), named),
                (Method::PUT, format!("{core}/roleBindings/{bob}"), a_role(&home, &bob, "viewer")),
                (Method::PUT, format!("{core}/credentials/{bob}"), a_password(&bob, "battery-staple")),
                (Method::POST, format!("{core}/users/{bob}/tokens"), made),
            ];
            let by: Visitor<'_, TestApp> = bearer(&app, "ann").await;
            for (method, path, body) in acts {
                let label = format!("{what}: {method} {path}");
                let answered = overtaken(&app, &by, (method, &path, body), take, who).await;
                assert_eq!(answered, status, "{label}");
                if what == "role" {
                    let path = format!("{core}/roleBindings/{ann}");
                    assert_eq!(root.put(&path, raised.clone()).await.status, 204);
                } else {
                    // the credential is gone for good
                    break;
                }
            }
            let shown = root.get(&format!("{core}/users/{bob}")).await.json();
            assert_eq!(shown["firstName"], "", "{what}");
            let role = root.get(&format!("{core}/roleBindings/{bob}")).await.json();
            assert_eq!(role["role"], "member", "{what}");
            let tokens = root.get(&format!("{core}/users/{bob}/tokens")).await.json();
            assert_eq!(tokens["items"], json!([]), "{what}");
            let all = root.get(&format!("{core}/users?include=email")).await.text();
            assert!(!all.contains("late@"), "{what}: {all}");
        }
    }
}
