//! The modules of the Ansible collection.

use claviger_tests::{app::TestApp, server::Server};
use http::{Method, Request};
use serde_json::{Value, json};

use super::{
    pictures, stage,
    task::{Changed, Login, Task, rows},
};

const HOST: &str = "localhost:5000";
const LOCALAPP: &str = "http://localhost:5000/oauth/localapp";

/// Whether `object` says what is wanted.
fn says(object: &Value, wanted: &Value) -> bool {
    wanted.as_object().expect("fields").iter().all(|(key, value)| &object[key] == value)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Module {
    User,
    Organization,
    Team,
    Robot,
    OwnRobot,
    DefaultPerm,
    Application,
    Repository,
    OwnRepository,
    DockerToken,
}

/// The modules of an organisation's owner, each with exactly the scopes that it needs.
const MODULES: [(Module, &[&str]); 9] = [
    (Module::Organization, &["org:admin", "user:admin"]),
    (Module::Team, &["org:admin", "user:admin"]),
    (Module::Robot, &["org:admin", "user:read"]),
    (Module::OwnRobot, &["user:admin"]),
    (Module::DefaultPerm, &["org:admin", "user:admin"]),
    (Module::Application, &["org:admin"]),
    // to name a robot; it makes repositories too
    (Module::Repository, &["org:admin", "repo:admin", "user:admin"]),
    (Module::OwnRepository, &["repo:admin", "repo:create", "user:admin"]),
    (Module::DockerToken, &["user:admin"]),
];

impl Module {
    /// Runs the module as a task of its own.
    pub(super) async fn run(self, app: &TestApp, login: Login<'_>, present: bool) -> Changed {
        let task = Task::begin(app, login).await;
        let changed = self.within(&task, present).await;
        task.end().await;
        changed
    }

    /// What the module does in its task.
    pub(super) async fn within(self, task: &Task<'_>, present: bool) -> Changed {
        match self {
            Self::User => user(task, present).await,
            Self::Organization => organization(task, present).await,
            Self::Team => team(task, present).await,
            Self::Robot => robot(task, "acme", "organization/acme", present).await,
            Self::OwnRobot => robot(task, "reader", "user", present).await,
            Self::DefaultPerm => default_perm(task, present).await,
            Self::Application => application(task, present).await,
            Self::Repository => repository(task, "acme", present).await,
            Self::OwnRepository => repository(task, "reader", present).await,
            Self::DockerToken => docker_token(task, present).await,
        }
    }

    /// What is made is there the second time, what is removed is gone.
    async fn holds(self, app: &TestApp, login: Login<'_>) {
        for present in [true, false] {
            let first = self.run(app, login, present).await;
            assert!(matches!(first, Ok(true)), "{self:?} present: {present}, {login:?}: {first:?}");
            let again = self.run(app, login, present).await;
            assert!(matches!(again, Ok(false)), "again {self:?} {present}, {login:?}: {again:?}");
        }
    }
}

async fn user(task: &Task<'_>, present: bool) -> Changed {
    let path = "superuser/users/carol";
    let found = task.find(path).await?;
    if !present {
        let Some(_) = found else { return Ok(false) };
        // any failure of this one is ignored
        let weak = json!({"enabled": true, "superuser": false});
        task.send(Method::PUT, &format!("/api/v1/{path}"), Some(weak)).await;
        return task.delete(path).await;
    }
    let wanted = json!({"email": "Carol@acme.example", "enabled": false});
    match found {
        Some(user) if says(&user, &wanted) => Ok(false),
        Some(_) => task.put(path, wanted).await.map(|_| true),
        None => {
            let new = json!({"username": "carol", "email": "Carol@acme.example"});
            task.post("superuser/users/", new).await?;
            task.put(path, json!({"enabled": false})).await.map(|_| true)
        }
    }
}

async fn organization(task: &Task<'_>, present: bool) -> Changed {
    let path = "organization/widgets";
    let found = task.find(path).await?;
    if !present {
        return if found.is_some() { task.delete(path).await } else { Ok(false) };
    }
    let wanted = json!({"tag_expiration_s": 604_800, "email": "Team@widgets.example"});
    match found {
        Some(organization) if says(&organization, &wanted) => return Ok(false),
        Some(_) => {}
        None => {
            let new = json!({"name": "widgets", "email": "Team@widgets.example"});
            task.post("organization/", new).await?;
        }
    }
    task.put(path, wanted).await.map(|_| true)
}

async fn team(task: &Task<'_>, present: bool) -> Changed {
    let path = "organization/acme/team/testers";
    let organization = task.get("organization/acme").await?;
    let found = organization["teams"].get("testers");
    if !present {
        let Some(team) = found else { return Ok(false) };
        if team["role"] != "member" {
            task.put(path, json!({"role": "member"})).await?;
        }
        return task.delete(path).await;
    }
    let mut changed = false;
    let wanted = json!({"name": "testers", "description": " Test\nthings ", "role": "creator"});
    if !found.is_some_and(|team| says(team, &wanted)) {
        task.put(path, wanted).await?;
        changed = true;
    }
    let list = task.get(&format!("{path}/members?includePending=True")).await?;
    let names: Vec<&str> =
        rows(&list["members"]).iter().filter_map(|m| m["name"].as_str()).collect();
    for name in ["freshuser", "acme+ci", "reader"].iter().filter(|name| !names.contains(*name)) {
        assert!(task.knows(name).await?, "{name}");
        task.put(&format!("{path}/members/{name}"), json!({})).await?;
        changed = true;
    }
    Ok(changed)
}

async fn robot(task: &Task<'_>, namespace: &str, base: &str, present: bool) -> Changed {
    task.get("user/").await?;
    if base != "user" {
        assert!(task.knows_namespace(namespace).await?);
    }
    let path = format!("{base}/robots/phone");
    match (task.find(&path).await?, present) {
        (Some(_), false) => task.delete(&path).await,
        (None, false) => Ok(false),
        (Some(robot), true) => {
            assert_eq!(robot["name"], format!("{namespace}+phone"));
            assert_eq!(task.get(&path).await?["token"], robot["token"]);
            Ok(false)
        }
        (None, true) => {
            let made = task.put(&path, json!({"description": "pocket"})).await?;
            assert_eq!(task.get(&path).await?["token"], made["token"]);
            Ok(true)
        }
    }
}

async fn default_perm(task: &Task<'_>, present: bool) -> Changed {
    let organization = task.get("organization/acme").await?;
    let path = "organization/acme/prototypes";
    let mut changed = false;
    for (kind, name, creator) in
        [("user", "freshuser", None), ("user", "acme+ci", Some("reader")), ("team", "devs", None)]
    {
        let list = task.get(path).await?;
        let matching = |one: &&Value| {
            one["delegate"]["name"] == name
                && one["delegate"]["kind"] == kind
                && one["activating_user"]["name"].as_str() == creator
        };
        let found = rows(&list["prototypes"]).iter().find(matching);
        match (found, present) {
            (None, false) => {}
            (Some(one), false) => {
                let id = one["id"].as_str().expect("an id");
                changed |= task.delete(&format!("{path}/{id}")).await?;
            }
            (Some(one), true) if one["role"] == "write" => {}
            (Some(one), true) => {
                let id = one["id"].as_str().expect("an id");
                task.put(&format!("{path}/{id}"), json!({"role": "write"})).await?;
                changed = true;
            }
            (None, true) => {
                let known = kind == "team" && organization["teams"].get(name).is_some();
                assert!(known || task.knows(name).await?, "{name}");
                let mut body = json!({"delegate": {"name": name, "kind": kind}, "role": "write"});
                if let Some(creator) = creator {
                    assert!(task.knows(creator).await?);
                    body["activating_user"] = json!({"name": creator});
                }
                task.post(path, body).await?;
                changed = true;
            }
        }
    }
    Ok(changed)
}

async fn application(task: &Task<'_>, present: bool) -> Changed {
    task.get("organization/acme").await?;
    let path = "organization/acme/applications";
    let list = task.get(path).await?;
    let found = rows(&list["applications"]).iter().find(|one| one["name"] == "console");
    let wanted = json!({
        "name": "console", "description": "", "application_uri": "", "redirect_uri": LOCALAPP,
        "avatar_email": null,
    });
    match (found, present) {
        (None, false) => Ok(false),
        (Some(one), true) if says(one, &wanted) => {
            assert_eq!(one["client_secret"].as_str().map(str::len), Some(40));
            Ok(false)
        }
        (Some(one), _) => {
            let path = format!("{path}/{}", one["client_id"].as_str().expect("a client id"));
            if present {
                // what is null is not sent
                let mut wanted = wanted;
                wanted.as_object_mut().expect("fields").remove("avatar_email");
                task.put(&path, wanted).await.map(|_| true)
            } else {
                task.delete(&path).await
            }
        }
        (None, true) => {
            let new = json!({"name": "console", "redirect_uri": LOCALAPP});
            task.post(path, new).await.map(|_| true)
        }
    }
}

async fn repository(task: &Task<'_>, namespace: &str, present: bool) -> Changed {
    task.get("user/").await?;
    assert!(task.knows_namespace(namespace).await?);
    let path = format!("repository/{namespace}/web/app");
    let found = task.find(&path).await?;
    if !present {
        return if found.is_some() { task.delete(&path).await } else { Ok(false) };
    }
    let mut changed = found.is_none();
    if found.is_none() {
        let new = json!({
            "namespace": namespace, "repository": "web/app", "repo_kind": "image",
            "description": "", "visibility": "private",
        });
        task.post("repository", new).await?;
    }
    let found = task.get(&path).await?;
    for (key, wanted, method, to, body) in [
        (
            "description",
            json!(" two\nlines "),
            Method::PUT,
            "",
            json!({"description": " two\nlines "}),
        ),
        (
            "is_public",
            json!(true),
            Method::POST,
            "/changevisibility",
            json!({"visibility": "public"}),
        ),
        ("state", json!("READ_ONLY"), Method::PUT, "/changestate", json!({"state": "READ_ONLY"})),
    ] {
        if found[key] != wanted {
            task.call(method, &format!("{path}{to}"), Some(body), &[200, 201, 204]).await?;
            changed = true;
        }
    }
    if found["is_starred"] != true {
        task.post("user/starred", json!({"namespace": namespace, "repository": "web/app"})).await?;
        changed = true;
    }
    // with append: false
    let mut wanted = vec![("user", "freshuser", "read")];
    match namespace {
        "acme" => wanted.extend([("user", "acme+ci", "write"), ("team", "devs", "write")]),
        // the owner's own row cannot be taken away
        own => wanted.push(("user", own, "admin")),
    }
    for kind in ["team", "user"] {
        if kind == "team" && namespace != "acme" {
            continue;
        }
        let list = task.get(&format!("{path}/permissions/{kind}/")).await?;
        let there: Vec<(&str, &str)> = list["permissions"]
            .as_object()
            .expect("an object")
            .values()
            .map(|row| {
                (row["name"].as_str().expect("a name"), row["role"].as_str().expect("a role"))
            })
            .collect();
        let wanted = wanted.iter().filter(|row| row.0 == kind).map(|row| (row.1, row.2));
        let wanted: Vec<(&str, &str)> = wanted.collect();
        for (name, _) in there.iter().filter(|row| !wanted.contains(row)) {
            changed |= task.delete(&format!("{path}/permissions/{kind}/{name}")).await?;
        }
        for (name, role) in wanted.iter().filter(|row| !there.contains(row)) {
            assert!(kind == "team" || task.knows(name).await?);
            task.put(&format!("{path}/permissions/{kind}/{name}"), json!({"role": role})).await?;
            changed = true;
        }
    }
    Ok(changed)
}

async fn docker_token(task: &Task<'_>, present: bool) -> Changed {
    let list = task.get("user/apptoken").await?;
    let found: Vec<&Value> =
        rows(&list["tokens"]).iter().filter(|token| token["title"] == "laptop").collect();
    if !present {
        for token in &found {
            task.delete(&format!("user/apptoken/{}", token["uuid"].as_str().expect("an id")))
                .await?;
        }
        return Ok(!found.is_empty());
    }
    if let Some(token) = found.first() {
        let uuid = token["uuid"].as_str().expect("an id");
        let shown = task.get(&format!("user/apptoken/{uuid}")).await?;
        assert!(shown["token"]["token_code"].is_string());
        return Ok(false);
    }
    let made = task.post("user/apptoken", json!({"title": "laptop"})).await?;
    let uuid = made["token"]["uuid"].as_str().expect("an id");
    let shown = task.get(&format!("user/apptoken/{uuid}")).await?;
    assert_eq!(shown["token"]["token_code"], made["token"]["token_code"]);
    Ok(true)
}

/// The module that makes an OAuth token: with a password only.
async fn api_token(app: &TestApp, user: &str, client: &str, scopes: &[&str]) -> String {
    let task = Task::begin(app, Login::Session(user)).await;
    let csrf = task.headers.last().expect("a session").1.clone();
    let form = format!(
        "response_type=token&client_id={client}&redirect_uri={}&scope={}&_csrf_token={csrf}",
        LOCALAPP.replace(':', "%3A").replace('/', "%2F"),
        scopes.join("+").replace(':', "%3A"),
    );
    let mut request = Request::post("/oauth/authorizeapp").header("host", HOST);
    for (name, value) in &task.headers {
        request = request.header(*name, value);
    }
    let request = request
        .header("content-type", "application/x-www-form-urlencoded")
        .header("content-length", form.len())
        .body(form.into_bytes());
    let answer = app.send(request.expect("a request")).await;
    assert_eq!(answer.status, 302, "{}", answer.text());
    let location = answer.header("location").expect("a location");
    let (_, rest) = location.split_once("access_token=").expect("a token");
    let token = rest.split_once('&').expect("not at the end").0.to_owned();
    task.end().await;
    token
}

claviger_tests::both! {
    async fn second_run_of_a_playbook_changes_nothing(engine: Engine) {
        for settings in pictures() {
            let (app, _) = TestApp::seeded(engine, settings).await;
            stage(&app).await;
            for (module, _) in MODULES {
                module.holds(&app, Login::Session("reader")).await;
            }
            Module::User.holds(&app, Login::Session("devtable")).await;
        }
    }

    async fn bearer_needs_exactly_these_scopes(engine: Engine) {
        let [settings, _] = pictures();
        let (app, _) = TestApp::seeded(engine, settings).await;
        let [client, ops] = stage(&app).await;
        for (module, scopes) in MODULES {
            let all = api_token(&app, "reader", &client, scopes).await;
            module.holds(&app, Login::Bearer(&all)).await;
            for missing in scopes {
                let fewer: Vec<&str> = scopes.iter().copied().filter(|one| one != missing).collect();
                // there is no token without a scope
                let fewer = if fewer.is_empty() { vec!["repo:read"] } else { fewer };
                let token = api_token(&app, "reader", &client, &fewer).await;
                let refused = module.run(&app, Login::Bearer(&token), true).await;
                let refused = refused.expect_err(&format!("{module:?} without {missing}"));
                assert!(matches!(refused.status, 401 | 403), "{module:?} {missing}: {refused:?}");
                // what was done before it was refused
                module.run(&app, Login::Bearer(&all), false).await.expect("it is removed");
            }
        }
        let superuser = api_token(&app, "devtable", &ops, &["super:user"]).await;
        Module::User.holds(&app, Login::Bearer(&superuser)).await;
        for scopes in [["user:admin"], ["org:admin"]] {
            let token = api_token(&app, "devtable", &ops, &scopes).await;
            let refused = Module::User.run(&app, Login::Bearer(&token), true).await;
            assert_eq!(refused.expect_err("no superuser").status, 403);
        }
        // whoever is none does not become one by a scope
        let token = api_token(&app, "reader", &client, &["super:user"]).await;
        let refused = Module::User.run(&app, Login::Bearer(&token), true).await;
        assert_eq!(refused.expect_err("no superuser").status, 403);
    }

    async fn stranger_is_refused_by_every_module(engine: Engine) {
        let [settings, _] = pictures();
        let (app, _) = TestApp::seeded(engine, settings).await;
        stage(&app).await;
        for module in [Module::Team, Module::Robot, Module::DefaultPerm, Module::Application,
            Module::Repository, Module::User] {
            let refused = module.run(&app, Login::Session("freshuser"), true).await;
            assert_eq!(refused.expect_err("a stranger").status, 403, "{module:?}");
        }
    }
}
