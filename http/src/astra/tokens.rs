//! Api tokens: `/accounts/{account}/core/v1/users/{user}/tokens`, and the same below groups.
//!
//! There are no groups here, so nothing is found below them.
//!
//! Source: `contract/astra.md` sections 2 to 4.

use std::sync::Arc;

use axum::extract::State;
use claviger_domain::{
    Conflict, Error,
    account::{ItemName, ItemNameError, Label},
    collection::{Field, Parameter},
    id::TokenId,
};
use claviger_service::{
    api_tokens::{ApiTokenChange, ApiTokenView},
    collection::Shape,
    residents::{Fellow, Resident},
};
use serde::Serialize;

use super::{
    Astra, Here,
    body::Fields,
    etag::Preconditions,
    gate::Call,
    list, lists,
    media::Kind,
    metadata::{self, Metadata},
    problem::Problem,
    reply::Reply,
};
use crate::Routes;

const KIND: Kind =
    Kind { one: "application/astra-token", list: "application/astra-tokens", version: "1.0" };

static SHAPE: Shape = Shape {
    name: "astra/tokens",
    fields: &[
        Field::constant("type", KIND.one),
        Field::constant("version", KIND.version),
        Field::text("id", "id"),
        Field::text("name", "name"),
        Field::text("userID", "owner"),
        Field::object("metadata"),
        Field::instant("metadata.creationTimestamp", "created_at"),
        Field::instant("metadata.modificationTimestamp", "modified_at"),
        Field::text("metadata.createdBy", "created_by"),
        Field::text("metadata.modifiedBy", "modified_by"),
        Field::text("metadata.labels[*].name", "label_name"),
        Field::text("metadata.labels[*].value", "label_value"),
    ],
    takes: Parameter::ALL,
    wide_values: false,
};

const ALL: &str = "/accounts/{account}/core/v1/users/{user}/tokens";
const ONE: &str = "/accounts/{account}/core/v1/users/{user}/tokens/{token}";
const ALL_OF_GROUP: &str = "/accounts/{account}/core/v1/groups/{group}/users/{user}/tokens";
const ONE_OF_GROUP: &str = "/accounts/{account}/core/v1/groups/{group}/users/{user}/tokens/{token}";

pub(super) fn routes() -> Routes<Arc<Astra>> {
    [(ALL, ONE), (ALL_OF_GROUP, ONE_OF_GROUP)].into_iter().fold(list(), |routes, (all, one)| {
        routes
            .get(all, show_all)
            .post(all, make)
            .get(one, show)
            .put(one, change)
            .delete(one, delete)
    })
}

#[derive(Serialize)]
struct Shown<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    version: &'static str,
    id: String,
    name: &'a str,
    #[serde(rename = "userID")]
    owner: String,
    /// Only where it was made a moment ago.
    #[serde(rename = "token", skip_serializing_if = "Option::is_none")]
    secret: Option<&'a str>,
    metadata: Metadata,
}

impl<'a> Shown<'a> {
    fn of(view: &'a ApiTokenView) -> Self {
        let token = &view.token;
        Self {
            kind: KIND.one,
            version: KIND.version,
            id: token.id.to_string(),
            name: &token.name,
            owner: token.owner.to_string(),
            secret: None,
            metadata: Metadata::new(
                &view.labels,
                (token.created_at, token.created_by),
                (token.modified_at, token.modified_by),
            ),
        }
    }
}

/// Who is calling, and the user of the path, whose tokens he may see. To those who may not, a user
/// who is not there is like any other.
async fn whose(door: &Astra, call: &Call) -> Result<(Resident, Fellow), Problem> {
    let resident = call.resident(door).await?;
    match call.after("users").parse() {
        Ok(id) => resident.must_see_tokens_of(id)?,
        Err(_) => resident.must_be_admin()?,
    }
    if !call.after("groups").is_empty() {
        return Err(Problem::no_collection());
    }
    let user = call.user(door, &resident).await?;
    Ok((resident, user))
}

/// `GET …/tokens`.
async fn show_all(State(door): Here, call: Call) -> Result<Reply, Problem> {
    let (resident, of) = whose(&door, &call).await?;
    let list = call.listing(&door, &SHAPE, of.user.id.text())?;
    let media = call.media(&KIND)?;
    let columns = list.asked.include.clone();
    let page = door.app.api_tokens(&resident, &of, list).await?;
    lists::show(media, &KIND, &columns, &page, Shown::of)
}

