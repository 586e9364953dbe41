//! What of an answer does not hold, as one sentence each.
//!
//! The rules are those the recordings came with: the status is equal; every key of the recorded
//! body is there and equal (volatile ones: there and of the same type); content type, `location`
//! (secrets masked), `www-authenticate` (scheme, names of its parameters) and `allow` (as a set)
//! agree. Lists of app tokens are sets. The claims of a registry token are compared by [`claims`].
//! Stricter than asked, a body may not have keys that the recorded one has not, except where one
//! of its keys signs a token.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    exceptions::NO_COUNTERPART,
    jwt,
    line::{Line, Response},
};
use crate::answer::Answer;

/// Everything about `answer` that does not hold.
pub fn differences(line: &Line, recorded: &Response, answer: &Answer) -> Vec<String> {
    let mut found = Vec::new();
    let expected = status(line, recorded);
    if expected != answer.status.as_u16() {
        found.push(format!("status: expected {expected}, got {}", answer.status.as_u16()));
    }
    if line.has_tag("html-body") || line.has_tag("quirk:html-page") {
        return found;
    }
    found.extend(headers(line, recorded, answer));
    match recorded.body_format.as_str() {
        "empty" => {
            if !answer.body.is_empty() {
                found.push(format!("body: expected none, got {}", shorten(&answer.text())));
            }
        }
        "text" => same(&recorded.body, &Value::String(answer.text()), "body", &mut found),
        _ if answer.json().is_null() && !recorded.body.is_null() => {
            found.push(format!("body: expected JSON, got {}", shorten(&answer.text())));
        }
        _ => body(line, recorded, &answer.json(), &mut found),
    }
    found
}

/// `POST /api/v1/user/apptoken` answers 201 here, as the published reference says.
fn status(line: &Line, recorded: &Response) -> u16 {
    let request = &line.request;
    match (request.method.as_str(), request.path.as_str(), recorded.status) {
        ("POST", "/api/v1/user/apptoken", 200) => 201,
        (_, _, status) => status,
    }
}

/// How a header's value is put before it is compared.
type Normal = fn(&str) -> String;

fn headers(line: &Line, recorded: &Response, answer: &Answer) -> Vec<String> {
    let rules: [(&str, Normal); 4] = [
        ("content-type", |value| value.to_lowercase().replace(' ', "")),
        ("allow", |value| set(value.split(','))),
        ("www-authenticate", challenge),
        ("location", location),
    ];
    let mut found = Vec::new();
    for (name, normal) in rules {
        let volatile = line.volatile.iter().any(|path| path == &format!("headers.{name}"));
        let expected = recorded.header(name).map(|value| match (name, volatile) {
            ("location", true) => mask(&normal(value)),
            _ => normal(value),
        });
        let got = answer.header(name).map(|value| match (name, volatile) {
            ("location", true) => mask(&normal(value)),
            _ => normal(value),
        });
        if expected != got && !(name == "content-type" && expected.is_none()) {
            let show =
                |value: Option<String>| value.map_or("none".to_owned(), |v| format!("`{v}`"));
            found.push(format!("{name}: expected {}, got {}", show(expected), show(got)));
        }
    }
    found
}

fn set<'a>(words: impl Iterator<Item = &'a str>) -> String {
    let words: BTreeSet<&str> = words.map(str::trim).filter(|word| !word.is_empty()).collect();
    words.into_iter().collect::<Vec<_>>().join(", ")
}

/// The scheme of a challenge and the names of its parameters.
fn challenge(value: &str) -> String {
    let (scheme, parameters) = value.split_once(' ').unwrap_or((value, ""));
    let names = parameters.split(',').filter_map(|p| p.split_once('=').map(|(name, _)| name));
    format!("{scheme} {}", set(names))
}

/// An address with its parameters decoded, so that only their meaning is compared.
fn location(value: &str) -> String {
    let decoded = value.replace('+', " ");
    percent_encoding::percent_decode_str(&decoded).decode_utf8_lossy().into_owned()
}

/// An address with the secrets in it masked.
fn mask(value: &str) -> String {
    let secret = regex_lite::Regex::new("(access_token|code)=[^&]*").expect("a pattern");
    secret.replace_all(value, "$1=*").into_owned()
}

