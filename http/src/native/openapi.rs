//! `GET /openapi.json`: this door and the decisions door, described for programs (OpenAPI 3.1).
//!
//! What bodies look like is written down in `openapi/*.json`, a file for each noun. Code adds what it
//! knows better: the parameters of lists, who gets in, the refusals that every route has, and where
//! we are. The tests hold the route table, and every answer that they get, against this document.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    extract::RawQuery,
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use claviger_domain::collection::{Kind, Parameter, nothing};
use claviger_service::{App, Settings, collection::Shape, seen::tag};
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{
    etag,
    json::{APPLICATION_JSON, to_vec},
    problem::Problem,
    tokens::TOKENS,
};
use crate::{Routes, quay::cookie};

pub(super) const PATH: &str = "/openapi.json";

/// What is written down.
const PARTS: &[&str] = &[
    include_str!("openapi/door.json"),
    include_str!("openapi/whoami.json"),
    include_str!("openapi/tokens.json"),
    include_str!("openapi/lifetimes.json"),
    include_str!("openapi/decisions.json"),
    include_str!("openapi/searches.json"),
    include_str!("openapi/reach.json"),
    include_str!("openapi/deciders.json"),
];

/// The lists, and what the schema of their filters is called.
const LISTS: &[(&str, &Shape, &str)] = &[("/claviger/v1/tokens", &TOKENS, "TokenFilter")];

/// What any route of the native door can answer.
const REFUSALS: [(&str, &str); 7] = [
    ("400", "BadRequest"),
    ("401", "Unauthorized"),
    ("403", "Forbidden"),
    ("413", "TooLarge"),
    ("429", "Throttled"),
    ("500", "Internal"),
    ("503", "Unavailable"),
];

pub(super) fn routes(settings: &Settings) -> Routes<Arc<App>> {
    let document = Arc::new(Document::of(settings));
    let answer = move |RawQuery(query): RawQuery, headers: HeaderMap| async move {
        nothing(&query.unwrap_or_default())?;
        Ok::<_, Problem>(document.answer(&headers))
    };
    super::none().get(PATH, answer)
}

/// The document as it is sent.
struct Document {
    text: Bytes,
    tag: String,
}

impl Document {
    fn of(settings: &Settings) -> Self {
        let document = document(settings);
        Self { text: to_vec(&document).into(), tag: tag(&document) }
    }

    fn answer(&self, headers: &HeaderMap) -> Response {
        let kept = (CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
        if etag::is_known(headers, &self.tag) {
            return etag::with((StatusCode::NOT_MODIFIED, [kept]), &self.tag);
        }
        let kind = (CONTENT_TYPE, APPLICATION_JSON);
        etag::with(([kind, kept], self.text.clone()).into_response(), &self.tag)
    }
}

/// A file of `openapi/`; all of them together make the document.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Part {
    info: Value,
    /// What there is at each path: its methods, and the parameters of all of them.
    paths: BTreeMap<String, BTreeMap<String, Value>>,
    components: Components,
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
struct Components {
    security_schemes: Map<String, Value>,
    parameters: Map<String, Value>,
    headers: Map<String, Value>,
    responses: Map<String, Value>,
    schemas: Map<String, Value>,
}

impl Part {
    fn add(&mut self, part: Self) {
        let Self { info, paths, components } = part;
        if !info.is_null() {
            self.info = info;
        }
        self.paths.extend(paths);
        let ours = &mut self.components;
        ours.security_schemes.extend(components.security_schemes);
        ours.parameters.extend(components.parameters);
        ours.headers.extend(components.headers);
        ours.responses.extend(components.responses);
        ours.schemas.extend(components.schemas);
    }

    /// The operations of a path.
    fn operations(&mut self, path: &str) -> impl Iterator<Item = (&str, &mut Map<String, Value>)> {
        let methods = self.paths.get_mut(path).into_iter().flatten();
        methods.filter_map(|(method, operation)| Some((&**method, operation.as_object_mut()?)))
    }

    /// Says what can be asked of a list.
    fn add_list(&mut self, path: &str, shape: &Shape, filter: &str) {
        let pattern = json!({
            "type": "string",
            "description": "`FIELD OP 'VALUE'`, joined by commas; all of them must hold.",
            "pattern": pattern(shape),
            "examples": ["state eq 'live',expires lt '2026-12-01T00:00:00Z'"],
        });
        self.components.schemas.insert(filter.to_owned(), pattern);
        for (_, operation) in self.operations(path) {
            let parameters = shape.takes.iter().map(|one| parameter(*one, shape, filter));
            operation.insert("parameters".to_owned(), parameters.collect());
        }
    }

    /// Says who gets into the native door, and what every route of it refuses.
    fn add_gate(&mut self) {
        let paths: Vec<_> = self.paths.keys().cloned().collect();
        for path in paths.iter().filter(|path| path.starts_with("/claviger/")) {
            for (method, operation) in self.operations(path) {
                let session = match method {
                    "get" => json!({ "session": [] }),
                    _ => json!({ "session": [], "csrf": [] }),
                };
                operation.insert("security".to_owned(), json!([{ "bearer": [] }, session]));
                let responses = operation.get_mut("responses").and_then(Value::as_object_mut);
                if let Some(responses) = responses {
                    responses.extend(refusals());
                }
            }
        }
    }

