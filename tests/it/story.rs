//! The story this program is for, with the real registry and the real client: from an empty folder
//! to a push that is refused.

use claviger_tests::{
    real::{
        free_port, image,
        people::{PASSWORD, certificates, make_app_token, make_user},
        program::Program,
        registry::Registry,
        skopeo::Skopeo,
    },
    visitor::Visitor,
};
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_an_empty_folder_to_a_push_that_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let listen = format!("127.0.0.1:{}", free_port());
    let serve = ["--listen", &listen];
    let program = Program::serve(folder, &serve);
    let (name, password) = program.superuser();
    assert_eq!(name, "admin");
    let admin = Visitor::sign_in(&program, &name, &password).await;

    // people, an organisation, a team, a repository
    let alice = make_user(&program, &admin, "alice").await;
    let bob = make_user(&program, &admin, "bob").await;
    let carol = make_user(&program, &admin, "carol").await;
    let organisation = json!({"name": "acme", "email": "acme@example.com"});
    assert_eq!(admin.post("/api/v1/organization/", organisation).await.status, 201);
    let team = admin.put("/api/v1/organization/acme/team/devs", json!({"role": "member"})).await;
    assert_eq!(team.status, 200, "{}", team.text());
    let member = admin.put("/api/v1/organization/acme/team/devs/members/alice", json!({})).await;
    assert_eq!((member.status.as_u16(), &member.json()["invited"]), (200, &json!(false)));
    let repository = json!({
        "namespace": "acme", "repository": "app", "visibility": "private", "description": "",
    });
    assert_eq!(admin.post("/api/v1/repository", repository).await.status, 201);
    let permission = |of: &str| format!("/api/v1/repository/acme/app/permissions/{of}");
    let granted = admin.put(&permission("team/devs"), json!({"role": "write"})).await;
    assert_eq!(granted.status, 200, "{}", granted.text());
    let granted = admin.put(&permission("user/bob"), json!({"role": "read"})).await;
    assert_eq!(granted.status, 200, "{}", granted.text());
    let why = admin.get(&permission("user/alice/transitive")).await;
    assert_eq!(why.json(), json!({"permissions": [{"role": "write"}]}));

    // everybody has an app token
    let (alices_id, alices) = make_app_token(&alice, "laptop").await;
    let (_, bobs) = make_app_token(&bob, "laptop").await;
    let (_, carols) = make_app_token(&carol, "laptop").await;

    // a registry that trusts us, and clients of it
    let registry = Registry::start(folder, program.url(), &certificates(folder));
    let app = format!("{}/acme/app:1", registry.name());
    let (a, b, c) =
        (Skopeo::of(folder, "alice"), Skopeo::of(folder, "bob"), Skopeo::of(folder, "carol"));
    a.login(&registry.name(), "$app", &alices).works();
    b.login(&registry.name(), "$app", &bobs).works();
    c.login(&registry.name(), "$app", &carols).works();
    let nobody = Skopeo::of(folder, "nobody");
    nobody.login(&registry.name(), "$app", "clva_nothing").is_refused();

    // alice pushes and pulls, bob pulls, nobody else does either
    let hello = folder.join("hello");
    let digest = image::write(&hello, "hello");
    a.push(&hello, &app).works();
    a.pull(&app, &folder.join("alices")).works();
    b.pull(&app, &folder.join("bobs")).works();
    let pulled = std::fs::read_to_string(folder.join("bobs/manifest.json")).expect("a manifest");
    let there = a.ask("inspect", &app).works();
    assert!(there.contains("sha256:") && pulled.contains("layers"), "{digest}: {there}");
    b.push(&hello, &app).is_refused();
    for outsider in [&c, &nobody] {
        outsider.push(&hello, &app).is_refused();
        outsider.pull(&app, &folder.join("outsiders")).is_refused();
    }

    // a layer is mounted across repositories of alice; she may list and not delete, an admin may
    let alices_own = format!("{}/alice/copy:1", registry.name());
    a.copy(&app, &alices_own).works();
    let tags = a.ask("list-tags", &format!("{}/acme/app", registry.name())).works();
    assert!(tags.contains("\"1\""), "{tags}");
    a.ask("delete", &app).is_refused();
    c.pull(&alices_own, &folder.join("outsiders")).is_refused();
    a.ask("delete", &alices_own).works();

    // the world pulls once the repository is public, and pushes no more than before
    let visible = "/api/v1/repository/acme/app/changevisibility";
    assert_eq!(admin.post(visible, json!({"visibility": "public"})).await.status, 200);
    nobody.pull(&app, &folder.join("everybodys")).works();
    nobody.push(&hello, &app).is_refused();
    c.push(&hello, &app).is_refused();
    assert_eq!(admin.post(visible, json!({"visibility": "private"})).await.status, 200);
    nobody.pull(&app, &folder.join("everybodys")).is_refused();

    // alice's token is revoked: the next login and the next token request are refused
    let revoked = alice.delete(&format!("/api/v1/user/apptoken/{alices_id}")).await;
    assert_eq!(revoked.status, 204, "{}", revoked.text());
    a.login(&registry.name(), "$app", &alices).is_refused();
    a.push(&hello, &app).is_refused();
    let asked = "/v2/auth?service=registry&scope=repository:acme/app:pull";
    let refused = Visitor::basic(&program, "$app", &alices).get(asked).await;
    assert_eq!(refused.status, 401, "{}", refused.text());

    // bob is taken off the repository by the very next request
    assert_eq!(admin.delete(&permission("user/bob")).await.status, 204);
    b.pull(&app, &folder.join("bobs-again")).is_refused();
    let (_, second) = make_app_token(&alice, "desktop").await;

    // kill -9 loses nothing that was acknowledged
    let before = program.said().join("\n");
    program.kill();
    let program = Program::serve(folder, &serve);
    a.login(&registry.name(), "$app", &alices).is_refused();
    a.login(&registry.name(), "$app", &second).works();
    image::write(&folder.join("again"), "again");
    a.push(&folder.join("again"), &app).works();
    b.pull(&app, &folder.join("bobs-again")).is_refused();
    let said = program.said().join("\n");
    assert!(!said.contains("superuser "), "the password is printed once: {said}");
    assert_eq!(before.matches(&*password).count(), 1, "and nowhere else");
    for secret in [&alices, &bobs, &carols, &second, PASSWORD] {
        assert!(!before.contains(secret) && !said.contains(secret), "{secret} is in the log");
    }
    assert!(program.stop().success(), "it stops when it is asked to");
}
