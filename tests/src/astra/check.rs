//! What a case says of an answer.

use std::collections::BTreeSet;

use regex_lite::Regex;
use serde_json::Value;

use crate::{answer::Answer, openshift::check::at};

/// What is wrong with `answer`, when it should be as `expect` says.
pub(super) fn faults(answer: &Answer, expect: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    let body = answer.json();
    if expect["status"] != u64::from(answer.status.as_u16()) {
        faults.push(format!("status {}: {}", answer.status, answer.text()));
    }
    if let Some(problem) = expect["problem_type"].as_str()
        && body["type"] != problem
    {
        faults.push(format!("{} is not {problem}", body["type"]));
    }
    for check in expect["checks"].as_array().into_iter().flatten() {
        let (word, wanted) = check.as_object().and_then(|o| o.iter().next()).expect("a check");
        if !holds(answer, &body, word, wanted) {
            faults.push(format!("{check}: {}", answer.text()));
        }
    }
    faults
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("{name} in {value}"))
}

fn matches(found: Option<&str>, pattern: &str) -> bool {
    found.is_some_and(|found| Regex::new(pattern).expect("a pattern").is_match(found))
}

fn items(body: &Value) -> &[Value] {
    body["items"].as_array().map_or(&[], Vec::as_slice)
}

fn members(values: &[Value]) -> BTreeSet<String> {
    values.iter().map(ToString::to_string).collect()
}

/// Each item's value in the column or field that `check` names.
fn column(items: &[Value], check: &Value) -> Vec<Value> {
    let of = |item: &Value| match check["column"].as_u64() {
        Some(column) => item[usize::try_from(column).expect("small")].clone(),
        None => item[text(check, "field")].clone(),
    };
    items.iter().map(of).collect()
}

fn holds(answer: &Answer, body: &Value, word: &str, wanted: &Value) -> bool {
    let found = || at(body, text(wanted, "path"));
    let sorted = |mut values: Vec<Value>, desc: bool| {
        let texts: Vec<_> =
            values.drain(..).map(|v| v.as_str().expect("text").to_owned()).collect();
        texts.windows(2).all(|two| if desc { two[0] >= two[1] } else { two[0] <= two[1] })
    };
    let length = |value: &Value| value.as_array().map(Vec::len);
    match word {
        "walk" => true,
        "json_equals" => found().as_ref() == Some(&wanted["value"]),
        "json_differs" => found().is_some_and(|found| found != wanted["value"]),
        "json_absent" => found().is_none(),
        "json_type" => found().is_some_and(|found| kind(&found) == text(wanted, "type")),
        "json_matches" => {
            found().is_some_and(|found| matches(found.as_str(), text(wanted, "regex")))
        }
        "items_equal" => body["items"] == *wanted,
        "items_set" => members(items(body)) == members(wanted.as_array().expect("items")),
        "items_len" => {
            length(&body["items"]) == wanted.as_u64().map(|n| usize::try_from(n).expect("small"))
        }
        "items_column" | "items_field" => {
            column(items(body), wanted) == *wanted["equals"].as_array().expect("values")
        }
        "items_field_set" => {
            members(&column(items(body), wanted))
                == members(wanted["equals"].as_array().expect("values"))
        }
        "items_fields" => {
            let names: BTreeSet<_> = wanted
                .as_array()
                .expect("names")
                .iter()
                .map(|n| n.as_str().expect("a name"))
                .collect();
            !items(body).is_empty()
                && items(body).iter().all(|item| {
                    let keys = item
                        .as_object()
                        .map(|o| o.keys().map(String::as_str).collect::<BTreeSet<_>>());
                    keys.as_ref() == Some(&names)
                })
        }
        "items_row_len" => {
            !items(body).is_empty()
                && items(body).iter().all(|item| length(item).map(|n| n as u64) == wanted.as_u64())
        }
        "items_sorted" => sorted(column(items(body), wanted), wanted["desc"] == true),
        "count" => body["metadata"]["count"] == *wanted,
        "continue" => {
            let next = &body["metadata"]["continue"];
            if wanted == "present" {
                next.as_str().is_some_and(|n| !n.is_empty())
            } else {
                next.is_null()
            }
        }
        "header_equals" => answer.header(text(wanted, "name")) == Some(text(wanted, "value")),
        "header_matches" => matches(answer.header(text(wanted, "name")), text(wanted, "regex")),
        "header_absent" => answer.header(wanted.as_str().expect("a name")).is_none(),
        "body_empty" => answer.body.is_empty(),
        "body_not_contains" => !answer.text().contains(wanted.as_str().expect("a text")),
        "problem" => {
            wanted.as_object().expect("fields").iter().all(|(name, value)| body[name] == *value)
        }
        "invalid_param" | "invalid_field" => {
            let list = if word == "invalid_param" { "invalidParams" } else { "invalidFields" };
            let all = body[list].as_array().map_or(&[][..], Vec::as_slice);
            members(all).len() == all.len()
                && all.iter().any(|one| {
                    one["name"] == *wanted
                        && one["reason"].as_str().is_some_and(|reason| !reason.is_empty())
                })
        }
        other => panic!("unknown check `{other}`"),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// What is wrong with the pages of a walk.
pub(super) fn walk(pages: &[Vec<Value>], walk: &Value) -> Vec<String> {
    let number =
        |name: &str| usize::try_from(walk[name].as_u64().expect("a number")).expect("small");
    let (limit, total) = (number("limit"), number("total"));
    let mut faults = Vec::new();
    if pages.len() > total.div_ceil(limit) {
        faults.push(format!("{} pages", pages.len()));
    }
    let whole = pages.len().saturating_sub(1);
    if pages.iter().take(whole).any(|page| page.len() != limit) {
        faults.push("a page is not full".to_owned());
    }
    let found = column(&pages.concat(), walk);
    if found.len() != total {
        faults.push(format!("{} items", found.len()));
    }
    match walk["equals"].as_array() {
        Some(wanted) if found != *wanted => faults.push(format!("{found:?}")),
        None if members(&found).len() != found.len() => faults.push("one twice".to_owned()),
        _ => {}
    }
    faults
}
