//! The command line. Values are read by [`crate::config`], so that a flag, a variable and a key of
//! the file are written alike.

#![expect(clippy::doc_markdown, reason = "the comments are the help text of the program")]

use std::{path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand, ValueEnum};
use claviger_domain::{
    TokenKind,
    name::{Email, Namespace, TokenTitle},
};
use claviger_service::registry;

use crate::config::{Flag, parse_duration};

/// The access desk for a container registry and for internal APIs.
#[derive(Parser)]
#[command(name = "claviger", version, max_term_width = 100, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Run the server.
    Serve(ServeArgs),
    /// Change the store directly, beside a running server.
    #[command(subcommand)]
    Admin(Admin),
    /// What a registry needs to trust this server.
    #[command(subcommand)]
    Registry(RegistryCommand),
    /// Check the configuration, or print an example of the file.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Look for what is wrong, and say what to do.
    Doctor(ServeArgs),
}

/// Where the configuration and the store are.
#[derive(Args)]
pub(crate) struct StoreArgs {
    /// The configuration file (TOML) [env: CLAVIGER_CONFIG]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The folder of the database and the master key; ./claviger-data [env: CLAVIGER_DATA_DIR]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<String>,
    /// `sqlite` or a postgres:// URL [env: CLAVIGER_DATABASE]
    #[arg(long, value_name = "DATABASE")]
    database: Option<String>,
    /// The master key; master.key in the data folder [env: CLAVIGER_MASTER_KEY_FILE]
    #[arg(long, value_name = "FILE")]
    master_key_file: Option<String>,
    /// How log lines look: text or json [env: CLAVIGER_LOG_FORMAT]
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
    /// error, warn, info, debug or trace [env: CLAVIGER_LOG_LEVEL]
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<String>,
}

/// What the server is told.
#[derive(Args)]
pub(crate) struct ServeArgs {
    /// Where to listen; 127.0.0.1:8080 [env: CLAVIGER_LISTEN]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// What clients call this server; where it listens [env: CLAVIGER_PUBLIC_URL]
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    /// The certificate chain [env: CLAVIGER_TLS_CERT]
    #[arg(long, value_name = "PEM")]
    tls_cert: Option<String>,
    /// The private key of the certificate [env: CLAVIGER_TLS_KEY]
    #[arg(long, value_name = "PEM")]
    tls_key: Option<String>,
    /// Allow plain http beyond this machine [env: CLAVIGER_INSECURE]
    #[arg(long)]
    insecure: bool,
    /// Proxies whose X-Forwarded-* headers are believed [env: CLAVIGER_HTTP_TRUSTED_PROXIES]
    #[arg(long, value_name = "CIDR")]
    trusted_proxy: Vec<String>,
    /// What the registry calls itself; registry [env: CLAVIGER_REGISTRY_SERVICE]
    #[arg(long, value_name = "NAME")]
    registry_service: Vec<String>,
    /// The issuer of registry tokens; the public URL [env: CLAVIGER_REGISTRY_ISSUER]
    #[arg(long, value_name = "TEXT")]
    registry_issuer: Option<String>,
}

#[derive(Subcommand)]
pub(crate) enum Admin {
    /// Make a user; the password is one line on standard input. Prints the id.
    CreateUser(CreateUser),
    /// Set the password of a user: one line on standard input. Ends the user's sessions.
    SetPassword {
        name: Namespace,
        /// Read the password from this file instead
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
        #[command(flatten)]
        store: StoreArgs,
    },
    /// Make an account. Prints the id.
    CreateAccount {
        name: TokenTitle,
        #[command(flatten)]
        store: StoreArgs,
    },
    /// Make a token. Prints the token and nothing else.
    CreateToken(CreateToken),
    /// Draw a new master key or a new signing key; what lives stays valid.
    RotateKey {
        which: Key,
        /// Signing, after a compromise: a new authority, which every registry must be given
        #[arg(long)]
        authority: bool,
        #[command(flatten)]
        store: StoreArgs,
    },
}

