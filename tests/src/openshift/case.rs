//! The cases of `cases/openshift.jsonl`, and how one is run.

use std::collections::BTreeMap;

use base64::{Engine, prelude::BASE64_STANDARD};
use http::{HeaderName, HeaderValue, Method, Request};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::{ALL, PASSWORD, USERS, check, person};
use crate::{answer::Answer, app::TestApp, server::Server};

/// One case.
#[derive(Clone, Debug)]
pub struct Case(Value);

/// What is known by name: parts of earlier answers.
type Known = BTreeMap<String, String>;

impl Case {
    /// All of them.
    pub fn all() -> Vec<Self> {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/cases/openshift.jsonl");
        let text = std::fs::read_to_string(path).expect("the cases");
        text.lines().map(|line| Self(serde_json::from_str(line).expect("JSON"))).collect()
    }

    /// Its name.
    pub fn id(&self) -> &str {
        self.0["id"].as_str().expect("an id")
    }

    /// Runs it; what is wrong with the answer.
    pub async fn run(&self, app: &TestApp) -> Vec<String> {
        // a wrong password of the case before is forgotten
        app.clock.advance_ms(60_000);
        for user in USERS {
            let answer = person(app, user).delete(ALL).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
        }
        let mut known = Known::new();
        for step in self.0["setup"].as_array().into_iter().flatten() {
            if let Some(seconds) = step["sleep"].as_f64() {
                #[expect(clippy::cast_possible_truncation, reason = "a few seconds")]
                app.clock.advance_ms((seconds * 1000.0) as i64);
                continue;
            }
            let answer = send(app, step, &known).await;
            if let Some(status) = step["expect_status"].as_u64() {
                assert_eq!(u64::from(answer.status.as_u16()), status, "{}", answer.text());
            }
            for (name, path) in step["capture"].as_object().into_iter().flatten() {
                let path = path.as_str().expect("a path");
                let value = check::at(&answer.json(), path).expect("what is captured");
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                known.insert(name.clone(), text);
            }
        }
        let answer = send(app, &self.0, &known).await;
        check::faults(&answer, &filled(&self.0["expect"], &known))
    }
}

async fn send(app: &TestApp, step: &Value, known: &Known) -> Answer {
    let step = filled(step, known);
    let text = |name: &str| step[name].as_str().expect("a text").to_owned();
    let method: Method = text("method").parse().expect("a method");
    let (kind, body) = body(&step);
    let request = Request::builder().method(method).uri(text("path"));
    let mut request = request.header("host", "localhost").body(body).expect("a request");
    let headers = request.headers_mut();
    let length = step.get("form").or(step.get("json")).or(step.get("body"));
    if length.is_some() {
        let _ = kind.map(|kind| headers.insert("content-type", HeaderValue::from_static(kind)));
    }
    for (name, value) in step["headers"].as_object().into_iter().flatten() {
        let name: HeaderName = name.parse().expect("a header");
        headers.insert(name, value.as_str().expect("a text").parse().expect("a value"));
    }
    if let Some(value) = authorization(&text("auth")) {
        headers.insert("authorization", value.parse().expect("a value"));
    }
    app.send(request).await
}

fn body(step: &Value) -> (Option<&'static str>, Vec<u8>) {
    if let Some(text) = step["body"].as_str() {
        return (None, text.as_bytes().to_vec());
    }
    if !step["json"].is_null() {
        return (Some("application/json"), step["json"].to_string().into_bytes());
    }
    let Some(form) = step["form"].as_object() else { return (None, Vec::new()) };
    let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let pairs = form.iter().map(|(name, value)| {
        format!("{}={}", encoded(name), encoded(value.as_str().expect("a text")))
    });
    let form = pairs.collect::<Vec<_>>().join("&");
    (Some("application/x-www-form-urlencoded"), form.into_bytes())
}

fn authorization(auth: &str) -> Option<String> {
    let (way, rest) = auth.split_once(':').unwrap_or((auth, ""));
    let basic = |pair: String| Some(format!("Basic {}", BASE64_STANDARD.encode(pair)));
    match way {
        "none" => None,
        "bearer" => Some(format!("Bearer {rest}")),
        "raw" => Some(rest.to_owned()),
        "basic" if rest.contains(':') => basic(rest.to_owned()),
        "basic" => basic(format!("{rest}:{PASSWORD}")),
        other => panic!("unknown auth `{other}`"),
    }
}

/// `value` with what is known in the place of `${name}`.
fn filled(value: &Value, known: &Known) -> Value {
    match value {
        Value::String(text) => {
            let put = |text: String, (name, value): (&String, &String)| {
                text.replace(&format!("${{{name}}}"), value)
            };
            Value::String(known.iter().fold(text.clone(), put))
        }
        Value::Array(items) => items.iter().map(|item| filled(item, known)).collect(),
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| (name.clone(), filled(value, known))).collect()
        }
        other => other.clone(),
    }
}
