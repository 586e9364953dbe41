//! What the modules of the Ansible collection send in rarer cases: another name, members that are
//! not wanted any more, a superuser, an offer to somebody else, what this server does not have.

use claviger_tests::app::TestApp;
use http::Method;
use serde_json::{Value, json};

use super::{
    pictures, stage,
    task::{Changed, Login, Task, rows},
};

const REDIRECT: &str = "http%3A%2F%2Flocalhost%3A5000%2Foauth%2Flocalapp";

/// Runs `module` twice, each time as a task of its own: the first changes something, the second
/// nothing.
async fn holds(
    app: &TestApp,
    login: Login<'_>,
    what: &str,
    module: impl AsyncFn(&Task<'_>) -> Changed,
) {
    for (round, expected) in [("first", true), ("again", false)] {
        let task = Task::begin(app, login).await;
        let changed = module(&task).await;
        task.end().await;
        assert!(
            matches!(changed, Ok(changed) if changed == expected),
            "{round} {what}: {changed:?}"
        );
    }
}

async fn rename_organization(task: &Task<'_>, old: &str, new: &str) -> Changed {
    let found = task.find(&format!("organization/{old}")).await?;
    let there = task.find(&format!("organization/{new}")).await?;
    match (found, there) {
        (Some(_), None) => {
            let path = format!("superuser/organizations/{old}");
            let renamed = task.put(&path, json!({"name": new})).await?;
            assert_eq!(renamed["name"], new);
            Ok(true)
        }
        (None, Some(_)) => Ok(false),
        other => panic!("{other:?}"),
    }
}

async fn rename_application(task: &Task<'_>) -> Changed {
    task.get("organization/acme").await?;
    let path = "organization/acme/applications";
    let list = task.get(path).await?;
    let named =
        |name: &str| rows(&list["applications"]).iter().find(|one| one["name"] == name).cloned();
    match (named("automation"), named("robotics")) {
        (Some(one), None) => {
            let path = format!("{path}/{}", one["client_id"].as_str().expect("a client id"));
            let body = json!({
                "name": "robotics", "application_uri": one["application_uri"],
                "redirect_uri": one["redirect_uri"],
            });
            let changed = task.put(&path, body).await?;
            assert_eq!(changed["client_secret"], one["client_secret"]);
            Ok(true)
        }
        (None, Some(_)) => Ok(false),
        other => panic!("{other:?}"),
    }
}

/// The team has these members and no others; the invited count.
async fn exactly(task: &Task<'_>, team: &str, wanted: &[&str]) -> Changed {
    task.get("organization/acme").await?;
    let path = format!("organization/acme/team/{team}/members");
    let list = task.get(&format!("{path}?includePending=True")).await?;
    let there: Vec<&str> =
        rows(&list["members"]).iter().filter_map(|member| member["name"].as_str()).collect();
    let mut changed = false;
    for name in wanted.iter().filter(|name| !there.contains(*name)) {
        assert!(task.knows(name).await?, "{name}");
        task.put(&format!("{path}/{name}"), json!({})).await?;
        changed = true;
    }
    for name in there.iter().filter(|name| !wanted.contains(*name)) {
        // a refused one counts as gone
        changed |= task.delete(&format!("{path}/{name}")).await?;
    }
    Ok(changed)
}

async fn user(task: &Task<'_>, wanted: Value) -> Changed {
    let path = "superuser/users/carol";
    match task.find(path).await? {
        // a superuser is left alone
        Some(user) if user["super_user"] == true => Ok(false),
        Some(_) => task.put(path, wanted).await.map(|_| true),
        None => {
            task.post("superuser/users/", json!({"username": "carol", "email": "c@x.example"}))
                .await?;
            task.put(path, wanted).await.map(|_| true)
        }
    }
}

/// There is nothing, or it is sent on to where there is nothing; the body is empty or JSON.
async fn absent(task: &Task<'_>, method: Method, path: &str) {
    let answer = task.call(method.clone(), path, None, &[404, 308]).await;
    let (status, _) = answer.unwrap_or_else(|other| panic!("{path}: {other:?}"));
    if status == 308 {
        let answer = task.call(method, &format!("{path}/"), None, &[404]).await;
        assert!(answer.is_ok(), "{path}: {answer:?}");
    }
}

claviger_tests::both! {
    async fn another_name_is_given_once(engine: Engine) {
        let [settings, _] = pictures();
        let (app, _) = TestApp::seeded(engine, settings).await;
        stage(&app).await;
        let owner = Login::Session("reader");
        holds(&app, owner, "application", async |task| rename_application(task).await).await;
        let root = Login::Session("devtable");
        for (old, new) in [("acme", "apex"), ("apex", "acme")] {
            holds(&app, root, new, async |task| rename_organization(task, old, new).await).await;
        }
        // with it go its members, who go on as before
        let task = Task::begin(&app, owner).await;
        let organization = task.get("organization/acme").await.expect("his organisation");
        assert_eq!((&organization["is_admin"], &organization["teams"]["devs"]["role"]),
            (&json!(true), &json!("member")));
        task.end().await;
    }

    async fn members_that_are_not_wanted_are_taken_out_once(engine: Engine) {
        for settings in pictures() {
            let invites = settings.quay.invites_to_teams();
            let (app, _) = TestApp::seeded(engine, settings).await;
            stage(&app).await;
            let owner = Login::Session("reader");
            for wanted in [
                ["freshuser", "acme+ci", "reader"].as_slice(),
                ["public", "acme+ci"].as_slice(),
                [].as_slice(),
            ] {
                let what = format!("{wanted:?}, with invitations: {invites}");
                holds(&app, owner, &what, async |task| exactly(task, "devs", wanted).await).await;
            }
            // who is the only admin stays; the module says nothing of it, and nothing has changed
            let task = Task::begin(&app, owner).await;
            let refused = exactly(&task, "owners", &[]).await;
            assert!(matches!(refused, Ok(false)), "{refused:?}");
            let organization = task.get("organization/acme").await.expect("his organisation");
            assert_eq!(organization["teams"]["owners"]["member_count"], 1);
            let path = "organization/acme/team/owners";
            let lowered = task.put(path, json!({"role": "member"})).await.expect_err("the last admin");
            assert_eq!(lowered.status, 400);
            let refused = task.delete(path).await;
            assert!(matches!(refused, Ok(false)), "{refused:?}");
            task.end().await;
        }
    }

    async fn a_superuser_is_made_once_and_left_alone(engine: Engine) {
        for settings in pictures() {
            let (app, _) = TestApp::seeded(engine, settings).await;
            let root = Login::Session("devtable");
            let wanted = json!({"superuser": true, "enabled": true, "email": "c@x.example"});
            holds(&app, root, "superuser", async |task| user(task, wanted.clone()).await).await;
            let task = Task::begin(&app, root).await;
            let path = "superuser/users/carol";
            for answer in [
                task.put(path, json!({"enabled": false})).await.map(drop),
                task.call(Method::DELETE, path, None, &[204]).await.map(drop),
            ] {
                assert_eq!(answer.expect_err("a superuser").status, 400);
            }
            task.end().await;
        }
    }

    async fn a_token_is_offered_to_somebody_else(engine: Engine) {
        let [settings, _] = pictures();
        let (app, _) = TestApp::seeded(engine, settings).await;
        let [client, _] = stage(&app).await;
        let task = Task::begin(&app, Login::Session("reader")).await;
        let offer = async |user: &str| {
            let path = format!(
                "/oauth/authorize/assignuser?response_type=token&client_id={client}\
                 &redirect_uri={REDIRECT}&scope=repo%3Aread&username={user}"
            );
            task.send_raw(Method::POST, &path).await.as_u16()
        };
        assert_eq!((offer("freshuser").await, offer("nosuch").await), (200, 404));
        let other = Task::begin(&app, Login::Session("freshuser")).await;
        let offers = other.get("user/assignedauthorization").await.expect("a list");
        assert_eq!(rows(&offers["authorizations"])[0]["application"]["clientId"], client.as_str());
        other.end().await;
        task.end().await;
    }

    async fn what_is_not_here_is_absent_and_breaks_no_client(engine: Engine) {
        let [settings, _] = pictures();
        let (app, _) = TestApp::seeded(engine, settings).await;
        stage(&app).await;
        let task = Task::begin(&app, Login::Session("reader")).await;
        let new = json!({
            "namespace": "acme", "repository": "app", "visibility": "private", "description": "",
        });
        task.post("repository", new).await.expect("it is made");
        for path in [
            "organization/acme/autoprunepolicy/",
            "organization/acme/quota",
            "organization/acme/proxycache",
            "organization/acme/mirror",
            "organization/acme/robots/ci/federation",
            "repository/acme/app/autoprunepolicy/",
            "repository/acme/app/notification/",
            "messages",
        ] {
            absent(&task, Method::GET, path).await;
        }
        // nobody is known by a directory, so nobody is linked and no team is synced
        for path in ["entities/link/freshuser", "organization/acme/team/devs/syncing"] {
            absent(&task, Method::POST, path).await;
        }
        let team = task.get("organization/acme").await.expect("his organisation");
        assert_eq!(team["teams"]["devs"]["is_synced"], false);
        let found = task.get("entities/freshuser?includeOrgs=False&includeTeams=False").await;
        assert_eq!(rows(&found.expect("an answer")["results"])[0]["kind"], "user");
        task.end().await;
    }
}
