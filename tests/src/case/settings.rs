//! Quay's configuration of a group, as our settings.

use claviger_service::settings::{AvatarKind, RegistryState, Settings};
use serde_json::{Map, Value};

/// The settings of a group: those of the recording, then the group's own.
pub fn of(config: &Map<String, Value>, seed: &Value) -> Settings {
    let mut settings = Settings::default();
    "http://localhost:5000".clone_into(&mut settings.public_url);
    settings.registry.services = vec!["localhost:5000".to_owned()];
    let quay = &mut settings.quay;
    quay.feature_superusers_full_access = true;
    quay.feature_mailing = true;
    quay.feature_require_team_invite = true;
    quay.feature_user_creation = true;
    quay.super_users = names(&seed["superusers"]);
    quay.global_readonly_super_users = names(&seed["global_readonly_superusers"]);
    for (key, value) in config {
        let on = value.as_bool();
        let duration = value.as_str().and_then(duration);
        match (key.as_str(), on, duration) {
            ("APP_SPECIFIC_TOKEN_EXPIRATION", _, d) => quay.app_specific_token_expiration = d,
            ("FRESH_LOGIN_TIMEOUT", _, Some(d)) => quay.fresh_login_timeout = d,
            ("FEATURE_APP_SPECIFIC_TOKENS", Some(on), _) => quay.feature_app_specific_tokens = on,
            ("FEATURE_ANONYMOUS_ACCESS", Some(on), _) => quay.feature_anonymous_access = on,
            ("FEATURE_SUPERUSERS_FULL_ACCESS", Some(on), _) => {
                quay.feature_superusers_full_access = on;
            }
            ("FEATURE_MAILING", Some(on), _) => quay.feature_mailing = on,
            ("FEATURE_LIBRARY_SUPPORT", Some(on), _) => quay.feature_library_support = on,
            ("FEATURE_EXTENDED_REPOSITORY_NAMES", Some(on), _) => {
                quay.feature_extended_repository_names = on;
            }
            ("FEATURE_REQUIRE_ENCRYPTED_BASIC_AUTH", Some(on), _) => {
                quay.feature_require_encrypted_basic_auth = on;
            }
            ("CREATE_NAMESPACE_ON_PUSH", Some(on), _) => quay.create_namespace_on_push = on,
            ("CREATE_PRIVATE_REPO_ON_PUSH", Some(on), _) => quay.create_private_repo_on_push = on,
            ("ROBOTS_DISALLOW", Some(on), _) => quay.robots_disallow = on,
            ("ROBOTS_WHITELIST", ..) => quay.robots_whitelist = names(value),
            ("REGISTRY_STATE", ..) if value == "readonly" => {
                quay.registry_state = RegistryState::Readonly;
            }
            ("AVATAR_KIND", ..) if value == "gravatar" => quay.avatar_kind = AvatarKind::Gravatar,
            // no counterpart: nothing is billed here, and nothing weighed
            ("FEATURE_BILLING" | "FEATURE_QUOTA_MANAGEMENT", ..) => {}
            _ => panic!("no setting for {key} = {value}"),
        }
    }
    settings
}

fn names<T: std::str::FromStr<Err: std::fmt::Debug>>(list: &Value) -> Vec<T> {
    let names = list.as_array().expect("a list of names");
    names.iter().map(|name| name.as_str().expect("a name").parse().expect("a name")).collect()
}

/// `5s`, `10m`, `30d`.
fn duration(text: &str) -> Option<std::time::Duration> {
    let (number, unit) = text.split_at(text.len().checked_sub(1)?);
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "d" => 24 * 60 * 60,
        _ => return None,
    };
    number.parse::<u64>().ok().map(|n| std::time::Duration::from_secs(n * seconds))
}
