//! Links, and the entry point that is nothing but links.
//!
//! Source: `contract/openshift.md` section 8. Only what is served here is linked.

use claviger_domain::scope::openshift::OpenshiftScope;
use claviger_service::settings::ScopeTimeouts;

use super::{node::Node, version::Version};

const ADVERTISED: [&str; 9] = [
    "Grants a client the authority to perform all API actions against your account.",
    "Allows the client to access resources you own without making changes. Does not allow access \
     to view authorization tokens.",
    "Allows a client to view your login name, unique id, and your user capabilities.",
    "Grant read-only access to a single domain.",
    "Grant edit access to a single domain and all its applications.",
    "Grant full administrative access to a single domain and all its applications.",
    "Grant read-only access to a single application.",
    "Grant edit access to a single application.",
    "Grant full administrative access to a single application.",
];

/// One link.
pub(super) struct Link {
    rel: &'static str,
    method: &'static str,
    href: String,
    required: Vec<Node>,
    optional: Vec<Node>,
}

impl Link {
    /// A link without parameters.
    pub(super) fn new(rel: &'static str, method: &'static str, href: String) -> Self {
        Self { rel, method, href, required: Vec::new(), optional: Vec::new() }
    }

    /// The same with a text that must be given.
    #[must_use]
    pub(super) fn needs(mut self, name: &'static str, description: &'static str) -> Self {
        self.required.push(Node::Object(vec![
            ("name", name.into()),
            ("type", "string".into()),
            ("description", description.into()),
            ("valid_options", Node::List("valid_option", Vec::new())),
            ("invalid_options", Node::List("invalid_option", Vec::new())),
        ]));
        self
    }

    fn takes(
        mut self,
        name: &'static str,
        kind: &'static str,
        description: impl Into<Node>,
        valid: Vec<Node>,
        default: Node,
    ) -> Self {
        self.optional.push(Node::Object(vec![
            ("name", name.into()),
            ("type", kind.into()),
            ("description", description.into()),
            ("valid_options", Node::List("valid_option", valid)),
            ("default_value", default),
        ]));
        self
    }

    /// The link as it is shown.
    pub(super) fn node(self) -> Node {
        Node::Object(vec![
            ("rel", self.rel.into()),
            ("method", self.method.into()),
            ("href", self.href.into()),
            ("required_params", Node::List("param", self.required)),
            ("optional_params", Node::List("optional_param", self.optional)),
        ])
    }
}

/// The links of one authorization.
pub(super) fn of_authorization(base: &str, id: &str) -> Node {
    let href = || format!("{base}/user/authorization/{id}");
    let note = "A note to remind you what this token is for.";
    Node::Links(vec![
        ("GET", Link::new("Get authorization", "GET", href()).node()),
        ("UPDATE", Link::new("Update authorization", "PUT", href()).needs("note", note).node()),
        ("DELETE", Link::new("Delete authorization", "DELETE", href()).node()),
    ])
}

/// The links of the entry point.
pub(super) fn of_entry_point(base: &str, version: Version, timeouts: &ScopeTimeouts) -> Node {
    let get = |rel, path: &str| Link::new(rel, "GET", format!("{base}/{path}"));
    let mut links = vec![
        ("API", get("API entry point", "api").node()),
        ("GET_ENVIRONMENT", get("Get environment information", "environment").node()),
        ("GET_USER", get("Get user information", "user").node()),
    ];
    if version >= Version::AUTHORIZATIONS {
        let one = get("Retrieve authorization :id", "user/authorization/:id")
            .needs(":id", "Unique identifier of the authorization");
        links.push((
            "LIST_AUTHORIZATIONS",
            get("List authorizations", "user/authorizations").node(),
        ));
        links.push(("SHOW_AUTHORIZATION", one.node()));
        links.push(("ADD_AUTHORIZATION", add(base, timeouts).node()));
    }
    Node::Links(links)
}

