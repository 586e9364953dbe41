//! The route table: what each door answers, and which door a request is for.
//!
//! A door lists its routes once. From this list come the router, the `Allow` headers, the labels of
//! the metrics, and the table that a test walks to see that every route refuses as it should.
//!
//! Templates: `{x}` is one segment, `{x*}` is one or more (a nested repository name). A segment that
//! a client percent-encoded (`acme%2Fapp`) is the same as one with a slash there.

use std::{collections::BTreeMap, convert::Infallible, sync::Arc};

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
        let face: Arc<dyn Face> = Arc::new(face);
        let mut router = Router::new();
        let nested = self
            .paths
            .iter()
            .filter_map(|(template, path)| Nested::new(template, &path.methods))
            .collect();
        for (template, path) in self.paths {
            let (words, allow) = (Arc::clone(&face), path.methods);
            let refuse = move |request: Request| async move {
                words.no_such_method(&request.into_parts().0, &allow)
            };
            router = router.route(&template.replace("*}", "}"), path.router.fallback(refuse));
        }
        let words = Arc::clone(&face);
        let router = router
            .fallback(
                move |request: Request| async move { words.no_such_path(&request.into_parts().0) },
            )
            .with_state(state);
        let entry = Entry::new(Arc::clone(porch), self.door, face, &self.lines);
        let router = router.layer(from_fn_with_state(Arc::new(entry), enter));
        Door { prefixes: self.prefixes, lines: self.lines, nested, prepare: |_| {}, router }
    }
}

/// The words of the methods that [`Routes`] knows.
fn word(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        _ => "DELETE",
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

/// A door that is open: it answers requests below its prefixes.
pub struct Door {
    prefixes: &'static [&'static str],
    lines: Vec<RouteLine>,
    nested: Vec<Nested>,
    prepare: fn(&mut Request),
    router: Router,
}

impl Door {
    /// The same, with something done to each request before its route is looked for.
    #[must_use]
    pub fn prepared(self, prepare: fn(&mut Request)) -> Self {
        Self { prepare, ..self }
    }

    /// Whether `path` lies below one of its prefixes.
    fn answers(&self, path: &str) -> bool {
        self.prefixes.iter().any(|prefix| {
            path.strip_prefix(prefix)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || *prefix == "/")
        })
    }

    /// Encodes the slashes of a nested name, so that it is one segment for the router. Of the
    /// templates that know the method (or else of all) the one with the most segments behind the
    /// name wins.
    fn one_segment_a_name(&self, method: &Method, uri: &Uri) -> Option<Uri> {
        let segments: Vec<_> = uri.path().split('/').collect();
        let path = self
            .nested
            .iter()
            .filter_map(|nested| {
                let rank = (nested.methods.contains(method), nested.after.len());
                Some((rank, nested.fit(&segments)?))
            })
            .max_by_key(|(rank, _)| *rank)?
            .1;
        let path = match uri.query() {
            Some(query) => format!("{path}?{query}"),
            None => path,
        };
        path.parse().ok()
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
    pub async fn answer(&self, mut request: Request) -> Response {
        let door = self.doors.iter().find(|door| door.answers(request.uri().path()));
        let Some(door) = door.or(self.doors.last()) else {
            return Response::new(axum::body::Body::empty());
        };
        (door.prepare)(&mut request);
        if let Some(uri) = door.one_segment_a_name(request.method(), request.uri()) {
            *request.uri_mut() = uri;
        }
        match door.router.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => {
                let never: Infallible = never;
                match never {}
            }
        }
    }
}
