//! The route table: what each door answers, and which door a request is for.
//!
//! A door lists its routes once. From this list come the router, the `Allow` headers, the labels of
//! the metrics, and the table that a test walks to see that every route refuses as it should.
//!
//! Templates: `{x}` is one segment, `{x*}` is one or more (a nested repository name). A segment that
//! a client percent-encoded (`acme%2Fapp`) is the same as one with a slash there. A template may end
//! with a verb, as in `/tokens/{id}:rotate`.

use std::{collections::BTreeMap, convert::Infallible, pin::Pin, sync::Arc};

use axum::{
    Router,
    extract::Request,
    handler::Handler,
    middleware::from_fn_with_state,
    response::Response,
    routing::{MethodFilter, MethodRouter},
};
use http::{Method, Uri, request::Parts};
use tower::ServiceExt as _;

use crate::porch::{Entry, Porch, enter};

/// How a door words what the porch refuses in its name.
pub trait Face: Send + Sync + 'static {
    /// There is nothing at this path.
    fn no_such_path(&self, head: &Parts) -> Response;
    /// The path knows the methods `allow` only.
    fn no_such_method(&self, head: &Parts, allow: &[Method]) -> Response;
    /// The body is larger than `http.body_limit`.
    fn too_large(&self) -> Response;
    /// A bug; say nothing about it.
    fn internal(&self) -> Response;
    /// What the door does to every answer, these included, on its way out.
    fn finish(&self, response: Response) -> Response {
        response
    }
    /// Whether `X-Request-ID` of a request is that of its answer, as the door's contract wants it.
    /// Logs and the audit name the request as we do.
    fn echoes_request_id(&self) -> bool {
        false
    }
}

/// One line of the table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RouteLine {
    /// The door, such as `quay`.
    pub door: &'static str,
    /// The template as the door wrote it.
    pub template: &'static str,
    /// The method.
    pub method: &'static str,
}

/// What a door answers, while it is being listed.
pub struct Routes<S> {
    door: &'static str,
    prefixes: &'static [&'static str],
    lines: Vec<RouteLine>,
    paths: BTreeMap<&'static str, Path<S>>,
}

/// All methods of one template.
struct Path<S> {
    methods: Vec<Method>,
    router: MethodRouter<S>,
}

