//! From a request to what is done with it, within one door.
//!
//! A path without variables is found in a table, method by method; every other one is brought into
//! the form that the router knows and left to it. Both lead through the porch.

use std::{collections::HashMap, convert::Infallible, sync::Arc};

use axum::{Router, extract::Request, response::Response};
use http::{Method, Uri};
use tower::ServiceExt as _;

use super::Coming;
use crate::{
    Visit,
    origin::Peer,
    porch::{Counted, Entry},
};

/// What is done with a request of one method for a path without variables.
pub(super) type Work = Box<dyn Fn(Visit, Request) -> Coming + Send + Sync>;

/// The paths without variables.
#[derive(Default)]
pub(super) struct Shortcuts(HashMap<&'static str, Vec<(Method, Counted, Work)>>);

impl Shortcuts {
    fn add(&mut self, template: &'static str, way: (Method, Counted, Work)) {
        self.0.entry(template).or_default().push(way);
    }

    fn find(&self, request: &Request) -> Option<(&Counted, &Work)> {
        let ways = self.0.get(request.uri().path())?;
        let way = ways.iter().find(|(method, ..)| method == request.method());
        way.map(|(_, route, work)| (route, work))
    }
}

/// A template as the router takes it, which has neither nested names nor verbs.
pub(crate) fn for_router(template: &str) -> String {
    template.replace("*}", "}").replace("}:", "}/:")
}

/// A template that ends with a verb, such as `/tokens/{id}:rotate`. For the router the verb is a
/// segment of its own, `/tokens/{id}/:rotate`; no path that a client sends gets there otherwise.
pub(super) struct Verb {
    segments: Vec<&'static str>,
    /// With its colon.
    word: &'static str,
}

impl Verb {
    pub(super) fn new(template: &'static str) -> Option<Self> {
        let at = template.find("}:")? + 1;
        let (before, word) = template.split_at_checked(at)?;
        Some(Self { segments: before.split('/').collect(), word })
    }

    /// The path with the verb as a segment of its own, when it has the form of the template.
    pub(super) fn fit(&self, path: &str) -> Option<String> {
        let before = path.strip_suffix(self.word)?;
        let segments: Vec<_> = before.split('/').collect();
        let fits = segments.len() == self.segments.len() && same_form(&self.segments, &segments);
        fits.then(|| format!("{before}/{}", self.word))
    }
}

/// A template with a `{x*}`: its methods, what stands before the name, and how what stands behind
/// it looks.
pub(super) struct Nested {
    methods: Vec<Method>,
    before: Vec<&'static str>,
    after: Vec<&'static str>,
}

impl Nested {
    pub(super) fn new(template: &'static str, methods: &[Method]) -> Option<Self> {
        let segments: Vec<_> = template.split('/').collect();
        let at = segments.iter().position(|segment| segment.ends_with("*}"))?;
        let (before, rest) = segments.split_at(at);
        let after = rest.get(1..)?.to_vec();
        Some(Self { methods: methods.to_vec(), before: before.to_vec(), after })
    }

    /// The path with the slashes of the nested name encoded, when it has the form of the template.
    pub(super) fn fit(&self, path: &[&str]) -> Option<String> {
        let name_ends = path.len().checked_sub(self.after.len())?;
        let (head, after) = path.split_at(name_ends);
        let (before, name) = head.split_at_checked(self.before.len())?;
        let good = name.last().is_some_and(|last| !last.is_empty())
            && before == self.before
            && same_form(&self.after, after);
        good.then(|| {
            let name = name.join("%2F");
            let segments: Vec<_> = [before, &[name.as_str()], after].concat();
            segments.join("/")
        })
    }
}

/// Whether each segment is equal or the template has a `{x}` there.
fn same_form(template: &[&str], path: &[&str]) -> bool {
    template
        .iter()
        .zip(path)
        .all(|(form, segment)| form == segment || (form.starts_with('{') && !segment.is_empty()))
}

/// The routes of a door, and what is done to a path until the router knows it.
pub(super) struct Paths {
    pub(super) entry: Arc<Entry>,
    pub(super) shortcuts: Shortcuts,
    pub(super) nested: Vec<Nested>,
    pub(super) verbs: Vec<Verb>,
    pub(super) prepare: fn(&mut Request),
    pub(super) router: Router,
}

impl Paths {
    pub(super) async fn answer(&self, peer: Option<Peer>, mut request: Request) -> Response {
        (self.prepare)(&mut request);
        if let Some((route, work)) = self.shortcuts.find(&request) {
            return self.entry.pass(route, peer, request, work).await;
        }
        if let Some(peer) = peer {
            request.extensions_mut().insert(peer);
        }
        if let Some(uri) = self.for_router(request.method(), request.uri()) {
            *request.uri_mut() = uri;
        }
        // in a box, so that connections need not have room for it
        match Box::pin(self.router.clone().oneshot(request)).await {
            Ok(response) => response,
            Err(never) => {
                let never: Infallible = never;
                match never {}
            }
        }
    }

    /// Adds a path without variables, unless a template with variables fits it, too.
    pub(super) fn shorten(&mut self, template: &'static str, method: Method, work: Work) {
        let fits = self.one_segment_a_name(&method, template).is_some();
        if !fits && self.verb(template).is_none() {
            let route = self.entry.route(Some(template)).clone();
            self.shortcuts.add(template, (method, route, work));
        }
    }

    /// The path as the router wants it; `None` where it is that already.
    fn for_router(&self, method: &Method, uri: &Uri) -> Option<Uri> {
        let path = self.one_segment_a_name(method, uri.path()).or_else(|| self.verb(uri.path()))?;
        let path = match uri.query() {
            Some(query) => format!("{path}?{query}"),
            None => path,
        };
        path.parse().ok()
    }

    /// Sets a verb apart. One that the client has set apart itself is none.
    fn verb(&self, path: &str) -> Option<String> {
        if self.verbs.is_empty() {
            return None;
        }
        let apart = path.contains("/:").then(|| path.replace("/:", "/%3A"));
        apart.or_else(|| self.verbs.iter().find_map(|verb| verb.fit(path)))
    }

    /// Encodes the slashes of a nested name, so that it is one segment for the router. Of the
    /// templates that know the method (or else of all) the one with the most segments behind the
    /// name wins.
    fn one_segment_a_name(&self, method: &Method, path: &str) -> Option<String> {
        let segments: Vec<_> = path.split('/').collect();
        self.nested
            .iter()
            .filter_map(|nested| {
                let rank = (nested.methods.contains(method), nested.after.len());
                Some((rank, nested.fit(&segments)?))
            })
            .max_by_key(|(rank, _)| *rank)
            .map(|(_, path)| path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verb_is_told_from_an_id_by_its_template_alone() {
        let verb = Verb::new("/v1/tokens/{id}:rotate").unwrap();
        assert_eq!(verb.fit("/v1/tokens/x:rotate").as_deref(), Some("/v1/tokens/x/:rotate"));
        assert_eq!(verb.fit("/v1/tokens/x:y:rotate").as_deref(), Some("/v1/tokens/x:y/:rotate"));
        for other in [
            "/v1/tokens/x",
            "/v1/tokens/x%3Arotate",
            "/v1/tokens/:rotate",
            "/v1/tokens:rotate",
            "/v1/tokens/x/y:rotate",
            "/v2/tokens/x:rotate",
            "/v1/tokens/x:rotated",
        ] {
            assert_eq!(verb.fit(other), None, "{other}");
        }
        assert!(Verb::new("/v1/tokens:revoke").is_none());
    }
}
