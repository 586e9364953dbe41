//! Tags of states: `ETag` on answers, `If-Match` on changes, `If-None-Match` on reads (RFC 9110,
//! sections 8.8.3, 13.1.1 and 13.1.2).

use axum::response::{IntoResponse, Response};
use claviger_service::seen::Seen;
use http::{
    HeaderMap, HeaderValue,
    header::{ETAG, IF_MATCH, IF_NONE_MATCH},
};

use super::problem::{Flaw, Problem};

/// The answer with the tag of what it shows.
pub(super) fn with(answer: impl IntoResponse, tag: &str) -> Response {
    let mut response = answer.into_response();
    let tag = HeaderValue::from_str(&format!("\"{tag}\"")).ok();
    response.headers_mut().extend(tag.map(|tag| (ETAG, tag)));
    response
}

/// Which states a client wants to change. A weak tag names none, nor does an empty list, which RFC 9110
/// lets a client send.
///
/// # Errors
/// 400 for a header that is no list of tags.
pub(super) fn seen(headers: &HeaderMap) -> Result<Seen, Problem> {
    if !headers.contains_key(IF_MATCH) {
        return Ok(Seen::default());
    }
    let mut tags = Vec::new();
    for value in headers.get_all(IF_MATCH) {
        let text = value.to_str().map_err(|_| unreadable())?;
        if text.trim() == "*" {
            return Ok(Seen::default());
        }
        tags.extend(read(text).ok_or_else(unreadable)?);
    }
    let strong = tags.into_iter().filter(|(strong, _)| *strong).map(|(_, tag)| tag.to_owned());
    Ok(Seen::one_of(strong.collect()))
}

/// The tags of a list, and whether each is a strong one. There may be commas in a tag.
fn read(text: &str) -> Option<Vec<(bool, &str)>> {
    const BETWEEN: [char; 3] = [' ', '\t', ','];
    let mut tags = Vec::new();
    let mut rest = text.trim_matches(BETWEEN);
    while !rest.is_empty() {
        let (strong, quoted) = match rest.strip_prefix("W/") {
            Some(quoted) => (false, quoted),
            None => (true, rest),
        };
        let (tag, after) = quoted.strip_prefix('"')?.split_once('"')?;
        tags.push((strong, tag));
        rest = after.trim_start_matches(BETWEEN);
        let between = after.strip_suffix(rest)?;
        if !rest.is_empty() && !between.contains(',') {
            return None;
        }
    }
    Some(tags)
}

/// Whether the client has the state with this tag.
pub(super) fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let mut values = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    values.any(|value| {
        let tags = read(value).unwrap_or_default();
        value.trim() == "*" || tags.iter().any(|(_, known)| *known == tag)
    })
}

fn unreadable() -> Problem {
    let flaw = Flaw::header("If-Match", "must be `*`, or tags in quotes with commas between");
    Problem::header(vec![flaw])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[&'static str]) -> Option<Seen> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(IF_MATCH, HeaderValue::from_static(value));
        }
        seen(&headers).ok()
    }

    #[test]
    fn what_the_client_has_is_known_by_its_tag() {
        let known = |value: &'static str| {
            let headers = HeaderMap::from_iter([(IF_NONE_MATCH, HeaderValue::from_static(value))]);
            is_known(&headers, "a")
        };
        assert!(known("\"a\"") && known("\"b\", W/\"a\"") && known("*"));
        assert!(!known("a") && !known("\"b\"") && !known(""));
    }

    #[test]
    fn tags_are_read_and_weak_ones_name_nothing() {
        let tags = |tags: &[&str]| Some(Seen::one_of(tags.iter().map(|t| (*t).into()).collect()));
        assert_eq!(of(&[]), Some(Seen::default()));
        assert_eq!(of(&["*"]), Some(Seen::default()));
        assert_eq!(of(&["\"a\", \"b\"", "\"c\""]), tags(&["a", "b", "c"]));
        assert_eq!(of(&["W/\"a\""]), tags(&[]));
        assert_eq!(of(&["\"a,b\" , \",\""]), tags(&["a,b", ","]));
        assert_eq!((of(&[""]), of(&[","])), (tags(&[]), tags(&[])));
        for bad in ["a", "\"a", "\"a\" \"b\"", "\"a\"b", "*, \"a\""] {
            assert_eq!(of(&[bad]), None, "{bad}");
        }
    }
}
