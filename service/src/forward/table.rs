//! The ordered route table: what a request needs, by its method and path.

use claviger_domain::role::Action;
use serde::Deserialize;

use super::{
    pattern::{Pattern, Variables},
    template::Template,
};

/// One `[[forward.route]]` as it is written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouteSpec {
    /// `{x}`: one segment, `{x*}`: one or more, `**`: any number.
    pub path: String,
    /// The methods that it is for; none: all.
    #[serde(default)]
    pub methods: Vec<String>,
    /// The repository that it is about, such as `{repository}`.
    pub repository: Option<String>,
    /// What is done to the repository.
    pub action: Option<String>,
    /// Any live token will do.
    #[serde(default)]
    pub authenticated: bool,
    /// Everybody may.
    #[serde(default)]
    pub public: bool,
    /// What parameters of the query need beside that.
    #[serde(default)]
    pub query: Vec<QuerySpec>,
    /// How somebody without a good credential is asked for one: `bearer` or `basic`.
    pub challenge: Option<String>,
}

/// What a parameter of the query needs, if it is there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuerySpec {
    /// Its name; in the templates it is a variable.
    pub name: String,
    /// The repository that it is about, such as `{from}`.
    pub repository: String,
    /// What is done to that.
    pub action: String,
}

/// The routes, in their order. The first that fits a request counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table(Vec<Route>);

/// One route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Route {
    /// The path as it was written.
    pub(super) template: Box<str>,
    pub(super) pattern: Pattern,
    methods: Methods,
    pub(super) needs: Needs,
    pub(super) query: Vec<QueryCheck>,
    pub(super) challenge: Challenge,
}

/// What a route needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Needs {
    Nothing,
    /// Any live token.
    Token,
    Right(Right),
}

/// A right on the repository that the template makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Right {
    pub(super) repository: Template,
    pub(super) action: Action,
}

/// A right that a parameter of the query needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct QueryCheck {
    pub(super) name: Box<str>,
    pub(super) right: Right,
}

/// How somebody without a good credential is asked for one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Challenge {
    /// With `Bearer`, as scripts and APIs expect.
    #[default]
    Bearer,
    /// With `Basic`: browsers and clients of registries then send user name and token.
    Basic,
}

/// The methods that there are; others are refused.
const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/// A set of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Methods(u8);

impl Methods {
    const NONE: Self = Self(0);
    const ALL: Self = Self(0x7f);

    /// The set of the one method `name`; `None` when there is no such method.
    pub(super) fn one(name: &[u8]) -> Option<Self> {
        METHODS.iter().position(|known| known.as_bytes() == name).map(|at| Self(1 << at))
    }

    fn all() -> impl Iterator<Item = Self> {
        (0..METHODS.len()).map(|at| Self(1 << at))
    }

    const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

impl Table {
    /// The table of these routes.
    ///
    /// # Errors
    /// What is wrong with one of them, as the end of a sentence about `forward.route`; so also for
    /// a route that can never match.
    pub fn new(specs: &[RouteSpec]) -> Result<Self, String> {
        let mut table = Self::default();
        for spec in specs {
            let route = Route::read(spec)
                .map_err(|problem| format!("has the path `{}`, {problem}", spec.path))?;
            let fits_first = |method: Methods| {
                let earlier = |known: &&Route| {
                    known.methods.meets(method) && known.pattern.covers(&route.pattern)
                };
                table.0.iter().find(earlier)
            };
            let methods: Vec<_> = Methods::all().filter(|one| one.meets(route.methods)).collect();
            if let Some(earlier) = methods.iter().copied().find_map(fits_first)
                && methods.iter().all(|method| fits_first(*method).is_some())
            {
                return Err(format!(
                    "has the path `{}`, which can never match: `{}` stands before it",
                    spec.path, earlier.template
                ));
            }
            table.0.push(route);
        }
        Ok(table)
    }