impl<S: Clone + Send + Sync + 'static> Routes<S> {
    /// An empty list of the door that answers below `prefixes`, such as `/api/v1`.
    pub fn new(door: &'static str, prefixes: &'static [&'static str]) -> Self {
        Self { door, prefixes, lines: Vec::new(), paths: BTreeMap::new() }
    }

    /// `GET` (and with it `HEAD`) of `template`.
    #[must_use]
    pub fn get<H: Handler<T, S>, T: 'static>(self, template: &'static str, handler: H) -> Self {
        self.on(Method::GET, MethodFilter::GET, template, handler)
    }

    /// `POST` to `template`.
    #[must_use]
    pub fn post<H: Handler<T, S>, T: 'static>(self, template: &'static str, handler: H) -> Self {
        self.on(Method::POST, MethodFilter::POST, template, handler)
    }

    /// `PUT` of `template`.
    #[must_use]
    pub fn put<H: Handler<T, S>, T: 'static>(self, template: &'static str, handler: H) -> Self {
        self.on(Method::PUT, MethodFilter::PUT, template, handler)
    }

    /// `PATCH` of `template`.
    #[must_use]
    pub fn patch<H: Handler<T, S>, T: 'static>(self, template: &'static str, handler: H) -> Self {
        self.on(Method::PATCH, MethodFilter::PATCH, template, handler)
    }

    /// `DELETE` of `template`.
    #[must_use]
    pub fn delete<H: Handler<T, S>, T: 'static>(self, template: &'static str, handler: H) -> Self {
        self.on(Method::DELETE, MethodFilter::DELETE, template, handler)
    }

    fn on<H: Handler<T, S>, T: 'static>(
        mut self,
        method: Method,
        filter: MethodFilter,
        template: &'static str,
        handler: H,
    ) -> Self {
        self.lines.push(RouteLine { door: self.door, template, method: word(&method) });
        let path = self
            .paths
            .remove(template)
            .unwrap_or_else(|| Path { methods: Vec::new(), router: MethodRouter::new() });
        let mut methods = path.methods;
        let reads = method == Method::GET;
        methods.push(method);
        if reads {
            methods.push(Method::HEAD);
        }
        self.paths.insert(template, Path { methods, router: path.router.on(filter, handler) });
        self
    }

    /// Adds the routes of another list of the same door.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.lines.extend(other.lines);
        for (template, more) in other.paths {
            let path = match self.paths.remove(template) {
                None => more,
                Some(mut path) => {
                    path.methods.extend(more.methods);
                    Path { methods: path.methods, router: path.router.merge(more.router) }
                }
            };
            self.paths.insert(template, path);
        }
        self
    }

    /// Each route so far, in the order in which it was listed.
    pub fn lines(&self) -> &[RouteLine] {
        &self.lines
    }

    /// The finished door, with its state and its words.
    pub fn open(self, porch: &Arc<Porch>, state: S, face: impl Face) -> Door {
        self.open_behind(porch, state, face, |router| router)
    }

    /// The same, with `guard` put around every route and around what the door says where there is
    /// none: for a door that looks at credentials before it looks for a route.
    pub fn open_behind(
        self,
        porch: &Arc<Porch>,
        state: S,
        face: impl Face,
        guard: impl FnOnce(Router) -> Router,
    ) -> Door {
        let face: Arc<dyn Face> = Arc::new(face);
        // a verb begins with a colon
        let mut router = Router::new().without_v07_checks();
        let nested = self
            .paths
            .iter()
            .filter_map(|(template, path)| Nested::new(template, &path.methods))
            .collect();
        let verbs = self.paths.keys().filter_map(|template| Verb::new(template)).collect();
        for (template, path) in self.paths {
            let (words, allow) = (Arc::clone(&face), path.methods);
            let refuse = move |request: Request| async move {
                words.no_such_method(&request.into_parts().0, &allow)
            };
            router = router.route(&for_router(template), path.router.fallback(refuse));
        }
        let words = Arc::clone(&face);
        let router = router
            .fallback(
                move |request: Request| async move { words.no_such_path(&request.into_parts().0) },
            )
            .with_state(state);
        let router = guard(router);
        let entry = Entry::new(Arc::clone(porch), self.door, face, &self.lines);
        let router = router.layer(from_fn_with_state(Arc::new(entry), enter));
        let inside = Inside::Router(Paths { nested, verbs, prepare: |_| {}, router });
        Door { prefixes: self.prefixes, lines: self.lines, inside }
    }
}

/// The words of the methods that [`Routes`] knows.
fn word(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        _ => "DELETE",
    }
}

/// A template as the router takes it, which has neither nested names nor verbs.
pub(crate) fn for_router(template: &str) -> String {
    template.replace("*}", "}").replace("}:", "}/:")
}

/// A template that ends with a verb, such as `/tokens/{id}:rotate`. For the router the verb is a
/// segment of its own, `/tokens/{id}/:rotate`; no path that a client sends gets there otherwise.
struct Verb {
    segments: Vec<&'static str>,
    /// With its colon.
    word: &'static str,
}

impl Verb {
    fn new(template: &'static str) -> Option<Self> {
        let at = template.find("}:")? + 1;
        let (before, word) = template.split_at_checked(at)?;
        Some(Self { segments: before.split('/').collect(), word })
    }

    /// The path with the verb as a segment of its own, when it has the form of the template.
    fn fit(&self, path: &str) -> Option<String> {
        let before = path.strip_suffix(self.word)?;
        let segments: Vec<_> = before.split('/').collect();
        let fits = segments.len() == self.segments.len() && same_form(&self.segments, &segments);
        fits.then(|| format!("{before}/{}", self.word))
    }
}

