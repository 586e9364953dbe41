//! What is changed at the Quay door is felt at the registry by the very next request: with the real
//! registry and the real client, one change after another.

use std::path::{Path, PathBuf};

use claviger_tests::{
    real::{
        free_port, image,
        people::{Anybody, certificates, make_app_token, make_user},
        program::Program,
        registry::Registry,
        skopeo::Skopeo,
    },
    visitor::Visitor,
};
use http::Method;
use serde_json::{Value, json};

/// What somebody may do with a repository.
type May = (bool, bool);

const NOTHING: May = (false, false);
const PULL: May = (true, false);
const PUSH: May = (true, true);

/// The real registry, and who changes what it is told.
struct Scene<'a> {
    registry: Registry,
    image: PathBuf,
    admin: Anybody<'a>,
}

impl Scene<'_> {
    fn name(&self, repository: &str) -> String {
        format!("{}/{repository}:1", self.registry.name())
    }

    /// What comes of a pull and of a push.
    fn may(&self, who: &Skopeo, repository: &str) -> May {
        let name = self.name(repository);
        (who.ask("inspect", &name).succeeded, who.push(&self.image, &name).succeeded)
    }

    /// Signs in anew; whether the registry lets him.
    fn signs_in(&self, who: &Skopeo, user: &str, secret: &str) -> bool {
        who.login(&self.registry.name(), user, secret).succeeded
    }

    /// One change, which must succeed.
    async fn does(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        changes(&self.admin, method, path, body).await
    }

    /// A change, and what `who` may do with `repository` right after it.
    async fn then(&self, change: (Method, &str, Value), who: &Skopeo, repository: &str, may: May) {
        let (method, path, body) = change;
        self.does(method.clone(), path, (!body.is_null()).then_some(body.clone())).await;
        assert_eq!(self.may(who, repository), may, "{repository} after {method} {path} {body}");
    }
}

async fn changes(by: &Anybody<'_>, method: Method, path: &str, body: Option<Value>) -> Value {
    let path = format!("/api/v1/{path}");
    let kind = body.as_ref().map(|_| "application/json");
    let body = body.map_or_else(Vec::new, |body| body.to_string().into_bytes());
    let answer = by.send(method.clone(), &path, kind, body).await;
    assert!(answer.status.is_success(), "{method} {path}: {} {}", answer.status, answer.text());
    answer.json()
}

fn put(path: &str, body: Value) -> (Method, &str, Value) {
    (Method::PUT, path, body)
}

fn post(path: &str, body: Value) -> (Method, &str, Value) {
    (Method::POST, path, body)
}

fn delete(path: &str) -> (Method, &str, Value) {
    (Method::DELETE, path, Value::Null)
}

fn role(role: &str) -> Value {
    json!({ "role": role })
}

fn new(name: &str) -> Value {
    json!({"namespace": "acme", "repository": name, "visibility": "private", "description": ""})
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().expect("a text")
}

/// A program, a registry that trusts it, and the repository acme/app with an image in it.
async fn scene<'a>(folder: &Path, program: &'a Program) -> (Scene<'a>, Skopeo) {
    let (name, password) = program.superuser();
    let admin = Visitor::sign_in(program, &name, &password).await;
    let registry = Registry::start(folder, program.url(), &certificates(folder));
    let image = folder.join("image");
    image::write(&image, "hello");
    let scene = Scene { registry, image, admin };
    scene.does(Method::POST, "organization/", Some(json!({"name": "acme"}))).await;
    scene.does(Method::POST, "repository", Some(new("app"))).await;
    scene.does(Method::PUT, "organization/acme/team/devs", Some(role("member"))).await;
    let (_, secret) = make_app_token(&scene.admin, "laptop").await;
    let owner = Skopeo::of(folder, "owner");
    assert!(scene.signs_in(&owner, "$app", &secret));
    owner.push(&scene.image, &scene.name("acme/app")).works();
    (scene, owner)
}

