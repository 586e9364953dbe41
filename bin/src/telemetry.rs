//! Log lines, on standard error: text for people, JSON for machines.
//!
//! What other people's crates say is shown from `warn` on only, so that no level ever prints a
//! header, a query or a statement.

use std::{
    io::{self, IsTerminal},
    panic,
};

use claviger_http::log::{Events, RequestLog};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::{
    Layer, filter::Targets, fmt, layer::SubscriberExt, registry, util::SubscriberInitExt,
};

use crate::{
    config::{LogFormat, LogLevel},
    lines::{Gathered, Lines},
    request_line::RequestLines,
};

/// Begins to write log lines.
pub(crate) fn start(format: LogFormat, level: LogLevel) {
    begin(format, level, Lines::new(io::stderr()));
}

/// The same for a server: lines of requests wait for a moment, or until what this gives goes. With
/// it comes who is told of requests.
pub(crate) fn gather(format: LogFormat, level: LogLevel) -> (Gathered, Box<dyn RequestLog>) {
    let lines = Lines::new(io::stderr());
    begin(format, level, lines.clone());
    if let Err(error) = lines.gather() {
        tracing::warn!(%error, "log lines are written one by one");
    }
    let log: Box<dyn RequestLog> = match format {
        // colours are for people who watch: they need no speed
        LogFormat::Text if !io::stderr().is_terminal() => {
            let trouble_only = matches!(level, LogLevel::Error | LogLevel::Warn);
            Box::new(RequestLines::new(lines.clone(), trouble_only))
        }
        LogFormat::Text | LogFormat::Json => Box::new(Events),
    };
    (Gathered(lines), log)
}

fn begin(format: LogFormat, level: LogLevel, lines: Lines) {
    let level = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    let ours =
        Targets::new().with_default(level.min(LevelFilter::WARN)).with_target("claviger", level);
    let lines = fmt::layer().with_writer(lines).with_ansi(io::stderr().is_terminal());
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
