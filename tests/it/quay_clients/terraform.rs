//! The Terraform provider, and what the Go client adds: a bearer token, the slash of a repository
//! percent-encoded, no type where there is no body.

use claviger_tests::{app::TestApp, visitor::Visitor};
use http::Method;
use serde_json::{Value, json};

use super::{pictures, stage};

type Bearer<'a> = Visitor<'a, TestApp>;

pub(super) async fn bearer<'a>(app: &'a TestApp, client: &str) -> Bearer<'a> {
    let owner = Visitor::sign_in(app, "reader", "password").await;
    let path = format!("/api/v1/organization/acme/applications/{client}/tokens");
    let body = json!({"name": "plan", "scope": "org:admin repo:admin repo:create user:admin"});
    let made = owner.post(&path, body).await;
    assert_eq!(made.status, 200, "{}", made.text());
    Visitor::bearer(app, made.json()["token"].as_str().expect("a token"))
}

/// A request with a body, or none; every status from 300 on is an error.
async fn call(client: &Bearer<'_>, method: Method, path: &str, body: Option<Value>) -> Value {
    let kind = body.as_ref().map(|_| "application/json; charset=utf-8");
    let body = body.map_or_else(Vec::new, |body| body.to_string().into_bytes());
    let answer = client.send(method.clone(), &format!("/api/v1/{path}"), kind, body).await;
    assert!(answer.status.as_u16() < 300, "{method} {path}: {} {}", answer.status, answer.text());
    answer.json()
}

/// Sets everything, as an `apply` does, whether it is there or not.
async fn set(client: &Bearer<'_>) {
    let put = Method::PUT;
    let team = "organization/widgets/team/devs";
    let about = json!({"name": "widgets", "email": "Team@widgets.example"});
    call(client, put.clone(), "organization/widgets", Some(about)).await;
    let role = json!({"role": "creator", "description": " one\ntwo "});
    call(client, put.clone(), team, Some(role)).await;
    let description = Some(json!({"description": ""}));
    call(client, put.clone(), "repository/widgets%2Fapp", description).await;
    let visibility = Some(json!({"visibility": "public"}));
    call(client, Method::POST, "repository/widgets%2Fapp/changevisibility", visibility).await;
    let permission = "repository/widgets%2Fapp/permissions/team/devs";
    call(client, put, permission, Some(json!({"role": "write"}))).await;
}

/// What the state is compared with.
async fn read(client: &Bearer<'_>) -> Value {
    let get = async |path: &str| call(client, Method::GET, path, None).await;
    let organization = get("organization/widgets").await;
    let members = get("organization/widgets/team/devs/members").await;
    let robot = get("organization/widgets/robots/ci").await;
    let repository = get("repository/widgets%2Fapp").await;
    let permission = get("repository/widgets%2Fapp/permissions/team/devs").await;
    let mut names: Vec<String> = members["members"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|member| member["name"].as_str().expect("a name").to_owned())
        .collect();
    names.sort();
    json!({
        "organization": [organization["name"], organization["email"]],
        "team": [organization["teams"]["devs"]["role"], organization["teams"]["devs"]["description"]],
        "members": names,
        "robot": [robot["description"], robot["token"]],
        "repository": [repository["name"], repository["namespace"], repository["description"],
            repository["is_public"]],
        "permission": permission["role"],
    })
}

