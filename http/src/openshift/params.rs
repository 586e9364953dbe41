//! Parameters: of the query, and of a form or a JSON object in the body. The query wins.
//!
//! Source: `contract/openshift.md` section 2.

use bytes::Bytes;
use http::{HeaderMap, Method, header::CONTENT_TYPE};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

/// What was sent, by name.
#[derive(Debug, Default)]
pub(super) struct Params {
    all: Map<String, Value>,
    /// `_method` of a form.
    over: Option<String>,
}

/// Why parameters cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// Something is not UTF-8.
    NotUtf8,
    /// The body is not the JSON that it is said to be.
    NotJson,
}

/// The name and the value of a form's field.
type Pair = (String, Value);

impl Params {
    /// Reads query and body.
    pub(super) fn read(
        method: &Method,
        query: &str,
        headers: &HeaderMap,
        body: &Bytes,
    ) -> Result<Self, Unreadable> {
        let kind = headers.get(CONTENT_TYPE).map(|value| value.to_str().unwrap_or_default());
        let essence = kind.map(|kind| kind.split(';').next().unwrap_or_default().trim());
        let essence = essence.map(str::to_ascii_lowercase);
        let mut params = Self::default();
        match essence.as_deref() {
            Some("application/json" | "text/x-json" | "application/jsonrequest")
                if !body.is_empty() =>
            {
                params.all = object(body)?;
            }
            Some("application/x-www-form-urlencoded") => params.form(pairs(text(body)?)?),
            Some("multipart/form-data") => {
                params.form(super::multipart::pairs(kind.unwrap_or_default(), body)?);
            }
            None if *method == Method::POST => params.form(pairs(text(body)?)?),
            _ => {}
        }
        params.all.extend(pairs(query)?);
        Ok(params)
    }

    fn form(&mut self, pairs: Vec<Pair>) {
        self.all.extend(pairs);
        self.over = self.text("_method").map(str::to_owned);
    }

    /// The value of `name`; null counts as none.
    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.all.get(name).filter(|value| !value.is_null())
    }

    /// Whether `name` was sent, be it null.
    pub(super) fn has(&self, name: &str) -> bool {
        self.all.contains_key(name)
    }

    /// The value of `name`, if it is a text.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.as_str()
    }

    /// The method that a form says it stands for.
    pub(super) fn over(&self) -> Option<&str> {
        self.over.as_deref()
    }
}

pub(super) fn text(bytes: &[u8]) -> Result<&str, Unreadable> {
    std::str::from_utf8(bytes).map_err(|_| Unreadable::NotUtf8)
}

/// The fields of a JSON object; a value that is none has no fields.
fn object(body: &Bytes) -> Result<Map<String, Value>, Unreadable> {
    match serde_json::from_str(text(body)?) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(_) => Ok(Map::new()),
        Err(_) => Err(Unreadable::NotJson),
    }
}

fn pairs(text: &str) -> Result<Vec<Pair>, Unreadable> {
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok(field(decoded(name)?, decoded(value)?))
        })
        .collect()
}

/// A field; `name[]` and `name[key]` are no texts.
pub(super) fn field(name: String, value: String) -> Pair {
    match name.split_once('[') {
        Some((name, _)) => (name.to_owned(), Value::Array(vec![Value::String(value)])),
        None => (name, Value::String(value)),
    }
}

/// What `text` of a query or a form stands for.
pub(super) fn decoded(text: &str) -> Result<String, Unreadable> {
    let decoded = percent_decode_str(&text.replace('+', " ")).decode_utf8().map(String::from);
    decoded.map_err(|_| Unreadable::NotUtf8)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(kind: Option<&str>, query: &str, body: &'static [u8]) -> Result<Params, Unreadable> {
        let mut headers = HeaderMap::new();
        if let Some(kind) = kind {
            headers.insert(CONTENT_TYPE, kind.parse().unwrap());
        }
        Params::read(&Method::POST, query, &headers, &Bytes::from_static(body))
    }

    #[test]
    fn query_wins_over_the_body() {
        for kind in [None, Some("application/x-www-form-urlencoded; charset=UTF-8")] {
            let params = read(kind, "note=query", b"note=body&scope=a+b%2Bc&scope=last").unwrap();
            assert_eq!(params.text("note"), Some("query"));
            assert_eq!(params.text("scope"), Some("last"));
        }
        let json = br#"{"note": "body", "expires_in": 5, "scope": null}"#;
        let params = read(Some("application/json;version=1.7"), "a=%2B+", json).unwrap();
        assert_eq!(params.text("note"), Some("body"));
        assert_eq!(params.get("expires_in"), Some(&json!(5)));
        assert!(params.has("scope") && params.get("scope").is_none());
        assert_eq!(params.text("a"), Some("+ "));
    }

    #[test]
    fn other_bodies_say_nothing() {
        for (kind, body) in [
            ("application/xml", &b"<note>x</note>"[..]),
            ("text/plain", b"note=x"),
            ("application/json", b"[1]"),
            ("application/json", b""),
        ] {
            assert!(!read(Some(kind), "", body).unwrap().has("note"), "{kind}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        assert_eq!(read(None, "a=%ff", b"").unwrap_err(), Unreadable::NotUtf8);
        assert_eq!(read(None, "", b"a=%ff").unwrap_err(), Unreadable::NotUtf8);
        assert_eq!(read(None, "", b"a=\xff").unwrap_err(), Unreadable::NotUtf8);
        let json = Some("application/json");
        assert_eq!(read(json, "", b"{\"a\": \"\xff\"}").unwrap_err(), Unreadable::NotUtf8);
        assert_eq!(read(json, "", b"{").unwrap_err(), Unreadable::NotJson);
    }

    #[test]
    fn only_a_form_can_stand_for_another_method() {
        assert_eq!(read(None, "", b"_method=delete").unwrap().over(), Some("delete"));
        assert_eq!(read(None, "_method=delete", b"a=b").unwrap().over(), None);
        let json = read(Some("application/json"), "", br#"{"_method": "delete"}"#).unwrap();
        assert_eq!(json.over(), None);
    }

    #[test]
    fn lists_are_no_texts() {
        let params = read(None, "", b"scope[]=read&note[a]=b").unwrap();
        assert!(params.get("scope").is_some() && params.text("scope").is_none());
        assert!(params.text("note").is_none());
    }
}
