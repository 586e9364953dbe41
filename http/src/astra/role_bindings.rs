//! Role bindings: `…/core/v1/roleBindings`, and those of one user below `…/users/{user}`.

use std::sync::Arc;

use axum::extract::State;
use claviger_domain::{
    Conflict, Error,
    collection::{Field, Parameter},
    id::{BindingId, PrincipalId},
    role::AccountRole,
};
use claviger_service::{
    collection::Shape,
    residents::{Fellow, Resident},
    role_bindings::{NewRole, RoleBindingView, RoleChange},
};
use serde::Serialize;

use super::{
    Astra, Here, NIL,
    body::Fields,
    etag::Preconditions,
    gate::Call,
    lists,
    media::Kind,
    metadata::{self, Metadata},
    problem::Problem,
    reply::Reply,
};
use crate::Routes;

const KIND: Kind = Kind {
    one: "application/astra-roleBinding",
    list: "application/astra-roleBindings",
    version: "1.1",
};
const VERSIONS: [&str; 2] = ["1.0", "1.1"];
const ALL: &str = "/accounts/{account}/core/v1/roleBindings";
const ONE: &str = "/accounts/{account}/core/v1/roleBindings/{binding}";
const ALL_OF_USER: &str = "/accounts/{account}/core/v1/users/{user}/roleBindings";
const ONE_OF_USER: &str = "/accounts/{account}/core/v1/users/{user}/roleBindings/{binding}";
const USER: &str = "user";
/// The most that a role is bound to, and the most characters of each.
const CONSTRAINTS: usize = 64;
const CONSTRAINT_CHARS: usize = 255;

