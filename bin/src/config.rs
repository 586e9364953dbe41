//! The configuration: flags win over the environment, the environment over one TOML file, the
//! file over the defaults. The only place that reads the environment.
//!
//! [`keys`] lists every setting once; [`value`] knows how each is written.

mod keys;
mod route;
mod value;

use std::{
    collections::BTreeMap,
    fmt, fs,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    num::NonZeroU32,
    path::{Path, PathBuf},
    str::FromStr,
};

use claviger_domain::name::Namespace;
use claviger_http::trace::Endpoint;
use claviger_service::{Settings, forward::SharedSecret};
use claviger_store::PostgresAddress;
use zeroize::Zeroizing;

use self::{route::Preset, value::Given};
pub(crate) use self::{route::REGISTRY as REGISTRY_ROUTES, value::parse_duration};

/// What an operator configured.
pub(crate) struct Config {
    pub(crate) listen: SocketAddr,
    pub(crate) public_url: Option<PublicUrl>,
    pub(crate) data_dir: PathBuf,
    pub(crate) database: Database,
    pub(crate) master_key_file: Option<PathBuf>,
    pub(crate) insecure: bool,
    tls_cert: Option<PathBuf>,
    tls_key: Option<PathBuf>,
    pub(crate) log_format: LogFormat,
    pub(crate) log_level: LogLevel,
    tracing_endpoint: Option<Endpoint>,
    tracing_one_in: NonZeroU32,
    forward_secret_file: Option<PathBuf>,
    forward_preset: Option<Preset>,
    pub(crate) settings: Settings,
    /// Variables that only ever come from the environment.
    pub(crate) secrets: Secrets,
    sources: BTreeMap<&'static str, Source>,
}

/// Variables that only ever come from the environment.
#[derive(Default)]
pub(crate) struct Secrets {
    /// `CLAVIGER_MASTER_KEY`.
    pub(crate) master_key: Option<Zeroizing<String>>,
    /// `CLAVIGER_ADMIN_USERNAME`.
    pub(crate) admin_username: Option<Namespace>,
    /// `CLAVIGER_ADMIN_PASSWORD`.
    pub(crate) admin_password: Option<Zeroizing<String>>,
}

/// Where the data is.
pub(crate) enum Database {
    /// A file in the data folder.
    Sqlite,
    /// A PostgreSQL server.
    Postgres(PostgresAddress),
}

impl FromStr for Database {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "sqlite" => Ok(Self::Sqlite),
            url if url.starts_with("postgres://") || url.starts_with("postgresql://") => {
                url.parse().map(Self::Postgres).map_err(|e| format!("cannot be used: {e}"))
            }
            _ => Err("must be `sqlite` or `postgres://user:password@host/database`".to_owned()),
        }
    }
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
}

/// Which log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogLevel {
    /// Failures.
    Error,
    /// And what may become one.
    Warn,
    /// And each request.
    Info,
    /// And how it went.
    Debug,
    /// And everything else.
    Trace,
}

/// The address that clients use: scheme, host and port, no path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PublicUrl(String);

impl FromStr for PublicUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let problem = "must be a URL without a path, such as `https://keys.example.com`";
        let text = text.strip_suffix('/').unwrap_or(text);
        let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        let host = host.ok_or(problem)?;
        let good =
            |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b':' | b'[' | b']');
        let (name, port) = match host.rsplit_once(':') {
            Some((name, port)) if !port.ends_with(']') => (name, port.parse::<u16>().is_ok()),
            _ => (host, true),
        };
        if name.is_empty() || !port || !host.bytes().all(good) {
            return Err(problem);
        }
        Ok(Self(text.to_ascii_lowercase()))
    }
}

