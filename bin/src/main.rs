//! Claviger: the access desk for a container registry and for internal APIs.

mod cli;
mod clock;
mod commands;
mod config;
mod desk;
mod files;
mod master;
mod stop;
mod telemetry;
mod tls;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    match commands::run(cli::Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("claviger: {}", failure.sentence);
            ExitCode::from(failure.code)
        }
    }
}