static SHAPE: Shape = Shape {
    name: "astra/roleBindings",
    takes: Parameter::ALL,
    wide_values: false,
    fields: &[
        Field::constant("type", KIND.one),
        Field::constant("version", KIND.version),
        Field::text("id", "id"),
        Field::constant("principalType", USER),
        Field::text("userID", "user"),
        Field::constant("groupID", NIL),
        Field::text("accountID", "account"),
        Field::text("role", "role"),
        Field::object("roleConstraints"),
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
    let mut routes = super::list();
    for (all, one) in [(ALL, ONE), (ALL_OF_USER, ONE_OF_USER)] {
        routes = routes.get(all, list).post(all, give);
        routes = routes.get(one, show).put(one, change).delete(one, take);
    }
    routes
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    #[serde(rename = "type")]
    kind: &'static str,
    version: &'static str,
    id: String,
    principal_type: &'static str,
    #[serde(rename = "userID")]
    user: String,
    #[serde(rename = "groupID")]
    group: &'static str,
    #[serde(rename = "accountID")]
    account: String,
    role: &'static str,
    role_constraints: Vec<String>,
    metadata: Metadata,
}

impl Shown {
    fn of(view: &RoleBindingView) -> Self {
        let binding = &view.binding;
        Self {
            kind: KIND.one,
            version: KIND.version,
            id: binding.id.to_string(),
            principal_type: USER,
            user: binding.user.to_string(),
            group: NIL,
            account: binding.account.to_string(),
            role: binding.role.as_str(),
            role_constraints: view.constraints.clone(),
            metadata: Metadata::new(
                &view.labels,
                (binding.created_at, binding.created_by),
                (binding.modified_at, binding.modified_by),
            ),
        }
    }
}

/// The user of the path, if it names one.
async fn user(door: &Astra, call: &Call, by: &Resident) -> Result<Option<Fellow>, Problem> {
    if call.names("users") { call.user(door, by).await.map(Some) } else { Ok(None) }
}

/// The role binding of the path, of `user` if one is named.
async fn binding(
    door: &Astra,
    call: &Call,
    by: &Resident,
    user: Option<&Fellow>,
) -> Result<Option<RoleBindingView>, Problem> {
    let Ok(id) = call.after("roleBindings").parse::<BindingId>() else { return Ok(None) };
    let found = door.app.role_binding(by, id).await?;
    Ok(found.filter(|found| user.is_none_or(|user| user.user.id == found.binding.user)))
}

/// `GET …/roleBindings`.
async fn list(State(door): Here, call: Call) -> Result<Reply, Problem> {
    let resident = call.resident(&door).await?;
    resident.must_see()?;
    let user = user(&door, &call, &resident).await?.map(|user| user.user.id);
    let whose = match user {
        Some(user) => format!("{}/{user}", resident.account()),
        None => resident.account().to_string(),
    };
    let list = call.listing(&door, &SHAPE, whose)?;
    let (media, columns) = (call.media(&KIND)?, list.asked.include.clone());
    let page = door.app.role_bindings(&resident, user, list).await?;
    lists::show(media, &KIND, &columns, &page, Shown::of)
}

/// `GET …/roleBindings/{binding}`.
async fn show(State(door): Here, call: Call) -> Result<Reply, Problem> {
    let resident = call.resident(&door).await?;
    resident.must_see()?;
    let user = user(&door, &call, &resident).await?;
    call.no_query()?;
    let media = call.media(&KIND)?;
    let found = binding(&door, &call, &resident, user.as_ref()).await?;
    Reply::shown(media, &Shown::of(&found.ok_or_else(Problem::no_collection)?))
}

/// `POST …/roleBindings`.
async fn give(State(door): Here, mut call: Call) -> Result<Reply, Problem> {
    let resident = call.resident(&door).await?;
    resident.must_be_admin()?;
    let user = user(&door, &call, &resident).await?.map(|user| user.user.id);
    call.no_query()?;
    let media = call.media(&KIND)?;
    let mut fields = call.fields().await?;
    let asked = Asked::read(&mut fields)?;
    let account = fields.required("accountID", asked.account)?;
    let role = fields.required("role", asked.role)?;
    fields.end()?;
    if *account != *resident.account().text() {
        return Err(Problem::conflict("accountID", "is not the account of the path"));
    }
    let given = asked.user.filter(|id| id != NIL);
    if asked.group.is_some_and(|id| id != NIL) {
        return Err(Problem::field("groupID", "there are no groups here"));
    }
    let given: Option<PrincipalId> = match given.map(|id| id.parse()) {
        None => None,
        Some(Ok(id)) => Some(id),
        Some(Err(_)) => return Err(Problem::field("userID", "is no user of this account")),
    };
    let user = match (given, user) {
        (Some(given), Some(user)) if given != user => {
            return Err(Problem::conflict("userID", "is not the user of the path"));
        }
        (Some(user), _) | (None, Some(user)) => user,
        (None, None) => return Err(Problem::field("userID", "is required: a role needs a user")),
    };
    let constraints = asked.constraints.unwrap_or_else(|| vec!["*".to_owned()]);
    let new = NewRole { user, role, constraints, labels: asked.labels.unwrap_or_default() };
    let made = door.app.give_role(&resident, new, &call.origin).await?;
    let location = call.location(&door, made.binding.id);
    Reply::made(media, &Shown::of(&made), location)
}

/// `PUT …/roleBindings/{binding}`.
async fn change(State(door): Here, mut call: Call) -> Result<Reply, Problem> {
    let resident = call.resident(&door).await?;
    resident.must_be_admin()?;
    let user = user(&door, &call, &resident).await?;
    call.no_query()?;
    let found = binding(&door, &call, &resident, user.as_ref()).await?;
    let old = found.ok_or_else(Problem::no_resource)?;
    let wanted = call.preconditions();
    if !as_wanted(&wanted, &old) {
        return Err(Problem::precondition());
    }
    let mut fields = call.fields().await?;
    let asked = Asked::read(&mut fields)?;
    let id = fields.id("id")?;
    let principal = fields.word("principalType", &[USER, "group"])?;
    fields.end()?;
    let binding = &old.binding;
    let said = [
        ("id", id.as_deref(), &*binding.id.text()),
        ("accountID", asked.account.as_deref(), &binding.account.text()),
        ("userID", asked.user.as_deref(), &binding.user.text()),
        ("groupID", asked.group.as_deref(), NIL),
        ("principalType", principal, USER),
    ];
    if let Some((field, ..)) = said.iter().find(|(_, given, is)| given.is_some_and(|g| g != *is)) {
        return Err(Error::from(Conflict::Fixed(field)).into());
    }
    let change =
        RoleChange { role: asked.role, constraints: asked.constraints, labels: asked.labels };
    let id = binding.id;
    let still = move |now: &RoleBindingView| as_wanted(&wanted, now);
    door.app.change_role(&resident, id, change, still, &call.origin).await?;
    Ok(Reply::none())
}

/// `DELETE …/roleBindings/{binding}`: the user ends with his only role.
async fn take(State(door): Here, call: Call) -> Result<Reply, Problem> {
    let resident = call.resident(&door).await?;
    resident.must_be_admin()?;
    let user = user(&door, &call, &resident).await?;
    call.no_query()?;
    let found = binding(&door, &call, &resident, user.as_ref()).await?;
    let id = found.ok_or_else(Problem::no_resource)?.binding.id;
    let wanted = call.preconditions();
    let still = move |now: &RoleBindingView| as_wanted(&wanted, now);
    door.app.take_role(&resident, id, still, &call.origin).await?;
    Ok(Reply::none())
}

/// Whether the role binding is in a state that a client wants it to be in.
fn as_wanted(wanted: &Preconditions, view: &RoleBindingView) -> bool {
    let modified_at = view.binding.modified_at.unwrap_or(view.binding.created_at);
    wanted.hold(&Shown::of(view), modified_at)
}

/// What a body says of a role binding, made or changed.
struct Asked {
    user: Option<String>,
    group: Option<String>,
    account: Option<String>,
    role: Option<AccountRole>,
    constraints: Option<Vec<String>>,
    labels: Option<Vec<claviger_domain::account::Label>>,
}

impl Asked {
    fn read(fields: &mut Fields) -> Result<Self, Problem> {
        fields.constant("type", KIND.one)?;
        fields.version(&VERSIONS)?;
        let (user, group) = (fields.id("userID")?, fields.id("groupID")?);
        let account = fields.id("accountID")?;
        let words = AccountRole::ALL.iter().map(|role| role.as_str()).collect::<Vec<_>>();
        let role = fields.word("role", &words)?;
        let constraints = fields.texts("roleConstraints")?;
        let labels = metadata::labels(fields)?;
        if constraints.as_deref().is_some_and(|constraints| !can_bind(constraints)) {
            let problem = "must be at most 64 texts of 1 to 255 printable ASCII characters";
            return Err(Problem::field("roleConstraints", problem));
        }
        let role = role.and_then(|role| role.parse().ok());
        Ok(Self { user, group, account, role, constraints, labels })
    }
}

fn can_bind(constraints: &[String]) -> bool {
    let good = |text: &String| {
        (1..=CONSTRAINT_CHARS).contains(&text.len())
            && text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
    };
    constraints.len() <= CONSTRAINTS && constraints.iter().all(good)
}
