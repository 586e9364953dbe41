//! One task of an Ansible playbook: a process that signs in, works and signs out.

use claviger_tests::{answer::Answer, app::TestApp, server::Server};
use http::{Method, Request, StatusCode};
use serde_json::{Value, json};

const HOST: &str = "localhost:5000";

/// A request that ends the task.
#[derive(Debug)]
#[expect(dead_code, reason = "shown where a task fails")]
pub(super) struct Failure {
    request: String,
    pub(super) status: u16,
    body: Value,
}

pub(super) type Changed = Result<bool, Failure>;

/// How a task authenticates.
#[derive(Clone, Copy, Debug)]
pub(super) enum Login<'a> {
    Session(&'a str),
    Bearer(&'a str),
}

/// One task: a process that signs in, works and signs out.
pub(super) struct Task<'a> {
    app: &'a TestApp,
    pub(super) headers: Vec<(&'static str, String)>,
}

impl<'a> Task<'a> {
    pub(super) async fn begin(app: &'a TestApp, login: Login<'_>) -> Self {
        let mut task = Self { app, headers: Vec::new() };
        match login {
            Login::Bearer(token) => task.headers.push(("authorization", format!("Bearer {token}"))),
            Login::Session(user) => {
                let first = task.send(Method::GET, "/csrf_token", None).await;
                let token = first.json()["csrf_token"].as_str().expect("a token").to_owned();
                task.headers.push(("cookie", first.cookie().expect("a cookie")));
                task.headers.push(("x-csrf-token", token));
                let body = json!({"username": user, "password": "password"});
                let answer = task.send(Method::POST, "/api/v1/signin", Some(body)).await;
                assert_eq!(answer.status, 200, "{}", answer.text());
                let next = answer.header("x-next-csrf-token").expect("the next token").to_owned();
                let cookie = answer.cookie().expect("a cookie");
                task.headers = vec![("cookie", cookie), ("x-csrf-token", next)];
            }
        }
        task
    }

    pub(super) async fn end(self) {
        if self.headers.len() > 1 {
            let answer = self.send(Method::POST, "/api/v1/signout", None).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
        }
    }

    /// The type is JSON whether there is a body or not, and every header comes with every method.
    pub(super) async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let body = body.map_or_else(Vec::new, |body| body.to_string().into_bytes());
        let mut request = Request::builder().method(method).uri(path);
        let common = [
            ("host", HOST),
            ("content-type", "application/json"),
            ("accept", "application/json"),
            ("accept-encoding", "identity"),
            ("user-agent", "Python-urllib/3.11"),
        ];
        for (name, value) in common {
            request = request.header(name, value);
        }
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        let request = request.header("content-length", body.len()).body(body).expect("a request");
        let answer = self.app.send(request).await;
        let text = answer.text();
        assert!(text.is_empty() || !answer.json().is_null() || text.trim() == "null", "{text}");
        answer
    }

    /// A request whose answer is a page; its status.
    pub(super) async fn send_raw(&self, method: Method, path: &str) -> StatusCode {
        let mut request = Request::builder().method(method).uri(path).header("host", HOST);
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        let request = request.header("content-type", "application/json").body(Vec::new());
        self.app.send(request.expect("a request")).await.status
    }

    /// A call of the API that must be answered by one of `good`.
    pub(super) async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
        good: &[u16],
    ) -> Result<(u16, Value), Failure> {
        let request = format!("{method} {path}");
        let answer = self.send(method, &format!("/api/v1/{path}"), body).await;
        let (status, body) = (answer.status.as_u16(), answer.json());
        if good.contains(&status) {
            Ok((status, body))
        } else {
            Err(Failure { request, status, body })
        }
    }

    /// An object, or that it is absent.
    pub(super) async fn find(&self, path: &str) -> Result<Option<Value>, Failure> {
        let good: &[u16] = if path.contains("/robots/") { &[200, 400, 404] } else { &[200, 404] };
        let (status, body) = self.call(Method::GET, path, None, good).await?;
        Ok((status == 200).then_some(body))
    }

    pub(super) async fn get(&self, path: &str) -> Result<Value, Failure> {
        Ok(self.call(Method::GET, path, None, &[200]).await?.1)
    }

    pub(super) async fn post(&self, path: &str, body: Value) -> Result<Value, Failure> {
        Ok(self.call(Method::POST, path, Some(body), &[200, 201, 204]).await?.1)
    }

    pub(super) async fn put(&self, path: &str, body: Value) -> Result<Value, Failure> {
        Ok(self.call(Method::PUT, path, Some(body), &[200, 201, 204]).await?.1)
    }

    /// Whether something was there.
    pub(super) async fn delete(&self, path: &str) -> Changed {
        let good = [200, 201, 202, 204, 400, 404];
        Ok(self.call(Method::DELETE, path, None, &good).await?.0 < 300)
    }

    /// Whether there is a user or robot of this name.
    pub(super) async fn knows(&self, name: &str) -> Result<bool, Failure> {
        if let Some((namespace, short)) = name.split_once('+') {
            let robot = format!("organization/{namespace}/robots/{short}");
            if self.find(&robot).await?.is_some() {
                return Ok(true);
            }
            let own = self.get("user/").await?["username"] == namespace;
            return Ok(own && self.find(&format!("user/robots/{short}")).await?.is_some());
        }
        assert_eq!(self.find(&format!("user/robots/{name}")).await?, None, "{name} is no robot");
        let path = format!("entities/{name}?includeOrgs=False&includeTeams=False");
        let found = self.get(&path).await?;
        Ok(rows(&found["results"]).iter().any(|entry| entry["name"] == name))
    }

    /// The namespace is an organisation, or one's own.
    pub(super) async fn knows_namespace(&self, name: &str) -> Result<bool, Failure> {
        if self.find(&format!("organization/{name}")).await?.is_some() {
            return Ok(true);
        }
        Ok(self.knows(name).await? && self.get("user/").await?["username"] == name)
    }
}

/// The entries of a list.
pub(super) fn rows(list: &Value) -> &[Value] {
    list.as_array().map_or(&[], Vec::as_slice)
}
