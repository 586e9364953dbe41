//! `/metrics`: counters in Prometheus' text format.
//!
//! Labels are bounded: doors and route templates come from the route table, statuses are classes.
//! Recording is a few atomic additions; nothing is locked on the way of a request.

use std::{
    fmt::Write as _,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use claviger_service::histogram::{Histogram, Seen};

use crate::{
    log::{Events, RequestLog},
    trace::Tracer,
};

const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// What was counted for one route.
#[derive(Default)]
pub struct RouteStats {
    classes: [AtomicU64; CLASSES.len()],
    took: Histogram,
}

impl RouteStats {
    /// Counts one answer.
    pub(crate) fn record(&self, status: u16, took: Duration) {
        let class = usize::from(status / 100).saturating_sub(1);
        if let Some(class) = self.classes.get(class) {
            class.fetch_add(1, Relaxed);
        }
        self.took.record(took);
    }

    fn is_used(&self) -> bool {
        self.classes.iter().any(|class| class.load(Relaxed) > 0)
    }
}

struct Route {
    labels: String,
    stats: Arc<RouteStats>,
}

/// Numbers of another part of the program, appended as text.
type Source = Box<dyn Fn(&mut String) + Send + Sync>;

/// Everything that is counted, and who else is told of each request.
pub struct Metrics {
    routes: Mutex<Vec<Route>>,
    sources: Mutex<Vec<Source>>,
    connections: AtomicU64,
    log: Box<dyn RequestLog>,
    tracer: Option<Arc<Tracer>>,
}

impl Default for Metrics {
    /// Requests are logged as everything else is, and not traced.
    fn default() -> Self {
        Self::new(Box::new(Events), None)
    }
}

impl Metrics {
    /// Metrics of requests that `log` and `tracer` are told of, too.
    pub fn new(log: Box<dyn RequestLog>, tracer: Option<Arc<Tracer>>) -> Self {
        let (routes, sources, connections) = Default::default();
        Self { routes, sources, connections, log, tracer }
    }

    /// Who writes a line of each request.
    pub(crate) fn log(&self) -> &dyn RequestLog {
        &*self.log
    }

    /// Who makes a span of each request.
    pub(crate) fn tracer(&self) -> Option<&Arc<Tracer>> {
        self.tracer.as_ref()
    }

    /// Adds what `source` writes, in the same format, to each answer.
    pub fn add_source(&self, source: impl Fn(&mut String) + Send + Sync + 'static) {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(source));
    }

    /// The counters of one route; called once, when a door opens.
    pub(crate) fn route(&self, door: &'static str, template: &str) -> Arc<RouteStats> {
        let labels = format!("door=\"{door}\",route=\"{template}\"");
        let mut routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = routes.iter().find(|route| route.labels == labels) {
            return Arc::clone(&known.stats);
        }
        let stats = Arc::<RouteStats>::default();
        routes.push(Route { labels, stats: Arc::clone(&stats) });
        stats
    }

    /// How many connections are open.
    pub(crate) fn connections(&self) -> &AtomicU64 {
        &self.connections
    }

    /// All numbers as text. Routes that nobody asked for are left out.
    pub fn text(&self) -> String {
        let mut text = String::new();
        self.write(&mut text);
        text
    }

    fn write(&self, out: &mut String) {
        let routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner);
        let used = || routes.iter().filter(|route| route.stats.is_used());
        head(out, "claviger_http_requests_total", "counter", "Answers by door, route and class.");
        for Route { labels, stats } in used() {
            for (class, count) in CLASSES.iter().zip(&stats.classes) {
                let count = count.load(Relaxed);
                if count > 0 {
                    line(
                        out,
                        format_args!(
                            "claviger_http_requests_total{{{labels},status=\"{class}\"}} {count}"
                        ),
                    );
                }
            }
        }
        let name = "claviger_http_request_duration_seconds";
        head(out, name, "histogram", "Time from the head of a request to its answer.");
        for Route { labels, stats } in used() {
            samples(out, name, labels, &stats.took);
        }
        let open = [("", self.connections.load(Relaxed))];
        number(out, "claviger_http_connections", "gauge", "Open connections.", &open);
        if let Some(tracer) = &self.tracer {
            let [sent, dropped, failed] = tracer.counts();
            let name = "claviger_trace_spans_total";
            let help = "Spans that the collector took, that had no room, that it did not take.";
            let each = [
                ("{outcome=\"sent\"}", sent),
                ("{outcome=\"dropped\"}", dropped),
                ("{outcome=\"failed\"}", failed),
            ];
            number(out, name, "counter", help, &each);
        }
        for source in &*self.sources.lock().unwrap_or_else(PoisonError::into_inner) {
            source(out);
        }
    }
}

