//! Claviger: the access desk for a container registry and for internal APIs.

mod cli;
mod clock;
mod commands;
mod config;
mod desk;
mod files;
mod lines;
mod master;
mod request_line;
mod stop;
mod telemetry;
mod tls;

use std::process::ExitCode;

use clap::Parser;
use rustix::process::{Resource, Rlimit, setrlimit};

fn main() -> ExitCode {
    refuse_core_dumps();
    match commands::run(cli::Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("claviger: {}", failure.sentence);
            ExitCode::from(failure.code)
        }
    }
}

/// A core dump would hold every key and secret in memory.
fn refuse_core_dumps() {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    // nothing is allowed more than before, so the system has no reason to refuse
    let _ = setrlimit(Resource::Core, none);
}
