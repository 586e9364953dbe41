//! The calls of the Go client that change something: each is set twice and reads back the same.

use claviger_tests::app::TestApp;
use http::Method;
use serde_json::{Value, json};

use super::{pictures, stage, terraform::bearer};

claviger_tests::both! {
    async fn go_client_reads_back_what_it_sets(engine: Engine) {
        let [settings, _] = pictures();
        let (app, _) = TestApp::seeded(engine, settings).await;
        let [client, _] = stage(&app).await;
        let bearer = bearer(&app, &client).await;
        let send = async |method: &Method, path: &str, body: Option<&Value>| {
            let path = format!("/api/v1/{path}");
            let body = body.map_or_else(Vec::new, |body| body.to_string().into_bytes());
            let answer = bearer.send(method.clone(), &path, Some("application/json"), body).await;
            (answer.status.as_u16(), answer.text())
        };
        let read = async |path: &str| -> Value {
            let (status, text) = send(&Method::GET, path, None).await;
            assert_eq!(status, 200, "{path}: {text}");
            serde_json::from_str(&text).expect("JSON")
        };
        let new = json!({
            "namespace": "acme", "repository": "app", "visibility": "private", "description": "x",
        });
        assert_eq!(send(&Method::POST, "repository", Some(&new)).await.0, 201);
        let robot = "organization/acme/robots/deploy";
        let about = json!({"description": "d", "unstructured_metadata": {"team": "devs"}});
        assert_eq!(send(&Method::PUT, robot, Some(&about)).await.0, 201);
        assert_eq!(read(robot).await["unstructured_metadata"], json!({"team": "devs"}));
        // a robot is not made twice
        assert_eq!(send(&Method::PUT, robot, Some(&about)).await.0, 400);
        let given = json!({
            "delegate": {"name": "freshuser", "kind": "user"}, "role": "read",
            "activating_user": {"name": "reader", "kind": "user"},
        });
        let prototypes = "organization/acme/prototypes";
        let (status, made) = send(&Method::POST, prototypes, Some(&given)).await;
        assert_eq!(status, 200, "{made}");
        let made: Value = serde_json::from_str(&made).expect("JSON");
        let prototype = format!("{prototypes}/{}", made["id"].as_str().expect("an id"));

        let permissions = "repository/acme/app/permissions";
        let application = format!("organization/acme/applications/{client}");
        let whole = json!({"name": "go", "redirect_uri": "http://a.example", "application_uri": "b"});
        for (path, body, at, pointer, wanted) in [
            ("organization/acme", json!({"email": "go@acme.example"}), "organization/acme", "/email",
                json!("go@acme.example")),
            ("organization/acme/team/devs", json!({"role": "creator", "description": "g"}),
                "organization/acme", "/teams/devs/role", json!("creator")),
            ("repository/acme/app", json!({"description": "new", "visibility": "public"}),
                "repository/acme/app", "/description", json!("new")),
            ("repository/acme/app/permissions/user/freshuser", json!({"role": "write"}), permissions,
                "/permissions/freshuser/role", json!("write")),
            ("repository/acme/app/permissions/team/devs", json!({"role": "admin"}), permissions,
                "/permissions/devs/role", json!("admin")),
            (&prototype, json!({"role": "admin"}), prototypes, "/prototypes/0/role", json!("admin")),
            (&application, whole, &application, "/redirect_uri", json!("http://a.example")),
        ] {
            let kind = if path.contains("/team/") { "team" } else { "user" };
            let at = if at == permissions { format!("{at}/{kind}/") } else { at.to_owned() };
            let mut seen = Vec::new();
            for _ in 0..2 {
                let (status, text) = send(&Method::PUT, path, Some(&body)).await;
                assert_eq!(status, 200, "{path}: {text}");
                seen.push(read(&at).await);
            }
            assert_eq!(seen[0], seen[1], "{path}");
            assert_eq!(seen[0].pointer(pointer), Some(&wanted), "{path}: {}", seen[0]);
        }
        let whole = read("repository/acme/app").await;
        assert_eq!(whole["is_public"], false, "its visibility is not set by this");
        assert_eq!(read(&format!("{permissions}/user/freshuser/transitive")).await["permissions"],
            json!([{"role": "write"}]));
        let without = json!({"name": "go"});
        assert_eq!(send(&Method::PUT, &application, Some(&without)).await.0, 400);

        // what Quay does not have, it does not do either
        for (method, path, status) in [
            (Method::PUT, "repository/acme/app/star", 400),
            (Method::DELETE, "repository/acme/app/star", 204),
            (Method::PUT, "repository/acme/app/permissions", 400),
            (Method::DELETE, "repository/acme/app/permissions/freshuser", 204),
            (Method::GET, "repository/acme/app/permissions", 404),
            (Method::GET, "repository/acme/app/tokens", 308),
            (Method::GET, "repository/acme/app/tokens/", 410),
            (Method::PUT, "organization/acme/members/freshuser", 405),
            (Method::GET, &prototype, 405),
        ] {
            let (found, text) = send(&method, path, None).await;
            assert_eq!(found, status, "{method} {path}: {text}");
        }
        assert_eq!(read("repository/acme/app").await["name"], "app");
        assert_eq!(read(&format!("{permissions}/user/freshuser")).await["role"], "write");
        for path in [prototype.as_str(), robot, "repository/acme/app", &application] {
            assert_eq!(send(&Method::DELETE, path, None).await.0, 204, "{path}");
        }
    }
}