/// `POST …/tokens`. The answer alone has the secret.
async fn make(State(door): Here, mut call: Call) -> Result<Reply, Problem> {
    let (resident, of) = whose(&door, &call).await?;
    resident.must_manage(&of)?;
    call.no_query()?;
    let media = call.media(&KIND)?;
    let (name, labels) = read_new(call.fields().await?)?;
    let made = door.app.create_api_token(&resident, &of, name, labels, &call.origin).await;
    let (made, secret) = made.map_err(no_collection)?;
    let location = call.location(&door, made.token.id);
    let shown = Shown::of(&made);
    let whole = Shown { secret: Some(secret.expose()), ..Shown::of(&made) };
    Reply::made(media, &shown, location)?.showing_once(&whole)
}

fn read_new(fields: Fields) -> Result<(ItemName, Vec<Label>), Problem> {
    let Asked { id, owner, name, labels } = Asked::read(fields)?;
    let not_here = |name| Problem::misfit(format!("{name} is not known"));
    match (id, owner, name) {
        (Some(_), _, _) => Err(not_here("id")),
        (_, Some(_), _) => Err(not_here("userID")),
        (None, None, name) => Ok((
            named(name)?.ok_or_else(|| Problem::misfit("name is missing"))?,
            labels.unwrap_or_default(),
        )),
    }
}

/// What a body says of a token, as far as its shape goes.
struct Asked {
    id: Option<String>,
    owner: Option<String>,
    name: Option<String>,
    labels: Option<Vec<Label>>,
}

impl Asked {
    fn read(mut fields: Fields) -> Result<Self, Problem> {
        fields.constant("type", KIND.one)?;
        fields.constant("version", KIND.version)?;
        let (id, owner) = (fields.id("id")?, fields.id("userID")?);
        let name = fields.text_within("name", 1, ItemName::MAX_CHARS)?;
        let labels = metadata::labels(&mut fields)?;
        fields.end()?;
        Ok(Self { id, owner, name, labels })
    }
}

/// The name that a body gives.
fn named(name: Option<String>) -> Result<Option<ItemName>, Problem> {
    let parse =
        |name: String| name.parse().map_err(|error: ItemNameError| Problem::field("name", error));
    name.map(parse).transpose()
}

/// `GET …/tokens/{token}`.
async fn show(State(door): Here, call: Call) -> Result<Reply, Problem> {
    let (resident, of) = whose(&door, &call).await?;
    call.no_query()?;
    let media = call.media(&KIND)?;
    let id = call.after("tokens").parse().map_err(|_| Problem::no_collection())?;
    let token = door.app.api_token(&resident, &of, id).await.map_err(no_collection)?;
    Reply::shown(media, &Shown::of(&token))
}

/// What is not there, where it is only looked for.
fn no_collection(error: Error) -> Problem {
    match error {
        Error::NotFound(_) => Problem::no_collection(),
        error => error.into(),
    }
}

/// The token of the path, where it is to be changed.
fn target(call: &Call) -> Result<TokenId, Problem> {
    call.after("tokens").parse().map_err(|_| Problem::no_resource())
}

/// `PUT …/tokens/{token}`: its name and labels.
async fn change(State(door): Here, mut call: Call) -> Result<Reply, Problem> {
    let (resident, of) = whose(&door, &call).await?;
    resident.must_manage(&of)?;
    call.no_query()?;
    let id = target(&call)?;
    let wanted = call.preconditions();
    let old = door.app.api_token(&resident, &of, id).await?;
    if !as_wanted(&wanted, &old) {
        return Err(Problem::precondition());
    }
    let change = read_change(call.fields().await?, &old)?;
    let still = move |now: &ApiTokenView| as_wanted(&wanted, now);
    door.app.change_api_token(&resident, &of, id, change, still, &call.origin).await?;
    Ok(Reply::none())
}

fn read_change(fields: Fields, old: &ApiTokenView) -> Result<ApiTokenChange, Problem> {
    let Asked { id, owner, name, labels } = Asked::read(fields)?;
    let change = ApiTokenChange { name: named(name)?, labels };
    for (field, given, there) in
        [("id", id, old.token.id.text()), ("userID", owner, old.token.owner.text())]
    {
        if given.is_some_and(|given| *given != *there) {
            return Err(Error::from(Conflict::Fixed(field)).into());
        }
    }
    Ok(change)
}

/// Whether the token is in a state that a client wants it to be in.
fn as_wanted(wanted: &Preconditions, view: &ApiTokenView) -> bool {
    let modified_at = view.token.modified_at.unwrap_or(view.token.created_at);
    wanted.hold(&Shown::of(view), modified_at)
}

/// `DELETE …/tokens/{token}`.
async fn delete(State(door): Here, call: Call) -> Result<Reply, Problem> {
    let (resident, of) = whose(&door, &call).await?;
    resident.must_manage(&of)?;
    call.no_query()?;
    let id = target(&call)?;
    door.app.delete_api_token(&resident, &of, id, &call.origin).await?;
    Ok(Reply::none())
}