fn body(line: &Line, recorded: &Response, got: &Value, found: &mut Vec<String>) {
    let mut expected = recorded.body.clone();
    let mut got = got.clone();
    if let Some(expected_claims) = &recorded.claims {
        let token = got["token"].as_str().unwrap_or_default();
        claims(expected_claims, &jwt::claims(token), found);
        // other keys may stand beside the token
        let known: Vec<&String> = expected.as_object().into_iter().flat_map(|o| o.keys()).collect();
        if let Some(object) = got.as_object_mut() {
            object.retain(|key, _| known.contains(&key));
        }
    }
    if line.has_tag("jsonschema-message") {
        for value in [&mut expected, &mut got] {
            for key in ["detail", "error_message"] {
                let first = value[key].as_str().and_then(|text| text.lines().next());
                value[key] = first.map(str::to_owned).into();
            }
        }
    }
    for value in [&mut expected, &mut got] {
        strip(value);
    }
    let volatile: Vec<Vec<&str>> = line
        .volatile
        .iter()
        .filter_map(|path| path.strip_prefix("$."))
        .map(|path| path.split(['.', '[']).map(|step| step.trim_end_matches(']')).collect())
        .collect();
    soften(&mut expected, &mut got, &volatile, &mut Vec::new());
    if line.request.path == "/api/v1/user/apptoken" && line.request.method == "GET" {
        sort(&mut expected["tokens"]);
        sort(&mut got["tokens"]);
    }
    same(&expected, &got, "body", found);
}

/// The claims of a registry token: `access` as sets, `aud`, and who an authenticated caller is.
pub fn claims(expected: &Value, got: &Value, found: &mut Vec<String>) {
    same(&expected["aud"], &got["aud"], "token.aud", found);
    if expected["sub"] != "(anonymous)" {
        same(&expected["sub"], &got["sub"], "token.sub", found);
    }
    let access = |claims: &Value| {
        let mut access = claims["access"].clone();
        for entry in access.as_array_mut().into_iter().flatten() {
            sort(&mut entry["actions"]);
        }
        sort(&mut access);
        access
    };
    same(&access(expected), &access(got), "token.access", found);
}

/// Takes away what has no counterpart here.
fn strip(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|key, _| !NO_COUNTERPART.contains(&key.as_str()));
            map.values_mut().for_each(strip);
        }
        Value::Array(items) => items.iter_mut().for_each(strip),
        _ => {}
    }
}

fn sort(list: &mut Value) {
    if let Some(items) = list.as_array_mut() {
        items.sort_by_cached_key(ToString::to_string);
    }
}

/// Replaces volatile values on both sides by the name of their type, and sorts lists whose order
/// is volatile.
fn soften(expected: &mut Value, got: &mut Value, volatile: &[Vec<&str>], at: &mut Vec<String>) {
    let is_at = |path: &Vec<&str>, last: Option<&str>| {
        let path: &[&str] = match (last, path.split_last()) {
            (None, _) => path,
            (Some(last), Some((found, before))) if *found == last => before,
            (Some(_), _) => return false,
        };
        path.len() == at.len() && path.iter().zip(&*at).all(|(p, a)| *p == "*" || p == a)
    };
    if volatile.iter().any(|path| is_at(path, None)) {
        for value in [expected, got] {
            *value = Value::String(format!("({})", kind(value)));
        }
        return;
    }
    let any_order = volatile.iter().any(|path| is_at(path, Some("order")));
    match (&mut *expected, &mut *got) {
        (Value::Object(expected), Value::Object(got)) => {
            for (key, value) in expected {
                at.push(key.clone());
                soften(value, got.get_mut(key).unwrap_or(&mut Value::Null), volatile, at);
                at.pop();
            }
        }
        (Value::Array(expected), Value::Array(got)) => {
            for index in 0..expected.len().max(got.len()) {
                at.push(index.to_string());
                let (mut no_value, mut none) = (Value::Null, Value::Null);
                soften(
                    expected.get_mut(index).unwrap_or(&mut no_value),
                    got.get_mut(index).unwrap_or(&mut none),
                    volatile,
                    at,
                );
                at.pop();
            }
        }
        _ => {}
    }
    if any_order {
        sort(expected);
        sort(got);
    }
}

const fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "list",
        Value::Object(_) => "object",
    }
}

