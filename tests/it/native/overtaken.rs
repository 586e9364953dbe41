//! An act at this door that is under way when its right is taken away does not happen.

use claviger_domain::{Error, id::PrincipalId};
use claviger_service::Settings;
use claviger_store::{Stmt, Tx};
use claviger_tests::{app::TestApp, visitor::Visitor};
use http::Method;
use serde_json::{Value, json};

use super::{
    lifetimes::{LIFETIMES, account},
    test_settings,
    tokens::{TOKENS, app_token, filtered, raise},
};
use crate::still::{Take, being_superuser, id_of, membership, overtaken, sign_out};

fn bind(tx: &mut Tx<'_>, who: PrincipalId, role: &str) -> Result<(), Error> {
    let bind = Stmt::same(
        "INSERT INTO role_binding (id, account_id, principal_id, role, created_at)
         SELECT id, account_id, id, $2, 0 FROM principal WHERE id = $1
         ON CONFLICT (principal_id) DO UPDATE SET role = $2",
    );
    assert_eq!(tx.execute(&bind, &[(&who).into(), role.into()])?, 1);
    Ok(())
}

fn role(tx: &mut Tx<'_>, who: PrincipalId) -> Result<(), Error> {
    bind(tx, who, "member")
}

/// The one whose token it is gets above an admin.
fn being_above(tx: &mut Tx<'_>, whose: PrincipalId) -> Result<(), Error> {
    bind(tx, whose, "owner")
}

/// Whoever is made a member is one at once.
fn without_mail() -> Settings {
    let mut settings = test_settings();
    settings.quay.feature_mailing = false;
    settings
}

/// What freshuser is, so that he may act.
#[derive(Clone, Copy, Debug)]
enum Being {
    /// Who administers the robot's organisation.
    Home,
    /// An admin of the account.
    Admin,
    /// An owner of it.
    Owner,
    Superuser,
}

impl Being {
    async fn make(self, app: &TestApp) {
        match self {
            Self::Home => {
                let owner = Visitor::sign_in(app, "reader", "password").await;
                let team = "/api/v1/organization/acme/team/admins";
                owner.put(team, json!({"role": "admin"})).await;
                let member = owner.put(&format!("{team}/members/freshuser"), json!({})).await;
                let there = member.text().contains("already a member");
                assert!(member.status == 200 || there, "{}", member.text());
            }
            Self::Superuser => {
                let root = Visitor::sign_in(app, "devtable", "password").await;
                let path = "/api/v1/superuser/users/freshuser";
                assert_eq!(root.put(path, json!({"superuser": true})).await.status, 200);
            }
            Self::Admin | Self::Owner => {
                let role = if matches!(self, Self::Admin) { "admin" } else { "owner" };
                raise(app, &Visitor::sign_in(app, "freshuser", "password").await, role).await;
            }
        }
    }
}

claviger_tests::both! {
    async fn act_on_tokens_whose_right_is_taken_away_before_it_commits_is_refused(engine: Engine) {
        let cases: [(Being, &str, Take, &str, &[u16]); 6] = [
            (Being::Home, "acme+ci", membership, "freshuser", &[403]),
            (Being::Home, "acme+ci", sign_out, "freshuser", &[401]),
            (Being::Admin, "public", role, "freshuser", &[403]),
            (Being::Admin, "public", being_above, "public", &[403]),
            (Being::Superuser, "public", being_superuser, "freshuser", &[401]),
            // whoever is above all is also above each organisation
            (Being::Superuser, "acme+ci", being_superuser, "freshuser", &[401, 403]),
        ];
        for (being, whose, take, from, status) in cases {
            let (app, _) = TestApp::seeded(engine, without_mail()).await;
            let owner = Visitor::sign_in(&app, "reader", "password").await;
            owner.post("/api/v1/organization/", json!({"name": "acme"})).await;
            owner.put("/api/v1/organization/acme/robots/ci", json!({})).await;
            app_token(&Visitor::sign_in(&app, "public", "password").await, "x").await;
            app_token(&Visitor::sign_in(&app, "freshuser", "password").await, "x").await;
            let root = Visitor::sign_in(&app, "devtable", "password").await;
            let all = filtered("state eq 'live'");
            let known = root.get(&all).await.json()["items"].clone();
            let of = |token: &&Value| token["principal"]["name"] == whose;
            let one = known.as_array().expect("items").iter().find(of).expect("a token");
            let one = format!("{TOKENS}/{}", one["id"].as_str().expect("an id"));
            let from = id_of(&app, from).await;
            let revoke = |filter: &str| {
                let body = json!({"filter": filter, "cap": 1000});
                (Method::POST, format!("{TOKENS}:revoke"), body)
            };
            let mut acts = vec![
                revoke(&format!("principal.name eq '{whose}'")),
                // with his own, which stay as well
                revoke("state eq 'live'"),
                (Method::DELETE, one.clone(), json!({})),
                (Method::PATCH, one.clone(), json!({"labels": [{"name": "late", "value": ""}]})),
                (Method::POST, format!("{one}:cut"), json!({})),
            ];
            if matches!(being, Being::Home) {
                acts.push((Method::POST, format!("{one}:rotate"), json!({})));
            }
            for (method, path, body) in acts {
                let label = format!("{being:?} over {whose}: {method} {path} {body}");
                being.make(&app).await;
                if from == id_of(&app, "public").await {
                    app.db.write(move |tx| role(tx, from)).await.expect("not above him yet");
                }
                let by = Visitor::sign_in(&app, "freshuser", "password").await;
                let answered = overtaken(&app, &by, (method, &path, body), take, from).await;
                assert!(status.contains(&answered), "{answered} {label}");
                assert_eq!(root.get(&all).await.json()["items"], known, "{label}");
            }
        }
    }

    async fn policy_of_one_who_is_no_owner_any_more_is_not_set(engine: Engine) {
        let cases: [(Being, Take, u16); 3] = [
            (Being::Owner, role, 403),
            (Being::Superuser, being_superuser, 403),
            (Being::Owner, sign_out, 401),
        ];
        for (being, take, status) in cases {
            let (app, _) = TestApp::seeded(engine, without_mail()).await;
            let root = Visitor::sign_in(&app, "devtable", "password").await;
            let path = format!("{LIFETIMES}/{}/app", account(&root).await);
            assert_eq!(root.put(&path, json!({"maximumLifetime": "90d"})).await.status, 200);
            let known = root.get(&path).await.json();
            let who = id_of(&app, "freshuser").await;
            for (method, body) in [
                (Method::PUT, json!({"maximumLifetime": "365d"})),
                (Method::DELETE, json!({})),
            ] {
                let label = format!("{being:?}: {method}");
                being.make(&app).await;
                let by = Visitor::sign_in(&app, "freshuser", "password").await;
                let answered = overtaken(&app, &by, (method, &path, body), take, who).await;
                assert_eq!(answered, status, "{label}");
                assert_eq!(root.get(&path).await.json(), known, "{label}");
            }
        }
    }
}
