//! Every setting once: its key, what it means, where it is kept.
//!
//! The file, the environment and the example are all made from this list. The variable of a key
//! is its name in capitals, `.` as `_`, with `CLAVIGER_` before it.

use super::{Config, value::Value};

/// One setting.
pub(super) struct Key<'a> {
    /// Its key in the file, with the section before a dot.
    pub(super) name: &'static str,
    /// What it means; `config example` prints it.
    pub(super) about: &'static str,
    /// Where it is kept.
    pub(super) value: &'a mut dyn Value,
}

impl Key<'_> {
    /// The name of its variable in the environment.
    pub(super) fn variable(&self) -> String {
        format!("CLAVIGER_{}", self.name.replace('.', "_").to_uppercase())
    }
}

/// All of them; those of a section follow one another.
pub(super) fn keys(config: &mut Config) -> Vec<Key<'_>> {
    let mut keys = Vec::with_capacity(64);
    let mut key = |name, about, value| keys.push(Key { name, about, value });
    key("listen", "where the server listens; port 0: any free port", &mut config.listen);
    key("public_url", "what clients call it; empty: where it listens", &mut config.public_url);
    key("data_dir", "the folder of the SQLite database and the master key", &mut config.data_dir);
    key(
        "database",
        "`sqlite`, or `postgres://user:password@a,b/db?target_session_attrs=read-write`",
        &mut config.database,
    );
    key(
        "master_key_file",
        "empty: `master.key` in the data folder, or CLAVIGER_MASTER_KEY",
        &mut config.master_key_file,
    );
    key("insecure", "allow plain http beyond this machine", &mut config.insecure);
    key("tls.cert", "certificate chain (PEM), read again when it changes", &mut config.tls_cert);
    key("tls.key", "its private key (PEM)", &mut config.tls_key);
    key("log.format", "`text` or `json`", &mut config.log_format);
    key("log.level", "`error`, `warn`, `info`, `debug` or `trace`", &mut config.log_level);

    let http = &mut config.settings.http;
    key("http.body_limit", "the largest body that is read", &mut http.body_limit);
    key(
        "http.trusted_proxies",
        "networks whose X-Forwarded-* headers are believed",
        &mut http.trusted_proxies,
    );
    key(
        "metrics.listen",
        "`loopback`: /metrics beside the doors, for this machine; or an address of its own",
        &mut config.settings.metrics.listen,
    );
    key(
        "tracing.endpoint",
        "a collector (OTLP over HTTP) that is told of requests, such as `http://127.0.0.1:4318`",
        &mut config.tracing_endpoint,
    );
    key(
        "tracing.one_in",
        "of so many traces that begin here it is told one; of those of a client, as that says",
        &mut config.tracing_one_in,
    );

    let registry = &mut config.settings.registry;
    key("registry.service", "what the registry calls itself: `aud`", &mut registry.services);
    key("registry.issuer", "`iss` of its tokens; empty: the public URL", &mut registry.issuer);
    key("registry.token_ttl", "how long its tokens live", &mut registry.token_ttl);

    let tokens = &mut config.settings.tokens;
    key("tokens.prefix", "how new tokens begin; older ones stay valid", &mut tokens.prefix);
    key("tokens.reveal", "who sees a token again: `all`, `fresh`, `none`", &mut tokens.reveal);
    key("tokens.retention", "how long dead tokens stay listed", &mut tokens.retention);
    let cache = &mut config.settings.cache;
    key("cache.memory", "memory for remembered facts", &mut cache.memory_bytes);
    key(
        "cache.max_staleness",
        "how long they are trusted without the database",
        &mut cache.max_staleness,
    );
    key(
        "audit.decisions",
        "which decisions are recorded: `off`, `denied`, `all`",
        &mut config.settings.audit.decisions,
    );
    key(
        "openshift.scope_timeouts",
        "lifetimes of authorizations, scope=default|max",
        &mut config.settings.openshift.scope_timeouts,
    );
    let forward = &mut config.settings.forward;
    key("forward.trusted_peers", "proxies that may ask", &mut forward.trusted_peers);
    key("forward.listen", "where they ask, apart from all others", &mut forward.listen);
    key(
        "forward.secret_file",
        "a file with what they must show in X-Forward-Secret",
        &mut config.forward_secret_file,
    );
    key(
        "forward.preset",
        "ready-made routes behind those of this file: `registry`",
        &mut config.forward_preset,
    );
    key(
        "forward.route",
        "routes, first match wins: [[forward.route]] with path, methods, and repository + action, \
         authenticated or public; also query and challenge",
        &mut forward.routes,
    );
    quay(&mut config.settings.quay, &mut key);
    keys
}

