//! One span for each request, for a collector that speaks OpenTelemetry. Off unless the program is
//! told where one is.
//!
//! A span tells what the log line tells, by the names of OpenTelemetry's conventions, and nothing
//! else: route template, method, status, door. No path, query, name or secret is ever in one. It
//! belongs to the trace that the client names (`traceparent`), or begins one.
//!
//! A request puts its span into a bounded queue and goes on; where there is no room, or the
//! collector does not take what it is sent, spans are lost and counted.
//!
//! Sources: W3C Trace Context, level 1; OpenTelemetry protocol 1.x, OTLP/HTTP in JSON.
//! Not here: traces of what happens inside a request.

mod collector;
mod context;
mod message;

use std::{
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use claviger_domain::{Chance, Clock};
use http::{HeaderMap, Method};
use tokio::sync::mpsc;

pub use self::collector::{Endpoint, export};
pub(crate) use self::context::Context;

/// Spans that wait for the collector.
const ROOM: usize = 4096;

/// One request.
#[derive(Clone, Debug)]
pub struct Span {
    context: Context,
    door: &'static str,
    route: Arc<str>,
    method: &'static str,
    status: u16,
    /// The request's id, as the log has it.
    request: String,
    ended_ns: u128,
    took: Duration,
}

/// Where requests leave their spans.
pub struct Tracer {
    clock: Arc<dyn Clock>,
    chance: Arc<dyn Chance>,
    one_in: NonZeroU32,
    queue: mpsc::Sender<Span>,
    dropped: AtomicU64,
    sent: AtomicU64,
    failed: AtomicU64,
}

impl Tracer {
    /// A tracer that tells of one in so many traces that begin here (of those that the client
    /// names it tells as the client says), and the spans for [`export`].
    pub fn new(
        clock: Arc<dyn Clock>,
        chance: Arc<dyn Chance>,
        one_in: NonZeroU32,
    ) -> (Arc<Self>, mpsc::Receiver<Span>) {
        let (queue, spans) = mpsc::channel(ROOM);
        let (dropped, sent, failed) = Default::default();
        (Arc::new(Self { clock, chance, one_in, queue, dropped, sent, failed }), spans)
    }

    /// A request comes in; `None` when it is not to be told of.
    pub(crate) fn begin(&self, headers: &HeaderMap) -> Option<Context> {
        Context::of(headers, &*self.chance, self.one_in)
    }

    /// It has been answered.
    pub(crate) fn end(&self, context: Context, done: &Done<'_>) {
        let &Done { door, route, method, status, request, took } = done;
        let ended_ns = u128::try_from(self.clock.now().0).unwrap_or_default() * 1_000_000;
        let method = known(method);
        let (route, request) = (Arc::clone(route), request.to_owned());
        let span = Span { context, door, route, method, status, request, ended_ns, took };
        if self.queue.try_send(span).is_err() {
            self.dropped.fetch_add(1, Relaxed);
        }
    }

    /// How many spans the collector took, were lost because the queue was full, and were lost
    /// because the collector did not take them.
    pub(crate) fn counts(&self) -> [u64; 3] {
        [&self.sent, &self.dropped, &self.failed].map(|count| count.load(Relaxed))
    }
}

/// What is known of a request when it has been answered.
pub(crate) struct Done<'a> {
    pub(crate) door: &'static str,
    pub(crate) route: &'a Arc<str>,
    pub(crate) method: &'a Method,
    pub(crate) status: u16,
    pub(crate) request: &'a str,
    pub(crate) took: Duration,
}

/// The method, if it is one of those that the conventions know: any other is a client's own text.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        Method::CONNECT => "CONNECT",
        Method::TRACE => "TRACE",
        _ => "_OTHER",
    }
}
