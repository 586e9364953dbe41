//! Log lines, on standard error: text for people, JSON for machines.
//!
//! What other people's crates say is shown from `warn` on only, so that no level ever prints a
//! header, a query or a statement.

use std::{
    io::{self, IsTerminal},
    panic,
};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::{
    Layer, filter::Targets, fmt, layer::SubscriberExt, registry, util::SubscriberInitExt,
};

use crate::config::{LogFormat, LogLevel};

/// Begins to write log lines.
pub(crate) fn start(format: LogFormat, level: LogLevel) {
    let level = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    let ours =
        Targets::new().with_default(level.min(LevelFilter::WARN)).with_target("claviger", level);
    let lines = fmt::layer().with_writer(io::stderr).with_ansi(io::stderr().is_terminal());
    let lines = match format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().flatten_event(true).with_current_span(false).boxed(),
    };
    // what it panicked with may quote what a client sent
    panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string);
        tracing::error!(place, "a bug: the work panicked");
    }));
    // a second start in one process (tests) keeps the first
    let _ = registry().with(lines.with_filter(ours)).try_init();
}
