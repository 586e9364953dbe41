//! The user, the entry point and the environment.
//!
//! Source: `contract/openshift.md` sections 1 and 8. There are no gears, domains, teams or plans
//! here, so there are none of them.

use claviger_service::Caller;

use super::{
    Openshift, date,
    envelope::Reply,
    error::Refusal,
    gate::Call,
    links::{self, Link},
    node::Node,
    version::Version,
};

/// The id of the caller as this door shows it: 24 hexadecimal digits, as clients know them. Nothing
/// is looked up by it.
pub(super) fn id(caller: &Caller) -> String {
    caller.principal.id.text().chars().filter(|c| *c != '-').take(24).collect()
}

/// `GET /api`.
pub(super) fn entry_point(door: &Openshift, version: Version) -> Reply {
    let timeouts = &door.app.settings().openshift.scope_timeouts;
    Reply {
        status: http::StatusCode::OK,
        kind: Some("links"),
        data: links::of_entry_point(&door.base, version, timeouts),
        messages: Vec::new(),
    }
}

/// `GET /environment`.
pub(super) fn environment(door: &Openshift) -> Reply {
    let url = door.app.settings().public_url.as_str();
    let host = url.split_once("://").map_or(url, |(_, host)| host);
    let (host, _) = host.rsplit_once(':').unwrap_or((host, ""));
    Reply::one(
        "environment",
        Node::Object(vec![
            ("domain_suffix", host.into()),
            ("download_cartridges_enabled", Node::Flag(false)),
        ]),
    )
}

/// `GET /user`.
pub(super) async fn show(call: &Call<'_>) -> Result<Reply, Refusal> {
    let identity = call.door.app.openshift_identity(call.caller).await?;
    let none = || Node::Number(0);
    let capabilities = Node::Object(vec![
        ("subaccounts", Node::Flag(false)),
        ("gear_sizes", Node::List("gear_size", Vec::new())),
        ("ha", Node::Flag(false)),
        ("view_global_teams", Node::Flag(false)),
        ("private_ssl_certificates", Node::Flag(false)),
        ("max_storage_per_gear", none()),
        ("max_untracked_addtl_storage_per_gear", none()),
        ("max_tracked_addtl_storage_per_gear", none()),
    ]);
    let mut fields = vec![
        ("id", id(call.caller).into()),
        ("login", (*call.caller.principal.name).into()),
        ("email", identity.email.into()),
        ("created_at", date(identity.created_at).into()),
        ("capabilities", capabilities),
        ("consumed_gears", none()),
        ("max_gears", none()),
        ("max_domains", none()),
        ("max_teams", none()),
        ("plan_id", Node::Null),
        ("plan_state", Node::Null),
        ("plan_quantity", Node::Null),
        ("plan_expiration_date", Node::Null),
        ("usage_account_id", Node::Null),
        ("usage_rates", Node::Object(Vec::new())),
        ("currency_cd", Node::Null),
    ];
    if call.style.links {
        let href = || format!("{}/user/keys", call.door.base);
        fields.push((
            "links",
            Node::Links(vec![
                ("LIST_KEYS", Link::new("List SSH keys", "GET", href()).node()),
                ("ADD_KEY", Link::new("Add new SSH key", "POST", href()).node()),
            ]),
        ));
    }
    Ok(Reply::one("user", Node::Object(fields)))
}
