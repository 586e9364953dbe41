//! Credentials of the type `passwordHash`: `/accounts/{account}/core/v1/credentials`.
//!
//! A user has one at most, so it has his id, and his id is its name too. What is in the key store is
//! never shown.

use std::sync::Arc;

use axum::extract::State;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use claviger_domain::{
    Conflict, Error,
    account::Label,
    collection::{Field, Parameter},
    id::PrincipalId,
};
use claviger_service::{
    collection::Shape,
    credentials::{CredentialChange, CredentialView},
    passwords::Password,
};
use serde::Serialize;

use super::{
    Astra, Here,
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
    one: "application/astra-credential",
    list: "application/astra-credentials",
    version: "1.1",
};
const VERSIONS: [&str; 2] = ["1.0", "1.1"];
const ALL: &str = "/accounts/{account}/core/v1/credentials";
const ONE: &str = "/accounts/{account}/core/v1/credentials/{credential}";
const PASSWORD: &str = "passwordHash";
const KEY_TYPES: [&str; 7] =
    ["generic", PASSWORD, "apikey", "kubeconfig", "certificate", "privkey", "s3"];

static SHAPE: Shape = Shape {
    name: "astra/credentials",
    takes: Parameter::ALL,
    wide_values: false,
    fields: &[
        Field::constant("type", KIND.one),
        Field::constant("version", KIND.version),
        Field::text("id", "id"),
        Field::text("name", "id"),
        Field::constant("keyType", PASSWORD),
        Field::constant("valid", "true"),
        Field::object("metadata"),
        Field::instant("metadata.creationTimestamp", "created_at"),
        Field::instant("metadata.modificationTimestamp", "created_at"),
        Field::text("metadata.createdBy", "created_by"),
        Field::text("metadata.labels[*].name", "label_name"),
        Field::text("metadata.labels[*].value", "label_value"),
    ],
};

pub(super) fn routes() -> Routes<Arc<Astra>> {
    super::list().get(ALL, list).post(ALL, make).get(ONE, show).put(ONE, change).delete(ONE, end)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    #[serde(rename = "type")]
    kind: &'static str,
    version: &'static str,
    id: String,
    name: String,
    key_type: &'static str,
    valid: &'static str,
    metadata: Metadata,
}

impl Shown {
    fn of(view: &CredentialView) -> Self {
        let user = &view.user;
        let set_at = user.password_changed_at.unwrap_or(user.created_at);
        Self {
            kind: KIND.one,
            version: KIND.version,
            id: user.id.to_string(),
            name: user.id.to_string(),
            key_type: PASSWORD,
            valid: "true",
            metadata: Metadata::new(&view.labels, (set_at, user.created_by), (None, None)),
        }
    }
}

/// `GET …/credentials`.
async fn list(State(door): Here, call: Call) -> Result<Reply, Problem> {
    let resident = call.resident(&door).await?;
    resident.must_see()?;
    let list = call.listing(&door, &SHAPE, resident.account().to_string())?;
    let (media, columns) = (call.media(&KIND)?, list.asked.include.clone());
    let page = door.app.credentials(&resident, list).await?;
    lists::show(media, &KIND, &columns, &page, Shown::of)
}

/// `GET …/credentials/{credential}`.
async fn show(State(door): Here, call: Call) -> Result<Reply, Problem> {
    let resident = call.resident(&door).await?;
    resident.must_see()?;
    call.no_query()?;
    let media = call.media(&KIND)?;
    let id = call.after("credentials").parse().map_err(|_| Problem::no_collection())?;
    let found = door.app.credential(&resident, id).await?;
    Reply::shown(media, &Shown::of(&found.ok_or_else(Problem::no_collection)?))
}

/// `POST …/credentials`.
async fn make(State(door): Here, mut call: Call) -> Result<Reply, Problem> {
    let resident = call.resident(&door).await?;
    resident.must_see()?;
    call.no_query()?;
    let media = call.media(&KIND)?;
    let mut fields = call.fields().await?;
    let asked = Asked::read(&mut fields)?;
    let name = fields.required("name", asked.name)?;
    let password = fields.required("keyStore", asked.password)?;
    fields.end()?;
    if asked.key_type != Some(PASSWORD) {
        return Err(Problem::field(
            "keyType",
            "only credentials of the type passwordHash are kept",
        ));
    }
    let unknown = || Problem::field("name", "is no user of this account");
    let user: PrincipalId = name.parse().map_err(|_| unknown())?;
    let labels = asked.labels.unwrap_or_default();
    let made = door.app.make_credential(&resident, user, password?, labels, &call.origin).await?;
    let location = call.location(&door, made.user.id);
    Reply::made(media, &Shown::of(&made), location)
}

