//! The route table: what each door answers, and which door a request is for.
//!
//! A door lists its routes once. From this list come the router, the `Allow` headers, the labels of
//! the metrics, and the table that a test walks to see that every route refuses as it should.
//!
//! Templates: `{x}` is one segment, `{x*}` is one or more (a nested repository name). A segment that
//! a client percent-encoded (`acme%2Fapp`) is the same as one with a slash there. A template may end
//! with a verb, as in `/tokens/{id}:rotate`.

mod paths;

use std::{collections::BTreeMap, convert::Infallible, future::ready, pin::Pin, sync::Arc};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    handler::Handler,
    middleware::from_fn_with_state,
    response::{IntoResponse, Response},
    routing::{MethodFilter, MethodRouter},
};
use futures_util::{FutureExt as _, future::Either};
use http::{Method, request::Parts};

pub(crate) use self::paths::for_router;
use self::paths::{Nested, Paths, Shortcuts, Verb};
use crate::{
    Visit,
    forward::Forward,
    origin::Peer,
    porch::{Entry, Porch, enter},
};

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
    handlers: Vec<(Method, &'static str, Handling<S>)>,
}

/// All methods of one template.
struct Path<S> {
    methods: Vec<Method>,
    router: MethodRouter<S>,
}

/// A handler, whatever it takes.
type Handling<S> = Box<dyn Fn(S, Visit, Request) -> Coming + Send + Sync>;

impl<S: Clone + Send + Sync + 'static> Routes<S> {
    /// An empty list of the door that answers below `prefixes`, such as `/api/v1`.
    pub fn new(door: &'static str, prefixes: &'static [&'static str]) -> Self {
        Self { door, prefixes, lines: Vec::new(), paths: BTreeMap::new(), handlers: Vec::new() }
    }

    /// `GET` (and with it `HEAD`) of `template`.
    #[must_use]
    pub fn get<H: Handler<T, S>, T: 'static>(self, template: &'static str, handler: H) -> Self {
        self.on(Method::GET, template, handler)
    }

    /// `POST` to `template`.
    #[must_use]
    pub fn post<H: Handler<T, S>, T: 'static>(self, template: &'static str, handler: H) -> Self {
        self.on(Method::POST, template, handler)
    }

    /// `PUT` of `template`.
    #[must_use]
    pub fn put<H: Handler<T, S>, T: 'static>(self, template: &'static str, handler: H) -> Self {
        self.on(Method::PUT, template, handler)
    }

    /// `PATCH` of `template`.
    #[must_use]
    pub fn patch<H: Handler<T, S>, T: 'static>(self, template: &'static str, handler: H) -> Self {
        self.on(Method::PATCH, template, handler)
    }

    /// `DELETE` of `template`.
    #[must_use]
    pub fn delete<H: Handler<T, S>, T: 'static>(self, template: &'static str, handler: H) -> Self {
        self.on(Method::DELETE, template, handler)
    }

    /// `template`, which has no variables and is asked for all the time. Its handler is given the
    /// visit; others look for it in the request, and to put it there takes three allocations.
    #[must_use]
    pub(crate) fn directly<H, F>(self, method: Method, template: &'static str, handler: H) -> Self
    where
        H: Fn(S, Visit, Request) -> F + Clone + Send + Sync + 'static,
        F: Future<Output: IntoResponse> + Send + 'static,
    {
        let work = handler.clone();
        let handling: Handling<S> = Box::new(move |state, visit, request| {
            Box::pin(work(state, visit, request).map(IntoResponse::into_response))
        });
        let routed = move |State(state): State<S>, visit, request| handler(state, visit, request);
        self.list(method, template, routed, handling)
    }

    fn on<H: Handler<T, S>, T: 'static>(
        self,
        method: Method,
        template: &'static str,
        handler: H,
    ) -> Self {
        let work = handler.clone();
        let handling: Handling<S> = Box::new(move |state, visit, mut request| {
            request.extensions_mut().insert(visit);
            Box::pin(work.clone().call(request, state))
        });
        self.list(method, template, handler, handling)
    }

    /// Lists a route. `handling` is what `handler` is, for a path without variables.
    fn list<H: Handler<T, S>, T: 'static>(
        mut self,
        method: Method,
        template: &'static str,
        handler: H,
        handling: Handling<S>,
    ) -> Self {
        let (word, filter) = known(&method);
        self.lines.push(RouteLine { door: self.door, template, method: word });
        if !template.contains('{') {
            self.handlers.push((method.clone(), template, handling));
        }
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
        self.handlers.extend(other.handlers);
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
    pub fn open(mut self, porch: &Arc<Porch>, state: S, face: impl Face) -> Door {
        let handlers = std::mem::take(&mut self.handlers);
        let given = state.clone();
        let mut door = self.open_behind(porch, state, face, |router| router);
        if let Inside::Router(paths) = &mut door.inside {
            for (method, template, handling) in handlers {
                let state = given.clone();
                let work = Box::new(move |visit, request| handling(state.clone(), visit, request));
                paths.shorten(template, method, work);
            }
        }
        door
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
        let entry = Arc::new(Entry::new(Arc::clone(porch), self.door, face, &self.lines));
        let router = router.layer(from_fn_with_state(Arc::clone(&entry), enter));
        let shortcuts = Shortcuts::default();
        let paths = Paths { entry, shortcuts, nested, verbs, prepare: |_| {}, router };
        Door { prefixes: self.prefixes, lines: self.lines, inside: Inside::Router(paths) }
    }
}

