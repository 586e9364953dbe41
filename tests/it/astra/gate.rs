//! What every request of the Astra door passes, and in which order.

use claviger_domain::Clock;
use claviger_service::Settings;
use claviger_tests::{answer::Answer, app::TestApp, server::Server, visitor::Visitor};
use http::{HeaderValue, Method, Request};
use serde_json::json;

use super::world::{account, bearer, first_account, token, user};

/// The number of the problem that was answered; held to what every problem has.
pub(super) fn problem(answer: &Answer) -> u64 {
    let body = answer.json();
    assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{body}");
    assert_eq!(body["status"], answer.status.as_str(), "{body}");
    assert_eq!(body["correlationID"], answer.header("x-request-id").expect("an id"), "{body}");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let kind =
        body["type"].as_str().and_then(|t| t.strip_prefix("https://astra.netapp.io/problems/"));
    kind.expect("a type").parse().expect("a number")
}

/// A request of `visitor` with these headers.
pub(super) async fn with(
    app: &TestApp,
    visitor: &Visitor<'_, TestApp>,
    method: Method,
    path: &str,
    headers: &[(&'static str, &str)],
    body: &str,
) -> Answer {
    let mut request: Request<Vec<u8>> = visitor.request(&method, path, None);
    for (name, value) in headers {
        request.headers_mut().insert(*name, HeaderValue::from_str(value).expect("a value"));
    }
    *request.body_mut() = body.as_bytes().to_vec();
    request.headers_mut().insert("content-length", body.len().into());
    app.send(request).await
}

claviger_tests::both! {
    async fn bearer_token_comes_before_everything(engine: Engine) {
        let app = TestApp::empty(engine, Settings::default()).await;
        let home = first_account(&app).await;
        let nobody = Visitor::anonymous(&app);
        for path in ["/accounts/x", "/accounts/x/nowhere?limit=0", "/accounts/../x"] {
            let answer = nobody.get(path).await;
            assert_eq!((answer.status.as_u16(), problem(&answer)), (401, 3), "{path}");
            assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
        }
        let path = format!("/accounts/{home}");
        let basic = Visitor::basic(&app, "admin", "password").get(&path).await;
        assert_eq!(problem(&basic), 3);
        for bad in ["nothing", "kG2fl6CI9FILhEbDC0sntsxQd9fph1fwhs+Iqfos0k4="] {
            assert_eq!(problem(&Visitor::bearer(&app, bad).get(&path).await), 4, "{bad}");
        }
        let token = token(&app, "admin").await;
        assert_eq!(token.len() % 4, 0);
        let mut request = nobody.request(&Method::GET, &path, None);
        let lower = HeaderValue::from_str(&format!("bearer {token}")).expect("a value");
        request.headers_mut().insert("authorization", lower);
        assert_eq!(app.send(request).await.status, 200);
        // another door's token opens nothing here
        let session = Visitor::sign_in(&app, "admin", "password").await;
        let made = session.post("/api/v1/user/apptoken", json!({"title": "x"})).await;
        let app_token = made.json()["token"]["token_code"].as_str().expect("a token").to_owned();
        assert_eq!(problem(&Visitor::bearer(&app, &app_token).get(&path).await), 4);
        assert_eq!(problem(&session.get(&path).await), 3);
    }

    async fn path_and_method_come_before_the_account(engine: Engine) {
        let app = TestApp::empty(engine, Settings::default()).await;
        user(&app, "ann", None).await;
        let ann = bearer(&app, "ann").await;
        let stranger = "/accounts/11111111-1111-4111-8111-111111111111";
        assert_eq!(problem(&ann.get(&format!("{stranger}/core/v1/tokenz")).await), 2);
        let answer = ann.send(Method::DELETE, &format!("{stranger}/core/v1"), None, vec![]).await;
        assert_eq!(problem(&answer), 2);
        let answer = ann.send(Method::PATCH, stranger, None, vec![]).await;
        assert_eq!((answer.status.as_u16(), problem(&answer)), (405, 69));
        assert!(answer.header("allow").expect("methods").contains("PUT"));
        assert_eq!(problem(&ann.get(stranger).await), 11);
    }

    async fn account_of_another_answers_like_one_that_does_not_exist(engine: Engine) {
        let app = TestApp::empty(engine, Settings::default()).await;
        let (home, other) = (first_account(&app).await, account(&app, "Other").await);
        user(&app, "ann", None).await;
        let bob = user(&app, "bob", Some(other)).await;
        let (ann, root) = (bearer(&app, "ann").await, bearer(&app, "admin").await);
        for id in [other.to_string(), "11111111-1111-4111-8111-111111111111".to_owned(), "x".to_owned()] {
            for path in [format!("/accounts/{id}"), format!("/accounts/{id}/core/v1/users/{bob}")] {
                assert_eq!(problem(&ann.get(&path).await), 11, "{path}");
            }
        }
        assert_eq!(ann.get(&format!("/accounts/{home}")).await.status, 200);
        assert_eq!(problem(&ann.get(&format!("/accounts/{home}/core/v1/users/{bob}")).await), 2);
        // a superuser is an owner in every account that there is
        assert_eq!(root.get(&format!("/accounts/{other}")).await.status, 200);
        assert_eq!(root.get(&format!("/accounts/{other}/core/v1/users/{bob}")).await.status, 200);
        assert_eq!(problem(&root.get("/accounts/11111111-1111-4111-8111-111111111111").await), 11);
    }

    async fn account_is_made_and_changed_by_those_who_may(engine: Engine) {
        let app = TestApp::empty(engine, Settings::default()).await;
        user(&app, "ann", None).await;
        let (ann, root) = (bearer(&app, "ann").await, bearer(&app, "admin").await);
        let body = json!({"type": "application/astra-account", "version": "1.0", "name": "Testing 123",
            "metadata": {"labels": [{"name": "env", "value": "x"}]}});
        assert_eq!(problem(&ann.post("/accounts", body.clone()).await), 11);
        assert_eq!(problem(&root.post("/accounts?x=y", body.clone()).await), 6);
        let made = root.post("/accounts", body.clone()).await;
        assert_eq!(made.status, 201, "{}", made.text());
        let id = made.json()["id"].as_str().expect("an id").to_owned();
        let path = format!("/accounts/{id}");
        let url = format!("{}{path}", app.app.settings().public_url);
        assert_eq!(made.header("location"), Some(url.as_str()));
        let shown = root.get(&path).await;
        assert_eq!(shown.json(), made.json());
        assert_eq!(shown.header("etag"), made.header("etag"));
        assert_eq!(made.json()["metadata"]["labels"], json!([{"name": "env", "value": "x"}]));
        assert_eq!(made.json()["isEnabled"], "true");

        app.clock.advance_ms(1000);
        let etag = shown.header("etag").expect("a tag").to_owned();
        let rename = |name: &str| json!({"type": "application/astra-account", "version": "1.0", "name": name});
        let put = |headers: Vec<(&'static str, String)>, body: serde_json::Value| {
            let (app, root, path) = (&app, &root, &path);
            async move {
                let headers: Vec<_> = headers.iter().map(|(k, v)| (*k, v.as_str())).collect();
                with(app, root, Method::PUT, path, &headers, &body.to_string()).await
            }
        };
        let answer = put(vec![("if-match", "\"x\"".to_owned())], json!(5)).await;
        assert_eq!(problem(&answer), 38);
        let late = "Fri, 01 Jan 2100 00:00:00 GMT".to_owned();
        let answer = put(vec![("if-match", etag.clone()), ("if-unmodified-since", late)], rename("New")).await;
        assert_eq!((answer.status.as_u16(), answer.text()), (204, String::new()));
        let changed = root.get(&path).await.json();
        assert_eq!(changed["name"], "New");
        assert_eq!(changed["metadata"]["labels"], made.json()["metadata"]["labels"]);
        assert_eq!(changed["metadata"]["creationTimestamp"], made.json()["metadata"]["creationTimestamp"]);
        assert_ne!(changed["metadata"]["modificationTimestamp"], changed["metadata"]["creationTimestamp"]);
        assert_eq!(problem(&put(vec![("if-match", etag)], rename("Old")).await), 38);
        assert_eq!(put(vec![], changed.clone()).await.status, 204);
        for (body, number) in [
            (json!({"name": "x"}), 8),
            (json!({"type": "application/astra-account", "version": "1.0", "nope": "x"}), 8),
            (json!({"type": "application/astra-account", "version": "1.0", "name": ""}), 8),
            (json!({"type": "application/astra-account", "version": "1.0", "name": "a;b"}), 9),
            (json!({"type": "application/astra-account", "version": "1.0", "isEnabled": true}), 8),
            (json!({"type": "application/astra-account", "version": "1.0", "isEnabled": "false"}), 9),
            (json!({"type": "application/astra-account", "version": "1.0",
                "id": "11111111-1111-4111-8111-111111111111"}), 10),
            (json!({"type": "application/astra-account", "version": "1.0",
                "metadata": {"labels": [{"name": "a", "value": "b"}, {"name": "a", "value": "b"}]}}), 9),
        ] {
            assert_eq!(problem(&put(vec![], body.clone()).await), number, "{body}");
        }
        let twice = r#"{"type":"application/astra-account","version":"1.0","name":"a","name":"b"}"#;
        assert_eq!(problem(&with(&app, &root, Method::PUT, &path, &[], twice).await), 7);
        assert_eq!(root.get(&path).await.json()["name"], "New");
    }

    async fn answers_come_in_the_media_type_that_is_asked_for(engine: Engine) {
        let app = TestApp::empty(engine, Settings::default()).await;
        let path = format!("/accounts/{}", first_account(&app).await);
        let root = bearer(&app, "admin").await;
        let own = "application/astra-account+json";
        for (accept, kind) in [("*/*", "application/json"), (own, own), ("text/html, */*;q=0.1", "application/json")] {
            // actoolkit sends a body with everything
            let answer = with(&app, &root, Method::GET, &path, &[("accept", accept)], "{}").await;
            assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, Some(kind)));
            assert_eq!(answer.header("access-control-allow-origin"), None);
        }
        let answer = with(&app, &root, Method::GET, &path, &[("accept", "text/csv")], "").await;
        assert_eq!(problem(&answer), 32);
    }

    async fn api_token_of_its_owner_opens_the_registry_until_it_ends(engine: Engine) {
        let app = TestApp::empty(engine, Settings::default()).await;
        let other = account(&app, "Other").await;
        user(&app, "ann", None).await;
        user(&app, "bob", Some(other)).await;
        let (ann, bob) = (token(&app, "ann").await, token(&app, "bob").await);
        let login = "/v2/auth?service=registry";
        assert_eq!(Visitor::basic(&app, "ann", &ann).get(login).await.status, 200);
        assert_eq!(Visitor::basic(&app, "admin", &ann).get(login).await.status, 401);
        // users of other accounts do not sign in there
        assert_eq!(Visitor::basic(&app, "bob", &bob).get(login).await.status, 401);
        assert!(app.clock.now().0 > 0);
    }
}
