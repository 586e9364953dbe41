//! Somebody who talks to a server, by name: `visitor.put("/api/v1/…", json!({…}))`.

use base64::{Engine, prelude::BASE64_STANDARD};
use http::{Method, Request};
use serde_json::{Value, json};

use crate::{answer::Answer, server::Server};

/// Somebody who talks to a server.
#[derive(Clone, Debug)]
pub struct Visitor<'a, S> {
    server: &'a S,
    credential: Credential,
}

/// What he shows.
#[derive(Clone, Debug)]
pub enum Credential {
    None,
    Session { cookie: String, csrf: String },
    Authorization(String),
}

impl<'a, S: Server> Visitor<'a, S> {
    /// Nobody.
    pub const fn anonymous(server: &'a S) -> Self {
        Self { server, credential: Credential::None }
    }

    /// Somebody with a bearer token.
    pub fn bearer(server: &'a S, token: &str) -> Self {
        Self { server, credential: Credential::Authorization(format!("Bearer {token}")) }
    }

    /// Somebody with a user name and a password.
    pub fn basic(server: &'a S, user: &str, password: &str) -> Self {
        let pair = BASE64_STANDARD.encode(format!("{user}:{password}"));
        Self { server, credential: Credential::Authorization(format!("Basic {pair}")) }
    }

    /// Somebody with an anonymous session.
    pub async fn stranger(server: &'a S) -> Self {
        let answer = Self::anonymous(server).get("/csrf_token").await;
        let cookie = answer.cookie().expect("a session");
        let csrf = answer.json()["csrf_token"].as_str().expect("a CSRF token").to_owned();
        Self { server, credential: Credential::Session { cookie, csrf } }
    }

    /// Somebody who signed in; `Err` is the refusal.
    pub async fn try_sign_in(server: &'a S, name: &str, password: &str) -> Result<Self, Answer> {
        let body = json!({"username": name, "password": password});
        let answer = Self::stranger(server).await.post("/api/v1/signin", body).await;
        if answer.status != 200 {
            return Err(answer);
        }
        let cookie = answer.cookie().expect("a session");
        let csrf = answer.header("x-next-csrf-token").expect("the next CSRF token").to_owned();
        Ok(Self { server, credential: Credential::Session { cookie, csrf } })
    }

    /// Somebody who signed in.
    pub async fn sign_in(server: &'a S, name: &str, password: &str) -> Self {
        let signed_in = Self::try_sign_in(server, name, password).await;
        signed_in.unwrap_or_else(|answer| {
            panic!("{name} does not get in: {} {}", answer.status, answer.text())
        })
    }

    /// What he shows, to come again with.
    pub fn kept(&self) -> Credential {
        self.credential.clone()
    }

    /// Somebody who was here before, perhaps at another server over the same store.
    pub fn again(server: &'a S, credential: &Credential) -> Self {
        Self { server, credential: credential.clone() }
    }

    /// The cookie and the CSRF token of the session.
    pub fn session(&self) -> Option<(&str, &str)> {
        match &self.credential {
            Credential::Session { cookie, csrf } => Some((cookie, csrf)),
            _ => None,
        }
    }

    /// `GET`.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None, Vec::new()).await
    }

    /// `DELETE`.
    pub async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, None, Vec::new()).await
    }

    /// `POST` of JSON.
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.json(Method::POST, path, &body).await
    }

    /// `PUT` of JSON.
    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.json(Method::PUT, path, &body).await
    }

    /// `POST` of a form.
    pub async fn form(&self, path: &str, form: &str) -> Answer {
        let kind = Some("application/x-www-form-urlencoded");
        self.send(Method::POST, path, kind, form.as_bytes().to_vec()).await
    }

    async fn json(&self, method: Method, path: &str, body: &Value) -> Answer {
        self.send(method, path, Some("application/json"), body.to_string().into_bytes()).await
    }

    /// Any request.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        content_type: Option<&str>,
        body: Vec<u8>,
    ) -> Answer {
        self.server.send(self.with_body(&method, path, content_type, body)).await
    }

    /// A request of his that is not sent yet.
    pub fn request(&self, method: &Method, path: &str, body: Option<&Value>) -> Request<Vec<u8>> {
        let kind = body.map(|_| "application/json");
        let body = body.map_or_else(Vec::new, |body| body.to_string().into_bytes());
        self.with_body(method, path, kind, body)
    }

    fn with_body(
        &self,
        method: &Method,
        path: &str,
        content_type: Option<&str>,
        body: Vec<u8>,
    ) -> Request<Vec<u8>> {
        let request = Request::builder().method(method).uri(path).header("host", "localhost:5000");
        let mut request = request.header("content-length", body.len());
        if let Some(content_type) = content_type {
            request = request.header("content-type", content_type);
        }
        match &self.credential {
            Credential::None => {}
            Credential::Authorization(value) => request = request.header("authorization", value),
            Credential::Session { cookie, csrf } => {
                request = request.header("cookie", cookie);
                if !matches!(*method, Method::GET | Method::HEAD) {
                    request = request.header("x-csrf-token", csrf);
                }
            }
        }
        request.body(body).expect("a request")
    }
}
