//! Placeholders: `{{session:NAME}}`, `{{csrf:NAME}}`, `{{ref:ID:PATH}}`.

use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::answer::Answer;

/// Replaces each `{{…}}` by what `value` says of its inside.
pub fn fill(template: &str, mut value: impl FnMut(&str) -> String) -> String {
    let mut filled = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let (inside, tail) = after.split_once("}}").expect("a placeholder ends");
        filled.push_str(before);
        filled.push_str(&value(inside));
        rest = tail;
    }
    filled.push_str(rest);
    filled
}

/// The value at `path` of an answer: `$.token.uuid` of its body, or a parameter of a header that
/// is an address, `headers.location#access_token` or `headers.location?code`.
pub fn at(answer: &Answer, path: &str) -> Option<String> {
    if let Some(body_path) = path.strip_prefix("$.") {
        let body = answer.json();
        let value = body_path.split('.').try_fold(&body, |value, step| step_into(value, step))?;
        return Some(value.as_str().map_or_else(|| value.to_string(), str::to_owned));
    }
    let (header, parameter) = path.strip_prefix("headers.")?.split_once(['#', '?'])?;
    let address = answer.header(header)?;
    address.split(['#', '?', '&']).find_map(|pair| {
        let value = pair.strip_prefix(parameter)?.strip_prefix('=')?;
        Some(percent_decode_str(value).decode_utf8_lossy().into_owned())
    })
}

/// `tokens`, or `authorizations[0]`.
fn step_into<'a>(value: &'a Value, step: &str) -> Option<&'a Value> {
    match step.strip_suffix(']').and_then(|step| step.split_once('[')) {
        Some((key, index)) => value.get(key)?.get(index.parse::<usize>().ok()?),
        None => value.get(step),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(location: &str, body: &str) -> Answer {
        let mut headers = http::HeaderMap::new();
        headers.insert("location", location.parse().unwrap());
        Answer { status: http::StatusCode::OK, headers, body: body.to_owned().into() }
    }

    #[test]
    fn placeholders_are_filled_and_the_rest_stays() {
        assert_eq!(fill("/a/{{x:y}}/b{{z}}", str::to_uppercase), "/a/X:Y/bZ");
    }

    #[test]
    fn values_are_found_in_bodies_and_in_addresses() {
        let answer = answer("http://a/?s=1#access_token=T%20T&x=2", r#"{"a":[{"b":"c"}]}"#);
        assert_eq!(at(&answer, "$.a[0].b").as_deref(), Some("c"));
        assert_eq!(at(&answer, "headers.location#access_token").as_deref(), Some("T T"));
        assert_eq!(at(&answer, "headers.location?s").as_deref(), Some("1"));
        assert_eq!(at(&answer, "$.a[1].b"), None);
    }
}
