//! A question at a door, whose answer says whether a credential still opens what it did.

use std::{sync::Mutex, time::Instant};

use claviger_tests::{answer::Answer, case::jwt, real::program::Program};
use http::Request;
use serde_json::{Value, json};

use super::history::{Act, Told, contradiction};

/// The doors that answer whether something is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Door {
    Registry,
    /// The registry door, asked with a form.
    Refresh,
    Decisions,
    Nginx,
    Traefik,
    Caddy,
    Envoy,
    OpenShift,
    Native,
    Astra,
    Quay,
}

impl Door {
    pub(super) const PROXIES: [Self; 4] = [Self::Nginx, Self::Traefik, Self::Caddy, Self::Envoy];
}

/// Who asks, with what.
#[derive(Clone, Debug)]
pub(super) struct Credential {
    /// The name that stands before the secret in Basic.
    pub(super) login: String,
    pub(super) secret: String,
    /// `Authorization`, or a cookie.
    pub(super) header: (&'static str, String),
    /// Whom the decisions door is asked about.
    pub(super) name: String,
}

/// A question, and everything that was answered to it.
#[derive(Debug)]
pub(super) struct Probe {
    pub(super) door: Door,
    /// Which credential it is asked with.
    pub(super) by: &'static str,
    /// The repository on which it needs a right.
    pub(super) repository: String,
    request: Request<Vec<u8>>,
    history: Mutex<(Vec<Act>, Vec<Told>)>,
}

impl Probe {
    /// A question of `who`, which is answered with yes from now on.
    pub(super) fn new(
        door: Door,
        by: &'static str,
        who: &Credential,
        repository: &str,
        astra: &str,
    ) -> Self {
        let request = question(door, who, repository, astra);
        let now = Instant::now();
        let act = Act { began: now, answered: now, open: true };
        let history = Mutex::new((vec![act], Vec::new()));
        Self { door, by, repository: repository.to_owned(), request, history }
    }

    /// Asks, and notes what is answered.
    pub(super) async fn ask(&self, program: &Program) -> bool {
        self.asked(program, said).await
    }

    /// The same beside acts, where whoever was let in just before his end may find his namespace
    /// disabled, or himself gone.
    pub(super) async fn ask_beside(&self, program: &Program) -> bool {
        self.asked(program, |door, answer| match (door, answer.status.as_u16()) {
            (Door::Registry | Door::Refresh, 405) | (Door::Astra, 404) => Some(false),
            _ => said(door, answer),
        })
        .await
    }

    async fn asked(
        &self,
        program: &Program,
        said: impl FnOnce(Door, &Answer) -> Option<bool>,
    ) -> bool {
        let asked = Instant::now();
        let answer = program.try_send(self.request.clone()).await;
        let answered = Instant::now();
        let answer = answer.unwrap_or_else(|| panic!("no answer: {self}"));
        let open = said(self.door, &answer);
        let open = open.unwrap_or_else(|| panic!("{self}: {} {}", answer.status, answer.text()));
        self.history.lock().expect("whole").1.push(Told { asked, answered, open });
        open
    }

    /// Something was done that opens or closes this.
    pub(super) fn acted(&self, act: Act) {
        self.history.lock().expect("whole").0.push(act);
    }

    /// Whether it should be answered with yes at the moment.
    pub(super) fn is_open(&self) -> bool {
        self.history.lock().expect("whole").0.last().is_some_and(|act| act.open)
    }

    /// A header that it is asked with.
    pub(super) fn header(&self, name: &str) -> &str {
        self.request.headers()[name].to_str().expect("text")
    }

    /// Looks at everything that was answered; how many answers there were.
    pub(super) fn review(&self) -> usize {
        let (acts, told) = &*self.history.lock().expect("whole");
        assert_eq!(contradiction(acts, told), None, "{self}");
        told.len()
    }
}

impl std::fmt::Display for Probe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} with {} on {}", self.door, self.by, self.repository)
    }
}

fn question(door: Door, who: &Credential, repository: &str, astra: &str) -> Request<Vec<u8>> {
    let (name, value) = &who.header;
    let with = |path: &str| Request::get(path).header(*name, value);
    let target = format!("/v2/{repository}/manifests/latest");
    let forwarded = |path: &str| {
        with(path).header("x-forwarded-method", "GET").header("x-forwarded-uri", &target)
    };
    let (request, body) = match door {
        Door::Registry => {
            let path = format!("/v2/auth?service=registry&scope=repository:{repository}:pull");
            (
                Request::get(path).header("authorization", basic(&who.login, &who.secret)),
                Value::Null,
            )
        }
        Door::Refresh => {
            let form = format!(
                "grant_type=refresh_token&service=registry&client_id=test&refresh_token={}\
                 &scope=repository:{repository}:pull",
                who.secret
            );
            let kind = "application/x-www-form-urlencoded";
            let request = Request::post("/v2/auth").header("content-type", kind);
            return request.body(form.into_bytes()).expect("a request");
        }
        Door::Decisions => {
            let body = json!({
                "subject": { "type": "user", "id": who.name },
                "action": { "name": "pull" },
                "resource": { "type": "repository", "id": repository },
            });
            let request = Request::post("/access/v1/evaluation").header(*name, value);
            (request.header("content-type", "application/json"), body)
        }
        Door::Nginx => {
            let request = with("/forward/nginx").header("x-original-method", "GET");
            let url = format!("https://app.example.com{target}");
            (request.header("x-original-url", url), Value::Null)
        }
        Door::Traefik => (forwarded("/forward/traefik"), Value::Null),
        Door::Caddy => (forwarded("/forward/caddy"), Value::Null),
        Door::Envoy => (with(&format!("/forward/envoy{target}")), Value::Null),
        Door::OpenShift => (with("/broker/rest/user"), Value::Null),
        Door::Native => {
            let asked = format!("action=pull&resource=repository:{repository}");
            (with(&format!("/claviger/v1/decisions:explain?{asked}")), Value::Null)
        }
        Door::Astra => (with(&format!("{astra}?limit=1")), Value::Null),
        Door::Quay => (with(&format!("/api/v1/repository/{repository}")), Value::Null),
    };
    let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
    request.body(body).expect("a request")
}

/// What the answer says; `None` when it is none that this door should give.
fn said(door: Door, answer: &Answer) -> Option<bool> {
    match (door, answer.status.as_u16()) {
        (Door::Registry | Door::Refresh, 200) => {
            let claims = jwt::claims(answer.json()["token"].as_str()?);
            let mut access = claims["access"].as_array()?.iter();
            Some(access.any(|entry| entry["actions"] == json!(["pull"])))
        }
        (Door::Decisions | Door::Native, 200) => answer.json()["decision"].as_bool(),
        (_, 200) => Some(true),
        (_, 401) | (Door::Quay, 403 | 404) | (Door::Astra, 403) => Some(false),
        (door, 403) if Door::PROXIES.contains(&door) => Some(false),
        (Door::Refresh, 400) => (answer.json()["error"] == "invalid_grant").then_some(false),
        _ => None,
    }
}

fn basic(login: &str, secret: &str) -> String {
    use base64::{Engine as _, prelude::BASE64_STANDARD};
    format!("Basic {}", BASE64_STANDARD.encode(format!("{login}:{secret}")))
}
