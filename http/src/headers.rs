//! The headers that every answer carries, unless its door says otherwise.
//!
//! Answers that are given all the time are copies of a layout: to look for the place of each
//! header in each answer costs more than the decision that it tells of.

use axum::{body::Body, response::Response};
use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{
        CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
        X_FRAME_OPTIONS,
    },
};

/// The content security policy of every page; a page that posts elsewhere (consent) says its own.
pub const POLICY: &str =
    "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'";

/// Nobody on the way may keep the answer.
pub(crate) const NOWHERE: (HeaderName, HeaderValue) =
    (CACHE_CONTROL, HeaderValue::from_static("no-store"));

pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

const DEFAULTS: [(HeaderName, HeaderValue); 4] = [
    (CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
    (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
];

/// The names of those that an answer gets on its way out: the defaults and the request's id.
static ON_THE_WAY: [HeaderName; 5] =
    [CONTENT_SECURITY_POLICY, X_FRAME_OPTIONS, X_CONTENT_TYPE_OPTIONS, REFERRER_POLICY, REQUEST_ID];

/// The headers of a kind of answer, laid out once.
pub(crate) struct Layout(HeaderMap);

impl Layout {
    /// Those that an answer gets on its way out, and then `own`.
    pub(crate) fn new(own: impl IntoIterator<Item = (HeaderName, HeaderValue)>) -> Self {
        let id = (REQUEST_ID, HeaderValue::from_static(""));
        let mut headers = HeaderMap::new();
        for (name, value) in DEFAULTS.into_iter().chain([id]).chain(own) {
            headers.insert(name, value);
        }
        Self(headers)
    }

    /// An answer of this kind.
    pub(crate) fn answer(&self, body: impl Into<Body>) -> Response {
        let mut response = Response::new(body.into());
        *response.headers_mut() = self.0.clone();
        response
    }
}

/// Sets some headers. It is fast for those that are there already, in this order.
pub(crate) fn set<const N: usize>(
    headers: &mut HeaderMap,
    mut own: [(HeaderName, HeaderValue); N],
) {
    let mut places = own.iter_mut().peekable();
    if headers.len() == headers.keys_len() {
        for (there, value) in headers.iter_mut() {
            let Some((name, own)) = places.peek_mut() else { break };
            if name == there {
                std::mem::swap(value, own);
                places.next();
            }
        }
    }
    let set = N - places.len();
    for (name, value) in own.into_iter().skip(set) {
        headers.insert(name, value);
    }
}

/// Adds those that every answer gets and that are not there yet, and the request's `id`.
pub(crate) fn complete(headers: &mut HeaderMap, id: Option<HeaderValue>) {
    let laid_out = headers.keys().take(ON_THE_WAY.len()).eq(&ON_THE_WAY);
    if !laid_out {
        headers.reserve(ON_THE_WAY.len());
        for (name, value) in DEFAULTS {
            headers.entry(name).or_insert(value);
        }
    }
    match id {
        Some(id) => set(headers, [(REQUEST_ID, id)]),
        // of a layout it has none that means anything
        None => drop(headers.remove(REQUEST_ID)),
    }
}

/// Marks an answer that shows a secret: nobody on the way may keep it.
pub fn keep_nowhere(headers: &mut HeaderMap) {
    let (name, value) = NOWHERE;
    headers.insert(name, value);
}

#[cfg(test)]
mod tests {
    use http::header::{CONTENT_TYPE, SET_COOKIE};

    use super::*;

    const ID: HeaderValue = HeaderValue::from_static("1");
    const A: HeaderValue = HeaderValue::from_static("a");
    const B: HeaderValue = HeaderValue::from_static("b");

    fn text(headers: &HeaderMap) -> Vec<String> {
        let line = |(name, value): (&HeaderName, &HeaderValue)| {
            format!("{name}: {}", value.to_str().unwrap())
        };
        headers.iter().map(line).collect()
    }

    #[test]
    fn an_answer_is_complete_in_the_same_way_whether_it_was_laid_out_or_not() {
        let mut plain = HeaderMap::from_iter([(CONTENT_TYPE, A)]);
        complete(&mut plain, Some(ID));
        let layout = Layout::new([(CONTENT_TYPE, A)]);
        let mut copied = layout.answer(Body::empty()).into_parts().0.headers;
        complete(&mut copied, Some(ID));
        assert_eq!(plain, copied);
        assert_eq!(plain.len(), 6);
        assert_eq!(text(&layout.0).len(), 6);

        let mut copied = layout.answer(Body::empty()).into_parts().0.headers;
        complete(&mut copied, None);
        plain.remove(REQUEST_ID);
        assert_eq!(plain, copied);
    }

    #[test]
    fn what_a_door_says_itself_stays() {
        let own = HeaderValue::from_static("default-src 'none'");
        for mut headers in [
            HeaderMap::from_iter([(CONTENT_SECURITY_POLICY, own.clone())]),
            Layout::new([(CONTENT_SECURITY_POLICY, own.clone())]).0,
        ] {
            complete(&mut headers, Some(ID));
            assert_eq!(headers.get(CONTENT_SECURITY_POLICY), Some(&own));
            assert_eq!(headers.get(X_FRAME_OPTIONS).unwrap(), "DENY");
            assert_eq!(headers.len(), 5);
        }
    }

    #[test]
    fn headers_are_set_in_whichever_order_they_stand() {
        let mut headers = HeaderMap::new();
        for _ in 0..2 {
            set(&mut headers, [(CONTENT_TYPE, A), (CACHE_CONTROL, B)]);
            assert_eq!(text(&headers), ["content-type: a", "cache-control: b"]);
        }
        set(&mut headers, [(CACHE_CONTROL, A), (CONTENT_TYPE, B)]);
        assert_eq!(text(&headers), ["content-type: b", "cache-control: a"]);
        headers.append(SET_COOKIE, A);
        headers.append(SET_COOKIE, B);
        headers.append(CACHE_CONTROL, B);
        set(&mut headers, [(SET_COOKIE, ID)]);
        set(&mut headers, [(CONTENT_TYPE, ID), (CACHE_CONTROL, ID)]);
        assert_eq!(text(&headers), ["content-type: 1", "cache-control: 1", "set-cookie: 1"]);
    }
}