claviger_tests::both! {
    async fn plan_is_empty_after_it_was_applied(engine: Engine) {
        let [settings, _] = pictures();
        let (app, _) = TestApp::seeded(engine, settings).await;
        let [client, _] = stage(&app).await;
        let client = bearer(&app, &client).await;
        let new = json!({"name": "widgets", "email": "Team@widgets.example"});
        call(&client, Method::POST, "organization/", Some(new)).await;
        let team = "organization/widgets/team/devs";
        let role = json!({"role": "member", "description": ""});
        call(&client, Method::PUT, team, Some(role)).await;
        let robot = "organization/widgets/robots/ci";
        let made = call(&client, Method::PUT, robot, Some(json!({"description": "Builds"}))).await;
        for member in ["freshuser", "widgets+ci"] {
            call(&client, Method::PUT, &format!("{team}/members/{member}"), None).await;
        }
        let new = json!({
            "repository": "app", "visibility": "private", "namespace": "widgets", "description": "x",
        });
        call(&client, Method::POST, "repository", Some(new)).await;

        set(&client).await;
        let first = read(&client).await;
        assert_eq!(
            first,
            json!({
                "organization": ["widgets", "Team@widgets.example"],
                "team": ["creator", " one\ntwo "],
                "members": ["freshuser", "widgets+ci"],
                "robot": ["Builds", made["token"]],
                "repository": ["app", "widgets", "", true],
                "permission": "write",
            })
        );
        set(&client).await;
        assert_eq!(read(&client).await, first);

        let renamed = Visitor::sign_in(&app, "devtable", "password").await;
        let name = json!({"name": "gadgets", "email": "Team@widgets.example"});
        let answer = renamed.put("/api/v1/superuser/organizations/widgets", name).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let gone = client.delete("/api/v1/organization/gadgets/team/devs/members/public").await;
        assert_eq!(gone.status, 400);
        assert!(gone.json()["message"].is_string(), "{}", gone.text());
        let gone = client.delete("/api/v1/organization/gadgets/team/nosuch/members/public").await;
        assert_eq!((gone.status.as_u16(), &gone.json()["status"]), (404, &json!(404)));
        for path in [
            "repository/gadgets%2Fapp/permissions/team/devs",
            "repository/gadgets%2Fapp",
            "organization/gadgets/team/devs/members/freshuser",
            "organization/gadgets/robots/ci",
            "organization/gadgets/team/devs",
            "organization/gadgets",
        ] {
            call(&client, Method::DELETE, path, None).await;
        }
        assert_eq!(client.get("/api/v1/organization/gadgets").await.status, 404);
    }

    async fn go_client_finds_what_it_decodes(engine: Engine) {
        let [settings, _] = pictures();
        let (app, _) = TestApp::seeded(engine, settings).await;
        let [client, _] = stage(&app).await;
        let bearer = bearer(&app, &client).await;
        // its type is JSON even without a body
        let send = async |method: Method, path: &str, body: &str| {
            let path = format!("/api/v1/{path}");
            bearer.send(method, &path, Some("application/json"), body.as_bytes().to_vec()).await
        };
        let moved = send(Method::GET, "user", "").await;
        assert_eq!((moved.status.as_u16(), moved.header("location")), (308, Some("http://localhost:5000/api/v1/user/")));
        let new = r#"{"namespace":"acme","repository":"app","visibility":"private","description":"x"}"#;
        assert_eq!(send(Method::POST, "repository", new).await.status, 201);
        let starred = send(Method::GET, "user/starred", "").await.json();
        assert_eq!(starred, json!({"repositories": []}));
        let star = r#"{"namespace":"acme","repository":"app"}"#;
        let made = send(Method::POST, "user/starred", star).await;
        assert_eq!((made.status.as_u16(), made.json()), (201, json!({"namespace": "acme", "repository": "app"})));
        assert_eq!(send(Method::POST, "user/starred", star).await.status, 201, "again");
        let missing = r#"{"namespace":"acme","repository":"nosuch"}"#;
        let missing = send(Method::POST, "user/starred", missing).await;
        assert_eq!((missing.status.as_u16(), missing.text().trim()), (200, "null"));
        let starred = send(Method::GET, "user/starred", "").await.json();
        let app_line = json!({"namespace": "acme", "name": "app", "description": "x", "is_public": false});
        assert_eq!(starred, json!({"repositories": [app_line]}));
        for list in ["repository?starred=true", "repository?namespace=acme"] {
            let list = send(Method::GET, list, "").await.json();
            assert_eq!(list["repositories"][0]["is_starred"], true);
            assert_eq!(list["repositories"].as_array().map(Vec::len), Some(1));
            assert_eq!(list.get("has_additional"), None);
        }
        // whoever loses sight of a repository does not see it among his stars
        let other = Visitor::sign_in(&app, "freshuser", "password").await;
        let body = || json!({"namespace": "acme", "repository": "app"});
        assert_eq!(other.post("/api/v1/user/starred", body()).await.text().trim(), "null");
        let permission = "repository/acme/app/permissions/user/freshuser";
        assert_eq!(send(Method::PUT, permission, r#"{"role":"read"}"#).await.status, 200);
        assert_eq!(other.post("/api/v1/user/starred", body()).await.status, 201);
        assert_eq!(send(Method::DELETE, permission, "").await.status, 204);
        let seen = other.get("/api/v1/user/starred").await.json();
        assert_eq!(seen, json!({"repositories": []}));
        for _ in 0..2 {
            assert_eq!(send(Method::DELETE, "user/starred/acme/app", "").await.status, 204);
        }
        let shown = send(Method::GET, "repository/acme/app", "").await.json();
        assert_eq!(shown["is_starred"], false);

        for (path, status) in [
            ("users/reader", 200),
            ("users/acme", 404),
            ("organization/acme", 200),
            ("organization/acme/members", 200),
            ("organization/acme/members/reader", 200),
            ("organization/acme/collaborators", 200),
            ("organization/acme/teams", 308),
            ("organization/acme/team/devs/permissions", 200),
            ("organization/acme/robots", 200),
            ("organization/acme/robots/ci/permissions", 200),
            ("organization/acme/applications", 200),
            ("organization/acme/prototypes", 200),
            ("repository/acme%2Fapp", 200),
            ("entities/rea", 200),
            ("error/not_found", 200),
            ("registry/capabilities", 200),
            ("repository/acme/nosuch/tag/", 404),
        ] {
            let answer = send(Method::GET, path, "").await;
            assert_eq!(answer.status, status, "{path}: {}", answer.text());
        }
        let tags = send(Method::GET, "repository/acme/app/tag/?limit=100&page=1", "").await.json();
        assert_eq!(tags, json!({"tags": [], "page": 1, "has_additional": false}));
        let found = send(Method::GET, "find/repositories?query=ap&page=1", "").await.json();
        assert_eq!((&found["page"], &found["has_additional"]), (&json!(1), &json!(false)));
        let names = |list: &Value| -> Vec<Value> {
            list["results"].as_array().expect("a list").iter().map(|one| one["name"].clone()).collect()
        };
        assert!(names(&found).contains(&json!("app")), "{found}");
        let everything = send(Method::GET, "find/all?query=acm", "").await.json();
        assert_eq!(names(&everything), ["acme"]);
        let unseen = other.get("/api/v1/find/repositories?query=app").await.json();
        assert!(!names(&unseen).contains(&json!("app")), "{unseen}");
        let view = send(Method::GET, &format!("app/{client}"), "").await.json();
        assert_eq!(view["name"], "automation");
        let regenerated = send(Method::POST, "organization/acme/robots/ci/regenerate", "").await;
        assert_eq!(regenerated.status, 200);
        assert_eq!(regenerated.json().get("unstructured_metadata"), None);
    }
}
