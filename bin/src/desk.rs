//! The store, opened as every command opens it: an empty one is made ready first.

use std::{error::Error as StdError, sync::Arc, thread};

use claviger_domain::{Chance, Clock, Error};
use claviger_service::{
    App, Opened,
    install::{FirstUser, StartError},
};
use claviger_store::{Target, audit::Actor};

use crate::{
    clock::{SystemChance, SystemClock},
    commands::Failure,
    config::{Config, Database},
    files,
    master::Source,
};

/// What a command works with.
pub(crate) struct Desk {
    pub(crate) app: Arc<App>,
    pub(crate) master: Arc<Source>,
}

/// The lock against a second server on one SQLite database; PostgreSQL may have many.
pub(crate) fn lock(config: &Config) -> Result<Option<files::Lock>, Failure> {
    match config.database {
        Database::Postgres(_) => Ok(None),
        Database::Sqlite => {
            files::make_folder(&config.data_dir)?;
            Ok(Some(files::lock_folder(&config.data_dir)?))
        }
    }
}

/// Which database `config` means.
pub(crate) fn target(config: &Config) -> Target {
    match &config.database {
        Database::Sqlite => Target::Sqlite(config.data_dir.join(files::DATABASE)),
        Database::Postgres(address) => Target::Postgres(address.clone()),
    }
}

/// Opens the store; a superuser whose password was drawn is told on standard error.
pub(crate) async fn open(config: Config) -> Result<Desk, Failure> {
    let master = Arc::new(Source::of(&config));
    let own_key = master.file().is_some_and(|file| file.starts_with(&config.data_dir));
    if matches!(config.database, Database::Sqlite) || own_key {
        files::make_folder(&config.data_dir)?;
    }
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let chance: Arc<dyn Chance> = Arc::new(SystemChance::new());
    let readers = thread::available_parallelism().map_or(2, usize::from).clamp(2, 16);
    let opened = Opened::open(target(&config), readers, &config.settings, &clock, &chance);
    let opened = opened.map_err(|error| Failure::refused(chain(&error)))?;
    let first =
        FirstUser { name: config.secrets.admin_username, password: config.secrets.admin_password };
    let started =
        App::start(opened, master.as_ref(), first, operator(), clock, chance, config.settings);
    let (app, drawn) = started.await?;
    if let Some(drawn) = drawn {
        eprintln!("superuser {} password {}", drawn.name, drawn.password.expose());
    }
    Ok(Desk { app: Arc::new(app), master })
}

/// Who runs the program, as the audit names him.
pub(crate) fn operator() -> Actor {
    Actor::program(files::system_user())
}

/// What failed, and why, in one line.
pub(crate) fn chain(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.ends_with(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    text.replace('\n', " ")
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Refused(sentence) => Self::refused(sentence),
            StartError::Failed(error) => error.into(),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::refused(chain(&error))
    }
}
