//! What each command does. Data goes to standard output, talk to standard error.

mod config;
mod serve;

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
    pub(crate) fn refused(sentence: impl ToString) -> Self {
        Self { sentence: sentence.to_string(), code: 1 }
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
        Command::Config(command) => config::run(&command),
        Command::Serve(args) => serve::run(&args),
        _ => Err(Failure::refused("not here yet")),
    }
}
