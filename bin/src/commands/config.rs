//! `config check` and `config example`.

use crate::{cli::ConfigCommand, commands::Failure, config::Config};

pub(super) fn run(command: &ConfigCommand) -> Result<(), Failure> {
    match command {
        ConfigCommand::Check(args) => {
            let mut config = Config::load(args.store.config.as_deref(), args.flags())?;
            config.check_exposure()?;
            let origin = config.usual_public_url();
            config.complete(&origin)?;
            eprintln!("the configuration is good");
        }
        ConfigCommand::Example => print!("{}", Config::example()),
    }
    Ok(())
}
