//! The numbers of `/metrics` that are not about requests: decisions, and what is remembered.

use std::sync::Arc;

use claviger_service::App;

use crate::metrics::{Metrics, number};

/// Adds them to what `metrics` shows.
pub(crate) fn watch(app: &Arc<App>, metrics: &Metrics) {
    let app = Arc::clone(app);
    metrics.add_source(move |out| write(&app, out));
}

fn write(app: &App, out: &mut String) {
    let decisions = app.decisions();
    number(
        out,
        "claviger_decisions_total",
        "counter",
        "Decisions by outcome.",
        &[
            ("{outcome=\"allowed\"}", decisions.allowed()),
            ("{outcome=\"denied\"}", decisions.denied()),
        ],
    );
    let help = "Decisions that the audit should hold and does not.";
    let dropped = [("", decisions.dropped())];
    number(out, "claviger_audit_decisions_dropped_total", "counter", help, &dropped);
    let facts = app.facts();
    let usage = facts.usage();
    let lookups = [
        ("{outcome=\"hit\"}", usage.sum(|kind| kind.hits)),
        ("{outcome=\"miss\"}", usage.sum(|kind| kind.misses)),
    ];
    let help = "Look-ups of remembered facts by outcome.";
    number(out, "claviger_cache_lookups_total", "counter", help, &lookups);
    let help = "Facts remembered.";
    let entries = [("", usage.sum(|kind| kind.entries))];
    number(out, "claviger_cache_entries", "gauge", help, &entries);
    let help = "Weight of the facts remembered.";
    number(out, "claviger_cache_bytes", "gauge", help, &[("", usage.sum(|kind| kind.bytes))]);
    let help = "Whether remembered facts may be used: the change feed is confirmed.";
    let trusted = u64::from(facts.is_trusted());
    number(out, "claviger_cache_trusted", "gauge", help, &[("", trusted)]);
}
