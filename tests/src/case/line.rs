//! One line of `quay.jsonl`.

use serde_json::{Map, Value};

use super::exceptions::VOLATILE;

/// One recorded exchange.
#[derive(Clone, Debug)]
pub struct Line {
    pub id: String,
    pub group: String,
    /// Quay's configuration of the group, on top of the recording's.
    pub config: Map<String, Value>,
    pub tags: Vec<String>,
    pub identity: String,
    pub request: Request,
    /// `None`: send it, assert nothing.
    pub response: Option<Response>,
    /// Paths that differ from run to run.
    pub volatile: Vec<String>,
}

/// What is sent. Texts may hold placeholders.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    pub path: String,
    pub query: Vec<(String, String)>,
    pub headers: Vec<(String, String)>,
    pub body: Option<Value>,
    pub raw_body: Option<String>,
}

/// What was answered.
#[derive(Clone, Debug)]
pub struct Response {
    pub status: u16,
    pub headers: Map<String, Value>,
    /// `json`, `text` or `empty`.
    pub body_format: String,
    pub body: Value,
    /// The claims of the token in the body.
    pub claims: Option<Value>,
}

/// All lines, in file order.
pub fn all() -> Vec<Line> {
    include_str!("../../cases/quay.jsonl")
        .lines()
        .map(|line| Line::read(&serde_json::from_str(line).expect("a line is JSON")))
        .collect()
}

/// The lines of one group, in file order.
pub fn group(name: &str) -> Vec<Line> {
    let lines: Vec<Line> = all().into_iter().filter(|line| line.group == name).collect();
    assert!(!lines.is_empty(), "no group `{name}`");
    lines
}

impl Line {
    fn read(json: &Value) -> Self {
        let id = text(&json["id"]);
        let more = VOLATILE.iter().filter(|(line, _)| *line == id).map(|(_, path)| *path);
        let volatile = texts(&json["volatile"]);
        let volatile = volatile.into_iter().chain(more.map(str::to_owned)).collect();
        Self {
            id,
            group: text(&json["group"]),
            config: object(&json["config"]),
            tags: texts(&json["tags"]),
            identity: text(&json["identity"]),
            request: Request::read(&json["request"]),
            response: json["response"].as_object().map(|_| Response::read(&json["response"])),
            volatile,
        }
    }

    /// Whether the line is tagged so.
    pub fn has_tag(&self, tag: &str) -> bool {
        self.tags.iter().any(|t| t == tag)
    }
}

impl Request {
    fn read(json: &Value) -> Self {
        let mut headers: Vec<(String, String)> =
            object(&json["headers"]).iter().map(|(k, v)| (k.clone(), text(v))).collect();
        for (name, template) in object(&json["headers_template"]) {
            headers.retain(|(known, _)| *known != name);
            headers.push((name, text(&template)));
        }
        let query = object(&json["query"])
            .iter()
            .flat_map(|(name, value)| match value {
                Value::Array(values) => values.iter().map(|v| (name.clone(), text(v))).collect(),
                value => vec![(name.clone(), text(value))],
            })
            .collect();
        Self {
            method: text(&json["method"]),
            path: json["path_template"].as_str().map_or_else(|| text(&json["path"]), str::to_owned),
            query,
            headers,
            body: Some(json["body"].clone()).filter(|body| !body.is_null()),
            raw_body: json["raw_body"].as_str().map(str::to_owned),
        }
    }
}

impl Response {
    fn read(json: &Value) -> Self {
        Self {
            status: json["status"].as_u64().and_then(|n| n.try_into().ok()).expect("a status"),
            headers: object(&json["headers"]),
            body_format: text(&json["body_format"]),
            body: json["body"].clone(),
            claims: json["decoded_jwt"].get("claims").cloned(),
        }
    }

    /// A recorded header; of several, the first.
    pub fn header(&self, name: &str) -> Option<&str> {
        match self.headers.get(name)? {
            Value::Array(values) => values.first()?.as_str(),
            value => value.as_str(),
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("not a text: {value}")).to_owned()
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().map(text).collect()
}

fn object(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}