#[derive(Args)]
pub(crate) struct CreateUser {
    pub(crate) name: Namespace,
    #[arg(long)]
    pub(crate) email: Option<Email>,
    /// Make a superuser
    #[arg(long)]
    pub(crate) superuser: bool,
    /// The account; the first one
    #[arg(long, value_name = "ID")]
    pub(crate) account: Option<String>,
    /// Read the password from this file instead
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) store: StoreArgs,
}

#[derive(Args)]
pub(crate) struct CreateToken {
    /// Whom it acts for: a user, or a robot such as acme+ci
    #[arg(long, value_name = "NAME")]
    pub(crate) user: String,
    /// app, oauth, authorization, api, robot or refresh
    #[arg(long)]
    pub(crate) kind: TokenKind,
    /// What to call it
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(crate) name: TokenTitle,
    /// What it may do at most, words with blanks between (oauth, authorization); `decide`, to ask
    /// decisions about anyone and nothing else (app, robot)
    #[arg(long)]
    pub(crate) scope: Option<String>,
    /// How long it lives, such as 90d
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub(crate) expires_in: Option<Duration>,
    /// The application it belongs to (oauth)
    #[arg(long, value_name = "CLIENT-ID")]
    pub(crate) client: Option<String>,
    #[command(flatten)]
    pub(crate) store: StoreArgs,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Key {
    /// The key that all others are derived from
    Master,
    /// The key that signs registry tokens
    Signing,
}

#[derive(Subcommand)]
pub(crate) enum RegistryCommand {
    /// Print the certificate that the registry must trust (PEM).
    Cert {
        /// The certificate of the key that signs at the moment, for a registry that trusts one key
        #[arg(long)]
        leaf: bool,
        #[command(flatten)]
        store: StoreArgs,
    },
    /// Print a configuration for the registry.
    Config {
        registry: RegistryKind,
        #[command(flatten)]
        serve: ServeArgs,
    },
    /// Print the routes of `forward.preset = "registry"`, to be changed in the file.
    Routes,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum RegistryKind {
    /// distribution 2.8, such as Debian's docker-registry
    #[value(name = "2.8")]
    Distribution2,
    /// distribution 3
    #[value(name = "3")]
    Distribution3,
    /// zot
    Zot,
}

impl From<RegistryKind> for registry::RegistryKind {
    fn from(kind: RegistryKind) -> Self {
        match kind {
            RegistryKind::Distribution2 => Self::Distribution2,
            RegistryKind::Distribution3 => Self::Distribution3,
            RegistryKind::Zot => Self::Zot,
        }
    }
}

#[derive(Subcommand)]
#[expect(clippy::large_enum_variant, reason = "made once")]
pub(crate) enum ConfigCommand {
    /// Read the configuration as `serve` would, and say what is wrong with it.
    Check(ServeArgs),
    /// Print a file with every setting at its default.
    Example,
}

impl StoreArgs {
    /// The flags that were given.
    pub(crate) fn flags(&self) -> Vec<Flag> {
        let flag = |name, key, value: &Option<String>| {
            value.clone().map(|value| Flag { name, key, value })
        };
        [
            flag("--data-dir", "data_dir", &self.data_dir),
            flag("--database", "database", &self.database),
            flag("--master-key-file", "master_key_file", &self.master_key_file),
            flag("--log-format", "log.format", &self.log_format),
            flag("--log-level", "log.level", &self.log_level),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

impl ServeArgs {
    /// The flags that were given.
    pub(crate) fn flags(&self) -> Vec<Flag> {
        let list = |items: &[String]| (!items.is_empty()).then(|| items.join(","));
        let given = [
            ("--listen", "listen", self.listen.clone()),
            ("--public-url", "public_url", self.public_url.clone()),
            ("--tls-cert", "tls.cert", self.tls_cert.clone()),
            ("--tls-key", "tls.key", self.tls_key.clone()),
            ("--insecure", "insecure", self.insecure.then(|| "true".to_owned())),
            ("--trusted-proxy", "http.trusted_proxies", list(&self.trusted_proxy)),
            ("--registry-service", "registry.service", list(&self.registry_service)),
            ("--registry-issuer", "registry.issuer", self.registry_issuer.clone()),
        ];
        let mut flags = self.store.flags();
        flags.extend(
            given
                .into_iter()
                .filter_map(|(name, key, value)| value.map(|value| Flag { name, key, value })),
        );
        flags
    }
}
