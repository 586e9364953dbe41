//! What an operator can set, as plain types. The program reads them from flags, the environment
//! and its file; [`Settings::default`] is the table of `PRODUCT.md`.
//!
//! `quay` keeps the names of Quay's own keys in lower case, so that its operators find theirs.

use std::{net::SocketAddr, str::FromStr, time::Duration};

use claviger_domain::{
    name::{Namespace, RobotName},
    secret::Prefix,
};
use ipnet::IpNet;

use crate::forward::{SharedSecret, Table};

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
const WEEK: u64 = 7 * DAY;
const MIB: usize = 1 << 20;

/// Everything that can be set, beside where the program listens and keeps its data.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The address that clients use, such as `https://keys.example.com`: scheme, host and port,
    /// no slash at the end. Absolute URLs begin with it.
    pub public_url: String,
    /// The Quay door.
    pub quay: Quay,
    /// The OpenShift door.
    pub openshift: OpenShift,
    /// The registry door.
    pub registry: Registry,
    /// Secrets and the life of tokens.
    pub tokens: Tokens,
    /// What is remembered between requests.
    pub cache: Cache,
    /// All doors.
    pub http: Http,
    /// `/metrics`.
    pub metrics: Metrics,
    /// Sub-requests of proxies.
    pub forward: Forward,
    /// What is recorded.
    pub audit: Audit,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            public_url: "http://127.0.0.1:8080".to_owned(),
            quay: Quay::default(),
            openshift: OpenShift::default(),
            registry: Registry::default(),
            tokens: Tokens::default(),
            cache: Cache::default(),
            http: Http::default(),
            metrics: Metrics::default(),
            forward: Forward::default(),
            audit: Audit::default(),
        }
    }
}

impl Settings {
    /// The `iss` of registry tokens.
    pub fn registry_issuer(&self) -> &str {
        self.registry.issuer.as_deref().unwrap_or(&self.public_url)
    }

    /// Whether clients come over https, which decides the name of the cookie and `Secure`.
    pub fn https(&self) -> bool {
        self.public_url.starts_with("https://")
    }
}

/// Quay's keys, in lower case.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "these are Quay's switches")]
pub struct Quay {
    /// The app-token routes and the user name `$app` exist.
    pub feature_app_specific_tokens: bool,
    /// Lifetime of new app tokens; none: for ever.
    pub app_specific_token_expiration: Option<Duration>,
    /// How long expired app tokens stay listed; none: for ever.
    pub expired_app_specific_token_gc: Option<Duration>,
    /// How long a sign-in counts as fresh.
    pub fresh_login_timeout: Duration,
    /// How long a session lives at most.
    pub session_timeout: Duration,
    /// Superusers by name, beside those made superuser.
    pub super_users: Vec<Namespace>,
    /// Those who may read everything.
    pub global_readonly_super_users: Vec<Namespace>,
    /// Superusers have every right on every repository.
    pub feature_superusers_full_access: bool,
    /// Somebody without a credential may pull what is public.
    pub feature_anonymous_access: bool,
    /// A browser must show that a request is its script's.
    pub browser_api_calls_xhr_only: bool,
    /// Users must confirm their e-mail address.
    pub feature_mailing: bool,
    /// Somebody new to an organisation is invited to a team first; see
    /// [`Quay::invites_to_teams`].
    pub feature_require_team_invite: bool,
    /// `POST /api/v1/user/` makes users.
    pub feature_user_creation: bool,
    /// `POST /api/v1/user/initialize` makes the first superuser of an empty store.
    pub feature_user_initialize: bool,
    /// Owners of an application may assign tokens of it.
    pub feature_assign_oauth_token: bool,
    /// A push into an unknown namespace makes the organisation.
    pub create_namespace_on_push: bool,
    /// Repositories made by a push are private.
    pub create_private_repo_on_push: bool,
    /// Robots may not sign in, save those of the whitelist.
    pub robots_disallow: bool,
    /// The robots that may sign in all the same.
    pub robots_whitelist: Vec<RobotName>,
    /// A repository name without a namespace lies in `library_namespace`.
    pub feature_library_support: bool,
    /// See `feature_library_support`.
    pub library_namespace: String,
    /// Repository names may have further slashes.
    pub feature_extended_repository_names: bool,
    /// Passwords are not taken in Basic as they are.
    pub feature_require_encrypted_basic_auth: bool,
    /// Whether writes are taken.
    pub registry_state: RegistryState,
    /// How avatars are made.
    pub avatar_kind: AvatarKind,
}

