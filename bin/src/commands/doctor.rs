//! `doctor`: looks for what is wrong, changes nothing, and says what to do.

use std::{fmt, fs, path::Path};

use claviger_domain::{Clock, UnixMillis};
use claviger_service::{
    install::MasterSource,
    keys::{MasterKeys, check_value},
};
use claviger_store::{
    Query, StoreError, Target, audit,
    db::StoreError::Statement,
    installation, key_generations, look, migrate, principals,
    signing_keys::{self, Purpose},
};

use crate::{
    cli::ServeArgs,
    clock::SystemClock,
    commands::Failure,
    config::{Config, Database},
    desk::{self, chain},
    files,
    master::Source,
    tls::Certificate,
};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// A certificate that ends sooner is worth a warning.
const SOON_MS: i64 = 30 * DAY_MS;
/// How far the clocks of several servers may differ.
const LEEWAY_MS: i64 = 60 * 1000;
/// Before this nobody can have installed the program: 2026-01-01.
const EARLIEST: UnixMillis = UnixMillis(1_767_225_600_000);

/// What was found, line by line.
#[derive(Default)]
struct Report {
    lines: Vec<String>,
    problems: usize,
}

impl Report {
    fn good(&mut self, what: impl fmt::Display) {
        self.lines.push(format!("ok       {what}"));
    }

    fn warning(&mut self, what: impl fmt::Display) {
        self.lines.push(format!("warning  {what}"));
    }

    fn problem(&mut self, what: impl fmt::Display) {
        self.problems += 1;
        self.lines.push(format!("problem  {what}"));
    }
}

pub(super) fn run(args: &ServeArgs) -> Result<(), Failure> {
    let mut report = Report::default();
    let config = Config::load(args.store.config.as_deref(), args.flags())?;
    report.good("the configuration can be read");
    check_front(&config, &mut report);
    let master = check_master(&config, &mut report);
    check_folder(&config, &mut report);
    check_store(&config, master.as_ref(), &mut report);
    for line in &report.lines {
        println!("{line}");
    }
    match report.problems {
        0 => Ok(()),
        1 => Err(Failure::refused("there is a problem")),
        more => Err(Failure::refused(format!("there are {more} problems"))),
    }
}

/// Where it listens, and what clients call it.
fn check_front(config: &Config, report: &mut Report) {
    let url = config.usual_public_url();
    match config.check_exposure() {
        Ok(()) => report.good(format!("it listens on {} and is called {url}", config.listen)),
        Err(problem) => report.problem(problem),
    }
    let local = ["http://127.", "http://localhost", "http://[::1]"];
    if url.starts_with("http://") && !local.iter().any(|start| url.starts_with(start)) {
        report.warning(format!("{url} is without TLS: passwords and tokens travel in the clear"));
    }
    match config.tls() {
        Some((chain, key)) => match Certificate::read(chain, key) {
            Ok(_) => report.good("the certificate and its key belong together"),
            Err(problem) => report.problem(problem),
        },
        None if url.starts_with("https://") && config.settings.http.trusted_proxies.is_empty() => {
            report.warning(
                "a proxy seems to end TLS, and no `--trusted-proxy` is named: logs and limits see \
                 the proxy's address in the place of the client's",
            );
        }
        None => {}
    }
}

/// Who may read the folder, and what lies together in it.
fn check_folder(config: &Config, report: &mut Report) {
    let folder = &config.data_dir;
    let shown = folder.display();
    match files::is_open_to_others(folder) {
        Ok(true) => report.warning(format!("others may enter {shown}: chmod 700 {shown}")),
        Ok(false) => report.good(format!("{shown} is for its owner alone")),
        // nothing was started yet, or nothing is kept there
        Err(_) => {}
    }
    let key = Source::of(config);
    let together = matches!(config.database, Database::Sqlite)
        && key.file().is_some_and(|key| same_folder(key, &folder.join(files::DATABASE)));
    if together {
        report.warning(format!(
            "the master key lies beside the database: who copies {shown} holds every token; keep \
             the key elsewhere and name it with `--master-key-file`"
        ));
    }
}

fn same_folder(one: &Path, other: &Path) -> bool {
    let folder = |path: &Path| fs::canonicalize(path).ok()?.parent().map(Path::to_owned);
    folder(one).is_some_and(|one| Some(one) == folder(other))
}

