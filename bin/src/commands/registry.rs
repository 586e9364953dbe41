//! `registry cert` and `registry config`: what a registry needs to trust this server.

use claviger_store::Target;

use crate::{
    cli::{RegistryCommand, RegistryKind},
    commands::{Failure, block_on},
    config::{Config, REGISTRY_ROUTES},
    desk,
};

pub(super) fn run(command: &RegistryCommand) -> Result<(), Failure> {
    match command {
        RegistryCommand::Cert { leaf, store } => {
            let config = Config::load(store.config.as_deref(), store.flags())?;
            if let Target::Sqlite(path) = desk::target(&config)
                && !path.exists()
            {
                return Err(Failure::refused(format!(
                    "there is no store in {}: start `claviger serve` first, or name the right \
                     `--data-dir`",
                    config.data_dir.display()
                )));
            }
            block_on(async {
                let desk = desk::open(config).await?;
                let pem = if *leaf {
                    desk.app.registry_leaf_certificate().await
                } else {
                    desk.app.registry_certificates().await
                };
                desk.app.close();
                print!("{}", pem?);
                Ok(())
            })
        }
        RegistryCommand::Config { registry, serve } => {
            let mut config = Config::load(serve.store.config.as_deref(), serve.flags())?;
            config.settings.public_url = config.usual_public_url();
            print!("{}", claviger_service::registry::config(&config.settings, (*registry).into()));
            if matches!(registry, RegistryKind::Zot) {
                eprintln!(
                    "zot trusts one signing key: put what `claviger registry cert --leaf` prints \
                     into /etc/zot/claviger.pem, again after each `admin rotate-key signing`"
                );
            }
            Ok(())
        }
        RegistryCommand::Routes => {
            print!("{REGISTRY_ROUTES}");
            Ok(())
        }
    }
}