impl Default for Quay {
    fn default() -> Self {
        Self {
            feature_app_specific_tokens: true,
            app_specific_token_expiration: None,
            expired_app_specific_token_gc: Some(Duration::from_secs(DAY)),
            fresh_login_timeout: Duration::from_secs(10 * MINUTE),
            session_timeout: Duration::from_secs(31 * DAY),
            super_users: Vec::new(),
            global_readonly_super_users: Vec::new(),
            feature_superusers_full_access: false,
            feature_anonymous_access: true,
            browser_api_calls_xhr_only: true,
            feature_mailing: false,
            feature_require_team_invite: true,
            feature_user_creation: false,
            feature_user_initialize: false,
            feature_assign_oauth_token: true,
            create_namespace_on_push: false,
            create_private_repo_on_push: true,
            robots_disallow: false,
            robots_whitelist: Vec::new(),
            feature_library_support: true,
            library_namespace: "library".to_owned(),
            feature_extended_repository_names: true,
            feature_require_encrypted_basic_auth: false,
            registry_state: RegistryState::Normal,
            avatar_kind: AvatarKind::Local,
        }
    }
}

impl Quay {
    /// Whether somebody new to an organisation is invited to a team: only where mail goes out.
    pub fn invites_to_teams(&self) -> bool {
        self.feature_mailing && self.feature_require_team_invite
    }

    /// Whether the settings name `name` as a superuser.
    pub fn names_superuser(&self, name: impl AsRef<[u8]>) -> bool {
        let name = name.as_ref();
        self.super_users.iter().any(|n| n.as_str().as_bytes() == name)
    }

    /// Whether the settings name `name` as one who may read everything.
    pub fn names_global_readonly(&self, name: impl AsRef<[u8]>) -> bool {
        let name = name.as_ref();
        self.global_readonly_super_users.iter().any(|n| n.as_str().as_bytes() == name)
    }

    /// Whether the robot `name` may sign in.
    pub fn admits_robot(&self, name: &str) -> bool {
        !self.robots_disallow || self.robots_whitelist.iter().any(|n| n.as_str() == name)
    }
}

/// `quay.registry_state`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegistryState {
    /// Writes and decisions.
    Normal,
    /// Writes are refused, decisions go on.
    Readonly,
}

/// `quay.avatar_kind`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AvatarKind {
    /// Drawn by the page.
    Local,
    /// Fetched from Gravatar by the page.
    Gravatar,
}

/// The OpenShift door.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenShift {
    /// Lifetimes of new authorizations.
    pub scope_timeouts: ScopeTimeouts,
}

impl Default for OpenShift {
    fn default() -> Self {
        // as upstream ships it; a month is 30 days
        let scope = |scope: &str, default, max| ScopeTimeout {
            scope: scope.to_owned(),
            default: Duration::from_secs(default),
            max: Duration::from_secs(max),
        };
        Self {
            scope_timeouts: ScopeTimeouts(vec![
                scope("session", DAY, WEEK),
                scope("sso", DAY, WEEK),
                scope("oauthaccesstoken", 10 * MINUTE, 10 * MINUTE),
                scope("*", 30 * DAY, 180 * DAY),
            ]),
        }
    }
}

/// Lifetimes by scope, in the order in which they were given; `*` for the rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScopeTimeouts(pub Vec<ScopeTimeout>);

/// The lifetimes of one scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScopeTimeout {
    /// The scope in lower case, or `*`.
    pub scope: String,
    /// When none is asked for.
    pub default: Duration,
    /// What may be asked for at most.
    pub max: Duration,
}

/// The registry door.
#[derive(Clone, Debug, PartialEq)]
pub struct Registry {
    /// What may stand in `aud`; the first when none is asked for. Never empty.
    pub services: Vec<String>,
    /// `iss`; none: the public URL. See [`Settings::registry_issuer`].
    pub issuer: Option<String>,
    /// How long a registry token lives.
    pub token_ttl: Duration,
}

