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

/// Which states a client wants to change. A weak tag names none.
///
/// # Errors
/// 400 for a header that is no list of tags.
pub(super) fn seen(headers: &HeaderMap) -> Result<Seen, Problem> {
    let mut tags = Vec::new();
    for value in headers.get_all(IF_MATCH) {
        let text = value.to_str().map_err(|_| unreadable())?;
        if text.trim() == "*" {
            return Ok(Seen::default());
        }
        for tag in text.split(',').map(str::trim).filter(|tag| !tag.is_empty()) {
            let (strong, quoted) = match tag.strip_prefix("W/") {
                Some(tag) => (false, tag),
                None => (true, tag),
            };
            let bare = quoted.strip_prefix('"').and_then(|tag| tag.strip_suffix('"'));
            let bare = bare.ok_or_else(unreadable)?;
            tags.extend(strong.then(|| bare.to_owned()));
        }
    }
    let sets_one = headers.contains_key(IF_MATCH);
    Ok(if sets_one { Seen::one_of(tags) } else { Seen::default() })
}

/// Whether the client has the state with this tag.
pub(super) fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let values = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim).any(|known| {
        let quoted = known.strip_prefix("W/").unwrap_or(known);
        known == "*" || quoted.strip_prefix('"').and_then(|q| q.strip_suffix('"')) == Some(tag)
    })
}

fn unreadable() -> Problem {
    let flaw = Flaw::header("If-Match", "must be `*`, or tags in quotes with commas between");
    Problem::header(vec![flaw])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[&'static str]) -> Option<Seen> {
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
        assert_eq!(read(&[]), Some(Seen::default()));
        assert_eq!(read(&["*"]), Some(Seen::default()));
        assert_eq!(read(&["\"a\", \"b\"", "\"c\""]), tags(&["a", "b", "c"]));
        assert_eq!(read(&["W/\"a\""]), tags(&[]));
        assert_eq!(read(&["a"]), None);
        assert_eq!(read(&["\"a"]), None);
    }
}
