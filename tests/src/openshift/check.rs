//! What a case says of an answer.

use regex_lite::Regex;
use serde_json::Value;

use super::xml::Element;
use crate::answer::Answer;

/// What is wrong with `answer`, when it should be as `expect` says.
pub fn faults(answer: &Answer, expect: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    let status = u64::from(answer.status.as_u16());
    let good = match &expect["status"] {
        Value::Array(allowed) => allowed.iter().any(|one| one.as_u64() == Some(status)),
        one => one.as_u64() == Some(status),
    };
    if !good {
        faults.push(format!("status {status}, not {}: {}", expect["status"], answer.text()));
    }
    for check in expect["checks"].as_array().expect("checks") {
        let fault = match check["kind"].as_str().expect("a kind") {
            "json" => of_json(answer, check),
            "header" => {
                let name = check["name"].as_str().expect("a name");
                of_value(&answer.header(name).map_or(Value::Null, Value::from), check)
            }
            "body" => of_value(&answer.text().into(), check),
            "xml" => of_xml(&Element::parse(&answer.text()), check),
            other => panic!("unknown kind of check `{other}`"),
        };
        faults.extend(fault.map(|fault| format!("{check}: {fault}")));
    }
    faults
}

/// The value at `path`; `None` when nothing is there.
pub fn at(value: &Value, path: &str) -> Option<Value> {
    if path.is_empty() {
        return Some(value.clone());
    }
    let (head, rest) = path.split_once('.').unwrap_or((path, ""));
    if let Some(name) = head.strip_suffix("[*]") {
        let each = at(value, name)?;
        let items = each.as_array()?.iter().map(|item| at(item, rest));
        return items.collect::<Option<Vec<_>>>().map(Value::Array);
    }
    let next = match value {
        Value::Array(items) => items.get(head.parse::<usize>().ok()?)?,
        other => other.get(head)?,
    };
    at(next, rest)
}

fn of_json(answer: &Answer, check: &Value) -> Option<String> {
    let found = at(&answer.json(), check["path"].as_str().expect("a path"));
    if check.get("absent").is_some() {
        return found.map(|found| format!("{found} is there"));
    }
    match found {
        Some(found) => of_value(&found, check),
        None => Some(format!("missing in {}", answer.text())),
    }
}

fn of_value(found: &Value, check: &Value) -> Option<String> {
    let text = found.as_str().unwrap_or_default();
    let number = found.as_f64();
    let good =
        check.as_object().expect("a check").iter().all(|(word, wanted)| match word.as_str() {
            "kind" | "path" | "name" | "ordered" => true,
            "eq" => same(found, wanted),
            "ne" => !same(found, wanted),
            "re" => Regex::new(wanted.as_str().expect("a pattern")).expect("it").is_match(text),
            "len" => length(found) == wanted.as_u64(),
            "min" => number >= wanted.as_f64(),
            "max" => number <= wanted.as_f64(),
            "type" => kind(found) == wanted.as_str().expect("a type"),
            "has" => found.as_array().is_some_and(|items| items.contains(wanted)),
            "absent" => found.is_null(),
            "empty" => text.is_empty(),
            "keys" => keys(found) == *wanted,
            other => panic!("unknown check `{other}`"),
        });
    (!good).then(|| found.to_string())
}

/// 1.7 is 1.7 and 1 is 1.0; all else is compared as it is.
fn same(found: &Value, wanted: &Value) -> bool {
    match (found, wanted) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        _ => found == wanted,
    }
}

fn length(value: &Value) -> Option<u64> {
    let length = match value {
        Value::Array(items) => items.len(),
        Value::Object(fields) => fields.len(),
        Value::String(text) => text.chars().count(),
        _ => return None,
    };
    Some(length as u64)
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_i64() => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// The names of the fields. Their order is lost here; where it is to be alphabetical, so it is.
fn keys(value: &Value) -> Value {
    value.as_object().map_or(Value::Null, |fields| fields.keys().cloned().collect())
}

fn of_xml(root: &Element, check: &Value) -> Option<String> {
    let all = root.all(check["path"].as_str().expect("a path"));
    let first = all.first();
    let text = first.map_or("", |element| element.text.as_str());
    let good =
        check.as_object().expect("a check").iter().all(|(word, wanted)| match word.as_str() {
            "kind" | "path" => true,
            "eq" => first.is_some() && wanted == text,
            "re" => Regex::new(wanted.as_str().expect("a pattern")).expect("it").is_match(text),
            "count" => wanted.as_u64() == Some(all.len() as u64),
            "tag" => first.is_some_and(|element| *wanted == element.tag),
            "children" => {
                let tags = first.map(|e| e.children.iter().map(|child| child.tag.clone()));
                tags.map(Iterator::collect::<Value>).as_ref() == Some(wanted)
            }
            "attr" => wanted.as_object().expect("attributes").iter().all(|(name, value)| {
                first.is_some_and(|e| e.attributes.iter().any(|(n, v)| n == name && value == v))
            }),
            "has" => all.iter().any(|element| *wanted == element.text),
            other => panic!("unknown check `{other}`"),
        });
    (!good).then(|| format!("{all:?}"))
}