/// Quay's keys, in lower case.
fn quay<'a>(
    quay: &'a mut claviger_service::settings::Quay,
    key: &mut impl FnMut(&'static str, &'static str, &'a mut dyn Value),
) {
    key(
        "quay.feature_app_specific_tokens",
        "app tokens exist",
        &mut quay.feature_app_specific_tokens,
    );
    key(
        "quay.app_specific_token_expiration",
        "lifetime of new app tokens, or `none`",
        &mut quay.app_specific_token_expiration,
    );
    key(
        "quay.expired_app_specific_token_gc",
        "how long expired app tokens stay listed, or `none`",
        &mut quay.expired_app_specific_token_gc,
    );
    key(
        "quay.fresh_login_timeout",
        "how long a sign-in counts as fresh",
        &mut quay.fresh_login_timeout,
    );
    key("quay.session_timeout", "how long a session lives", &mut quay.session_timeout);
    key("quay.super_users", "superusers by name", &mut quay.super_users);
    key(
        "quay.global_readonly_super_users",
        "users who may read everything, by name",
        &mut quay.global_readonly_super_users,
    );
    key(
        "quay.feature_superusers_full_access",
        "superusers have every right on every repository",
        &mut quay.feature_superusers_full_access,
    );
    key(
        "quay.feature_anonymous_access",
        "anybody may pull what is public",
        &mut quay.feature_anonymous_access,
    );
    key(
        "quay.browser_api_calls_xhr_only",
        "browsers must send X-Requested-With",
        &mut quay.browser_api_calls_xhr_only,
    );
    key("quay.feature_mailing", "users must confirm their address", &mut quay.feature_mailing);
    key(
        "quay.feature_require_team_invite",
        "with mailing: people new to an organisation are invited first",
        &mut quay.feature_require_team_invite,
    );
    key(
        "quay.feature_user_creation",
        "anybody may make himself a user",
        &mut quay.feature_user_creation,
    );
    key(
        "quay.feature_user_initialize",
        "the first superuser is made through the API",
        &mut quay.feature_user_initialize,
    );
    key(
        "quay.feature_assign_oauth_token",
        "OAuth tokens can be assigned to users",
        &mut quay.feature_assign_oauth_token,
    );
    key(
        "quay.create_namespace_on_push",
        "a push makes the organisation",
        &mut quay.create_namespace_on_push,
    );
    key(
        "quay.create_private_repo_on_push",
        "repositories made by a push are private",
        &mut quay.create_private_repo_on_push,
    );
    key("quay.robots_disallow", "robots may not sign in", &mut quay.robots_disallow);
    key("quay.robots_whitelist", "robots that may all the same", &mut quay.robots_whitelist);
    key(
        "quay.feature_library_support",
        "a repository without a namespace is in the library",
        &mut quay.feature_library_support,
    );
    key("quay.library_namespace", "the name of the library", &mut quay.library_namespace);
    key(
        "quay.feature_extended_repository_names",
        "repository names may have slashes",
        &mut quay.feature_extended_repository_names,
    );
    key(
        "quay.feature_require_encrypted_basic_auth",
        "passwords are refused where tokens will do",
        &mut quay.feature_require_encrypted_basic_auth,
    );
    key("quay.registry_state", "`normal`, or `readonly`: no writes", &mut quay.registry_state);
    key("quay.avatar_kind", "`local` or `gravatar`", &mut quay.avatar_kind);
}