/// The methods that [`Routes`] knows, as the table and as the router name them.
fn known(method: &Method) -> (&'static str, MethodFilter) {
    match *method {
        Method::GET => ("GET", MethodFilter::GET),
        Method::POST => ("POST", MethodFilter::POST),
        Method::PUT => ("PUT", MethodFilter::PUT),
        Method::PATCH => ("PATCH", MethodFilter::PATCH),
        _ => ("DELETE", MethodFilter::DELETE),
    }
}

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
    /// The one door that finds its way without a router.
    Forward(Box<Forward>),
}

impl Door {
    /// The door of proxies. Its `templates` take any method.
    pub(crate) fn forward(
        porch: &Arc<Porch>,
        prefixes: &'static [&'static str],
        templates: &[&'static str],
        face: impl Face,
        forward: impl FnOnce(Entry) -> Forward,
    ) -> Self {
        let door = "forward";
        let line = |template: &&'static str| RouteLine { door, template, method: "ANY" };
        let lines: Vec<_> = templates.iter().map(line).collect();
        let entry = Entry::new(Arc::clone(porch), door, Arc::new(face), &lines);
        Self { prefixes, lines, inside: Inside::Forward(Box::new(forward(entry))) }
    }

    /// The same, with something done to each request before its route is looked for.
    #[must_use]
    pub fn prepared(mut self, prepare: fn(&mut Request)) -> Self {
        if let Inside::Router(paths) = &mut self.inside {
            paths.prepare = prepare;
        }
        self
    }
}

/// Whether `path` is `prefix` or lies below it.
fn lies_below(path: &str, prefix: &str) -> bool {
    // most are told apart by their first letter
    let first = |text: &str| text.as_bytes().get(1).copied();
    prefix == "/"
        || first(path) == first(prefix)
            && path
                .strip_prefix(prefix)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// All doors behind one address.
pub struct Site {
    doors: Vec<Door>,
    /// The prefixes of all doors one behind the other, each with the place of its door.
    prefixes: Vec<(&'static str, usize)>,
}

impl Site {
    /// The doors, the one for everything else (prefix `/`) last.
    pub fn new(doors: Vec<Door>) -> Self {
        let at = doors.iter().enumerate();
        let prefixes = at.flat_map(|(at, door)| door.prefixes.iter().map(move |one| (*one, at)));
        Self { prefixes: prefixes.collect(), doors }
    }

    /// Every route of every door.
    pub fn lines(&self) -> impl Iterator<Item = &RouteLine> {
        self.doors.iter().flat_map(|door| &door.lines)
    }

    /// Answers one request of `peer`.
    pub async fn answer(&self, peer: Option<Peer>, request: Request) -> Response {
        match self.serve(peer, request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }

    /// The same for a server, in one future: each one around another would hold the request once
    /// more, for as long as its connection is open, and be copied with it.
    pub(crate) fn serve(
        &self,
        peer: Option<Peer>,
        request: Request,
    ) -> impl Future<Output = Result<Response, Infallible>> + Send {
        let path = request.uri().path();
        let place = self.prefixes.iter().find(|(prefix, _)| lies_below(path, prefix));
        let door = place.and_then(|(_, at)| self.doors.get(*at)).or(self.doors.last());
        let inside = door.map(|door| &door.inside);
        match inside {
            Some(Inside::Router(paths)) => Either::Left(paths.answer(peer, request)),
            Some(Inside::Forward(forward)) => {
                Either::Right(Either::Left(forward.enter(peer, request)))
            }
            None => Either::Right(Either::Right(ready(Response::new(Body::empty())))),
        }
        .map(Ok)
    }
}
