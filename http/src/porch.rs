//! What every request passes before its door, and every answer on its way out.

use std::{
    collections::HashMap,
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
    time::Instant,
};

use axum::{
    body::Body,
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::Response,
};
use claviger_domain::{id::RequestId, time::Chance};
use claviger_service::decisions::CountedDoor;
use http::{
    HeaderMap, HeaderValue,
    header::{CONTENT_LENGTH, EXPECT},
};
use hyper::body::Body as _;
use ipnet::IpNet;

use crate::{
    Visit, client_ip,
    headers::{REQUEST_ID, complete},
    limit::Limited,
    log::{Cause, Line},
    metrics::{Metrics, RouteStats},
    origin::Peer,
    routes::{Face, RouteLine, for_router},
};

/// What the porch needs to know.
pub struct Porch {
    /// `http.body_limit`, in bytes.
    pub body_limit: usize,
    /// `http.trusted_proxies`.
    pub trusted_proxies: Vec<IpNet>,
    /// Where request ids come from.
    pub chance: Arc<dyn Chance>,
    /// Where requests are counted.
    pub metrics: Arc<Metrics>,
}

/// The porch as one door has it.
pub(crate) struct Entry {
    porch: Arc<Porch>,
    door: &'static str,
    counted: CountedDoor,
    face: Arc<dyn Face>,
    routes: HashMap<Box<str>, Counted>,
    no_route: Counted,
}

impl Entry {
    pub(crate) fn new(
        porch: Arc<Porch>,
        door: &'static str,
        face: Arc<dyn Face>,
        lines: &[RouteLine],
    ) -> Self {
        let named = |route: &str| (route.into(), porch.metrics.route(door, route));
        let routes = lines
            .iter()
            .flat_map(|line| {
                let route = named(line.template);
                let router = for_router(line.template).into();
                [(line.template.into(), route.clone()), (router, route)]
            })
            .collect();
        let no_route = named("");
        let counted = CountedDoor::of(door);
        Self { porch, door, counted, face, routes, no_route }
    }
}

/// A route as it is logged and counted.
pub(crate) type Counted = (Arc<str>, Arc<RouteStats>);

/// The middleware of every door that is a router.
pub(crate) async fn enter(
    State(entry): State<Arc<Entry>>,
    request: Request,
    next: Next,
) -> Response {
    let known = request.extensions().get::<MatchedPath>();
    let route = entry.route(known.map(MatchedPath::as_str));
    let peer = request.extensions().get::<Peer>().copied();
    let work = |visit, mut request: Request| {
        request.extensions_mut().insert(visit);
        next.run(request)
    };
    entry.pass(route, peer, request, work).await
}

impl Entry {
    /// The route of this template, as the router or the door writes it; or none.
    pub(crate) fn route(&self, template: Option<&str>) -> &Counted {
        template.and_then(|template| self.routes.get(template)).unwrap_or(&self.no_route)
    }

    /// Lets a request of `peer` in, to what is done with it, and its answer out.
    pub(crate) async fn pass<F: Future<Output = Response>>(
        &self,
        (route, stats): &Counted,
        peer: Option<Peer>,
        request: Request,
        work: impl FnOnce(Visit, Request) -> F,
    ) -> Response {
        let (entry, porch) = (self, &*self.porch);
        let address = peer.map(|peer| {
            client_ip::client_address(peer.0.ip(), request.headers(), &porch.trusted_proxies)
        });
        let visit = Visit::new(entry.door, RequestId::random(&*porch.chance), peer, address);
        let tracer = porch.metrics.tracer();
        let mut line = Line {
            visit: visit.clone(),
            door: entry.door,
            method: request.method().clone(),
            route,
            stats,
            metrics: &porch.metrics,
            started: Instant::now(),
            traced: tracer.and_then(|tracer| tracer.begin(request.headers())),
            ended: None,
        };
        let echoed = entry.face.echoes_request_id();
        let given = echoed.then(|| request.headers().get(REQUEST_ID).cloned()).flatten();

        let too_large = announced(request.headers()).is_some_and(|size| size > porch.body_limit);
        let request = limited(request, porch.body_limit);
        let response = if too_large {
            drop(request);
            entry.face.too_large()
        } else {
            caught(entry.counted, pin!(work(visit.clone(), request))).await.unwrap_or_else(
                |cause| {
                    let mut response = entry.face.internal();
                    response.extensions_mut().insert(cause);
                    response
                },
            )
        };

        let mut response = entry.face.finish(response);
        let ours = || HeaderValue::from_bytes(visit.request_id().text().as_bytes()).ok();
        complete(response.headers_mut(), given.or_else(ours));
        line.ended = Some((response.status(), response.extensions().get::<Cause>().cloned()));
        response
    }
}

/// The request with the limits of its body, if it has one.
fn limited(request: Request, limit: usize) -> Request {
    if request.body().is_end_stream() {
        return request;
    }
    let waits = request.headers().contains_key(EXPECT);
    request.map(|body| Body::new(Limited::new(body, limit, waits)))
}

/// The size of the body that the client announces.
fn announced(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The outcome of `work`, which is done for `door`, or that it panicked. What it panicked with is
/// left to the panic hook.
fn caught<T>(
    door: CountedDoor,
    mut work: Pin<&mut impl Future<Output = T>>,
) -> impl Future<Output = Result<T, Cause>> {
    poll_fn(move |cx| {
        let poll = || door.through(|| work.as_mut().poll(cx));
        match catch_unwind(AssertUnwindSafe(poll)) {
            Ok(poll) => poll.map(Ok),
            Err(_) => Poll::Ready(Err(Cause::word("panic"))),
        }
    })
}