fn add(base: &str, timeouts: &ScopeTimeouts) -> Link {
    let offered = OpenshiftScope::OFFERED.map(Node::from).to_vec();
    let flags = vec![Node::Flag(true), Node::Flag(false)];
    Link::new("Add new authorization", "POST", format!("{base}/user/authorizations"))
        .takes("scope", "string", describe_scopes(timeouts), offered, "userinfo".into())
        .takes(
            "note",
            "string",
            "A description to remind you what this authorization is for.",
            Vec::new(),
            Node::Null,
        )
        .takes(
            "expires_in",
            "integer",
            "The number of seconds before this authorization expires. Out of range values will be \
             set to the maximum allowed time.",
            Vec::new(),
            Node::Number(-1),
        )
        .takes(
            "reuse",
            "boolean",
            "Attempt to locate and reuse an authorization that matches the scope and note and has \
             not yet expired.",
            flags,
            Node::Flag(false),
        )
}

/// The scopes for people; clients read it too, so it keeps upstream's form to the blank.
fn describe_scopes(timeouts: &ScopeTimeouts) -> String {
    let mut text =
        "Select one or more scopes that this authorization will grant access to:\n".to_owned();
    for (name, description) in OpenshiftScope::OFFERED.iter().zip(ADVERTISED) {
        let kind = name.split('/').next().unwrap_or_default();
        let life = in_words(timeouts.of_kind(kind).0);
        text.extend(["\n*  ", name, "\n   ", description, " Valid for ", &life, "."]);
    }
    text
}

/// A time in upstream's words, such as `about 1 month`.
fn in_words(seconds: u64) -> String {
    const HOUR: u64 = 60;
    const DAY: u64 = 24 * HOUR;
    const MONTH: u64 = 30 * DAY;
    const YEAR: u64 = 365 * DAY;
    let minutes = (seconds + 30) / 60;
    let rounded = |unit: u64| (minutes + unit / 2) / unit;
    let count = |about: &str, n: u64, unit: &str| {
        let plural = if n == 1 { "" } else { "s" };
        format!("{about}{n} {unit}{plural}")
    };
    match minutes {
        0 => "less than a minute".to_owned(),
        1..45 => count("", minutes, "minute"),
        45..90 => count("about ", 1, "hour"),
        90..1_440 => count("about ", rounded(HOUR), "hour"),
        1_440..2_530 => count("", 1, "day"),
        2_530..43_200 => count("", rounded(DAY), "day"),
        43_200..86_400 => count("about ", 1, "month"),
        86_400..525_600 => count("", rounded(MONTH), "month"),
        _ => match (minutes / YEAR, minutes % YEAR) {
            (years, 0..131_400) => count("about ", years, "year"),
            (years, 131_400..394_200) => count("over ", years, "year"),
            (years, _) => count("almost ", years + 1, "year"),
        },
    }
}

#[cfg(test)]
mod tests {
    use claviger_service::settings::OpenShift;

    use super::*;

    #[test]
    fn times_have_upstreams_words() {
        for (seconds, words) in [
            (0, "less than a minute"),
            (60, "1 minute"),
            (600, "10 minutes"),
            (3600, "about 1 hour"),
            (7200, "about 2 hours"),
            (86_400, "1 day"),
            (604_800, "7 days"),
            (2_592_000, "about 1 month"),
            (15_552_000, "6 months"),
            (31_536_000, "about 1 year"),
        ] {
            assert_eq!(in_words(seconds), words);
        }
    }

    #[test]
    fn scopes_are_described_line_by_line() {
        let text = describe_scopes(&OpenShift::default().scope_timeouts);
        let begin = "Select one or more scopes that this authorization will grant access to:\n\n\
                     *  session\n   Grants a client the authority to perform all API actions \
                     against your account. Valid for 1 day.\n*  read\n   Allows ";
        assert!(text.starts_with(begin), "{text}");
        let end = "\n*  application/:id/admin\n   Grant full administrative access to a single \
                   application. Valid for about 1 month.";
        assert!(text.ends_with(end), "{text}");
    }
}
