//! OAuth applications: what an organisation lets act for its users.

use claviger_domain::{
    UnixMillis,
    id::{ApplicationId, PrincipalId},
};

use crate::{
    db::{Query, Row, Stmt, StoreError, Tx, statements},
    faces::Face,
};

/// One row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Application {
    /// Its id.
    pub id: ApplicationId,
    /// The id that clients know.
    pub client_id: String,
    /// The organisation that it belongs to.
    pub org: PrincipalId,
    /// What it is called.
    pub name: String,
    /// Where its answers go; empty: nowhere.
    pub redirect_uri: String,
    /// Its home page.
    pub application_uri: String,
    /// What is said of it.
    pub description: String,
    /// What its avatar is drawn from.
    pub avatar_email: Option<String>,
    /// The secret that it proves itself with.
    pub secret: ClientSecret,
    /// When it was made.
    pub created_at: UnixMillis,
}

/// What is kept of an application's secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientSecret {
    /// The keyed hash to compare with.
    pub lookup: [u8; 32],
    /// The sealed copy that is shown again; empty when it is not.
    pub sealed: Vec<u8>,
    /// The generation of both keys.
    pub key_generation: u8,
}

statements! {
    BY_CLIENT_ID = Stmt::same(
        "SELECT a.id, a.client_id, a.org_id, a.name, a.redirect_uri, a.application_uri,
            a.description, a.avatar_email, a.secret_lookup, a.secret_sealed,
            a.secret_key_generation, a.created_at, p.id, p.kind, p.name, p.email, p.avatar_key
         FROM application a JOIN principal p ON p.id = a.org_id WHERE a.client_id = $1"
    );
    OF_ORG = Stmt::same(
        "SELECT a.id, a.client_id, a.org_id, a.name, a.redirect_uri, a.application_uri,
            a.description, a.avatar_email, a.secret_lookup, a.secret_sealed,
            a.secret_key_generation, a.created_at
         FROM application a WHERE a.org_id = $1 ORDER BY a.seq"
    );
    REGISTERED = Stmt::same("SELECT id FROM application WHERE redirect_uri = $1 LIMIT 1");
    INSERT = Stmt::same(
        "INSERT INTO application (id, client_id, org_id, name, redirect_uri, application_uri,
            description, avatar_email, secret_lookup, secret_sealed, secret_key_generation,
            created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)"
    );
    UPDATE = Stmt::same(
        "UPDATE application SET name = $2, redirect_uri = $3, application_uri = $4,
            description = $5, avatar_email = $6 WHERE id = $1"
    );
    SET_SECRET = Stmt::same(
        "UPDATE application SET secret_lookup = $2, secret_sealed = $3,
            secret_key_generation = $4 WHERE id = $1"
    );
    REMOVE = Stmt::same("DELETE FROM application WHERE id = $1");
}

impl Application {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        let lookup = row.blob(8)?.try_into().map_err(|_| StoreError::Column { column: 8 })?;
        let generation = u8::try_from(row.int(10)?);
        Ok(Self {
            id: row.parse(0)?,
            client_id: row.text(1)?.to_owned(),
            org: row.parse(2)?,
            name: row.text(3)?.to_owned(),
            redirect_uri: row.text(4)?.to_owned(),
            application_uri: row.text(5)?.to_owned(),
            description: row.text(6)?.to_owned(),
            avatar_email: row.opt_text(7)?.map(str::to_owned),
            secret: ClientSecret {
                lookup,
                sealed: row.blob(9)?.to_vec(),
                key_generation: generation.map_err(|_| StoreError::Column { column: 10 })?,
            },
            created_at: row.millis(11)?,
        })
    }
}

/// The application that clients know by this id, and its organisation.
///
/// # Errors
/// For trouble with the database (so for all of this file).
pub fn find(q: &mut dyn Query, client_id: &str) -> Result<Option<(Application, Face)>, StoreError> {
    let Some(row) = q.optional(&BY_CLIENT_ID, &[client_id.into()])? else { return Ok(None) };
    Ok(Some((Application::from_row(&row)?, Face::from_columns(&row, 12)?)))
}

/// The applications of an organisation, the oldest first.
///
/// # Errors
/// For trouble with the database.
pub fn of_org(q: &mut dyn Query, org: &PrincipalId) -> Result<Vec<Application>, StoreError> {
    q.all(&OF_ORG, &[org.into()])?.iter().map(Application::from_row).collect()
}

/// Whether some application registered exactly this address.
///
/// # Errors
/// For trouble with the database.
pub fn is_registered(q: &mut dyn Query, redirect_uri: &str) -> Result<bool, StoreError> {
    Ok(q.optional(&REGISTERED, &[redirect_uri.into()])?.is_some())
}

/// Adds an application. Its client id must be new.
///
/// # Errors
/// For trouble with the database.
pub fn insert(tx: &mut Tx<'_>, application: &Application) -> Result<(), StoreError> {
    let secret = &application.secret;
    tx.execute(
        &INSERT,
        &[
            (&application.id).into(),
            (&application.client_id).into(),
            (&application.org).into(),
            (&application.name).into(),
            (&application.redirect_uri).into(),
            (&application.application_uri).into(),
            (&application.description).into(),
            (&application.avatar_email).into(),
            (&secret.lookup).into(),
            secret.sealed.as_slice().into(),
            i64::from(secret.key_generation).into(),
            application.created_at.into(),
        ],
    )
    .map(drop)
}

/// Changes what is said of an application, and where its answers go.
///
/// # Errors
/// For trouble with the database.
pub fn update(tx: &mut Tx<'_>, application: &Application) -> Result<(), StoreError> {
    tx.execute(
        &UPDATE,
        &[
            (&application.id).into(),
            (&application.name).into(),
            (&application.redirect_uri).into(),
            (&application.application_uri).into(),
            (&application.description).into(),
            (&application.avatar_email).into(),
        ],
    )
    .map(drop)
}

/// Gives an application another secret.
///
/// # Errors
/// For trouble with the database.
pub fn set_secret(
    tx: &mut Tx<'_>,
    id: &ApplicationId,
    secret: &ClientSecret,
) -> Result<(), StoreError> {
    let generation = i64::from(secret.key_generation);
    tx.execute(
        &SET_SECRET,
        &[id.into(), (&secret.lookup).into(), secret.sealed.as_slice().into(), generation.into()],
    )
    .map(drop)
}

/// Removes an application with its codes and assignments. Its tokens must have been revoked.
///
/// # Errors
/// For trouble with the database.
pub fn remove(tx: &mut Tx<'_>, id: &ApplicationId) -> Result<(), StoreError> {
    tx.execute(&REMOVE, &[id.into()]).map(drop)
}
