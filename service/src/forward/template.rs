//! The name of a repository, made of text and variables.

use claviger_domain::name::{RepoName, check_repo_path};

use super::pattern::{Pattern, Place, Variables, is_name};

/// A template such as `{repository}` or `acme/{name}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(Box<str>),
    Variable(Place),
    /// The parameter of the query.
    Parameter,
}

/// How a name is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Naming<'a> {
    /// The namespace of a name without one.
    pub(super) library: Option<&'a str>,
    /// Whether a name may have further slashes.
    pub(super) nested: bool,
}

impl Template {
    /// Reads `text` with the `variables` of the path and the `parameter` of the query.
    ///
    /// # Errors
    /// What is wrong with it, as the end of a sentence about the path.
    pub(super) fn read(
        text: &str,
        variables: &Variables<'_>,
        parameter: Option<&str>,
    ) -> Result<Self, String> {
        let form = || "whose `repository` has variables that are not `{name}`".to_owned();
        let mut parts = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let (before, found) =
                rest.split_at_checked(rest.find('{').unwrap_or(rest.len())).unwrap_or_default();
            if before.contains('}') {
                return Err(form());
            }
            if !before.is_empty() {
                parts.push(Part::Text(before.into()));
            }
            let Some(found) = found.strip_prefix('{') else { break };
            let (name, after) = found.split_once('}').ok_or_else(form)?;
            if !is_name(name) {
                return Err(form());
            }
            let known = variables.iter().find(|(known, _)| *known == name);
            parts.push(match known {
                Some((_, place)) => Part::Variable(*place),
                None if parameter == Some(name) => Part::Parameter,
                None => {
                    return Err(format!("whose `repository` uses `{name}`, which it has not"));
                }
            });
            rest = after;
        }
        let template = Self(parts);
        let example = template.fill(|_| "xx", Some("xx"));
        match check_repo_path(&example) {
            Ok(()) => Ok(template),
            Err(_) => Err("whose `repository` can be the name of none".to_owned()),
        }
    }

    /// The name that a request makes of it; `None` when no repository can have it.
    pub(super) fn name(
        &self,
        pattern: &Pattern,
        path: &str,
        parameter: Option<&str>,
        naming: Naming<'_>,
    ) -> Option<RepoName> {
        match (&*self.0, parameter) {
            // the usual ones, without a copy
            ([Part::Variable(place)], _) => naming.read(pattern.at(*place, path)),
            ([Part::Parameter], Some(parameter)) => naming.read(parameter),
            _ => naming.read(&self.fill(|place| pattern.at(place, path), parameter)),
        }
    }

    fn fill<'v>(
        &'v self,
        variable: impl Fn(Place) -> &'v str,
        parameter: Option<&'v str>,
    ) -> String {
        let text = |part: &'v Part| match part {
            Part::Text(text) => &**text,
            Part::Variable(place) => variable(*place),
            Part::Parameter => parameter.unwrap_or_default(),
        };
        self.0.iter().map(text).collect()
    }
}

impl Naming<'_> {
    fn read(self, name: &str) -> Option<RepoName> {
        let Some((_, path)) = name.split_once('/') else {
            return format!("{}/{name}", self.library?).parse().ok();
        };
        if path.contains('/') && !self.nested { None } else { name.parse().ok() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMING: Naming<'static> = Naming { library: Some("library"), nested: true };

    fn name(path: &str, template: &str, request: &str, naming: Naming<'_>) -> Option<String> {
        let (pattern, variables) = Pattern::read(path).unwrap();
        let template = Template::read(template, &variables, None).unwrap();
        assert!(pattern.fits(request), "{path} {request}");
        template.name(&pattern, request, None, naming).map(|name| name.to_string())
    }

    #[test]
    fn name_is_made_of_text_and_variables() {
        for (path, template, request, expected) in [
            ("/v2/{r*}/x", "{r}", "/v2/acme/app/x", Some("acme/app")),
            ("/v2/{r*}/x", "{r}", "/v2/acme/a/b/x", Some("acme/a/b")),
            ("/v2/{r*}/x", "{r}", "/v2/nginx/x", Some("library/nginx")),
            ("/v2/{r*}/x", "{r}", "/v2/Acme/app/x", None),
            ("/v2/{r*}/x", "{r}", "/v2/acme/app@x/x", None),
            ("/{o}/{r}", "{o}/{r}", "/acme/app", Some("acme/app")),
            ("/{o}/{r}", "{o}/svc-{r}", "/acme/app", Some("acme/svc-app")),
            ("/api/**", "acme/api", "/api/x/y", Some("acme/api")),
        ] {
            assert_eq!(name(path, template, request, NAMING).as_deref(), expected, "{request}");
        }
        let strict = Naming { library: None, nested: false };
        assert_eq!(name("/{r*}", "{r}", "/nginx", strict), None);
        assert_eq!(name("/{r*}", "{r}", "/acme/a/b", strict), None);
    }
}
