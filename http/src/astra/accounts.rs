//! Accounts: `/accounts`, `/accounts/{account}`.

use std::sync::Arc;

use axum::extract::State;
use claviger_domain::{
    Conflict, Error,
    account::{ItemName, Label},
    collection::{Field, Parameter},
};
use claviger_service::{
    accounts::{AccountChange, AccountView},
    collection::Shape,
};
use serde::Serialize;

use super::{
    Astra, Here,
    body::{Fields, item_name},
    etag::Preconditions,
    gate::Call,
    lists,
    media::Kind,
    metadata::{self, Metadata},
    problem::Problem,
    reply::Reply,
};
use crate::Routes;

const KIND: Kind =
    Kind { one: "application/astra-account", list: "application/astra-accounts", version: "1.0" };
const ALL: &str = "/accounts";
const ONE: &str = "/accounts/{account}";

static SHAPE: Shape = Shape {
    name: "astra/accounts",
    takes: Parameter::ALL,
    wide_values: false,
    fields: &[
        Field::constant("type", KIND.one),
        Field::constant("version", KIND.version),
        Field::text("id", "id"),
        Field::text("name", "name"),
        Field::constant("state", "active"),
        Field::constant("isEnabled", "true"),
        Field::object("metadata"),
        Field::instant("metadata.creationTimestamp", "created_at"),
        Field::instant("metadata.modificationTimestamp", "modified_at"),
        Field::text("metadata.createdBy", "created_by"),
        Field::text("metadata.modifiedBy", "modified_by"),
        Field::text("metadata.labels[*].name", "label_name"),
        Field::text("metadata.labels[*].value", "label_value"),
    ],
};

pub(super) fn routes() -> Routes<Arc<Astra>> {
    super::list().get(ALL, all).post(ALL, make).get(ONE, show).put(ONE, change).delete(ONE, remove)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    #[serde(rename = "type")]
    kind: &'static str,
    version: &'static str,
    id: String,
    name: String,
    state: &'static str,
    is_enabled: &'static str,
    metadata: Metadata,
}

impl Shown {
    fn of(view: &AccountView) -> Self {
        let account = &view.account;
        Self {
            kind: KIND.one,
            version: KIND.version,
            id: account.id.to_string(),
            name: account.name.clone(),
            state: "active",
            is_enabled: "true",
            metadata: Metadata::new(
                &view.labels,
                (account.created_at, account.created_by),
                (account.modified_at, account.modified_by),
            ),
        }
    }
}

/// `GET /accounts`: one's own, or all for a superuser.
async fn all(State(door): Here, call: Call) -> Result<Reply, Problem> {
    let whose = if call.caller.standing.superuser {
        "all".to_owned()
    } else {
        call.caller.principal.account.to_string()
    };
    // who has no role anywhere is refused before his query is read
    door.app.resident(&call.caller, call.caller.principal.account).await?.must_see()?;
    let list = call.listing(&door, &SHAPE, whose)?;
    let (media, columns) = (call.media(&KIND)?, list.asked.include.clone());
    let page = door.app.accounts(&call.caller, list).await?;
    lists::show(media, &KIND, &columns, &page, Shown::of)
}

/// `POST /accounts`.
async fn make(State(door): Here, mut call: Call) -> Result<Reply, Problem> {
    if !call.caller.standing.superuser {
        return Err(Problem::forbidden());
    }
    call.no_query()?;
    let media = call.media(&KIND)?;
    let Asked { name, labels, .. } = Asked::read(call.fields().await?)?;
    let name = name.ok_or_else(|| Problem::misfit("name is missing"))?;
    let labels = labels.unwrap_or_default();
    let made = door.app.make_account(&call.caller, name, labels, &call.origin).await?;
    let location = call.location(&door, made.account.id);
    Reply::made(media, &Shown::of(&made), location)
}

/// What a body says of an account.
struct Asked {
    id: Option<String>,
    name: Option<ItemName>,
    labels: Option<Vec<Label>>,
}

impl Asked {
    fn read(mut fields: Fields) -> Result<Self, Problem> {
        fields.constant("type", KIND.one)?;
        fields.constant("version", KIND.version)?;
        let id = fields.id("id")?;
        let name = item_name(&mut fields, "name")?;
        let state = fields.word("state", &["pending", "active", "deletePending"])?;
        let enabled = fields.flag("isEnabled")?;
        let labels = metadata::labels(&mut fields)?;
        fields.end()?;
        if state.is_some_and(|state| state != "active") {
            return Err(Problem::field("state", "cannot be set"));
        }
        if enabled == Some(false) {
            return Err(Problem::field("isEnabled", "an account cannot be disabled"));
        }
        Ok(Self { id, name, labels })
    }
}

/// `GET /accounts/{account}`.
async fn show(State(door): Here, call: Call) -> Result<Reply, Problem> {
    let resident = call.resident(&door).await?;
    resident.must_see()?;
    call.no_query()?;
    let media = call.media(&KIND)?;
    let account = door.app.account(&resident).await?;
    Reply::shown(media, &Shown::of(&account))
}

/// `PUT /accounts/{account}`: its name and labels.
async fn change(State(door): Here, mut call: Call) -> Result<Reply, Problem> {
    let resident = call.resident(&door).await?;
    resident.must_be_owner()?;
    call.no_query()?;
    let wanted = call.preconditions();
    let old = door.app.account(&resident).await?;
    if !as_wanted(&wanted, &old) {
        return Err(Problem::precondition());
    }
    let Asked { id, name, labels } = Asked::read(call.fields().await?)?;
    if id.is_some_and(|id| id != *old.account.id.text()) {
        return Err(Error::from(Conflict::Fixed("id")).into());
    }
    let change = AccountChange { name, labels };
    let still = move |now: &AccountView| as_wanted(&wanted, now);
    door.app.change_account(&resident, change, still, &call.origin).await?;
    Ok(Reply::none())
}

/// Whether the account is in a state that a client wants it to be in.
fn as_wanted(wanted: &Preconditions, view: &AccountView) -> bool {
    let modified_at = view.account.modified_at.unwrap_or(view.account.created_at);
    wanted.hold(&Shown::of(view), modified_at)
}

/// `DELETE /accounts/{account}`: one that nobody belongs to any more.
async fn remove(State(door): Here, call: Call) -> Result<Reply, Problem> {
    let resident = call.resident(&door).await?;
    resident.must_be_owner()?;
    call.no_query()?;
    let wanted = call.preconditions();
    let still = move |now: &AccountView| as_wanted(&wanted, now);
    door.app.remove_account(&resident, still, &call.origin).await?;
    Ok(Reply::none())
}