/// A metric with a value for each set of labels.
pub(crate) fn number(out: &mut String, name: &str, kind: &str, help: &str, values: &[(&str, u64)]) {
    head(out, name, kind, help);
    for (labels, value) in values {
        line(out, format_args!("{name}{labels} {value}"));
    }
}

/// A metric of time.
pub(crate) fn seconds(out: &mut String, name: &str, kind: &str, help: &str, value: Duration) {
    head(out, name, kind, help);
    line(out, format_args!("{name} {}.{:06}", value.as_secs(), value.subsec_micros()));
}

/// A histogram that has no labels.
pub(crate) fn histogram(out: &mut String, name: &str, help: &str, histogram: &Histogram) {
    head(out, name, "histogram", help);
    samples(out, name, "", histogram);
}

fn samples(out: &mut String, name: &str, labels: &str, histogram: &Histogram) {
    let Seen { at_most, count, sum } = histogram.seen();
    let comma = if labels.is_empty() { "" } else { "," };
    for (bound, count) in at_most {
        line(out, format_args!("{name}_bucket{{{labels}{comma}le=\"{bound}\"}} {count}"));
    }
    line(out, format_args!("{name}_bucket{{{labels}{comma}le=\"+Inf\"}} {count}"));
    let of = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
    let (whole, rest) = (sum.as_secs(), sum.subsec_micros());
    line(out, format_args!("{name}_sum{of} {whole}.{rest:06}"));
    line(out, format_args!("{name}_count{of} {count}"));
}

/// The two lines that introduce a metric.
fn head(out: &mut String, name: &str, kind: &str, help: &str) {
    line(out, format_args!("# HELP {name} {help}\n# TYPE {name} {kind}"));
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    let _ = writeln!(out, "{text}"); // writing to a string cannot fail
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_counted_by_class_and_time() {
        let metrics = Metrics::default();
        let stats = metrics.route("quay", "/api/v1/user/");
        metrics.route("quay", "/never/asked");
        stats.record(200, Duration::from_micros(300));
        stats.record(404, Duration::from_millis(20));
        stats.record(499, Duration::from_secs(9));
        let text = metrics.text();
        let labels = "door=\"quay\",route=\"/api/v1/user/\"";
        for line in [
            format!("claviger_http_requests_total{{{labels},status=\"2xx\"}} 1"),
            format!("claviger_http_requests_total{{{labels},status=\"4xx\"}} 2"),
            format!("claviger_http_request_duration_seconds_bucket{{{labels},le=\"0.00025\"}} 0"),
            format!("claviger_http_request_duration_seconds_bucket{{{labels},le=\"0.0005\"}} 1"),
            format!("claviger_http_request_duration_seconds_bucket{{{labels},le=\"5\"}} 2"),
            format!("claviger_http_request_duration_seconds_bucket{{{labels},le=\"+Inf\"}} 3"),
            format!("claviger_http_request_duration_seconds_sum{{{labels}}} 9.020300"),
            format!("claviger_http_request_duration_seconds_count{{{labels}}} 3"),
        ] {
            assert!(text.lines().any(|l| l == line), "{line}\n{text}");
        }
        assert!(!text.contains("/never/asked"));
    }
}
