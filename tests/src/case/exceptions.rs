//! Lines that are not held: deliberately, or not yet.

/// We differ on purpose, for the reason given. A line on it that holds fails.
pub const DIFFERENT: &[(&str, &str)] = &[
    ("v2auth-login-noservice", "`aud` is always one of ours"),
    ("noanon-v2auth-anon", "a refusal of the registry door always says where to sign in"),
    ("v2auth-badscope-0", "the action `delete` is understood"),
    ("v2auth-badscope-4", "the catalog is understood"),
    ("v2auth-app-username", "a user's own name with an app token of his is a login"),
    ("v2auth-proxyorg-member", "there are no proxy-cache organisations"),
    ("permuser-missing-put", "upstream crashes; here the repository is not found"),
    ("permteam-missing-put", "upstream crashes; here the repository is not found"),
];

/// Not held yet, for the reason given. This list only shrinks: a line on it that holds fails.
pub const OPEN: &[(&str, &str)] = &[];

/// More values of a line that differ from run to run. The recording has another address in the
/// place of the one that these two colours were made of: they fit neither it nor its hash.
pub const VOLATILE: &[(&str, &str)] = &[
    ("oauth-authorize-form", "$.application.avatar"),
    ("oauth-authorize-form", "$.application.organization.avatar"),
    ("oauth-authorize-basic", "$.application.avatar"),
    ("oauth-authorize-basic", "$.application.organization.avatar"),
];

/// Keys that have no counterpart here, wherever they stand: quotas and billing.
pub const NO_COUNTERPART: &[&str] =
    &["quotas", "quota_report", "is_free_account", "preferred_namespace"];

/// What makes the server's own secrets known that later lines carry literally: the line whose
/// answer holds it, where, and the recorded one.
pub const LEARNED: &[(&str, &str, &str)] = &[(
    "oauth-authorizeapp-code",
    "headers.location?code",
    "gadLJo9neqtGfD6tk8zrvyAU6eyK2giQoO70XOaf",
)];

/// The pauses of the recording: after which line, how many milliseconds.
pub const PAUSES: &[(&str, i64)] =
    &[("fresh-list-ok", 3_000), ("fresh-verify-bad", 2_500), ("apptoken-exp5s-list", 6_000)];

/// The reason why a line of `list` is not held.
pub fn reason(list: &[(&str, &'static str)], id: &str) -> Option<&'static str> {
    list.iter().find(|(listed, _)| *listed == id).map(|(_, reason)| *reason)
}
