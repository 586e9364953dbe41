//! `[[forward.route]]`: what a proxy's sub-request needs.

use std::str::FromStr;

use claviger_domain::role::Action;
use claviger_service::settings::{ForwardNeeds, ForwardRoute};
use serde::Deserialize;

use super::value::{Given, Value};

/// One `[[forward.route]]` as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RouteToml {
    path: String,
    #[serde(default)]
    methods: Vec<String>,
    repository: Option<String>,
    action: Option<String>,
    #[serde(default)]
    authenticated: bool,
    #[serde(default)]
    public: bool,
}

impl Value for Vec<ForwardRoute> {
    fn set(&mut self, given: Given) -> Result<(), String> {
        let Given::Toml(value) = given else {
            return Err("can be set in the file only".to_owned());
        };
        let routes: Vec<RouteToml> = value.try_into().map_err(|e: toml::de::Error| {
            format!("must be routes: {}", e.message().lines().next().unwrap_or_default())
        })?;
        *self = routes.into_iter().map(parse_route).collect::<Result<_, _>>()?;
        Ok(())
    }

    fn show(&self) -> String {
        "[]".to_owned()
    }
}

fn parse_route(route: RouteToml) -> Result<ForwardRoute, String> {
    let RouteToml { path, methods, repository, action, authenticated, public } = route;
    let wrong = |problem: &str| format!("has the path `{path}`, {problem}");
    if !path.starts_with('/') {
        return Err(wrong("which does not begin with `/`"));
    }
    let variables = variables(&path).ok_or_else(|| wrong("whose variables are not `{name}`"))?;
    if methods.iter().any(|m| m.is_empty() || !m.bytes().all(|b| b.is_ascii_uppercase())) {
        return Err(wrong("whose `methods` are not methods in capital letters"));
    }
    let needs = match (repository, action, authenticated, public) {
        (None, None, false, true) => ForwardNeeds::Public,
        (None, None, true, false) => ForwardNeeds::Authenticated,
        (Some(name), Some(action), false, false) => {
            if methods.is_empty() {
                return Err(wrong("whose `action` needs `methods` beside it"));
            }
            let used = self::variables(&name)
                .ok_or_else(|| wrong("whose `repository` has variables that are not `{name}`"))?;
            if used.iter().any(|name| !variables.contains(name)) {
                return Err(wrong("whose `repository` uses a variable that the path has not"));
            }
            let action = Action::from_str(&action)
                .map_err(|_| wrong("whose `action` is not pull, push, delete or administer"))?;
            ForwardNeeds::Repository { name, action }
        }
        _ => {
            return Err(wrong(
                "which needs `repository` with `action`, or `authenticated`, or `public`",
            ));
        }
    };
    Ok(ForwardRoute { path, methods, needs })
}

/// The names in `{name}` and `{name*}`, each once; none when the braces are wrong.
fn variables(template: &str) -> Option<Vec<&str>> {
    let mut names = Vec::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}')?;
        let name = name.strip_suffix('*').unwrap_or(name);
        let plain = !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        if before.contains('}') || !plain || names.contains(&name) {
            return None;
        }
        names.push(name);
        rest = after;
    }
    (!rest.contains('}')).then_some(names)
}
