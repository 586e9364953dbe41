//! What a path names, and what is answered where it names nothing.
//!
//! A repository's name has one or more slashes; the route table makes it one segment. Upstream
//! writes it in ASCII before it looks for it.

use axum::extract::{FromRequestParts, Path as AxumPath};
use http::{Method, Uri, request::Parts};
use serde::{Deserialize, Deserializer, de::DeserializeOwned, de::Error as _};

use super::{ascii::to_ascii, error::QuayError};

/// The captures of a path. A path that cannot be what its template says is no path of this door.
#[derive(Debug)]
pub(crate) struct Path<T>(pub(crate) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = QuayError;

    async fn from_request_parts(head: &mut Parts, state: &S) -> Result<Self, QuayError> {
        match AxumPath::from_request_parts(head, state).await {
            Ok(AxumPath(captures)) => Ok(Self(captures)),
            Err(_) => Err(no_such_path(&head.method, &head.uri)),
        }
    }
}

/// A repository as a path names it: `namespace/name` in ASCII, every segment with something in it.
/// It need not be a valid name; then no repository has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RepoPath(String);

impl RepoPath {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn namespace(&self) -> &str {
        self.0.split('/').next().unwrap_or_default()
    }
}

impl<'de> Deserialize<'de> for RepoPath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.contains('/') && text.split('/').all(|segment| !segment.is_empty()) {
            Ok(Self(to_ascii(&text)))
        } else {
            Err(D::Error::custom("no repository"))
        }
    }
}

/// The answer where no resource is: upstream sends readers from `//` to `/` and from a path without
/// a slash at its end to the one with it, and has nothing there.
pub(crate) fn no_such_path(method: &Method, uri: &Uri) -> QuayError {
    let mut path = uri.path().replace("%2F", "/");
    let reads = matches!(*method, Method::GET | Method::HEAD);
    let doubled = path.contains("//");
    while path.contains("//") {
        path = path.replace("//", "/");
    }
    if !reads || (!doubled && path.ends_with('/')) {
        return QuayError::nothing_here();
    }
    if !doubled {
        path.push('/');
    }
    QuayError::moved(with_query(path, uri))
}

/// The answer of a list that was asked for without the slash at its end.
pub(crate) async fn to_slash(uri: Uri) -> QuayError {
    QuayError::moved(with_query(format!("{}/", uri.path().replace("%2F", "/")), &uri))
}

fn with_query(path: String, uri: &Uri) -> String {
    match uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repository(text: &str) -> Option<String> {
        serde_json::from_value::<RepoPath>(text.into()).ok().map(|path| path.0)
    }

    #[test]
    fn repository_is_known_by_its_ascii_name() {
        assert_eq!(repository("outsideorg/cöolrepo").as_deref(), Some("outsideorg/coolrepo"));
        assert_eq!(repository("a/B c/d").as_deref(), Some("a/B c/d"));
        for bad in ["", "a", "a/", "/a", "a//b"] {
            assert_eq!(repository(bad), None, "{bad}");
        }
    }

    #[test]
    fn unknown_path_is_sent_to_its_usual_form_once() {
        let answer = |method, path: &str| no_such_path(&method, &path.parse().unwrap());
        let moved = |path: &str| QuayError::moved(path.to_owned());
        assert_eq!(answer(Method::GET, "/api/v1/x?a=b"), moved("/api/v1/x/?a=b"));
        assert_eq!(answer(Method::GET, "/api/v1/a%2F%2Fb///c/"), moved("/api/v1/a/b/c/"));
        assert_eq!(answer(Method::GET, "/api/v1/x/"), QuayError::nothing_here());
        assert_eq!(answer(Method::POST, "/api/v1/x"), QuayError::nothing_here());
    }
}