async fn permissions_are_felt(scene: &Scene<'_>, bob: &Skopeo) {
    let app = "acme/app";
    let direct = "repository/acme/app/permissions/user/bob";
    assert_eq!(scene.may(bob, app), NOTHING, "before anything is given");
    scene.then(put(direct, role("read")), bob, app, PULL).await;
    scene.then(put(direct, role("write")), bob, app, PUSH).await;
    let state = "repository/acme/app/changestate";
    scene.then(put(state, json!({"state": "READ_ONLY"})), bob, app, PULL).await;
    scene.then(put(state, json!({"state": "NORMAL"})), bob, app, PUSH).await;
    scene.then(delete(direct), bob, app, NOTHING).await;

    let team = "repository/acme/app/permissions/team/devs";
    let member = "organization/acme/team/devs/members/bob";
    scene.then(put(team, role("write")), bob, app, NOTHING).await;
    scene.then(put(member, json!({})), bob, app, PUSH).await;
    scene.then(put(team, role("read")), bob, app, PULL).await;
    scene.then(delete(member), bob, app, NOTHING).await;
    scene.then(put(member, json!({})), bob, app, PULL).await;
    scene.then(delete(team), bob, app, NOTHING).await;
    scene.then(put("organization/acme/team/devs", role("admin")), bob, app, PUSH).await;
    scene.then(put("organization/acme/team/devs", role("member")), bob, app, NOTHING).await;
    scene.then(put(team, role("write")), bob, app, PUSH).await;
    scene.then(delete("organization/acme/team/devs"), bob, app, NOTHING).await;

    // a member who is taken out of the organisation takes nothing of his own along
    scene.does(Method::PUT, "organization/acme/team/devs", Some(role("member"))).await;
    scene.does(Method::PUT, member, Some(json!({}))).await;
    scene.then(put(direct, role("read")), bob, app, PULL).await;
    scene.then(delete("organization/acme/members/bob"), bob, app, NOTHING).await;

    let visibility = "repository/acme/app/changevisibility";
    scene.then(post(visibility, json!({"visibility": "public"})), bob, app, PULL).await;
    scene.then(post(visibility, json!({"visibility": "private"})), bob, app, NOTHING).await;
}

async fn robots_are_felt(scene: &Scene<'_>, folder: &Path) {
    let ci = Skopeo::of(folder, "ci");
    let robot = "organization/acme/robots/ci";
    let secret = "a-secret-from-elsewhere";
    scene.does(Method::PUT, robot, Some(json!({"token": secret}))).await;
    assert!(scene.signs_in(&ci, "acme+ci", secret));
    let direct = "repository/acme/app/permissions/user/acme+ci";
    scene.then(put(direct, role("write")), &ci, "acme/app", PUSH).await;
    let again = scene.does(Method::POST, &format!("{robot}/regenerate"), None).await;
    assert!(!scene.signs_in(&ci, "acme+ci", secret));
    assert!(scene.signs_in(&ci, "acme+ci", text(&again, "token")));
    assert_eq!(scene.may(&ci, "acme/app"), PUSH);
    scene.then(delete(robot), &ci, "acme/app", NOTHING).await;
    assert!(!scene.signs_in(&ci, "acme+ci", text(&again, "token")));
}

/// By a call of somebody who makes them, and by his push.
async fn default_permissions_are_felt(
    scene: &Scene<'_>,
    owner: &Skopeo,
    carol: &Skopeo,
    bob: &Skopeo,
) {
    let all = "organization/acme/prototypes";
    scene.does(Method::PUT, "organization/acme/team/makers", Some(role("creator"))).await;
    scene.does(Method::PUT, "organization/acme/team/makers/members/carol", Some(json!({}))).await;
    let given = |role: &str, by: Option<&str>| {
        let mut body = json!({"role": role, "delegate": {"kind": "user", "name": "bob"}});
        if let Some(name) = by {
            body["activating_user"] = json!({ "name": name });
        }
        Some(body)
    };
    scene.does(Method::POST, all, given("read", None)).await;
    let special = scene.does(Method::POST, all, given("write", Some("carol"))).await;
    scene.does(Method::POST, "repository", Some(new("called"))).await;
    owner.push(&scene.image, &scene.name("acme/called")).works();
    assert_eq!(scene.may(bob, "acme/called"), PULL, "what everybody's repositories give");
    carol.push(&scene.image, &scene.name("acme/pushed")).works();
    assert_eq!(scene.may(bob, "acme/pushed"), PUSH, "what carol's repositories give");
    assert_eq!(scene.may(carol, "acme/pushed"), PUSH, "she made it");
    scene.does(Method::DELETE, &format!("{all}/{}", text(&special, "id")), None).await;
    assert_eq!(scene.may(bob, "acme/pushed"), PUSH, "what was given stays");
    carol.push(&scene.image, &scene.name("acme/later")).works();
    assert_eq!(scene.may(bob, "acme/later"), PULL);
    scene.does(Method::DELETE, "organization/acme/team/makers", None).await;
    assert!(!carol.push(&scene.image, &scene.name("acme/never")).succeeded);
    scene.then(delete("repository/acme/pushed"), bob, "acme/pushed", NOTHING).await;
    assert_eq!(scene.may(carol, "acme/pushed"), NOTHING);
}

