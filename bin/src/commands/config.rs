//! `config check` and `config example`.

use crate::{cli::ConfigCommand, commands::Failure, config::Config};

pub(super) fn run(command: &ConfigCommand) -> Result<(), Failure> {
    match command {
        ConfigCommand::Check(args) => {
            Config::load(args.store.config.as_deref(), args.flags())?.check_exposure()?;
            eprintln!("the configuration is good");
        }
        ConfigCommand::Example => print!("{}", Config::example()),
    }
    Ok(())
}
