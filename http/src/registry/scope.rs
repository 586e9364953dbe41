//! Scopes: what a client asks a registry token for, such as `repository:acme/api:pull,push`.
//!
//! ```text
//! repository : [HOST/]NAME : ACTION[,ACTION]…     pull, push, delete, *
//! registry   : catalog     : *
//! ```
//! NAME is one or more segments of `[A-Za-z0-9._-]+`; HOST is ours and echoed in the token. Whether
//! NAME can be the name of a repository is looked at afterwards, because that has words of its own.
//!
//! Source: `contract/quay.md` 6.2; `delete` and the catalog from `contract/registry.md`, section 3.

use claviger_domain::name::{RepoName, check_repo_path};
use claviger_service::registry::{Actions, Ask, RegistryAction, Subject};

/// Why a scope is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ScopeError {
    /// It is not a scope that we know; the whole text.
    Unknown(String),
    /// No repository can have this name.
    Name(String),
}

/// What the settings say about names.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grammar<'a> {
    /// Host and port of the public URL.
    pub host: &'a str,
    /// The namespace of a name without one.
    pub library: Option<&'a str>,
    /// Whether a name may have further slashes.
    pub nested: bool,
}

impl Grammar<'_> {
    /// Reads one scope.
    pub(super) fn read(&self, text: &str) -> Result<Ask, ScopeError> {
        let unknown = || ScopeError::Unknown(text.to_owned());
        let (kind, rest) = text.split_once(':').ok_or_else(unknown)?;
        let (asked, words) = rest.rsplit_once(':').ok_or_else(unknown)?;
        match (kind, asked, words) {
            ("registry", "catalog", "*") => Ok(Ask {
                subject: Subject::Catalog,
                name: asked.to_owned(),
                actions: [RegistryAction::All].into_iter().collect(),
            }),
            ("repository", ..) => {
                let actions = actions(words).ok_or_else(unknown)?;
                let name = self.own(asked);
                if !name.split('/').all(is_segment) {
                    return Err(unknown());
                }
                let subject = Subject::Repository(self.repository(name)?);
                Ok(Ask { subject, name: asked.to_owned(), actions })
            }
            _ => Err(unknown()),
        }
    }

    /// The name behind our own host.
    fn own<'a>(&self, asked: &'a str) -> &'a str {
        asked.strip_prefix(self.host).and_then(|rest| rest.strip_prefix('/')).unwrap_or(asked)
    }

    /// The repository; `None` when its namespace cannot exist.
    fn repository(&self, name: &str) -> Result<Option<RepoName>, ScopeError> {
        let bad = || ScopeError::Name(name.to_owned());
        let (namespace, path) = match name.split_once('/') {
            Some(parts) => parts,
            None => (self.library.ok_or_else(bad)?, name),
        };
        if check_repo_path(path).is_err() || (path.contains('/') && !self.nested) {
            return Err(bad());
        }
        let Ok(namespace) = namespace.parse() else { return Ok(None) };
        RepoName::new(&namespace, path).map(Some).map_err(|_| bad())
    }
}

fn actions(words: &str) -> Option<Actions> {
    words
        .split(',')
        .map(|word| RegistryAction::ALL.iter().copied().find(|action| action.as_str() == word))
        .collect()
}

fn is_segment(segment: &str) -> bool {
    !segment.is_empty()
        && segment.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRAMMAR: Grammar<'_> =
        Grammar { host: "keys.example.com:8443", library: Some("library"), nested: true };

    fn read(text: &str) -> Result<(String, Option<String>, Vec<&'static str>), ScopeError> {
        GRAMMAR.read(text).map(|ask| {
            let repo = match ask.subject {
                Subject::Repository(repo) => repo.map(|repo| repo.to_string()),
                Subject::Catalog => Some("(catalog)".to_owned()),
            };
            (ask.name, repo, ask.actions.words())
        })
    }

    #[test]
    fn scope_names_a_repository_and_actions_in_any_order() {
        for (text, name, repo, actions) in [
            ("repository:acme/api:pull", "acme/api", "acme/api", vec!["pull"]),
            (
                "repository:acme/a/b/c:*,pull,push",
                "acme/a/b/c",
                "acme/a/b/c",
                vec!["push", "pull", "*"],
            ),
            (
                "repository:acme/api:delete,pull,pull",
                "acme/api",
                "acme/api",
                vec!["pull", "delete"],
            ),
            ("repository:tool:pull", "tool", "library/tool", vec!["pull"]),
            (
                "repository:keys.example.com:8443/acme/api:pull",
                "keys.example.com:8443/acme/api",
                "acme/api",
                vec!["pull"],
            ),
            ("registry:catalog:*", "catalog", "(catalog)", vec!["*"]),
        ] {
            let expected = (name.to_owned(), Some(repo.to_owned()), actions);
            assert_eq!(read(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused_whole() {
        for text in [
            "",
            "garbage",
            "repository:acme/api",
            "repository:acme/api:",
            "repository:acme/api:pull,",
            "repository:acme/api:pull,administer",
            "repository::pull",
            "repository:/api:pull",
            "repository:acme//api:pull",
            "repository:acme/:pull",
            "repository:ac me/api:pull",
            "repository:acme/api:pull repository:acme/web:pull",
            "repository:other.example.com:8443/acme/api:pull",
            "repository(plugin):acme/api:pull",
            "Repository:acme/api:pull",
            "repository:acme/api:Pull",
            "registry:catalog:pull",
            "registry:other:*",
            "repository:acme/ä:pull",
        ] {
            assert_eq!(read(text), Err(ScopeError::Unknown(text.to_owned())), "{text:?}");
        }
    }

    #[test]
    fn name_that_no_repository_can_have_is_said_so() {
        let long = format!("acme/{}", "a".repeat(256));
        for name in ["acme/UPPER", "acme/_x", "acme/-x", "acme/.x", "acme/a/B", "Tool", &long] {
            let text = format!("repository:{name}:pull");
            assert_eq!(read(&text), Err(ScopeError::Name(name.to_owned())), "{name}");
        }
        let flat = Grammar { library: None, nested: false, ..GRAMMAR };
        for name in ["acme/a/b", "tool"] {
            let refused = flat.read(&format!("repository:{name}:pull")).unwrap_err();
            assert_eq!(refused, ScopeError::Name(name.to_owned()), "{name}");
        }
    }

    #[test]
    fn namespace_that_cannot_exist_is_like_one_that_does_not() {
        assert_eq!(read("repository:ACME/api:pull").unwrap().1, None);
    }
}
