//! Somebody else has changed what a playbook made: the next run sets it right, once.

use claviger_tests::app::TestApp;
use http::Method;
use serde_json::{Value, json};

use super::{
    ansible::Module,
    pictures, stage,
    task::{Login, Task, rows},
};

/// The id of the first entry of a list.
async fn first(task: &Task<'_>, path: &str, key: &str, id: &str) -> String {
    let list = task.get(path).await.expect("a list");
    rows(&list[key])[0][id].as_str().expect("an id").to_owned()
}

/// What is changed meanwhile.
async fn changes(module: Module, task: &Task<'_>) -> Vec<(Method, String, Value)> {
    let put = |path: &str, body: Value| (Method::PUT, path.to_owned(), body);
    let permission = |kind: &str, name: &str| {
        put(&format!("repository/acme/web/app/permissions/{kind}/{name}"), json!({"role": "admin"}))
    };
    let prototypes = "organization/acme/prototypes";
    let applications = "organization/acme/applications";
    match module {
        Module::Organization => vec![put("organization/widgets", json!({"email": "a@b.example"}))],
        Module::Team => vec![
            put("organization/acme/team/testers", json!({"role": "admin", "description": ""})),
            (
                Method::DELETE,
                "organization/acme/team/testers/members/freshuser".to_owned(),
                Value::Null,
            ),
        ],
        Module::DefaultPerm => {
            let id = first(task, prototypes, "prototypes", "id").await;
            vec![put(&format!("{prototypes}/{id}"), json!({"role": "admin"}))]
        }
        Module::Application => {
            let list = task.get(applications).await.expect("a list");
            let named = |one: &&Value| one["name"] == "console";
            let one = rows(&list["applications"]).iter().find(named).expect("it is there");
            let id = one["client_id"].as_str().expect("an id");
            let body = json!({
                "name": "console", "application_uri": "http://a.example", "redirect_uri": "",
                "description": "other",
            });
            vec![put(&format!("{applications}/{id}"), body)]
        }
        Module::Repository => vec![
            put("repository/acme/web/app", json!({"description": "other"})),
            (
                Method::POST,
                "repository/acme/web/app/changevisibility".to_owned(),
                json!({"visibility": "private"}),
            ),
            put("repository/acme/web/app/changestate", json!({"state": "NORMAL"})),
            (Method::DELETE, "user/starred/acme/web/app".to_owned(), Value::Null),
            permission("user", "freshuser"),
            permission("team", "devs"),
            permission("team", "owners"),
        ],
        Module::User => {
            vec![put("superuser/users/carol", json!({"enabled": true, "email": "c@x.example"}))]
        }
        Module::Robot | Module::OwnRobot | Module::OwnRepository | Module::DockerToken => {
            panic!("nothing of it is compared")
        }
    }
}

async fn is_set_right(app: &TestApp, module: Module, login: Login<'_>) {
    let made = module.run(app, login, true).await;
    assert!(matches!(made, Ok(true)), "{module:?}: {made:?}");
    let task = Task::begin(app, login).await;
    let all = changes(module, &task).await;
    for at in 0..=all.len() {
        // each change alone, then all of them
        let some = all.get(at..=at).unwrap_or(&all);
        for (method, path, body) in some {
            let body = (!body.is_null()).then(|| body.clone());
            let done = task.call(method.clone(), path, body, &[200, 201, 204]).await;
            assert!(done.is_ok(), "{module:?}: {done:?}");
        }
        // within this task: the end of another would end its session
        for (round, changed) in [("first", true), ("again", false)] {
            let found = module.within(&task, true).await;
            let good = matches!(found, Ok(found) if found == changed);
            assert!(good, "{module:?} {round} after {some:?}: {found:?}");
        }
    }
    task.end().await;
}

claviger_tests::both! {
    async fn what_somebody_else_changed_is_set_right_once(engine: Engine) {
        let [settings, _] = pictures();
        let (app, _) = TestApp::seeded(engine, settings).await;
        stage(&app).await;
        for module in [Module::Organization, Module::Team, Module::DefaultPerm,
            Module::Application, Module::Repository] {
            is_set_right(&app, module, Login::Session("reader")).await;
        }
        is_set_right(&app, Module::User, Login::Session("devtable")).await;
    }
}
