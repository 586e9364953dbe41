//! Counts the statements that the store runs, from what it tells at the level `trace`. It counts
//! those of the whole process: only a test that runs alone in its own, as nextest runs them, can say
//! whose they were.

use std::{
    fmt::Debug,
    sync::atomic::{AtomicU64, Ordering},
};

use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    level_filters::LevelFilter,
    span::{Attributes, Id, Record},
};

static RUN: AtomicU64 = AtomicU64::new(0);

/// Begins to count.
pub fn count_from_now_on() {
    tracing::subscriber::set_global_default(Counter).expect("nobody else listens in this process");
}

/// How many statements were run so far, those of the change feed, which is asked all the time, left
/// out.
pub fn so_far() -> u64 {
    RUN.load(Ordering::Relaxed)
}

struct Counter;

impl Subscriber for Counter {
    fn enabled(&self, about: &Metadata<'_>) -> bool {
        about.target() == "claviger_store::sql"
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::from_level(Level::TRACE))
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        event.record(&mut Statement);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

struct Statement;

impl Visit for Statement {
    fn record_str(&mut self, _: &Field, sql: &str) {
        if !["revision", "FROM change", "replica"].iter().any(|word| sql.contains(word)) {
            RUN.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn Debug) {}
}
