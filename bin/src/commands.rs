//! What each command does. Data goes to standard output, talk to standard error.

mod admin;
mod config;
mod doctor;
mod registry;
mod serve;

use std::io;

use tokio::runtime;

use crate::{cli::Command, config::ConfigError};

/// Why a command did not do what it should.
pub(crate) struct Failure {
    /// One clear sentence that says what to do.
    pub(crate) sentence: String,
    /// 1: refused; 2: wrong usage.
    pub(crate) code: u8,
}

impl Failure {
    /// Refused.
    pub(crate) fn refused(sentence: impl Into<String>) -> Self {
        Self { sentence: sentence.into(), code: 1 }
    }

    /// Used in a wrong way.
    fn usage(sentence: impl Into<String>) -> Self {
        Self { sentence: sentence.into(), code: 2 }
    }
}

impl From<String> for Failure {
    fn from(sentence: String) -> Self {
        Self::refused(sentence)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::refused(error.to_string())
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self { sentence: error.to_string(), code: if error.usage { 2 } else { 1 } }
    }
}

/// Runs `command`.
pub(crate) fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Serve(args) => serve::run(&args),
        Command::Admin(command) => admin::run(command),
        Command::Registry(command) => registry::run(&command),
        Command::Config(command) => config::run(&command),
        Command::Doctor(args) => doctor::run(&args),
    }
}

/// Does `work` on this thread.
fn block_on(work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}
