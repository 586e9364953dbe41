//! One case: what is sent, and what is known by name.

use std::collections::BTreeMap;

use http::{HeaderName, HeaderValue, Method, Request};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::check;
use crate::{answer::Answer, app::TestApp, openshift::check::at, server::Server};

/// What is known by name: ids, parts of earlier answers, and secrets by those recorded.
pub type Known = BTreeMap<String, String>;

/// One case.
#[derive(Clone, Debug)]
pub struct Case(Value);

/// The fixture, and all cases.
pub fn all() -> (Value, Vec<Case>) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/cases/astra.jsonl");
    let text = std::fs::read_to_string(path).expect("the cases");
    let mut lines = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let head = lines.next().expect("a header");
    (head["fixture"].clone(), lines.map(Case).collect())
}

impl Case {
    /// Its name.
    pub fn id(&self) -> &str {
        self.0["id"].as_str().expect("an id")
    }

    /// Runs it; what is wrong with the answer.
    pub async fn run(&self, app: &TestApp, known: &Known) -> Vec<String> {
        app.clock.advance_ms(1000);
        let mut known = known.clone();
        let mut faults = Vec::new();
        let steps = |name: &str| self.0[name].as_array().cloned().unwrap_or_default();
        for step in steps("setup") {
            let answer = send(app, &step, &known).await;
            if u64::from(answer.status.as_u16()) != step["expect"]["status"] {
                faults.push(format!("setup: {} {}", answer.status, answer.text()));
            }
            capture(&step, &answer, &mut known);
        }
        let answer = send(app, &self.0, &known).await;
        capture(&self.0, &answer, &mut known);
        faults.extend(check::faults(&answer, &filled(&self.0["expect"], &known)));
        for check in self.0["expect"]["checks"].as_array().into_iter().flatten() {
            if let Some(walk) = check.get("walk") {
                let pages = self.pages(app, &known, &answer).await;
                faults.extend(check::walk(&pages, walk));
            }
        }
        for step in steps("teardown") {
            send(app, &step, &known).await;
        }
        faults
    }

    /// The items of every page from `first` on.
    async fn pages(&self, app: &TestApp, known: &Known, first: &Answer) -> Vec<Vec<Value>> {
        let mut answer = first.clone();
        let mut pages = Vec::new();
        loop {
            let json = answer.json();
            pages.push(json["items"].as_array().cloned().unwrap_or_default());
            let Some(next) = json["metadata"]["continue"].as_str() else { return pages };
            assert!(pages.len() < 100, "it does not end");
            let mut step = self.0.clone();
            let query = step["query"].as_array_mut().expect("a query");
            query.push(Value::from(vec!["continue", next]));
            answer = send(app, &step, known).await;
        }
    }
}

fn capture(step: &Value, answer: &Answer, known: &mut Known) {
    for (name, path) in step["capture"].as_object().into_iter().flatten() {
        let path = path.as_str().expect("a path");
        let value = at(&answer.json(), path).unwrap_or_default();
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        known.insert(name.clone(), text);
    }
}

/// What may stand in a query as it is.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'$');

async fn send(app: &TestApp, step: &Value, known: &Known) -> Answer {
    let step = filled(step, known);
    let text = |name: &str| step[name].as_str().expect("a text").to_owned();
    let pairs = step["query"].as_array().into_iter().flatten().map(|pair| {
        let part = |at: usize| pair[at].as_str().expect("a text");
        let encoded = |text| utf8_percent_encode(text, QUERY).to_string();
        format!("{}={}", encoded(part(0)), encoded(part(1)))
    });
    let pairs = pairs.collect::<Vec<_>>().join("&");
    let query = step["raw_query"].as_str().map_or(pairs, str::to_owned);
    let path = text("path_template");
    let uri = if query.is_empty() { path } else { format!("{path}?{query}") };
    let method: Method = text("method").parse().expect("a method");
    let body = match (&step["raw_body"], &step["body"]) {
        (Value::String(raw), _) => Some(raw.clone()),
        (_, Value::Null) => None,
        (_, body) => Some(body.to_string()),
    };
    let mut request = Request::builder().method(method).uri(uri).header("host", "localhost");
    if body.is_some() {
        request = request.header("content-type", "application/astra-token+json");
    }
    let mut request = request.body(body.unwrap_or_default().into_bytes()).expect("a request");
    let length = request.body().len();
    let headers = request.headers_mut();
    headers.insert("content-length", length.into());
    for (name, value) in step["headers"].as_object().into_iter().flatten() {
        let name: HeaderName = name.parse().expect("a header");
        headers.insert(name, value.as_str().expect("a text").parse().expect("a value"));
    }
    let authorization = match &step["as"] {
        Value::Null => None,
        Value::String(user) => Some(format!("Bearer {}", known[&format!("bearers.{user}")])),
        raw => Some(raw["raw"].as_str().expect("a text").to_owned()),
    };
    if let Some(value) = authorization {
        headers.insert("authorization", HeaderValue::from_str(&value).expect("a value"));
    }
    app.send(request).await
}

/// `value` with what is known in the place of `${name}`, and our secrets for those recorded.
fn filled(value: &Value, known: &Known) -> Value {
    match value {
        Value::String(text) => {
            let put = |text: String, (name, value): (&String, &String)| {
                let text = text.replace(&format!("${{{name}}}"), value);
                if name.ends_with('=') { text.replace(name, value) } else { text }
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