impl PublicUrl {
    /// Whether it names this machine.
    fn is_local(&self) -> bool {
        let host = self.0.split_once("://").map_or("", |(_, host)| host);
        let name = match host.rsplit_once(':') {
            Some((name, port)) if !port.ends_with(']') => name,
            _ => host,
        };
        let bare = name.trim_start_matches('[').trim_end_matches(']');
        let loopback = |address: IpAddr| address.is_loopback();
        name == "localhost" || name.ends_with(".localhost") || bare.parse().is_ok_and(loopback)
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Source {
    Default,
    File(PathBuf),
    Variable(String),
    Flag(&'static str),
}

/// A flag that was given: its name, the key it stands for, its value.
pub(crate) struct Flag {
    pub(crate) name: &'static str,
    pub(crate) key: &'static str,
    pub(crate) value: String,
}

/// What is wrong with the configuration, in one sentence.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{sentence}")]
pub(crate) struct ConfigError {
    sentence: String,
    /// A flag is written wrongly.
    pub(crate) usage: bool,
}

fn error(sentence: impl Into<String>) -> ConfigError {
    ConfigError { sentence: sentence.into(), usage: false }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            public_url: None,
            data_dir: PathBuf::from("./claviger-data"),
            database: Database::Sqlite,
            master_key_file: None,
            insecure: false,
            tls_cert: None,
            tls_key: None,
            log_format: LogFormat::Text,
            log_level: LogLevel::Info,
            tracing_endpoint: None,
            tracing_one_in: NonZeroU32::MIN,
            forward_secret_file: None,
            forward_preset: None,
            settings: Settings::default(),
            secrets: Secrets::default(),
            sources: BTreeMap::new(),
        }
    }
}

impl Config {
    /// The configuration of this process. `file` is what `--config` names.
    pub(crate) fn load(file: Option<&Path>, flags: Vec<Flag>) -> Result<Self, ConfigError> {
        Self::merge(file, environment()?, flags)
    }

    fn merge(
        file: Option<&Path>,
        mut environment: BTreeMap<String, String>,
        flags: Vec<Flag>,
    ) -> Result<Self, ConfigError> {
        let mut config = Self::default();
        let variable = environment.remove("CLAVIGER_CONFIG").filter(|path| !path.is_empty());
        let file = file.map(Path::to_owned).or(variable.map(PathBuf::from));
        if let Some(path) = &file {
            config.read_file(path)?;
        }
        config.read_environment(environment)?;
        for Flag { name, key, value } in flags {
            config.set(key, Given::Text(value), Source::Flag(name))?;
        }
        config.check()?;
        if let Some(preset) = config.forward_preset {
            let routes = preset.routes().map_err(|e| config.complain("forward.preset", &e))?;
            config.settings.forward.routes.extend(routes);
        }
        Ok(config)
    }

    /// Sets one key, if there is one of that name.
    fn set(&mut self, name: &'static str, given: Given, source: Source) -> Result<(), ConfigError> {
        if let Some(key) = keys::keys(self).into_iter().find(|key| key.name == name) {
            key.value.set(given).map_err(|problem| ConfigError {
                usage: matches!(source, Source::Flag(_)),
                ..complaint(name, &source, &problem)
            })?;
        }
        self.sources.insert(name, source);
        Ok(())
    }

    fn read_file(&mut self, path: &Path) -> Result<(), ConfigError> {
        let shown = path.display();
        let text = fs::read_to_string(path)
            .map_err(|e| error(format!("cannot read the configuration file {shown}: {e}")))?;
        let mut table: toml::Table = text.parse().map_err(|e: toml::de::Error| {
            let before = e.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            let line = before.matches('\n').count() + 1;
            error(format!("{shown}, line {line}: {}", e.message().replace('\n', ", ")))
        })?;
        for name in self.names() {
            let value = match name.split_once('.') {
                None => table.remove(name),
                Some((section, key)) => match table.get_mut(section) {
                    Some(toml::Value::Table(section)) => section.remove(key),
                    Some(_) => {
                        return Err(error(format!("{shown}: `{section}` must be a section")));
                    }
                    None => None,
                },
            };
            if let Some(value) = value {
                self.set(name, Given::Toml(value), Source::File(path.to_owned()))?;
            }
        }
        let sections: Vec<_> = self.names().iter().filter_map(|n| n.split_once('.')).collect();
        let known = |section: &str| sections.iter().any(|(known, _)| *known == section);
        let unknown = table.iter().find_map(|(name, value)| match value {
            toml::Value::Table(rest) if known(name) => {
                rest.keys().next().map(|key| format!("{name}.{key}"))
            }
            _ => Some(name.clone()),
        });
        match unknown {
            Some(key) => Err(error(format!(
                "{shown}: there is no setting `{key}`; `claviger config example` shows all"
            ))),
            None => Ok(()),
        }
    }

