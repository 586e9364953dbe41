//! An act that is under way when its right is taken away does not happen: the writer is held, what
//! takes the right away waits for it first, the act second.

use std::{sync::mpsc, time::Duration};

use claviger_domain::{Error, UnixMillis, id::PrincipalId};
use claviger_store::{
    Query, Stmt, Tx,
    endings::Ending,
    permissions, principals, repositories, sessions, teams, tokens,
    users::{disable, set_superuser},
};
use claviger_tests::{
    app::TestApp,
    case::{seed, settings},
    visitor::Visitor,
};
use http::Method;
use serde_json::{Map, Value, json};

pub(super) type Take = fn(&mut Tx<'_>, PrincipalId) -> Result<(), Error>;

/// A request: method, path, body.
type Act = (Method, &'static str, Value);

/// What takes the right away.
pub(super) fn membership(tx: &mut Tx<'_>, who: PrincipalId) -> Result<(), Error> {
    let org = principals::find_by_name(tx, "acme")?.expect("acme");
    let team = teams::find(tx, &org.id, "admins")?.expect("the team");
    assert!(teams::remove_member(tx, &team.id, &who)?);
    Ok(())
}

fn role_of_the_team(tx: &mut Tx<'_>, _: PrincipalId) -> Result<(), Error> {
    let org = principals::find_by_name(tx, "acme")?.expect("acme");
    let team = teams::find(tx, &org.id, "admins")?.expect("the team");
    Ok(teams::update(tx, &teams::Team { role: "member".parse().expect("a role"), ..team })?)
}

fn permission(tx: &mut Tx<'_>, _: PrincipalId) -> Result<(), Error> {
    let repo = repositories::find(tx, "acme/app")?.expect("acme/app");
    Ok(permissions::take_from_user(tx, &repo, "freshuser").map(drop)?)
}

fn token(tx: &mut Tx<'_>, who: PrincipalId) -> Result<(), Error> {
    let ending = Ending { now: UnixMillis(1), by: "tests", reason: "leaked" };
    assert!(tokens::revoke_kind(tx, &who, claviger_domain::TokenKind::Oauth, &ending)?);
    Ok(())
}

pub(super) fn sign_out(tx: &mut Tx<'_>, who: PrincipalId) -> Result<(), Error> {
    Ok(sessions::end_all(tx, &who).map(drop)?)
}

fn being_enabled(tx: &mut Tx<'_>, who: PrincipalId) -> Result<(), Error> {
    Ok(disable(tx, &who, UnixMillis(1))?)
}

pub(super) fn being_superuser(tx: &mut Tx<'_>, who: PrincipalId) -> Result<(), Error> {
    Ok(set_superuser(tx, &who, None)?)
}

/// Sends the act while `take` waits for its turn before it; the status of its answer.
pub(super) async fn overtaken(
    app: &TestApp,
    by: &Visitor<'_, TestApp>,
    act: (Method, &str, Value),
    take: Take,
    who: PrincipalId,
) -> u16 {
    let (release, held) = mpsc::channel::<()>();
    let holding = app.db.write(move |_| {
        // it ends by itself where the test has failed meanwhile
        let _ = held.recv_timeout(Duration::from_secs(20));
        Ok::<_, Error>(())
    });
    let taking = app.db.write(move |tx| take(tx, who));
    let acting = async {
        let (method, path, body) = act;
        let body = body.to_string().into_bytes();
        by.send(method, path, Some("application/json"), body).await
    };
    let releasing = async {
        // long enough for the act to have shown its right and to wait as well
        tokio::time::sleep(Duration::from_millis(300)).await;
        release.send(()).expect("it waits");
    };
    let (held, taken, answer, ()) = tokio::join!(holding, taking, acting, releasing);
    held.expect("held");
    taken.expect("taken away");
    answer.status.as_u16()
}

pub(super) async fn id_of(app: &TestApp, name: &'static str) -> PrincipalId {
    let found = app.db.read(move |q: &mut dyn Query| Ok(principals::find_by_name(q, name)?)).await;
    found.expect("an answer").expect("somebody").id
}

/// How many acts of this name were done.
async fn done(app: &TestApp, act: &'static str) -> i64 {
    const COUNT: Stmt = Stmt::same(
        "SELECT CAST(COUNT(*) AS BIGINT) FROM audit WHERE act = $1 AND outcome = 'success'",
    );
    let count = app.db.read(move |q: &mut dyn Query| {
        Ok(q.optional(&COUNT, &[act.into()])?.expect("a row").int(0)?)
    });
    count.await.expect("an answer")
}

claviger_tests::both! {
    async fn an_act_whose_right_is_taken_away_before_it_commits_is_refused(engine: Engine) {
        let robot = || (Method::PUT, "/api/v1/organization/acme/robots/late", json!({}));
        let grant = || {
            let path = "/api/v1/repository/acme/app/permissions/user/public";
            (Method::PUT, path, json!({"role": "admin"}))
        };
        let app_token = || (Method::POST, "/api/v1/user/apptoken", json!({"title": "late"}));
        let user = || (Method::POST, "/api/v1/superuser/users/", json!({"username": "late"}));
        let new = || {
            let body = json!({
                "namespace": "acme", "repository": "late", "visibility": "public", "description": "",
            });
            (Method::POST, "/api/v1/repository", body)
        };
        let star = || {
            let body = json!({"namespace": "acme", "repository": "app"});
            (Method::POST, "/api/v1/user/starred", body)
        };
        let cases: [(&str, Take, Act, &str, u16); 11] = [
            ("membership", membership, robot(), "create_robot", 403),
            ("membership", membership, new(), "create_repo", 403),
            ("role of the team", role_of_the_team, robot(), "create_robot", 403),
            ("permission", permission, grant(), "change_repo_permission", 403),
            // as where there is no repository
            ("permission", permission, star(), "star_repo", 200),
            ("being enabled", being_enabled, star(), "star_repo", 401),
            ("token", token, robot(), "create_robot", 401),
            ("session", sign_out, robot(), "create_robot", 401),
            ("being enabled", being_enabled, robot(), "create_robot", 401),
            ("being enabled", being_enabled, app_token(), "create_app_specific_token", 401),
            ("being superuser", being_superuser, user(), "user_create", 401),
        ];
        for (what, take, act, word, status) in cases {
            let mut settings = settings::of(&Map::new(), &seed::read());
            settings.quay.feature_mailing = false;
            let (app, _) = TestApp::seeded(engine, settings).await;
            let owner = Visitor::sign_in(&app, "reader", "password").await;
            owner.post("/api/v1/organization/", json!({"name": "acme"})).await;
            let body = json!({
                "namespace": "acme", "repository": "app", "visibility": "private", "description": "",
            });
            assert_eq!(owner.post("/api/v1/repository", body).await.status, 201);
            let root = Visitor::sign_in(&app, "devtable", "password").await;
            let body = json!({"superuser": true});
            if what == "being superuser" {
                assert_eq!(root.put("/api/v1/superuser/users/freshuser", body).await.status, 200);
            }
            if what == "permission" {
                let path = "/api/v1/repository/acme/app/permissions/user/freshuser";
                assert_eq!(owner.put(path, json!({"role": "admin"})).await.status, 200);
            } else {
                let team = "/api/v1/organization/acme/team/admins";
                owner.put(team, json!({"role": "admin"})).await;
                owner.put(&format!("{team}/members/freshuser"), json!({})).await;
            }
            let session = Visitor::sign_in(&app, "freshuser", "password").await;
            let by = if what == "token" {
                let all = "/api/v1/organization/acme/applications";
                let made = session.post(all, json!({"name": "a"})).await.json();
                let all = format!("{all}/{}/tokens", made["client_id"].as_str().expect("an id"));
                let made = session.post(&all, json!({"name": "a", "scope": "org:admin"})).await;
                Visitor::bearer(&app, made.json()["token"].as_str().expect("a token"))
            } else {
                session
            };
            let (who, before) = (id_of(&app, "freshuser").await, done(&app, word).await);
            let label = format!("{what}: {} {}", act.0, act.1);
            assert_eq!(overtaken(&app, &by, act, take, who).await, status, "{label}");
            assert_eq!(done(&app, word).await, before, "{label}");
        }
    }
}
