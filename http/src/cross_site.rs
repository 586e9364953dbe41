//! The cross-site rule: what a foreign page makes a browser send changes nothing.
//!
//! A browser adds cookies and remembered Basic credentials by itself, so these alone do not show
//! that the user wants anything. It also tells where a request comes from; a request with such
//! credentials from elsewhere is refused where it would change something. Bearer tokens are added
//! by programs only and are not concerned.

use http::{
    HeaderMap, HeaderName, Method,
    header::{AUTHORIZATION, COOKIE, ORIGIN},
};

/// Where a browser says whether another site made it send this.
const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Whether a request with these `headers` comes from another site, with a credential that the
/// browser adds by itself. `own` is our origin: scheme, host and port of the public URL.
pub fn is_foreign(headers: &HeaderMap, own: &str) -> bool {
    by_the_browser(headers) && from_elsewhere(headers, own)
}

/// Whether such a request must be refused for its `method`: it is not one that only reads.
/// A `GET` that changes something asks [`is_foreign`] itself.
pub fn must_refuse(method: &Method, headers: &HeaderMap, own: &str) -> bool {
    !method.is_safe() && is_foreign(headers, own)
}

fn by_the_browser(headers: &HeaderMap) -> bool {
    let basic = |value: &http::HeaderValue| {
        value.as_bytes().get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"basic"))
    };
    headers.contains_key(COOKIE) || headers.get_all(AUTHORIZATION).iter().any(basic)
}

/// Whether a browser says that another site made it send this.
pub(crate) fn from_elsewhere(headers: &HeaderMap, own: &str) -> bool {
    let foreign_site = headers.get_all(SITE).iter().any(|site| {
        let site = site.as_bytes();
        site != b"same-origin" && site != b"none"
    });
    let foreign_origin = headers
        .get_all(ORIGIN)
        .iter()
        .any(|origin| !origin.as_bytes().eq_ignore_ascii_case(own.as_bytes()));
    foreign_site || foreign_origin
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &str = "https://keys.example.com";

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| {
                (http::HeaderName::from_static(name), http::HeaderValue::from_static(value))
            })
            .collect()
    }

    #[test]
    fn write_from_another_site_with_a_browsers_credential_is_refused() {
        for credential in [("cookie", "x=y"), ("authorization", "bAsIc abc")] {
            for sign in [
                ("sec-fetch-site", "cross-site"),
                ("sec-fetch-site", "same-site"),
                ("origin", "https://evil.example.com"),
                ("origin", "https://keys.example.com:8443"),
                ("origin", "http://keys.example.com"),
                ("origin", "https://keys.example.com.evil.com"),
                ("origin", "null"),
                ("origin", ""),
            ] {
                let headers = headers(&[credential, sign]);
                for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH] {
                    assert!(must_refuse(&method, &headers, OWN), "{credential:?} {sign:?}");
                }
                assert!(!must_refuse(&Method::GET, &headers, OWN));
                assert!(is_foreign(&headers, OWN));
            }
        }
    }

    #[test]
    fn own_pages_programs_and_bearers_pass() {
        for pairs in [
            &[("cookie", "x=y")][..],
            &[("cookie", "x=y"), ("sec-fetch-site", "same-origin"), ("origin", OWN)],
            &[("cookie", "x=y"), ("sec-fetch-site", "none")],
            &[("authorization", "Basic abc")],
            &[("authorization", "Bearer abc"), ("origin", "https://elsewhere.example")],
            &[("sec-fetch-site", "cross-site"), ("origin", "https://elsewhere.example")],
        ] {
            assert!(!must_refuse(&Method::POST, &headers(pairs), OWN), "{pairs:?}");
        }
    }

    #[test]
    fn one_foreign_sign_among_several_counts() {
        let mut headers = headers(&[("cookie", "x=y"), ("origin", OWN)]);
        headers.append(ORIGIN, http::HeaderValue::from_static("https://evil.example"));
        assert!(must_refuse(&Method::POST, &headers, OWN));
    }
}
