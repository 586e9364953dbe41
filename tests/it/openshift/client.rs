//! The requests of `rhc` 1.38.4 as they were measured, and every field that it cannot do without.

use base64::{Engine, prelude::BASE64_STANDARD};
use claviger_service::Settings;
use claviger_tests::{answer::Answer, app::TestApp, openshift::world, server::Server};
use http::{Method, Request};
use serde_json::{Value, json};

const AGENT: &str =
    "rhc/1.38.4 (ruby 3.1.2; x86_64-linux-gnu) (API [1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7])";
const VERSION: &str = "application/json;version=1.7";
const NOTE: &str = "RHC/1.38.4 (from vm on x86_64-linux-gnu)";

/// The client: it knows the links of the entry point, and a password or a token.
struct Client<'a> {
    app: &'a TestApp,
    links: Value,
    token: Option<String>,
}

impl<'a> Client<'a> {
    /// What every command begins with.
    async fn start(app: &'a TestApp) -> Self {
        let mut client = Self { app, links: Value::Null, token: None };
        let entry = "/broker/rest/api";
        let first = client.once(&Method::GET, entry, "application/json", None, None).await.json();
        let versions = first["supported_api_versions"].as_array().expect("versions");
        assert!(versions.iter().all(Value::is_number));
        assert_eq!(first["api_version"], 1.3, "the rule for this client");
        let second = client.once(&Method::GET, entry, VERSION, None, None).await;
        assert_eq!(second.status, 200);
        assert_eq!(second.json()["api_version"], 1.7);
        client.links = second.json()["data"].clone();
        client
    }

    fn with_token(self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self }
    }

    /// The path of a link, which must be absolute.
    fn link(&self, name: &str) -> String {
        let href = self.links[name]["href"].as_str().expect("a link");
        let path = href.strip_prefix("http://127.0.0.1:8080").expect("the public URL");
        path.to_owned()
    }

    async fn once(
        &self,
        method: &Method,
        path: &str,
        accept: &str,
        body: Option<&Value>,
        authorization: Option<String>,
    ) -> Answer {
        let request = Request::builder().method(method).uri(path).header("accept", accept);
        let mut request = request.header("user-agent", AGENT).header("host", "127.0.0.1");
        if method != Method::GET {
            request = request.header("content-type", VERSION);
        }
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization);
        }
        let body = body.map_or_else(Vec::new, |body| body.to_string().into_bytes());
        self.app.send(request.body(body).expect("a request")).await
    }

    /// One request: a token goes out at once, a password only after a challenge.
    async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        if let Some(token) = &self.token {
            let bearer = Some(format!("Bearer {token}"));
            return self.once(&method, path, VERSION, body.as_ref(), bearer).await;
        }
        let refused = self.once(&method, path, VERSION, body.as_ref(), None).await;
        assert_eq!(refused.status, 401);
        let challenge = refused.header("www-authenticate").expect("a challenge");
        assert!(challenge.starts_with("Basic realm="), "{challenge}");
        let basic = format!("Basic {}", BASE64_STANDARD.encode("alice:password"));
        self.once(&method, path, VERSION, body.as_ref(), Some(basic)).await
    }

    async fn list(&self) -> Vec<Value> {
        let answer = self.call(Method::GET, &self.link("LIST_AUTHORIZATIONS"), None).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.json()["type"], "authorizations");
        let all = answer.json()["data"].as_array().expect("a list").clone();
        all.iter().for_each(usable);
        all
    }

    async fn add(&self, body: Value) -> (u16, Value) {
        let answer = self.call(Method::POST, &self.link("ADD_AUTHORIZATION"), Some(body)).await;
        assert_eq!(answer.json()["type"], "authorization", "{}", answer.text());
        usable(&answer.json()["data"]);
        (answer.status.as_u16(), answer.json()["data"].clone())
    }

    async fn delete(&self, id: &Value) -> Answer {
        let href = self.link("SHOW_AUTHORIZATION");
        assert!(href.ends_with("/:id"), "{href}");
        self.call(Method::DELETE, &href.replace(":id", text(id)), None).await
    }
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