/// Says where the two differ.
fn same(expected: &Value, got: &Value, at: &str, found: &mut Vec<String>) {
    match (expected, got) {
        (Value::Object(expected), Value::Object(got)) => {
            for (key, value) in expected {
                match got.get(key) {
                    Some(got) => same(value, got, &format!("{at}.{key}"), found),
                    None => found.push(format!("{at}.{key}: expected {}, is missing", show(value))),
                }
            }
            for (key, value) in got.iter().filter(|(key, _)| !expected.contains_key(*key)) {
                found.push(format!("{at}.{key}: not expected, is {}", show(value)));
            }
        }
        (Value::Array(expected), Value::Array(got)) if expected.len() == got.len() => {
            for (index, (expected, got)) in expected.iter().zip(got).enumerate() {
                same(expected, got, &format!("{at}[{index}]"), found);
            }
        }
        _ if expected == got => {}
        _ => found.push(format!("{at}: expected {}, got {}", show(expected), show(got))),
    }
}

fn show(value: &Value) -> String {
    shorten(&value.to_string())
}

fn shorten(text: &str) -> String {
    let short: String = text.chars().take(240).collect();
    if short.len() < text.len() { format!("{short}…") } else { short }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName, StatusCode};

    use super::*;
    use crate::case::line;

    /// The answer as it was recorded.
    fn replay(recorded: &Response, status: u16) -> Answer {
        let mut headers = HeaderMap::new();
        for name in recorded.headers.keys() {
            let value = recorded.header(name).unwrap();
            headers.insert(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
        let body = match recorded.body_format.as_str() {
            "json" => recorded.body.to_string(),
            _ => recorded.body.as_str().unwrap().to_owned(),
        };
        let status = StatusCode::from_u16(status).unwrap();
        Answer { status, headers, body: body.into() }
    }

    fn recorded() -> impl Iterator<Item = (Line, Response)> {
        line::all().into_iter().filter_map(|line| Some((line.clone(), line.response?)))
    }

    #[test]
    fn every_recorded_answer_holds_against_itself() {
        for (line, recorded) in recorded() {
            let answer = replay(&recorded, status(&line, &recorded));
            assert_eq!(differences(&line, &recorded, &answer), [""; 0], "{}", line.id);
        }
    }

    #[test]
    fn another_status_never_holds() {
        for (line, recorded) in recorded() {
            let answer = replay(&recorded, 599);
            assert!(!differences(&line, &recorded, &answer).is_empty(), "{}", line.id);
        }
    }

    #[test]
    fn a_missing_key_an_added_key_and_another_value_are_noticed() {
        let mut seen = 0;
        for (line, mut recorded) in recorded().filter(|(line, _)| !line.has_tag("html-body")) {
            let answer = replay(&recorded, status(&line, &recorded));
            let Some(object) = recorded.body.as_object_mut() else { continue };
            object.insert("another".to_owned(), 1.into());
            let found = differences(&line, &recorded, &answer);
            assert_eq!(found, ["body.another: expected 1, is missing"], "{}", line.id);
            seen += 1;
        }
        assert!(seen > 300);
        let got = serde_json::json!({"a": {"b": 1, "c": [1, 2]}});
        let mut found = Vec::new();
        same(&serde_json::json!({"a": {"b": "1", "c": [2, 1], "d": null}}), &got, "$", &mut found);
        assert_eq!(
            found,
            [
                "$.a.b: expected \"1\", got 1",
                "$.a.c[0]: expected 2, got 1",
                "$.a.c[1]: expected 1, got 2",
                "$.a.d: expected null, is missing",
            ]
        );
    }

    #[test]
    fn claims_are_compared_as_sets() {
        let expected = serde_json::json!({"aud": "a", "sub": "u", "access": [
            {"type": "repository", "name": "x/y", "actions": ["push", "pull"]},
        ]});
        let mut got = expected.clone();
        got["access"][0]["actions"] = serde_json::json!(["pull", "push"]);
        let mut found = Vec::new();
        claims(&expected, &got, &mut found);
        assert_eq!(found, [""; 0]);
        got["access"][0]["actions"] = serde_json::json!(["pull"]);
        claims(&expected, &got, &mut found);
        assert_eq!(found.len(), 1);
    }
}
