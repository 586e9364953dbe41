//! Where an OAuth answer may be sent: only to what the application registered.
//!
//! Source: RFC 6749 section 3.1.2; Quay's prefix rule (`contract/quay.md` 4.4), narrowed to path
//! boundaries by `SECURITY.md` section 4.

/// How a `redirect_uri` must agree with the registered one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Match {
    /// Byte by byte; for codes.
    Exact,
    /// At or below the registered path; Quay's rule for the implicit grant.
    Below,
}

/// Whether an answer may go to `asked` when the application registered `registered`. An empty
/// registration allows nothing.
pub fn is_allowed(asked: &str, registered: &str, rule: Match) -> bool {
    let (Some(asked_parts), Some(registered_parts)) = (Parts::of(asked), Parts::of(registered))
    else {
        return false;
    };
    match rule {
        Match::Exact => asked == registered,
        Match::Below => asked_parts.is_below(&registered_parts),
    }
}

/// The origin (`scheme://host:port`) of an address that an answer can go to; `None` when no answer
/// can go there.
pub fn origin(uri: &str) -> Option<&str> {
    let parts = Parts::of(uri)?;
    uri.get(..parts.scheme.len() + "://".len() + parts.authority.len())
}

/// An absolute address without user, fragment and anything that programs read differently.
struct Parts<'a> {
    scheme: &'a str,
    authority: &'a str,
    path: &'a str,
}

impl<'a> Parts<'a> {
    fn of(uri: &'a str) -> Option<Self> {
        // browsers drop or turn around what is not plain: control characters, spaces, backslashes
        let plain = |byte: u8| byte.is_ascii_graphic() && !b"\\\"<>^`{|}#".contains(&byte);
        if !uri.bytes().all(plain) {
            return None;
        }
        let (scheme, rest) = uri.split_once("://")?;
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at(end);
        let (path, _) = rest.split_once('?').unwrap_or((rest, ""));
        let scheme_is_good = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
            && !["javascript", "data", "vbscript"].iter().any(|s| scheme.eq_ignore_ascii_case(s));
        // no user, no percent-encoding: a name or an address, and a port
        let authority_is_good = !authority.is_empty()
            && authority.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_:[]".contains(&b));
        let path = if path.is_empty() { "/" } else { path };
        let path_is_good = !path.contains('@') && !climbs(path);
        let good = scheme_is_good && authority_is_good && path_is_good;
        good.then_some(Self { scheme, authority, path })
    }

    fn is_below(&self, registered: &Self) -> bool {
        let same_origin = self.scheme.eq_ignore_ascii_case(registered.scheme)
            && self.authority.eq_ignore_ascii_case(registered.authority);
        let rest = self.path.strip_prefix(registered.path);
        let below = rest.is_some_and(|rest| {
            let boundary =
                rest.is_empty() || rest.starts_with('/') || registered.path.ends_with('/');
            boundary && !rest.contains('%')
        });
        same_origin && below
    }
}

/// Whether the path climbs (`..`), also when the dots are encoded.
fn climbs(path: &str) -> bool {
    path.to_ascii_lowercase().replace("%2e", ".").contains("..")
}

#[cfg(test)]
mod tests {
    use super::*;

    const APP: &str = "https://app.example/cb";

    #[test]
    fn implicit_grant_goes_at_or_below_the_registered_path() {
        for good in [
            APP,
            "https://app.example/cb/",
            "https://app.example/cb/more?x=1&y=%2F",
            "https://app.example/cb?x=https://elsewhere.example/@",
            "HTTPS://APP.example/cb",
        ] {
            assert!(is_allowed(good, APP, Match::Below), "{good}");
        }
        for bad in [
            "",
            "https://app.example/",
            "https://app.example/cb2",
            "https://app.example/cbevil",
            "http://app.example/cb",
            "https://app.example:8443/cb",
            "https://app.example.evil.com/cb",
            "https://app.example@evil.com/cb",
            "https://evil.com/cb",
            "https://evil.com\\@app.example/cb",
            "https://app.example/cb/../evil",
            "https://app.example/cb/%2e%2e/evil",
            "https://app.example/cb/.%2E/evil",
            "https://app.example/cb/%2f",
            "https://app.example/cb/@evil",
            "https://app.example/cb#fragment",
            "https://app.example/cb\r\nset-cookie: x",
            "https://app.example/cb /",
            "//app.example/cb",
            "/cb",
            "javascript://app.example/cb",
            "https:app.example/cb",
        ] {
            assert!(!is_allowed(bad, APP, Match::Below), "{bad}");
        }
    }

    #[test]
    fn code_goes_to_the_registered_address_alone() {
        assert!(is_allowed(APP, APP, Match::Exact));
        for bad in ["https://app.example/cb/", "https://APP.example/cb", "https://app.example/cb?x"]
        {
            assert!(!is_allowed(bad, APP, Match::Exact), "{bad}");
        }
        assert!(!is_allowed(
            "javascript://x/%0aalert(1)",
            "javascript://x/%0aalert(1)",
            Match::Exact
        ));
    }

    #[test]
    fn empty_registration_allows_nothing() {
        for asked in ["", APP] {
            assert!(!is_allowed(asked, "", Match::Below));
            assert!(!is_allowed(asked, "", Match::Exact));
        }
    }

    #[test]
    fn registered_host_without_a_path_allows_all_of_it() {
        assert!(is_allowed("https://app.example/x/y", "https://app.example", Match::Below));
        assert!(is_allowed("https://app.example?x=1", "https://app.example/", Match::Below));
    }

    #[test]
    fn origin_is_scheme_host_and_port() {
        assert_eq!(origin("https://app.example:8443/cb?x"), Some("https://app.example:8443"));
        assert_eq!(origin("http://[::1]:80"), Some("http://[::1]:80"));
        assert_eq!(origin("https://a;b/"), None);
    }
}
