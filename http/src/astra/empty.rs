//! Collections that are always empty: what there is in the world of storage, which the client asks
//! for before it does something else, and when it words an error.
//!
//! Each takes the parameters that its own document lists. Source: `contract/astra.md` section 8.

use std::sync::Arc;

use axum::extract::State;
use claviger_domain::collection::{Field, Parameter};
use claviger_service::collection::{Page, Shape};

use super::{Astra, Here, gate::Call, lists, media::Kind, problem::Problem, reply::Reply};
use crate::Routes;

/// A collection without items.
struct Empty {
    path: &'static str,
    kind: Kind,
    shape: Shape,
}

/// What every resource has, and `more`.
macro_rules! empty {
    ($path:literal, $one:literal, $list:literal, $version:literal, $takes:expr, [$($more:literal),* $(,)?]) => {
        Empty {
            path: concat!("/accounts/{account}/", $path),
            kind: Kind {
                one: concat!("application/astra-", $one),
                list: concat!("application/astra-", $list),
                version: $version,
            },
            shape: Shape {
                name: concat!("astra/", $path),
                takes: $takes,
                wide_values: false,
                fields: &[
                    Field::text("type", "type"),
                    Field::text("version", "version"),
                    Field::text("id", "id"),
                    Field::object("metadata"),
                    $(Field::text($more, $more),)*
                ],
            },
        }
    };
}

const FEW: &[Parameter] = &[Parameter::Include, Parameter::Limit];

static EMPTY: [Empty; 12] = [
    empty!(
        "topology/v1/clouds",
        "cloud",
        "clouds",
        "1.1",
        Parameter::ALL,
        ["name", "state", "cloudType"]
    ),
    empty!("topology/v1/namespaces", "namespace", "namespaces", "1.2", Parameter::ALL, ["name"]),
    empty!("topology/v1/buckets", "bucket", "buckets", "1.2", Parameter::ALL, ["name", "state"]),
    empty!(
        "topology/v1/storageBackends",
        "storageBackend",
        "storageBackends",
        "1.3",
        Parameter::ALL,
        ["backendName", "state"]
    ),
    empty!("k8s/v2/apps", "app", "apps", "2.2", Parameter::ALL, ["name", "state"]),
    empty!(
        "core/v1/groups",
        "group",
        "groups",
        "1.1",
        Parameter::ALL,
        ["name", "authProvider", "authID"]
    ),
    empty!(
        "core/v1/ldapUsers",
        "ldapUser",
        "ldapUsers",
        "1.0",
        Parameter::ALL,
        ["email", "firstName", "lastName", "cn", "dn"]
    ),
    empty!("core/v1/ldapGroups", "ldapGroup", "ldapGroups", "1.0", Parameter::ALL, ["cn", "dn"]),
    empty!(
        "core/v1/notifications",
        "notification",
        "notifications",
        "1.3",
        Parameter::ALL,
        ["summary", "description", "severity", "eventTime", "sequenceCount"]
    ),
    empty!("core/v1/asups", "asup", "asups", "1.0", FEW, ["creationState", "uploadState"]),
    empty!("core/v1/hookSources", "hookSource", "hookSources", "1.0", Parameter::ALL, ["name"]),
    empty!("core/v1/settings", "setting", "settings", "1.1", Parameter::ALL, ["name", "state"]),
];

pub(super) fn routes() -> Routes<Arc<Astra>> {
    EMPTY.iter().fold(super::list(), |routes, empty| {
        routes.get(empty.path, move |door: Here, call: Call| list(door, call, empty))
    })
}

/// Nothing, in the form that was asked for.
async fn list(State(door): Here, call: Call, empty: &'static Empty) -> Result<Reply, Problem> {
    let resident = call.resident(&door).await?;
    resident.must_see()?;
    let list = call.listing(&door, &empty.shape, resident.account().to_string())?;
    let media = call.media(&empty.kind)?;
    let count = list.asked.count.then_some(0);
    let page: Page<()> = Page { items: Vec::new(), count, next: None };
    lists::show(media, &empty.kind, &None, &page, |()| ())
}
