//! Repositories and the permissions on them, in the Quay door.

use claviger_service::Settings;
use claviger_store::{Stmt, Tx, audit};
use claviger_tests::{
    app::TestApp,
    case::{seed, settings},
    server::Server,
    visitor::Visitor,
};
use http::{Method, StatusCode};
use serde_json::{Map, Value, json};

const REPOSITORY: &str = "/api/v1/repository";

fn test_settings() -> Settings {
    settings::of(&Map::new(), &seed::read())
}

fn new(namespace: &str, name: &str) -> Value {
    json!({"namespace": namespace, "repository": name, "visibility": "private", "description": ""})
}

/// The names in a list of repositories.
fn names(list: &Value) -> Vec<String> {
    let repositories = list["repositories"].as_array().expect("a list");
    let name = |repo: &Value| {
        format!("{}/{}", repo["namespace"].as_str().unwrap(), repo["name"].as_str().unwrap())
    };
    repositories.iter().map(name).collect()
}

/// Refused; or sent on to where nothing is.
fn is_refused(status: StatusCode) -> bool {
    status.is_client_error() || status == 308
}

claviger_tests::both! {
    async fn a_repository_is_made_changed_and_removed(engine: Engine) {
        let (app, _) = TestApp::seeded(engine, test_settings()).await;
        let owner = Visitor::sign_in(&app, "freshuser", "password").await;
        let other = Visitor::sign_in(&app, "reader", "password").await;
        let path = format!("{REPOSITORY}/freshuser/team/app");

        assert_eq!(owner.get(&path).await.status, 404);
        assert_eq!(other.get(&path).await.status, 403, "a stranger learns nothing");
        let made = owner.post(REPOSITORY, new("freshuser", "team/app")).await;
        assert_eq!(made.status, 201);
        assert_eq!(
            made.text(),
            "{\"namespace\": \"freshuser\", \"name\": \"team/app\", \"kind\": \"image\"}\n"
        );
        assert_eq!(other.get(&path).await.status, 403);
        let again = owner.post(REPOSITORY, new("freshuser", "team/app")).await;
        assert_eq!(again.json()["detail"], "Repository already exists");

        let description = json!({"description": " two\nlines "});
        assert_eq!(owner.put(&path, description).await.json(), json!({"success": true}));
        let public = json!({"visibility": "public"});
        assert_eq!(owner.post(&format!("{path}/changevisibility"), public).await.status, 200);
        let read_only = json!({"state": "READ_ONLY"});
        assert_eq!(owner.put(&format!("{path}/changestate"), read_only).await.status, 200);
        let mirror = owner.put(&format!("{path}/changestate"), json!({"state": "MIRROR"})).await;
        assert_eq!(mirror.json()["detail"], "Unknown Repository State: MIRROR");

        let shown = Visitor::anonymous(&app).get(&path).await.json();
        assert_eq!(shown["description"], " two\nlines ");
        assert_eq!((&shown["is_public"], &shown["state"]), (&json!(true), &json!("READ_ONLY")));
        assert_eq!((&shown["can_write"], &shown["tags"]), (&json!(false), &json!({})));
        let encoded = owner.get(&format!("{REPOSITORY}/freshuser%2Fteam%2Fapp")).await.json();
        assert_eq!((&encoded["can_admin"], &encoded["name"]), (&json!(true), &json!("team/app")));

        assert_eq!(other.delete(&path).await.status, 403);
        assert_eq!(owner.delete(&path).await.status, 204);
        assert_eq!(owner.delete(&path).await.status, 204, "it is gone either way");
        assert_eq!(Visitor::anonymous(&app).get(&path).await.status, 401);
        let acts = app.db.read(|q| {
            let stmt = Stmt::same("SELECT act FROM audit WHERE namespace = 'freshuser' ORDER BY seq");
            let rows = q.all(&stmt, &[])?;
            Ok(rows.iter().map(|row| row.text(0).unwrap().to_owned()).collect::<Vec<_>>())
        });
        assert_eq!(
            acts.await.unwrap(),
            [
                "create_repo",
                "set_repo_description",
                "change_repo_visibility",
                "change_repo_state",
                "delete_repo"
            ]
        );
        assert_eq!(app.db.read(|q| Ok(audit::first_broken(q)?)).await.unwrap(), None);
    }

    async fn the_name_of_a_removed_repository_is_kept_for_its_namespace(engine: Engine) {
        let (app, _) = TestApp::seeded(engine, test_settings()).await;
        let owner = Visitor::sign_in(&app, "outsideorg", "password").await;
        assert_eq!(owner.delete(&format!("{REPOSITORY}/outsideorg/coolrepo")).await.status, 204);
        // as if the namespace had gone to somebody else in between
        let stmt = Stmt::same(
            "UPDATE name_tombstone SET former_owner_id = NULL WHERE name = 'outsideorg/coolrepo'",
        );
        let lose = move |tx: &mut Tx<'_>| Ok(tx.execute(&stmt, &[])?);
        assert_eq!(app.db.write(lose).await.unwrap(), 1);
        let refused = owner.post(REPOSITORY, new("outsideorg", "coolrepo")).await;
        assert_eq!(refused.status, 400);
        assert_eq!(refused.json()["detail"], "Repository name is not available");
        let superuser = Visitor::sign_in(&app, "devtable", "password").await;
        assert_eq!(superuser.post(REPOSITORY, new("outsideorg", "coolrepo")).await.status, 201);
        assert_eq!(owner.delete(&format!("{REPOSITORY}/outsideorg/coolrepo")).await.status, 204);
        assert_eq!(owner.post(REPOSITORY, new("outsideorg", "coolrepo")).await.status, 201);
    }

    /// The registry may still hold its content, which was not the creator's to read.
    async fn a_creator_does_not_get_back_what_was_removed(engine: Engine) {
        let (app, _) = TestApp::seeded(engine, test_settings()).await;
        let owner = Visitor::sign_in(&app, "devtable", "password").await;
        let creator = Visitor::sign_in(&app, "creator", "password").await;
        assert_eq!(creator.post(REPOSITORY, new("buynlarge", "fresh")).await.status, 201);
        assert_eq!(owner.delete(&format!("{REPOSITORY}/buynlarge/fresh")).await.status, 204);
        assert_eq!(creator.post(REPOSITORY, new("buynlarge", "fresh")).await.status, 400);
        assert_eq!(owner.post(REPOSITORY, new("buynlarge", "fresh")).await.status, 201);
    }

    async fn a_permission_that_is_taken_away_gives_nothing_at_once(engine: Engine) {
        let (app, _) = TestApp::seeded(engine, test_settings()).await;
        let owner = Visitor::sign_in(&app, "outsideorg", "password").await;
        let reader = Visitor::sign_in(&app, "reader", "password").await;
        let path = format!("{REPOSITORY}/outsideorg/coolrepo");
        let permission = format!("{path}/permissions/user/reader");
        for _ in 0..3 {
            assert_eq!(reader.get(&path).await.status, 403);
            assert_eq!(owner.put(&permission, json!({"role": "write"})).await.status, 200);
            assert_eq!(reader.get(&path).await.json()["can_write"], true);
            assert_eq!(owner.put(&permission, json!({"role": "read"})).await.status, 200);
            assert_eq!(reader.get(&path).await.json()["can_write"], false);
            assert_eq!(owner.delete(&permission).await.status, 204);
        }
        assert_eq!(reader.get(&path).await.status, 403);
    }

    async fn a_list_shows_what_one_may_see_page_by_page(engine: Engine) {
        let (app, _) = TestApp::seeded(engine, test_settings()).await;
        let owner = Visitor::sign_in(&app, "freshuser", "password").await;
        let list = |query: &str| format!("{REPOSITORY}?{query}");
        assert_eq!(owner.get(REPOSITORY).await.status, 400);
        for n in 0..101 {
            let made = owner.post(REPOSITORY, new("freshuser", &format!("r{n}"))).await;
            assert_eq!(made.status, 201);
        }
        let first = owner.get(&list("namespace=freshuser")).await.json();
        assert_eq!(names(&first).len(), 100);
        let next = first["next_page"].as_str().expect("there is more");
        let second = owner.get(&list(&format!("namespace=freshuser&next_page={next}"))).await.json();
        assert_eq!(names(&second), ["freshuser/r100"]);
        assert_eq!(second.get("next_page"), None);

        let reader = Visitor::sign_in(&app, "reader", "password").await;
        assert_eq!(names(&reader.get(&list("namespace=freshuser")).await.json()), [""; 0]);
        let of_org = names(&reader.get(&list("namespace=buynlarge")).await.json());
        assert_eq!(of_org, ["buynlarge/orgrepo"], "a permission of his team");
        let public = names(&Visitor::anonymous(&app).get(&list("public=true")).await.json());
        assert_eq!(public, ["public/publicrepo"]);
        assert_eq!(names(&Visitor::anonymous(&app).get(&list("namespace=public")).await.json()), [""; 0]);
        assert_eq!(names(&reader.get(&list("namespace=no%00such")).await.json()), [""; 0]);
    }

    async fn names_that_no_store_can_hold_are_refused_like_any_other(engine: Engine) {
        let (app, _) = TestApp::seeded(engine, test_settings()).await;
        let owner = Visitor::sign_in(&app, "outsideorg", "password").await;
        for name in ["a%00b", "%ff", "%F0%9F%92%A9", "..", "a%20b", "%2e%2e%2f", "x"] {
            let permission = format!("{REPOSITORY}/outsideorg/coolrepo/permissions/user/{name}");
            for (method, body) in
                [(Method::GET, None), (Method::PUT, Some(json!({"role": "read"}))), (Method::DELETE, None)]
            {
                let request = owner.request(&method, &permission, body.as_ref());
                let status = app.send(request).await.status;
                assert!(is_refused(status), "{method} {name}: {status}");
            }
            let repository = format!("{REPOSITORY}/outsideorg/{name}%00/permissions/user/");
            let status = owner.get(&repository).await.status;
            assert!(status == 200 || is_refused(status), "{name}: {status}");
            let status = owner.get(&format!("{REPOSITORY}/{name}%00/x")).await.status;
            assert!(is_refused(status), "{name}: {status}");
        }
    }
}