impl Default for Registry {
    fn default() -> Self {
        Self {
            services: vec!["registry".to_owned()],
            issuer: None,
            token_ttl: Duration::from_secs(5 * MINUTE),
        }
    }
}

/// Secrets and the life of tokens.
#[derive(Clone, Debug, PartialEq)]
pub struct Tokens {
    /// With what new secrets begin.
    pub prefix: Prefix,
    /// To whom a secret is shown again.
    pub reveal: Reveal,
    /// How long revoked and expired tokens are kept as tombstones.
    pub retention: Duration,
}

impl Default for Tokens {
    fn default() -> Self {
        Self {
            prefix: Prefix::default(),
            reveal: Reveal::All,
            retention: Duration::from_secs(90 * DAY),
        }
    }
}

/// `tokens.reveal`: to whom a secret is shown again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reveal {
    /// To its owner.
    All,
    /// To its owner after a fresh sign-in, never to a bearer.
    Fresh,
    /// To nobody: new tokens cannot be shown again.
    None,
}

/// What is remembered between requests.
#[derive(Clone, Debug, PartialEq)]
pub struct Cache {
    /// How much memory the facts may take, in bytes.
    pub memory_bytes: usize,
    /// For how long facts are trusted that nobody confirmed.
    pub max_staleness: Duration,
}

impl Default for Cache {
    fn default() -> Self {
        Self { memory_bytes: 256 * MIB, max_staleness: Duration::from_secs(2) }
    }
}

/// All doors.
#[derive(Clone, Debug, PartialEq)]
pub struct Http {
    /// The largest body that is read, in bytes.
    pub body_limit: usize,
    /// The proxies whose `X-Forwarded-*` headers are believed.
    pub trusted_proxies: Vec<IpNet>,
}

impl Default for Http {
    fn default() -> Self {
        Self { body_limit: MIB, trusted_proxies: Vec::new() }
    }
}

/// `/metrics`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metrics {
    /// Where it is served.
    pub listen: MetricsListen,
}

/// `metrics.listen`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MetricsListen {
    /// Beside the doors, to clients on this machine only.
    #[default]
    Loopback,
    /// On a listener of its own, to everybody who reaches it, and nowhere else.
    Address(SocketAddr),
}

impl FromStr for MetricsListen {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "loopback" => Ok(Self::Loopback),
            other => other
                .parse()
                .map(Self::Address)
                .map_err(|_| "must be `loopback` or an address such as `127.0.0.1:9100`"),
        }
    }
}

/// Sub-requests of proxies.
#[derive(Clone, Debug, PartialEq)]
pub struct Forward {
    /// Who is answered, by the address of the connection.
    pub trusted_peers: Vec<IpNet>,
    /// A listener of their own; none: they ask where everybody does.
    pub listen: Option<SocketAddr>,
    /// What a proxy must show beside that; none: nothing.
    pub secret: Option<SharedSecret>,
    /// What needs which right; the first that matches counts, none is a refusal.
    pub routes: Table,
    /// Whether a proxy of this machine hands the public on to the doors: then an address of this
    /// machine says nothing about who is asking. Not a setting: it follows from the public URL.
    pub behind_local_proxy: bool,
}

impl Default for Forward {
    fn default() -> Self {
        let loopback = ["127.0.0.0/8", "::1/128"];
        Self {
            trusted_peers: loopback.iter().filter_map(|net| net.parse().ok()).collect(),
            listen: None,
            secret: None,
            routes: Table::default(),
            behind_local_proxy: false,
        }
    }
}

/// What is recorded.
#[derive(Clone, Debug, PartialEq)]
pub struct Audit {
    /// Which decisions.
    pub decisions: AuditDecisions,
}

impl Default for Audit {
    fn default() -> Self {
        Self { decisions: AuditDecisions::Denied }
    }
}

/// `audit.decisions`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditDecisions {
    /// None.
    Off,
    /// Refusals.
    Denied,
    /// All.
    All,
}