/// The client crashes, or shows nonsense, without these.
fn usable(authorization: &Value) {
    assert!(authorization["expires_in_seconds"].is_u64(), "{authorization}");
    assert!(authorization["token"].is_string(), "{authorization}");
    assert!(authorization["scopes"].is_string(), "{authorization}");
    let created = text(&authorization["created_at"]);
    let form = regex_lite::Regex::new(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$").expect("a pattern");
    assert!(form.is_match(created), "{created}");
}

claviger_tests::both! {
    async fn add_list_and_delete_work_as_the_client_sends_them(engine: Engine) {
        let app = world(engine, Settings::default()).await;
        let client = Client::start(&app).await;
        let scope = &client.links["ADD_AUTHORIZATION"]["optional_params"][0];
        assert_eq!(scope["name"], "scope");
        assert_eq!(text(&scope["description"]).matches("\n*  ").count(), 9);

        assert_eq!(client.list().await, Vec::<Value>::new());
        let wish = json!({"scope": "read,userinfo", "note": "x", "expires_in": "300"});
        let (status, first) = client.add(wish).await;
        assert_eq!(status, 201);
        assert_eq!((&first["scopes"], &first["note"]), (&json!("read userinfo"), &json!("x")));
        assert_eq!(first["expires_in_seconds"], 300);
        let wish = json!({"scope": "read", "note": null, "expires_in": null});
        let (_, second) = client.add(wish).await;
        assert_eq!((&second["note"], &second["expires_in"]), (&Value::Null, &json!(2_592_000)));
        assert_eq!(client.list().await, [second.clone(), first.clone()]);

        for id in [&first["id"], &second["token"], &json!("never-there")] {
            assert_eq!(client.delete(id).await.status, 200);
        }
        assert_eq!(client.list().await, Vec::<Value>::new());
        let wish = json!({"scope": "bogus", "note": null, "expires_in": null});
        let refused =
            client.call(Method::POST, &client.link("ADD_AUTHORIZATION"), Some(wish)).await;
        assert_eq!(refused.status, 422);
        assert_eq!(refused.json()["messages"][0]["severity"], "error");
        // as many requests without credentials as with: nobody has failed to sign in
        assert_eq!(client.list().await, Vec::<Value>::new());
    }

    async fn sessions_are_used_again_and_log_out(engine: Engine) {
        let app = world(engine, Settings::default()).await;
        let client = Client::start(&app).await;
        let wish = json!({"scope": "session", "note": NOTE, "reuse": true});
        let (status, session) = client.add(wish.clone()).await;
        assert_eq!(status, 201);
        let (status, again) = client.add(wish).await;
        assert_eq!((status, &again), (200, &session));

        let stored = Client::start(&app).await.with_token(text(&session["token"]));
        let user = stored.call(Method::GET, &stored.link("GET_USER"), None).await;
        assert_eq!((user.json()["type"].clone(), user.status.as_u16()), (json!("user"), 200));
        assert_eq!(user.json()["data"]["login"], "alice");
        assert_eq!(stored.list().await.len(), 1);

        // `rhc logout`: the token ends itself
        assert_eq!(stored.delete(&session["token"]).await.status, 200);
        let refused = stored.call(Method::GET, &stored.link("GET_USER"), None).await;
        assert_eq!(refused.status, 401);
        let challenge = refused.header("www-authenticate").expect("a challenge");
        assert!(challenge.starts_with("Bearer "), "{challenge}");

        // `rhc logout --all`
        for _ in 0..3 {
            client.add(json!({"scope": "session", "note": null, "reuse": null})).await;
        }
        let all = client.call(Method::DELETE, &client.link("LIST_AUTHORIZATIONS"), None).await;
        assert_eq!(all.status, 200);
        assert_eq!(client.list().await, Vec::<Value>::new());
    }
}