    fn read_environment(
        &mut self,
        mut environment: BTreeMap<String, String>,
    ) -> Result<(), ConfigError> {
        let named: Vec<_> = keys::keys(self).iter().map(|k| (k.name, k.variable())).collect();
        // routes are a table and cannot be a variable
        for (name, variable) in named.into_iter().filter(|(name, _)| *name != "forward.route") {
            if let Some(text) = environment.remove(&variable) {
                self.set(name, Given::Text(text), Source::Variable(variable))?;
            }
        }
        let mut take = |name: &str| environment.remove(name).filter(|text| !text.is_empty());
        self.secrets = Secrets {
            master_key: take("CLAVIGER_MASTER_KEY").map(Zeroizing::new),
            admin_username: take("CLAVIGER_ADMIN_USERNAME")
                .map(|n| n.parse())
                .transpose()
                .map_err(|problem| error(format!("CLAVIGER_ADMIN_USERNAME {problem}")))?,
            admin_password: take("CLAVIGER_ADMIN_PASSWORD").map(Zeroizing::new),
        };
        for empty in ["CLAVIGER_MASTER_KEY", "CLAVIGER_ADMIN_USERNAME", "CLAVIGER_ADMIN_PASSWORD"] {
            environment.remove(empty);
        }
        match environment.keys().next() {
            Some(name) => Err(error(format!(
                "the environment variable {name} is no setting; unset it, or see \
                 `claviger config example` for all settings"
            ))),
            None => Ok(()),
        }
    }

    /// The names of all keys.
    fn names(&mut self) -> Vec<&'static str> {
        keys::keys(self).iter().map(|key| key.name).collect()
    }

    /// A sentence about the value of `key`, which says where it was set.
    pub(crate) fn complain(&self, key: &'static str, problem: &str) -> ConfigError {
        complaint(key, self.sources.get(key).unwrap_or(&Source::Default), problem)
    }

    /// The files of the certificate and its key.
    pub(crate) fn tls(&self) -> Option<(&Path, &Path)> {
        self.tls_cert.as_deref().zip(self.tls_key.as_deref())
    }

    /// What no single value can get wrong.
    fn check(&self) -> Result<(), ConfigError> {
        let settings = &self.settings;
        match (&self.tls_cert, &self.tls_key) {
            (Some(_), None) => return Err(self.complain("tls.cert", "needs `tls.key` beside it")),
            (None, Some(_)) => return Err(self.complain("tls.key", "needs `tls.cert` beside it")),
            _ => {}
        }
        if settings.registry.services.is_empty() {
            return Err(self.complain("registry.service", "needs at least one name"));
        }
        if settings.registry.token_ttl.as_secs() == 0 {
            return Err(self.complain("registry.token_ttl", "must be at least 1s"));
        }
        if let Err(problem) = settings.quay.library_namespace.parse::<Namespace>() {
            return Err(self.complain("quay.library_namespace", &problem.to_string()));
        }
        Ok(())
    }

    /// Where requests are told of, and of how many traces one.
    pub(crate) fn traces(&self) -> Option<(Endpoint, NonZeroU32)> {
        Some((self.tracing_endpoint.clone()?, self.tracing_one_in))
    }

    /// What clients call the server, as far as it can be known before it listens.
    pub(crate) fn usual_public_url(&self) -> String {
        let scheme = if self.tls().is_some() { "https" } else { "http" };
        let listens = || format!("{scheme}://{}", self.listen);
        self.public_url.as_ref().map_or_else(listens, ToString::to_string)
    }