/// A template with a `{x*}`: its methods, what stands before the name, and how what stands behind
/// it looks.
struct Nested {
    methods: Vec<Method>,
    before: Vec<&'static str>,
    after: Vec<&'static str>,
}

impl Nested {
    fn new(template: &'static str, methods: &[Method]) -> Option<Self> {
        let segments: Vec<_> = template.split('/').collect();
        let at = segments.iter().position(|segment| segment.ends_with("*}"))?;
        let (before, rest) = segments.split_at(at);
        let after = rest.get(1..)?.to_vec();
        Some(Self { methods: methods.to_vec(), before: before.to_vec(), after })
    }

    /// The path with the slashes of the nested name encoded, when it has the form of the template.
    fn fit(&self, path: &[&str]) -> Option<String> {
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

/// What is done with every request of a door that looks at the path itself.
pub(crate) type Work = Box<dyn Fn(Request) -> Coming + Send + Sync>;
/// An answer that comes.
pub(crate) type Coming = Pin<Box<dyn Future<Output = Response> + Send>>;

/// A door that is open: it answers requests below its prefixes.
pub struct Door {
    prefixes: &'static [&'static str],
    lines: Vec<RouteLine>,
    inside: Inside,
}

enum Inside {
    Router(Paths),
    Work(Work),
}

impl Door {
    /// A door whose `templates` take any method, and which finds its way without a router.
    pub(crate) fn direct(
        porch: &Arc<Porch>,
        door: &'static str,
        prefixes: &'static [&'static str],
        templates: &[&'static str],
        face: impl Face,
        work: impl FnOnce(Entry) -> Work,
    ) -> Self {
        let line = |template: &&'static str| RouteLine { door, template, method: "ANY" };
        let lines: Vec<_> = templates.iter().map(line).collect();
        let entry = Entry::new(Arc::clone(porch), door, Arc::new(face), &lines);
        Self { prefixes, lines, inside: Inside::Work(work(entry)) }
    }

    /// The same, with something done to each request before its route is looked for.
    #[must_use]
    pub fn prepared(mut self, prepare: fn(&mut Request)) -> Self {
        if let Inside::Router(paths) = &mut self.inside {
            paths.prepare = prepare;
        }
        self
    }

    /// Whether `path` lies below one of its prefixes.
    fn answers(&self, path: &str) -> bool {
        self.prefixes.iter().any(|prefix| {
            path.strip_prefix(prefix)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || *prefix == "/")
        })
    }

    async fn answer(&self, request: Request) -> Response {
        match &self.inside {
            Inside::Router(paths) => paths.answer(request).await,
            Inside::Work(work) => work(request).await,
        }
    }
}

/// The routes of a door, and what is done to a path until the router knows it.
struct Paths {
    nested: Vec<Nested>,
    verbs: Vec<Verb>,
    prepare: fn(&mut Request),
    router: Router,
}

impl Paths {
    async fn answer(&self, mut request: Request) -> Response {
        (self.prepare)(&mut request);
        if let Some(uri) = self.for_router(request.method(), request.uri()) {
            *request.uri_mut() = uri;
        }
        match self.router.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => {
                let never: Infallible = never;
                match never {}
            }
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

/// All doors behind one address.
pub struct Site {
    doors: Vec<Door>,
}

impl Site {
    /// The doors, the one for everything else (prefix `/`) last.
    pub fn new(doors: Vec<Door>) -> Self {
        Self { doors }
    }

    /// Every route of every door.
    pub fn lines(&self) -> impl Iterator<Item = &RouteLine> {
        self.doors.iter().flat_map(|door| &door.lines)
    }

    /// Answers one request.
    pub async fn answer(&self, request: Request) -> Response {
        let door = self.doors.iter().find(|door| door.answers(request.uri().path()));
        match door.or(self.doors.last()) {
            Some(door) => door.answer(request).await,
            None => Response::new(axum::body::Body::empty()),
        }
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
