//! The built program, met as its users meet it: exit codes, what it prints and where, what it
//! leaves behind.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod admin;
mod cli;
mod configuration;
mod front;
mod harness;
mod start;
