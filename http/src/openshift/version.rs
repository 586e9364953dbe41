//! Which version of the API is spoken, and whether in JSON or XML.
//!
//! Source: `contract/openshift.md` section 8.

use http::{
    HeaderMap,
    header::{ACCEPT, CONTENT_TYPE, USER_AGENT},
};

/// How an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// JSON.
    Json,
    /// XML.
    Xml,
}

impl Format {
    /// The format with this name; another name means JSON.
    pub(super) fn named(name: &str) -> Self {
        if name == "xml" { Self::Xml } else { Self::Json }
    }

    /// The format that the client accepts best. Upstream takes a browser's list, and none, for a
    /// wish for HTML, and refuses it; here it is JSON.
    pub(super) fn accepted(headers: &HeaderMap) -> Self {
        let ranges: Vec<_> = texts(headers, &[ACCEPT]).flat_map(|text| text.split(',')).collect();
        let mut best = (0.0, Self::Json);
        for range in ranges {
            let mut parts = range.split(';').map(str::trim);
            let format = match parts.next().unwrap_or_default().to_ascii_lowercase().as_str() {
                "*/*" => return Self::Json,
                "application/json" | "text/x-json" => Self::Json,
                "application/xml" | "text/xml" | "application/*" => Self::Xml,
                _ => continue,
            };
            let q = parts.find_map(|part| part.strip_prefix("q="));
            let q = q.and_then(|q| q.parse::<f64>().ok()).unwrap_or(1.0);
            if q > best.0 {
                best = (q, format);
            }
        }
        best.1
    }
}

/// A version of the API.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub(super) struct Version(pub(super) f64);

/// The version asked for is not spoken; it, as it was read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct NotSpoken(pub(super) Version);

impl Version {
    /// Those that are spoken.
    pub(super) const ALL: [Self; 8] =
        [Self(1.0), Self(1.1), Self(1.2), Self(1.3), Self(1.4), Self(1.5), Self(1.6), Self::NEWEST];
    /// The one that is spoken when none is asked for.
    pub(super) const NEWEST: Self = Self(1.7);
    /// The last one in which a deletion has an empty answer.
    pub(super) const EMPTY_DELETION: Self = Self(1.4);
    /// The first one with authorizations.
    pub(super) const AUTHORIZATIONS: Self = Self(1.2);
    /// The one of old clients that do not say which.
    const OLD_CLIENT: Self = Self(1.3);

    /// The version asked for.
    pub(super) fn asked(headers: &HeaderMap) -> Result<Self, NotSpoken> {
        let asked = texts(headers, &[ACCEPT, CONTENT_TYPE]).find_map(|text| {
            let (_, version) = text.split_once("version=")?;
            Some(Self(leading_number(version.trim_start_matches('"'))))
        });
        let old = || texts(headers, &[USER_AGENT]).any(|agent| agent.starts_with("rhc"));
        match asked {
            None => Ok(if old() { Self::OLD_CLIENT } else { Self::NEWEST }),
            Some(asked) if Self::ALL.contains(&asked) => Ok(asked),
            Some(asked) => Err(NotSpoken(asked)),
        }
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

/// The number that `text` begins with; nothing is 0.
fn leading_number(text: &str) -> f64 {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let number = text.get(..end).unwrap_or_default();
    let second_dot = number.match_indices('.').nth(1).map_or(number.len(), |(at, _)| at);
    number.get(..second_dot).and_then(|number| number.parse().ok()).unwrap_or(0.0)
}

/// Whether the client wants no links (`;nolinks` among what it accepts).
pub(super) fn wants_no_links(headers: &HeaderMap) -> bool {
    let parts = texts(headers, &[ACCEPT]).flat_map(|text| text.split([';', ',']));
    parts.into_iter().any(|part| part.trim() == "nolinks")
}

/// The values of these headers, as far as they are text.
fn texts<'a>(
    headers: &'a HeaderMap,
    names: &'a [http::HeaderName],
) -> impl Iterator<Item = &'a str> {
    let values = names.iter().flat_map(|name| headers.get_all(name));
    values.filter_map(|value| value.to_str().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn format_is_the_best_that_is_accepted() {
        let format = |accept| Format::accepted(&headers(&[("accept", accept)]));
        for json in [
            "*/*",
            "application/json",
            "application/xml;q=0.5, application/json;q=0.9",
            "application/json, text/plain, */*",
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            "text/html",
            "application/xml;q=0",
            "",
        ] {
            assert_eq!(format(json), Format::Json, "{json}");
        }
        for xml in ["application/xml", "text/xml", "application/*", "image/png, application/xml"] {
            assert_eq!(format(xml), Format::Xml, "{xml}");
        }
        assert_eq!(Format::accepted(&HeaderMap::new()), Format::Json);
    }

    #[test]
    fn version_is_asked_for_in_accept_then_in_content_type() {
        let asked = |pairs| Version::asked(&headers(pairs));
        assert_eq!(asked(&[]), Ok(Version::NEWEST));
        assert_eq!(asked(&[("accept", "application/json; version=1.2")]), Ok(Version(1.2)));
        assert_eq!(asked(&[("content-type", "application/json;version=1.5")]), Ok(Version(1.5)));
        let both = [("content-type", "a/b;version=1.5"), ("accept", "a/b;version=\"1.6\"")];
        assert_eq!(asked(&both), Ok(Version(1.6)));
        assert_eq!(asked(&[("user-agent", "rhc/1.38.4 (ruby)")]), Ok(Version(1.3)));
        let client = [("user-agent", "rhc/1.38.4"), ("accept", "application/json;version=1.7")];
        assert_eq!(asked(&client), Ok(Version(1.7)));
        for (unknown, read) in [
            ("2", "2.0"),
            ("abc", "0.0"),
            ("1.75", "1.75"),
            ("", "0.0"),
            ("1.2.3", ""),
            (".", "0.0"),
        ] {
            let accept = format!("application/json;version={unknown}").parse().unwrap();
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, accept);
            match Version::asked(&headers) {
                Err(NotSpoken(version)) => assert_eq!(version.to_string(), read, "{unknown}"),
                Ok(version) => assert_eq!((version, read), (Version(1.2), ""), "{unknown}"),
            }
        }
    }

    #[test]
    fn links_can_be_left_out() {
        let none = |accept| wants_no_links(&headers(&[("accept", accept)]));
        assert!(none("application/json; nolinks"));
        assert!(none("application/json;nolinks;version=1.7"));
        assert!(!none("application/json;nolinks=no"));
    }
}