/// `PUT …/credentials/{credential}`.
async fn change(State(door): Here, mut call: Call) -> Result<Reply, Problem> {
    let resident = call.resident(&door).await?;
    resident.must_see()?;
    let (user, old) = credential_to_change(&door, &call, &resident).await?;
    let wanted = call.preconditions();
    if !as_wanted(&wanted, &old) {
        return Err(Problem::precondition());
    }
    let mut fields = call.fields().await?;
    let asked = Asked::read(&mut fields)?;
    let id = fields.id("id")?;
    fields.end()?;
    let said = [
        ("id", id.as_deref(), &*user.text()),
        ("name", asked.name.as_deref(), &user.text()),
        ("keyType", asked.key_type, PASSWORD),
    ];
    if let Some((field, ..)) = said.iter().find(|(_, given, is)| given.is_some_and(|g| g != *is)) {
        return Err(Error::from(Conflict::Fixed(field)).into());
    }
    let password = asked.password.transpose()?;
    let change = CredentialChange { password, labels: asked.labels };
    let still = move |now: &CredentialView| as_wanted(&wanted, now);
    door.app.change_credential(&resident, user, change, still, &call.origin).await?;
    Ok(Reply::none())
}

/// `DELETE …/credentials/{credential}`: a password goes with its user alone.
async fn end(State(door): Here, call: Call) -> Result<Reply, Problem> {
    let resident = call.resident(&door).await?;
    resident.must_see()?;
    let (_, old) = credential_to_change(&door, &call, &resident).await?;
    if !as_wanted(&call.preconditions(), &old) {
        return Err(Problem::precondition());
    }
    Err(Problem::unexpected_state())
}

/// The credential of the path, which the caller may set.
async fn credential_to_change(
    door: &Astra,
    call: &Call,
    resident: &claviger_service::residents::Resident,
) -> Result<(PrincipalId, CredentialView), Problem> {
    let id = call.after("credentials").parse::<PrincipalId>().ok();
    let own = id.is_some_and(|id| resident.is(id));
    if !own {
        resident.must_be_admin()?;
    }
    call.no_query()?;
    let id = id.ok_or_else(Problem::no_resource)?;
    let fellow = door.app.fellow(resident, id).await?;
    resident.must_set_credentials_of(&fellow)?;
    let found = door.app.credential(resident, id).await?;
    Ok((id, found.ok_or_else(Problem::no_resource)?))
}

/// Whether the password is in a state that a client wants it to be in.
fn as_wanted(wanted: &Preconditions, view: &CredentialView) -> bool {
    let set_at = view.user.password_changed_at.unwrap_or(view.user.created_at);
    wanted.hold(&Shown::of(view), set_at)
}

/// What a body says of a credential, made or changed.
struct Asked {
    name: Option<String>,
    key_type: Option<&'static str>,
    /// The password of the key store, or why it is none: what does not fit the schema comes first.
    password: Option<Result<Password, Problem>>,
    labels: Option<Vec<Label>>,
}

impl Asked {
    fn read(fields: &mut Fields) -> Result<Self, Problem> {
        fields.constant("type", KIND.one)?;
        fields.version(&VERSIONS)?;
        let name = fields.text_within("name", 1, 127)?;
        let key_type = fields.word("keyType", &KEY_TYPES)?;
        let password = fields.object("keyStore")?.map(password).transpose()?;
        let valid = fields.flag("valid")?;
        for name in ["validFromTimestamp", "validUntilTimestamp"] {
            if fields.text(name)?.is_some() {
                return Err(Problem::field(name, "a password has no term"));
            }
        }
        let labels = metadata::labels(fields)?;
        if valid == Some(false) {
            return Err(Problem::field("valid", "a password cannot be switched off"));
        }
        Ok(Self { name, key_type, password, labels })
    }
}

/// The password in a key store.
fn password(mut store: Fields) -> Result<Result<Password, Problem>, Problem> {
    let cleartext = store.text("cleartext")?;
    let change = store.text("change")?;
    store.end()?;
    Ok(read_password(cleartext, change.as_deref()))
}

fn read_password(cleartext: Option<String>, change: Option<&str>) -> Result<Password, Problem> {
    let bad = |field: &str, problem: &str| Problem::field(format!("keyStore.{field}"), problem);
    let decoded = |text: &str| STANDARD.decode(text).ok();
    let cleartext = cleartext.ok_or_else(|| bad("cleartext", "is missing"))?;
    let cleartext = decoded(&cleartext).ok_or_else(|| bad("cleartext", "is not base64"))?;
    let cleartext = std::str::from_utf8(&cleartext).map_err(|_| bad("cleartext", "is no text"))?;
    let change = change.ok_or_else(|| bad("change", "is missing"))?;
    let known = decoded(change).is_some_and(|word| matches!(word.as_slice(), b"true" | b"false"));
    if !known {
        return Err(bad("change", "must be true or false in base64"));
    }
    Password::new(cleartext).map_err(|error| match error {
        Error::Invalid { problem, .. } => bad("cleartext", &problem),
        other => other.into(),
    })
}
