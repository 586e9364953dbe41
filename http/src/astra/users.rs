//! Users: `/accounts/{account}/core/v1/users`.
//!
//! A local user is `active` or `suspended`; `isEnabled` says the same.

use std::sync::Arc;

use axum::extract::State;
use claviger_domain::{
    Conflict, Error,
    collection::{Field, Parameter},
    name::Email,
};
use claviger_service::{
    account_users::{AccountUserChange, UserView, UserWords},
    collection::Shape,
    own_user::PostalAddress,
};
use serde::Serialize;

use super::{
    Astra, Here,
    body::{Fields, name_in},
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
    Kind { one: "application/astra-user", list: "application/astra-users", version: "1.2" };
const VERSIONS: [&str; 3] = ["1.0", "1.1", "1.2"];
const ALL: &str = "/accounts/{account}/core/v1/users";
const ONE: &str = "/accounts/{account}/core/v1/users/{user}";
const LOCAL: &str = "local";

static SHAPE: Shape = Shape {
    name: "astra/users",
    takes: Parameter::ALL,
    wide_values: false,
    fields: &[
        Field::constant("type", KIND.one),
        Field::constant("version", KIND.version),
        Field::text("id", "id"),
        Field::text("state", "state"),
        Field::text("isEnabled", "enabled"),
        Field::text("authID", "email"),
        Field::constant("authProvider", LOCAL),
        Field::text("firstName", "first_name"),
        Field::text("lastName", "last_name"),
        Field::text("email", "email"),
        Field::object("companyName"),
        Field::object("phone"),
        Field::object("postalAddress"),
        Field::constant("sendWelcomeEmail", "false"),
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
    super::list().get(ALL, all).post(ALL, make).get(ONE, show).put(ONE, change).delete(ONE, end)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    #[serde(rename = "type")]
    kind: &'static str,
    version: &'static str,
    id: String,
    state: &'static str,
    is_enabled: &'static str,
    #[serde(rename = "authID")]
    auth_id: String,
    auth_provider: &'static str,
    first_name: String,
    last_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    company_name: Option<String>,
    email: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    postal_address: Option<PostalAddress>,
    send_welcome_email: &'static str,
    metadata: Metadata,
}

impl Shown {
    fn of(view: &UserView) -> Self {
        let (user, profile) = (&view.user, &view.profile);
        let said = |text: &Option<String>| text.clone().unwrap_or_default();
        let (state, is_enabled) = match user.disabled_at {
            None => ("active", "true"),
            Some(_) => ("suspended", "false"),
        };
        Self {
            kind: KIND.one,
            version: KIND.version,
            id: user.id.to_string(),
            state,
            is_enabled,
            auth_id: said(&user.email),
            auth_provider: LOCAL,
            first_name: said(&profile.given_name),
            last_name: said(&profile.family_name),
            company_name: profile.company.clone(),
            email: said(&user.email),
            phone: profile.phone.clone(),
            postal_address: profile.postal_address.clone(),
            send_welcome_email: "false",
            metadata: Metadata::new(
                &view.labels,
                (user.created_at, user.created_by),
                (user.modified_at, user.modified_by),
            ),
        }
    }
}

/// `GET …/users`.
async fn all(State(door): Here, call: Call) -> Result<Reply, Problem> {
    let resident = call.resident(&door).await?;
    resident.must_see()?;
    let list = call.listing(&door, &SHAPE, resident.account().to_string())?;
    let (media, columns) = (call.media(&KIND)?, list.asked.include.clone());
    let page = door.app.account_users(&resident, list).await?;
    lists::show(media, &KIND, &columns, &page, Shown::of)
}

/// `GET …/users/{user}`.
async fn show(State(door): Here, call: Call) -> Result<Reply, Problem> {
    let resident = call.resident(&door).await?;
    resident.must_see()?;
    let user = call.user(&door, &resident).await?;
    call.no_query()?;
    let media = call.media(&KIND)?;
    Reply::shown(media, &Shown::of(&door.app.user_view(user.user).await?))
}

/// `POST …/users`.
async fn make(State(door): Here, mut call: Call) -> Result<Reply, Problem> {
    let resident = call.resident(&door).await?;
    resident.must_be_admin()?;
    call.no_query()?;
    let media = call.media(&KIND)?;
    let mut fields = call.fields().await?;
    let asked = Asked::read(&mut fields)?;
    let email = fields.required("email", asked.email)?;
    fields.end()?;
    check_authentication(asked.auth_provider, asked.auth_id.as_deref(), email.as_str())?;
    let made = door.app.make_account_user(&resident, email, asked.words, &call.origin).await?;
    let location = call.location(&door, made.user.id);
    Reply::made(media, &Shown::of(&made), location)
}

/// `PUT …/users/{user}`.
async fn change(State(door): Here, mut call: Call) -> Result<Reply, Problem> {
    let resident = call.resident(&door).await?;
    resident.must_see()?;
    if *call.after("users") != *resident.by().principal.id.text() {
        resident.must_be_admin()?;
    }
    let fellow = call.user_to_change(&door, &resident).await?;
    resident.must_manage(&fellow)?;
    call.no_query()?;
    let wanted = call.preconditions();
    let old = door.app.user_view(fellow.user).await?;
    if !as_wanted(&wanted, &old) {
        return Err(Problem::precondition());
    }
    let mut fields = call.fields().await?;
    let asked = Asked::read(&mut fields)?;
    let id = fields.id("id")?;
    let state = fields.word("state", &["pending", "active", "suspended"])?;
    let enabled = fields.flag("isEnabled")?;
    for name in ["enableTimestamp", "lastActTimestamp"] {
        fields.text(name)?;
    }
    fields.end()?;
    if state == Some("pending") {
        return Err(Problem::field("state", "a local user is active or suspended"));
    }
    if id.is_some_and(|id| id != *old.user.id.text()) {
        return Err(Error::from(Conflict::Fixed("id")).into());
    }
    let email = asked.email.as_ref().map(Email::as_str);
    let known = email.or(old.user.email.as_deref()).unwrap_or_default();
    let provider = asked.auth_provider;
    // a client that changes the address sends back the authID that it has read
    let auth_id = asked.auth_id.as_deref().filter(|id| Some(*id) != old.user.email.as_deref());
    check_authentication(provider, auth_id, known)?;
    // of the two that say the same, the one counts that says something new
    let was = old.user.disabled_at.is_none();
    let said = [enabled, state.map(|state| state == "active")];
    let enabled = said.into_iter().flatten().find(|enabled| *enabled != was);
    let change = AccountUserChange { words: asked.words, email: asked.email, enabled };
    let id = old.user.id;
    let still = move |now: &UserView| as_wanted(&wanted, now);
    door.app.change_account_user(&resident, id, change, still, &call.origin).await?;
    Ok(Reply::none())
}

/// `DELETE …/users/{user}`.
async fn end(State(door): Here, call: Call) -> Result<Reply, Problem> {
    let resident = call.resident(&door).await?;
    resident.must_be_admin()?;
    let fellow = call.user_to_change(&door, &resident).await?;
    resident.must_set_credentials_of(&fellow)?;
    call.no_query()?;
    let wanted = call.preconditions();
    let still = move |now: &UserView| as_wanted(&wanted, now);
    door.app.end_account_user(&resident, fellow.user.id, still, &call.origin).await?;
    Ok(Reply::none())
}

/// Whether the user is in a state that a client wants him to be in.
fn as_wanted(wanted: &Preconditions, view: &UserView) -> bool {
    let modified_at = view.user.modified_at.unwrap_or(view.user.created_at);
    wanted.hold(&Shown::of(view), modified_at)
}

/// What a body says of a user, made or changed.
struct Asked {
    email: Option<Email>,
    auth_provider: Option<&'static str>,
    auth_id: Option<String>,
    words: UserWords,
}

impl Asked {
    fn read(fields: &mut Fields) -> Result<Self, Problem> {
        fields.constant("type", KIND.one)?;
        fields.version(&VERSIONS)?;
        let auth_provider = fields.word("authProvider", &["cloud-central", LOCAL, "ldap"])?;
        let auth_id = fields.text("authID")?;
        let email = fields.text("email")?;
        let words = UserWords {
            first_name: name_in(fields, "firstName", 0)?,
            last_name: name_in(fields, "lastName", 0)?,
            company: name_in(fields, "companyName", 1)?,
            phone: fields.text_within("phone", 1, 63)?,
            postal_address: postal_address(fields)?,
            labels: None,
        };
        fields.flag("sendWelcomeEmail")?;
        let labels = metadata::labels(fields)?;
        let bad_email = |error| Problem::field("email", error);
        let email = email.map(|email| email.parse().map_err(bad_email)).transpose()?;
        Ok(Self { email, auth_provider, auth_id, words: UserWords { labels, ..words } })
    }
}

fn postal_address(fields: &mut Fields) -> Result<Option<PostalAddress>, Problem> {
    let Some(mut given) = fields.object("postalAddress")? else { return Ok(None) };
    let mut part = |name: &str, least: usize, most: usize| {
        let text = given.text_within(name, least, most)?;
        given.required(name, text)
    };
    let address = PostalAddress {
        address_country: part("addressCountry", 2, 2)?,
        address_locality: part("addressLocality", 1, 63)?,
        address_region: part("addressRegion", 1, 63)?,
        postal_code: part("postalCode", 1, 63)?,
        street: part("streetAddress1", 1, 63)?,
        street_more: String::new(),
    };
    let more = given.text_within("streetAddress2", 0, 63)?;
    given.end()?;
    Ok(Some(PostalAddress { street_more: more.unwrap_or_default(), ..address }))
}

/// Checks that a user signs in here and nowhere else, by his address.
fn check_authentication(
    provider: Option<&str>,
    auth_id: Option<&str>,
    email: &str,
) -> Result<(), Problem> {
    if provider.is_some_and(|provider| provider != LOCAL) {
        return Err(Problem::field("authProvider", "only local users are kept here"));
    }
    match auth_id {
        Some(id) if !id.is_empty() && id != email => {
            Err(Problem::field("authID", "is the e-mail address of a local user"))
        }
        _ => Ok(()),
    }
}