/// Whether the master key can be had.
fn check_master(config: &Config, report: &mut Report) -> Option<MasterKeys> {
    let source = Source::of(config);
    let keys = match source.read() {
        Ok(keys) => keys,
        Err(problem) => {
            report.problem(problem);
            return None;
        }
    };
    if let Some(path) = source.file()
        && matches!(files::is_open_to_others(path), Ok(true))
    {
        let shown = path.display();
        report.warning(format!("others may read the master key: chmod 600 {shown}"));
    }
    if keys.is_some() {
        report.good(format!("the master key in {} can be read", source.name()));
    }
    keys
}

/// What the database says.
fn check_store(config: &Config, master: Option<&MasterKeys>, report: &mut Report) {
    let target = desk::target(config);
    let missing = "there is no store yet: `claviger serve` makes it";
    if let Target::Sqlite(path) = &target
        && !path.exists()
    {
        report.good(missing);
        return;
    }
    match look(&target, |q| migrate::version(q)) {
        Ok(0) | Err(Statement(_)) => report.good(missing),
        Ok(version) if version > migrate::NEWEST => {
            let known = migrate::NEWEST;
            report.problem(chain(&StoreError::Newer { found: version, known }));
        }
        Ok(version) if version < migrate::NEWEST => report.warning(format!(
            "the database has version {version}: the next `claviger serve` brings it to {}",
            migrate::NEWEST
        )),
        Ok(version) => {
            report.good(format!("the database can be reached and has version {version}"));
            let place = Source::of(config).name();
            if let Err(error) = look(&target, |q| {
                check_content(q, report)?;
                check_keys(q, master, &place, report)
            }) {
                report.problem(format!("the database cannot be read: {}", chain(&error)));
            }
        }
        Err(error) => report.problem(chain(&error)),
    }
}

fn check_content(q: &mut dyn Query, report: &mut Report) -> Result<(), StoreError> {
    match migrate::damage(q)? {
        None => report.good("the database is whole"),
        Some(damage) => report.problem(format!(
            "the database is damaged ({damage}): stop the server and put back a backup"
        )),
    }
    match audit::first_broken(q)? {
        None => report.good("the audit is whole"),
        Some(row) => report.problem(format!(
            "the audit was changed by hand: row {row} does not follow from the one before"
        )),
    }
    let now = SystemClock.now();
    let newest = audit::newest(q)?.unwrap_or(now);
    if now < EARLIEST || now.plus_ms(LEEWAY_MS) < newest {
        report.problem("the clock is behind what was recorded already: set it");
    } else {
        report.good("the clock is sane");
    }
    for name in principals::with_drawn_password(q)? {
        report.warning(format!(
            "the password of {name} is still the one that was drawn at the first start: change it \
             with `claviger admin set-password {name}`"
        ));
    }
    Ok(())
}

fn check_keys(
    q: &mut dyn Query,
    master: Option<&MasterKeys>,
    place: &str,
    report: &mut Report,
) -> Result<(), StoreError> {
    let Some(installation) = installation::find(q)? else {
        report.good("the store is empty: `claviger serve` makes it ready");
        return Ok(());
    };
    match master {
        None => report.problem(format!("the store has a master key, and {place} is not there")),
        Some(master) => {
            let bad = key_generations::in_use(q)?.into_iter().find(|generation| {
                let key = master.get(generation.number);
                let value = key.and_then(|key| check_value(key, &installation).ok());
                value.is_none_or(|value| value.as_slice() != generation.check_value)
            });
            match bad {
                None => report.good("the master key is that of this store"),
                Some(bad) => report.problem(format!(
                    "{place} does not hold this store's master key of generation {}",
                    bad.number
                )),
            }
        }
    }
    let now = SystemClock.now();
    for (purpose, what) in [
        (Purpose::RegistryAuthority, "the certificate that registries trust"),
        (Purpose::Registry, "the certificate of the registry signing key"),
    ] {
        let keys = signing_keys::of_purpose(q, purpose)?;
        let Some(key) = keys.iter().find(|key| key.retired_at.is_none()) else {
            report.problem(format!("{what} is missing: `claviger serve` makes it"));
            continue;
        };
        let days = key.not_after.since(now) / DAY_MS;
        match key.not_after.since(now) {
            left if left <= 0 => report.problem(format!(
                "{what} has ended: `claviger admin rotate-key signing` makes a new one"
            )),
            left if left < SOON_MS => report.warning(format!("{what} ends in {days} days")),
            _ => report.good(format!("{what} is good for {days} days")),
        }
    }
    Ok(())
}