    /// These routes, and behind them those of `other`.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Whether there is no route, and so everything is refused.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The first route that fits.
    pub(super) fn find(&self, method: Methods, path: &str) -> Option<&Route> {
        self.0.iter().find(|route| route.methods.meets(method) && route.pattern.fits(path))
    }
}

impl Route {
    fn read(spec: &RouteSpec) -> Result<Self, String> {
        let (pattern, variables) = Pattern::read(&spec.path)?;
        let mut methods = Methods::NONE;
        for name in &spec.methods {
            let one = Methods::one(name.as_bytes()).ok_or_else(|| {
                format!("whose method `{name}` is none of {}", METHODS.join(", "))
            })?;
            methods.0 |= one.0;
        }
        if spec.methods.is_empty() {
            methods = Methods::ALL;
        }
        let needs = match (&spec.repository, &spec.action, spec.authenticated, spec.public) {
            (None, None, false, true) => Needs::Nothing,
            (None, None, true, false) => Needs::Token,
            (Some(_), Some(_), false, false) if spec.methods.is_empty() => {
                return Err("whose `action` needs `methods` beside it".to_owned());
            }
            (Some(repository), Some(action), false, false) => {
                Needs::Right(Right::read(repository, action, &variables, None)?)
            }
            _ => {
                return Err(
                    "which needs `repository` with `action`, or `authenticated`, or `public`"
                        .to_owned(),
                );
            }
        };
        if needs == Needs::Nothing && !spec.query.is_empty() {
            return Err("which is `public` and cannot have `query`".to_owned());
        }
        let mut query: Vec<QueryCheck> = Vec::with_capacity(spec.query.len());
        for QuerySpec { name, repository, action } in &spec.query {
            let taken = query.iter().any(|known| *known.name == **name)
                || variables.iter().any(|(known, _)| known == name);
            if taken || !super::pattern::is_name(name) {
                return Err(format!("whose `query` has the name `{name}`, which it cannot have"));
            }
            let right = Right::read(repository, action, &variables, Some(name))?;
            query.push(QueryCheck { name: name.as_str().into(), right });
        }
        let challenge = match spec.challenge.as_deref() {
            None | Some("bearer") => Challenge::Bearer,
            Some("basic") => Challenge::Basic,
            Some(_) => return Err("whose `challenge` is not bearer or basic".to_owned()),
        };
        let template = spec.path.as_str().into();
        Ok(Self { template, pattern, methods, needs, query, challenge })
    }
}

impl Right {
    fn read(
        repository: &str,
        action: &str,
        variables: &Variables<'_>,
        parameter: Option<&str>,
    ) -> Result<Self, String> {
        let repository = Template::read(repository, variables, parameter)?;
        let action = action
            .parse()
            .map_err(|_| "whose `action` is not pull, push, delete or administer".to_owned())?;
        Ok(Self { repository, action })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(path: &str, methods: &[&str]) -> RouteSpec {
        let methods = methods.iter().map(|&method| method.to_owned()).collect();
        RouteSpec { path: path.to_owned(), methods, public: true, ..RouteSpec::default() }
    }

    fn found(table: &Table, method: &str, path: &str) -> Option<String> {
        let route = table.find(Methods::one(method.as_bytes())?, path)?;
        Some(route.template.to_string())
    }

    #[test]
    fn first_route_that_fits_counts() {
        let table = Table::new(&[
            spec("/a/x", &["GET"]),
            spec("/a/{x}", &["GET", "POST"]),
            spec("/a/**", &[]),
        ])
        .unwrap();
        for (method, path, route) in [
            ("GET", "/a/x", Some("/a/x")),
            ("POST", "/a/x", Some("/a/{x}")),
            ("HEAD", "/a/x", Some("/a/**")),
            ("GET", "/a/y/z", Some("/a/**")),
            ("GET", "/b", None),
            ("BREW", "/a/x", None),
            ("get", "/a/x", None),
            ("TRACE", "/a/x", None),
        ] {
            assert_eq!(found(&table, method, path).as_deref(), route, "{method} {path}");
        }
        assert_eq!(found(&Table::default(), "GET", "/"), None);
    }

    #[test]
    fn route_that_can_never_match_is_refused() {
        for (first, second) in [
            (spec("/**", &[]), spec("/a", &[])),
            (spec("/a", &["GET", "HEAD"]), spec("/a", &["GET"])),
            (spec("/a/{x*}", &[]), spec("/a/{y}/b", &["PUT"])),
        ] {
            let problem = Table::new(&[first.clone(), second.clone()]).unwrap_err();
            assert!(problem.contains("can never match"), "{problem}");
            assert!(Table::new(&[second, first]).is_ok());
        }
        let both = [spec("/a", &["GET"]), spec("/{x}", &["PUT"]), spec("/a", &["GET", "PUT"])];
        assert!(Table::new(&both).is_err(), "each method has a route before it");
        assert!(Table::new(&both[1..]).is_ok());
    }

    #[test]
    fn route_says_what_it_needs_in_one_way() {
        let right = |repository: &str, action: &str| RouteSpec {
            path: "/{a}/{b*}".to_owned(),
            methods: vec!["GET".to_owned()],
            repository: Some(repository.to_owned()),
            action: Some(action.to_owned()),
            ..RouteSpec::default()
        };
        let query = |name: &str, repository: &str| RouteSpec {
            query: vec![QuerySpec {
                name: name.to_owned(),
                repository: repository.to_owned(),
                action: "pull".to_owned(),
            }],
            ..right("{b}", "push")
        };
        for good in [
            right("{b}", "pull"),
            right("{a}/{b}", "push"),
            right("acme/x-{a}", "delete"),
            right("{a}", "administer"),
            query("from", "{from}"),
            query("from", "{a}/{from}"),
        ] {
            assert!(Table::new(std::slice::from_ref(&good)).is_ok(), "{good:?}");
        }
        for bad in [
            right("{c}", "pull"),
            right("{b*}", "pull"),
            right("{b", "pull"),
            right("b}", "pull"),
            right("", "pull"),
            right("ACME/{b}", "pull"),
            right("{a}//{b}", "pull"),
            right("{b}", "look"),
            right("{from}", "pull"),
            query("from", "{other}"),
            query("a", "{a}"),
            query("From", "{From}"),
            query("", "{a}"),
            RouteSpec { methods: vec![], ..right("{b}", "pull") },
            RouteSpec { methods: vec!["get".to_owned()], ..right("{b}", "pull") },
            RouteSpec { methods: vec!["BREW".to_owned()], ..right("{b}", "pull") },
            RouteSpec { action: None, ..right("{b}", "pull") },
            RouteSpec { repository: None, ..right("{b}", "pull") },
            RouteSpec { public: true, ..right("{b}", "pull") },
            RouteSpec { authenticated: true, ..spec("/a", &[]) },
            RouteSpec { public: false, ..spec("/a", &[]) },
            RouteSpec { challenge: Some("digest".to_owned()), ..spec("/a", &[]) },
            RouteSpec { query: query("x", "{x}").query, ..spec("/a", &[]) },
        ] {
            assert!(Table::new(std::slice::from_ref(&bad)).is_err(), "{bad:?}");
        }
    }
}
