//! The numbers of `/metrics` that are not about requests: decisions, and what is remembered.

use std::sync::Arc;

use claviger_service::{
    App,
    app::Feed,
    decisions::Decisions,
    facts::{FactsUse, KindUse},
};

use crate::metrics::{Metrics, histogram, number, seconds};

/// Adds them to what `metrics` shows.
pub(crate) fn watch(app: &Arc<App>, metrics: &Metrics) {
    let app = Arc::clone(app);
    metrics.add_source(move |out| write(&app, out));
}

fn write(app: &App, out: &mut String) {
    decisions(app.decisions(), out);
    let facts = app.facts();
    cache(&facts.usage(), out);
    let help = "Evictions of remembered facts, each of all that one commit has touched.";
    let name = "claviger_cache_evictions_total";
    number(out, name, "counter", help, &[("", facts.evictions())]);
    let help = "Time to read from the store what is not remembered, for one question.";
    histogram(out, "claviger_cache_fill_duration_seconds", help, facts.fills());
    let help = "Whether remembered facts may be used: the change feed is confirmed.";
    let trusted = u64::from(facts.is_trusted());
    number(out, "claviger_cache_trusted", "gauge", help, &[("", trusted)]);
    feed(app.feed(), out);
}

fn decisions(decisions: &Decisions, out: &mut String) {
    let used = decisions.by_door().filter(|(_, allowed, denied)| allowed + denied > 0);
    let values: Vec<_> = used
        .flat_map(|(door, allowed, denied)| {
            let labels = |outcome| format!("{{door=\"{door}\",outcome=\"{outcome}\"}}");
            [(labels("allowed"), allowed), (labels("denied"), denied)]
        })
        .collect();
    let help = "Decisions by door and outcome.";
    each(out, "claviger_decisions_total", "counter", help, &values);
    let help = "Decisions that the audit should hold and does not.";
    let dropped = [("", decisions.dropped())];
    number(out, "claviger_audit_decisions_dropped_total", "counter", help, &dropped);
}

fn cache(usage: &FactsUse, out: &mut String) {
    let values = |of: fn(&KindUse) -> u64| -> Vec<(String, u64)> {
        let kinds = usage.kinds().into_iter();
        kinds.map(|(kind, usage)| (format!("{{fact=\"{kind}\"}}"), of(&usage))).collect()
    };
    let lookups: Vec<_> = usage
        .kinds()
        .into_iter()
        .flat_map(|(kind, usage)| {
            let labels = |outcome| format!("{{fact=\"{kind}\",outcome=\"{outcome}\"}}");
            [(labels("hit"), usage.hits), (labels("miss"), usage.misses)]
        })
        .collect();
    let help = "Look-ups of remembered facts by kind and outcome.";
    each(out, "claviger_cache_lookups_total", "counter", help, &lookups);
    let help = "Facts that were read from the store.";
    each(out, "claviger_cache_fills_total", "counter", help, &values(|kind| kind.read));
    let help = "Look-ups that shared the read of another.";
    each(out, "claviger_cache_joined_fills_total", "counter", help, &values(|kind| kind.joined));
    let help = "Facts remembered.";
    each(out, "claviger_cache_entries", "gauge", help, &values(|kind| kind.entries));
    let help = "Weight of the facts remembered.";
    each(out, "claviger_cache_bytes", "gauge", help, &values(|kind| kind.bytes));
}

fn feed(feed: &Feed, out: &mut String) {
    let revision = u64::try_from(feed.position().n).unwrap_or_default();
    let help = "The last change of rights that this server has applied.";
    number(out, "claviger_feed_revision", "gauge", help, &[("", revision)]);
    let help = "Time since the store confirmed that nothing is missing.";
    seconds(out, "claviger_feed_age_seconds", "gauge", help, feed.age());
    let help = "How often the store turned out not to be the one that it was.";
    number(out, "claviger_feed_rewinds_total", "counter", help, &[("", feed.rewinds())]);
}

fn each(out: &mut String, name: &str, kind: &str, help: &str, values: &[(String, u64)]) {
    let values: Vec<_> = values.iter().map(|(labels, value)| (labels.as_str(), *value)).collect();
    number(out, name, kind, help, &values);
}