    /// Takes the settings that are known only to a server: what clients call it (`origin` without
    /// a public URL), and what proxies must show.
    pub(crate) fn complete(&mut self, origin: &str) -> Result<(), ConfigError> {
        let local = self.public_url.as_ref().is_none_or(PublicUrl::is_local);
        let settings = &mut self.settings;
        settings.public_url =
            self.public_url.as_ref().map_or_else(|| origin.to_owned(), ToString::to_string);
        settings.forward.behind_local_proxy = self.listen.ip().is_loopback() && !local;
        self.settings.forward.secret = self.forward_secret()?;
        Ok(())
    }

    fn forward_secret(&self) -> Result<Option<SharedSecret>, ConfigError> {
        let Some(path) = &self.forward_secret_file else { return Ok(None) };
        let problem = |text: &str| self.complain("forward.secret_file", text);
        let secret = fs::read(path)
            .map(Zeroizing::new)
            .map_err(|error| problem(&format!("cannot be read: {}: {error}", path.display())))?;
        let secret = secret.trim_ascii();
        let visible = secret.iter().all(u8::is_ascii_graphic);
        if secret.len() < SharedSecret::MIN_BYTES || !visible {
            let least = SharedSecret::MIN_BYTES;
            return Err(problem(&format!("must hold {least} visible characters or more")));
        }
        Ok(Some(SharedSecret::of(secret)))
    }

    /// Whether it is safe to listen where the configuration says.
    pub(crate) fn check_exposure(&self) -> Result<(), ConfigError> {
        if let Some(shown) = self.settings.forward.listen
            && !shown.ip().is_loopback()
            && self.tls().is_none()
            && !self.insecure
        {
            let problem = format!("{shown} is beyond this machine and needs TLS, or `--insecure`");
            return Err(self.complain("forward.listen", &problem));
        }
        if self.listen.ip().is_loopback() {
            return Ok(());
        }
        let shown = self.listen;
        if self.public_url.is_none() {
            return Err(self.complain(
                "listen",
                &format!(
                    "{shown} is beyond this machine: say with `--public-url` what clients call it"
                ),
            ));
        }
        if self.tls().is_none() && !self.insecure {
            return Err(self.complain(
                "listen",
                &format!(
                    "{shown} is beyond this machine without TLS: give `--tls-cert` and `--tls-key`, \
                     or `--insecure` behind a proxy that ends TLS"
                ),
            ));
        }
        Ok(())
    }

    /// A file with every setting at its default.
    pub(crate) fn example() -> String {
        let mut config = Self::default();
        let mut text = "# Settings of Claviger, all at their defaults. Flags and the environment \
                        win over this file:\n# the variable of `http.body_limit` is \
                        CLAVIGER_HTTP_BODY_LIMIT.\n"
            .to_owned();
        let mut section = "";
        for key in keys::keys(&mut config) {
            let (its_section, name) = key.name.split_once('.').unwrap_or(("", key.name));
            if its_section != section {
                section = its_section;
                text.extend(["\n[", section, "]\n"]);
            }
            text.extend(["# ", key.about, "\n", name, " = ", &key.value.show(), "\n"]);
        }
        text
    }
}

fn complaint(key: &str, source: &Source, problem: &str) -> ConfigError {
    error(match source {
        Source::Default => format!("`{key}` {problem}"),
        Source::File(path) => format!("{}: `{key}` {problem}", path.display()),
        Source::Variable(name) => format!("the environment variable {name} {problem}"),
        Source::Flag(name) => format!("{name} {problem}"),
    })
}

/// All variables that are ours.
fn environment() -> Result<BTreeMap<String, String>, ConfigError> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
        .filter(|(name, _)| name.starts_with("CLAVIGER_"))
        .map(|(name, value)| match value.into_string() {
            Ok(value) => Ok((name, value)),
            Err(_) => Err(error(format!("the environment variable {name} is not UTF-8"))),
        })
        .collect()
}

#[cfg(test)]
mod tests;
