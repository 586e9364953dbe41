//! Paths of repositories. A repository's name may have any number of slashes, plain or
//! percent-encoded, and stands in the middle of the path; routes want one segment. So before the
//! router sees such a path, [`rewrite`] makes the name one segment:
//!
//! ```text
//! /api/v1/repository/acme/team/app/permissions/user/ann
//! /api/v1/repository/acme%2Fteam%2Fapp/permissions/user/ann
//! ```
//! What follows the name is the longest route that takes the method; a path that no route takes is
//! a longer name, as upstream has it: `GET …/acme/app/permissions` asks for the repository
//! `acme/app/permissions`.

use std::{convert::Infallible, str::FromStr};

use http::{Method, Request, Uri, uri::PathAndQuery};
use percent_encoding::percent_decode_str;

use super::ascii::to_ascii;

const REPOSITORY: &str = "/api/v1/repository/";

/// What can follow a repository's name. `_` is one segment of any text.
const TAILS: [(&[&str], &[Method]); 7] = [
    (&["permissions", "user", "_", "transitive"], &[Method::GET]),
    (&["permissions", "user", "_"], &[Method::GET, Method::PUT, Method::DELETE]),
    (&["permissions", "team", "_"], &[Method::GET, Method::PUT, Method::DELETE]),
    (&["permissions", "user"], &[Method::GET]),
    (&["permissions", "team"], &[Method::GET]),
    (&["changevisibility"], &[Method::POST]),
    (&["changestate"], &[Method::PUT]),
];

/// What a repository itself takes.
const ITSELF: [Method; 3] = [Method::GET, Method::PUT, Method::DELETE];

/// The request, with the name of a repository in its path as one segment.
pub(crate) fn rewrite<B>(mut request: Request<B>) -> Request<B> {
    if let Some(path) = rewritten(request.method(), request.uri().path()) {
        let path = match request.uri().query() {
            Some(query) => format!("{path}?{query}"),
            None => path,
        };
        let mut parts = request.uri().clone().into_parts();
        if let Ok(path) = PathAndQuery::try_from(path) {
            parts.path_and_query = Some(path);
            if let Ok(uri) = Uri::from_parts(parts) {
                *request.uri_mut() = uri;
            }
        }
    }
    request
}

fn rewritten(method: &Method, path: &str) -> Option<String> {
    let rest = path.strip_prefix(REPOSITORY)?;
    let rest = rest.replace("%2F", "/").replace("%2f", "/");
    // a slash at the end belongs to the route: the two lists have one, and nothing else has
    let (rest, slash) = match rest.strip_suffix('/') {
        Some(rest) => (rest, "/"),
        None => (rest.as_str(), ""),
    };
    let segments: Vec<&str> = rest.split('/').collect();
    if segments.iter().any(|segment| segment.is_empty()) {
        return None;
    }
    let tail = TAILS
        .iter()
        .find(|(tail, methods)| {
            ends_with(&segments, tail)
                && (methods.contains(as_get(method)) || !ITSELF.contains(as_get(method)))
        })
        .map_or(0, |(tail, _)| tail.len());
    let (name, tail) = segments.split_at(segments.len().checked_sub(tail)?);
    if name.len() < 2 {
        return None;
    }
    let mut path = format!("{REPOSITORY}{}", name.join("%2F"));
    for segment in tail {
        path.push('/');
        path.push_str(segment);
    }
    path.push_str(slash);
    Some(path)
}

fn as_get(method: &Method) -> &Method {
    if method == Method::HEAD { &Method::GET } else { method }
}

/// Whether `segments` end with `tail` after a name of at least two segments.
fn ends_with(segments: &[&str], tail: &[&str]) -> bool {
    segments.len() >= tail.len() + 2
        && tail.iter().rev().zip(segments.iter().rev()).all(|(want, have)| {
            *want == "_" || percent_decode_str(have).decode_utf8().is_ok_and(|have| have == *want)
        })
}

/// A repository as a path names it, in ASCII. The text may be no valid name: then no repository
/// has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RepoPath(String);

impl RepoPath {
    /// `namespace/name`.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands before the first slash.
    pub(crate) fn namespace(&self) -> &str {
        self.0.split('/').next().unwrap_or_default()
    }
}

impl FromStr for RepoPath {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(to_ascii(text)))
    }
}

impl<'de> serde::Deserialize<'de> for RepoPath {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Ok(Self(to_ascii(&text)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(method: Method, path: &str) -> String {
        let request = Request::builder().method(method).uri(path).body(()).unwrap();
        rewrite(request).uri().to_string()
    }

    #[test]
    fn name_of_a_repository_becomes_one_segment() {
        let get = |from: &str| path(Method::GET, &format!("/api/v1/repository/{from}"));
        let table = [
            ("a/b", "a%2Fb"),
            ("a/b/c?x=1/2", "a%2Fb%2Fc?x=1/2"),
            ("a%2Fb/permissions/team/t", "a%2Fb/permissions/team/t"),
            ("a/b%2fc/permissions/user/", "a%2Fb%2Fc/permissions/user/"),
            ("a/b/permissions/user", "a%2Fb/permissions/user"),
            ("a/b/permissions/user/u", "a%2Fb/permissions/user/u"),
            ("a/b/permissions/user/u/", "a%2Fb/permissions/user/u/"),
            ("a/b/c/permissions/user/o+r/transitive", "a%2Fb%2Fc/permissions/user/o+r/transitive"),
            ("a/b/permissions", "a%2Fb%2Fpermissions"),
            ("a/b/permissions/team/t/transitive", "a%2Fb%2Fpermissions%2Fteam%2Ft%2Ftransitive"),
            ("a/permissions/user/u", "a%2Fpermissions%2Fuser%2Fu"),
            ("a/b/changevisibility", "a%2Fb%2Fchangevisibility"),
        ];
        for (from, to) in table {
            assert_eq!(get(from), format!("/api/v1/repository/{to}"), "{from}");
        }
    }

    #[test]
    fn what_no_route_can_take_stays_as_it_is() {
        for path_and_query in [
            "/api/v1/repository",
            "/api/v1/repository/a",
            "/api/v1/repository/a//b",
            "/api/v1/user/",
        ] {
            assert_eq!(path(Method::GET, path_and_query), path_and_query);
        }
        let list = "/api/v1/repository/a/permissions/user/";
        assert_eq!(path(Method::GET, list), "/api/v1/repository/a%2Fpermissions%2Fuser/");
    }

    #[test]
    fn method_chooses_among_routes() {
        let at = |method, tail: &str| path(method, &format!("/api/v1/repository/a/b/{tail}"));
        let repository = "/api/v1/repository/a%2Fb";
        assert_eq!(at(Method::POST, "changevisibility"), format!("{repository}/changevisibility"));
        assert_eq!(at(Method::PUT, "changestate"), format!("{repository}/changestate"));
        assert_eq!(at(Method::DELETE, "changestate"), format!("{repository}%2Fchangestate"));
        assert_eq!(
            at(Method::PATCH, "permissions/user/u"),
            format!("{repository}/permissions/user/u")
        );
        assert_eq!(
            at(Method::PUT, "permissions/user/u/transitive"),
            format!("{repository}%2Fpermissions%2Fuser%2Fu%2Ftransitive")
        );
    }

    #[test]
    fn repository_is_known_by_its_ascii_name() {
        let path: RepoPath = "outsideorg/cöolrepo".parse().unwrap();
        assert_eq!((path.as_str(), path.namespace()), ("outsideorg/coolrepo", "outsideorg"));
    }
}