    /// A shared answer without a content of its own is a problem.
    fn add_problems(&mut self) {
        let schema = json!({ "$ref": "#/components/schemas/Problem" });
        for response in self.components.responses.values_mut().filter_map(Value::as_object_mut) {
            let content = json!({ "application/problem+json": { "schema": schema } });
            response.entry("content").or_insert(content);
        }
    }
}

fn refusals() -> impl Iterator<Item = (String, Value)> {
    REFUSALS.iter().map(|(status, name)| {
        let shared = format!("#/components/responses/{name}");
        ((*status).to_owned(), json!({ "$ref": shared }))
    })
}

fn document(settings: &Settings) -> Value {
    let mut whole = Part::default();
    for part in PARTS {
        // a test reads each of them
        whole.add(serde_json::from_str(part).unwrap_or_default());
    }
    for (path, shape, filter) in LISTS {
        whole.add_list(path, shape, filter);
    }
    whole.add_gate();
    whole.add_problems();
    let session = whole.components.security_schemes.get_mut("session");
    if let Some(session) = session.and_then(Value::as_object_mut) {
        session.insert("name".to_owned(), cookie::name(settings.https()).into());
    }
    let Part { info, paths, components } = whole;
    json!({
        "openapi": "3.1.0",
        "info": info,
        "servers": [{ "url": settings.public_url }],
        "paths": paths,
        "components": components,
    })
}

/// A parameter of a list.
fn parameter(parameter: Parameter, shape: &Shape, filter: &str) -> Value {
    let included = || shape.fields.iter().filter(|field| field.is_top()).map(|field| field.path);
    let ordered = || {
        let fields = shape.fields.iter().filter(|field| field.is_top());
        let fields = fields.filter(|field| field.kind != Kind::Object).map(|field| field.path);
        fields.flat_map(|path| [path.to_owned(), format!("{path} desc")]).collect::<Vec<_>>()
    };
    let positive = || json!({ "type": "integer", "minimum": 1 });
    let (description, schema) = match parameter {
        Parameter::Include => {
            let fields = included().collect::<Vec<_>>();
            let items = json!({ "type": "string", "enum": fields });
            let schema = json!({ "type": "array", "minItems": 1, "items": items });
            ("Rows with these fields in this order, instead of objects.", schema)
        }
        Parameter::Limit => ("At most so many; 1000 at the most.", positive()),
        Parameter::Skip => ("So many are passed over.", positive()),
        Parameter::Count => ("Counts all that fit.", json!({ "type": "string", "enum": ["true"] })),
        Parameter::Filter => {
            let one = json!({ "$ref": format!("#/components/schemas/{filter}") });
            ("May be repeated.", json!({ "type": "array", "minItems": 1, "items": one }))
        }
        Parameter::OrderBy => (
            "By which field, downwards with ` desc`.",
            json!({ "type": "string", "enum": ordered() }),
        ),
        Parameter::Continue => (
            "`continue` of the page before, with nothing else changed but `limit` and `include`.",
            json!({ "type": "string", "minLength": 1 }),
        ),
    };
    json!({
        "name": parameter.name(),
        "in": "query",
        "description": description,
        "style": "form",
        "explode": parameter != Parameter::Include,
        "schema": schema,
    })
}

/// What a filter looks like: any text is compared with a text, an instant with an instant.
fn pattern(shape: &Shape) -> String {
    let fields = |instant: bool| {
        let fields = shape.fields.iter().filter(|field| match field.kind {
            Kind::Text | Kind::Constant(_) => !instant,
            Kind::Instant => instant,
            Kind::Object => false,
        });
        let escaped = |path: &str| path.replace('.', "\\.").replace("[*]", "\\[\\*\\]");
        fields.map(|field| escaped(field.path)).collect::<Vec<_>>().join("|")
    };
    let (texts, instants) = (fields(false), fields(true));
    let value = r"'[^'\u0000-\u001f\u007f-\u009f\ufffd]+'";
    let date = "[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])";
    let time = "([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.,][0-9]{1,9})?";
    let text = format!("({texts}) (eq|lt|gt|lte|gte|in) {value}");
    let instant = format!("({instants}) ((eq|lt|gt|lte|gte) '{date}T{time}Z'|in {value})");
    let clause = format!("({text}|{instant})");
    format!("^{clause}(,{clause}){{0,63}}$")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_read() {
        for part in PARTS {
            serde_json::from_str::<Part>(part).unwrap();
        }
    }

    #[test]
    fn address_and_cookie_are_ours() {
        let url = "https://keys.example.com".to_owned();
        let document = document(&Settings { public_url: url.clone(), ..Settings::default() });
        assert_eq!(document["servers"], json!([{ "url": url }]));
        let session = &document["components"]["securitySchemes"]["session"];
        assert_eq!(session["name"], "__Host-claviger");
    }
}