async fn tokens_and_users_are_felt(scene: &Scene<'_>, bob: &Skopeo, his: &Anybody<'_>) {
    let direct = "repository/acme/app/permissions/user/bob";
    scene.does(Method::PUT, direct, Some(role("write"))).await;

    // an OAuth token does what its scopes say, until it is revoked, or goes with its application
    let apps = "organization/bobs/applications";
    changes(his, Method::POST, "organization/", Some(json!({"name": "bobs"}))).await;
    let made = changes(his, Method::POST, apps, Some(json!({"name": "console"}))).await;
    let console = format!("{apps}/{}", text(&made, "client_id"));
    let token = async |scope: &str| {
        let body = json!({"name": "console", "scope": scope});
        changes(his, Method::POST, &format!("{console}/tokens"), Some(body)).await
    };
    let reader = token("repo:read").await;
    assert!(scene.signs_in(bob, "$oauthtoken", text(&reader, "token")));
    assert_eq!(scene.may(bob, "acme/app"), PULL);
    let writer = token("repo:write").await;
    assert!(scene.signs_in(bob, "$oauthtoken", text(&writer, "token")));
    assert_eq!(scene.may(bob, "acme/app"), PUSH);
    let grant = format!("user/authorizations/{}", text(&writer, "uuid"));
    changes(his, Method::DELETE, &grant, None).await;
    assert_eq!(scene.may(bob, "acme/app"), NOTHING, "the authorization is revoked");
    assert!(scene.signs_in(bob, "$oauthtoken", text(&reader, "token")));
    changes(his, Method::DELETE, &console, None).await;
    assert_eq!(scene.may(bob, "acme/app"), NOTHING, "the application is gone");

    let (first, secret) = make_app_token(his, "first").await;
    assert!(scene.signs_in(bob, "$app", &secret));
    assert_eq!(scene.may(bob, "acme/app"), PUSH);
    changes(his, Method::DELETE, &format!("user/apptoken/{first}"), None).await;
    assert_eq!(scene.may(bob, "acme/app"), NOTHING, "the app token is revoked");

    let (_, secret) = make_app_token(his, "second").await;
    assert!(scene.signs_in(bob, "$app", &secret));
    let user = "superuser/users/bob";
    scene.then(put(user, json!({"enabled": false})), bob, "acme/app", NOTHING).await;
    scene.then(put(user, json!({"enabled": true})), bob, "acme/app", PUSH).await;
    scene.then(delete(user), bob, "acme/app", NOTHING).await;
    assert!(!scene.signs_in(bob, "$app", &secret));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_change_is_felt_at_the_registry_by_the_next_request() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let listen = format!("127.0.0.1:{}", free_port());
    let program = Program::serve(folder, &["--listen", &listen]);
    let (scene, owner) = scene(folder, &program).await;
    let mut people = Vec::new();
    for name in ["bob", "carol"] {
        let person = make_user(&program, &scene.admin, name).await;
        let (_, secret) = make_app_token(&person, "laptop").await;
        let client = Skopeo::of(folder, name);
        assert!(scene.signs_in(&client, "$app", &secret));
        people.push((person, client));
    }
    let [(his, bob), (_, carol)] = people.as_slice() else { panic!("two people") };

    permissions_are_felt(&scene, bob).await;
    robots_are_felt(&scene, folder).await;
    default_permissions_are_felt(&scene, &owner, carol, bob).await;
    tokens_and_users_are_felt(&scene, bob, his).await;

    // what is left of the organisation goes at once
    assert_eq!(scene.may(&owner, "acme/app"), PUSH);
    scene.then(delete("organization/acme"), &owner, "acme/app", NOTHING).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_push_makes_its_namespace_where_that_is_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let listen = format!("127.0.0.1:{}", free_port());
    let on = [("CLAVIGER_QUAY_CREATE_NAMESPACE_ON_PUSH", "true")];
    let program = Program::serve_with(folder, &["--listen", &listen], &on);
    let (scene, _) = scene(folder, &program).await;
    let mut people = Vec::new();
    for name in ["bob", "carol"] {
        let person = make_user(&program, &scene.admin, name).await;
        let (_, secret) = make_app_token(&person, "laptop").await;
        let client = Skopeo::of(folder, name);
        assert!(scene.signs_in(&client, "$app", &secret));
        people.push((person, client));
    }
    let [(his, bob), (_, carol)] = people.as_slice() else { panic!("two people") };
    bob.push(&scene.image, &scene.name("bobs/app")).works();
    assert_eq!(scene.may(bob, "bobs/app"), PUSH);
    assert_eq!(scene.may(carol, "bobs/app"), NOTHING);
    assert_eq!(scene.may(carol, "acme/other"), NOTHING, "a namespace that is there");
    let organization = changes(his, Method::GET, "organization/bobs", None).await;
    assert_eq!(organization["is_admin"], true);
    let given = json!({"role": "read", "delegate": {"kind": "user", "name": "carol"}});
    changes(his, Method::POST, "organization/bobs/prototypes", Some(given)).await;
    bob.push(&scene.image, &scene.name("bobs/later")).works();
    assert_eq!(scene.may(carol, "bobs/later"), PULL, "by default");
    assert_eq!(scene.may(carol, "bobs/app"), NOTHING, "it was there before");
}
