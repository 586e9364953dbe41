//! Users, robots and organisations: one table, one namespace of names.

use claviger_domain::{
    UnixMillis,
    access::NamespaceFacts,
    id::{AccountId, PrincipalId},
    principal::{PrincipalFacts, PrincipalKind, TeamOf},
};

use crate::db::{Query, Row, Stmt, StoreError, Tx, statements};

/// One row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// Its id.
    pub id: PrincipalId,
    /// Its home account.
    pub account: AccountId,
    /// User, robot or organisation.
    pub kind: PrincipalKind,
    /// Its full name.
    pub name: String,
    /// The namespace of a robot.
    pub owner: Option<PrincipalId>,
    /// The e-mail address as it was given.
    pub email: Option<String>,
    /// What an avatar is drawn from where there is no address.
    pub avatar_key: Option<String>,
    /// Argon2id, in PHC form; `None`: no password, so none fits.
    pub password_hash: Option<String>,
    /// When the password was set.
    pub password_changed_at: Option<UnixMillis>,
    /// When the program drew the password that is still in force.
    pub password_drawn_at: Option<UnixMillis>,
    /// Counts up when all sessions end.
    pub session_epoch: i64,
    /// When the e-mail address was confirmed.
    pub verified_at: Option<UnixMillis>,
    /// Since when it may not act.
    pub disabled_at: Option<UnixMillis>,
    /// Since when it is a superuser.
    pub superuser_at: Option<UnixMillis>,
    /// Since when it may ask decisions about anyone.
    pub decider_at: Option<UnixMillis>,
    /// What is said of it.
    pub description: String,
    /// A JSON object: a robot's unstructured metadata, a user's profile.
    pub metadata: Option<String>,
    /// When it was made.
    pub created_at: UnixMillis,
    /// When it was last used (robots).
    pub last_used_at: Option<UnixMillis>,
    /// Who made it; `None`: the program, or itself.
    pub created_by: Option<PrincipalId>,
}

statements! {
    BY_NAME = Stmt::same(
        "SELECT id, account_id, kind, name, owner_id, email, avatar_key, password_hash,
            password_changed_at, password_drawn_at, session_epoch, verified_at, disabled_at,
            superuser_at, decider_at, description, metadata, created_at, last_used_at, created_by_id
         FROM principal WHERE name = $1"
    );
    BY_ID = Stmt::same(
        "SELECT id, account_id, kind, name, owner_id, email, avatar_key, password_hash,
            password_changed_at, password_drawn_at, session_epoch, verified_at, disabled_at,
            superuser_at, decider_at, description, metadata, created_at, last_used_at, created_by_id
         FROM principal WHERE id = $1"
    );
    BY_EMAIL = Stmt::same(
        "SELECT id, account_id, kind, name, owner_id, email, avatar_key, password_hash,
            password_changed_at, password_drawn_at, session_epoch, verified_at, disabled_at,
            superuser_at, decider_at, description, metadata, created_at, last_used_at, created_by_id
         FROM principal WHERE email_key = $1"
    );
    FACTS = Stmt::same(
        "SELECT id, account_id, kind, name, owner_id, disabled_at, verified_at, superuser_at,
            decider_at, session_epoch
         FROM principal WHERE id = $1"
    );
    TEAMS = Stmt::same(
        "SELECT m.team_id, t.org_id FROM team_member m JOIN team t ON t.id = m.team_id
         WHERE m.principal_id = $1 ORDER BY m.team_id"
    );
    NAMESPACE = Stmt::same("SELECT id, kind FROM principal WHERE name = $1");
    INSERT = Stmt::same(
        "INSERT INTO principal (id, account_id, kind, name, owner_id, email, email_key, avatar_key,
            password_hash, password_changed_at, password_drawn_at, session_epoch, verified_at,
            disabled_at, superuser_at, decider_at, description, metadata, created_at, last_used_at,
            created_by_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
            $19, $20, $21)"
    );
    DRAWN = Stmt::same(
        "SELECT name FROM principal WHERE password_drawn_at IS NOT NULL ORDER BY name"
    );
    MODIFIED = Stmt::same(
        "UPDATE principal SET modified_at = $2, modified_by_id = $3 WHERE id = $1"
    );
    ANY_USER = Stmt::same("SELECT id FROM principal WHERE kind = 'user' LIMIT 1");
}

impl Principal {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.parse(0)?,
            account: row.parse(1)?,
            kind: row.parse(2)?,
            name: row.text(3)?.to_owned(),
            owner: row.opt_parse(4)?,
            email: row.opt_text(5)?.map(str::to_owned),
            avatar_key: row.opt_text(6)?.map(str::to_owned),
            password_hash: row.opt_text(7)?.map(str::to_owned),
            password_changed_at: row.opt_millis(8)?,
            password_drawn_at: row.opt_millis(9)?,
            session_epoch: row.int(10)?,
            verified_at: row.opt_millis(11)?,
            disabled_at: row.opt_millis(12)?,
            superuser_at: row.opt_millis(13)?,
            decider_at: row.opt_millis(14)?,
            description: row.text(15)?.to_owned(),
            metadata: row.opt_text(16)?.map(str::to_owned),
            created_at: row.millis(17)?,
            last_used_at: row.opt_millis(18)?,
            created_by: row.opt_parse(19)?,
        })
    }

    /// A new principal with nothing but what every one has.
    pub fn new(
        id: PrincipalId,
        account: AccountId,
        kind: PrincipalKind,
        name: &str,
        created_at: UnixMillis,
    ) -> Self {
        Self {
            id,
            account,
            kind,
            name: name.to_owned(),
            owner: None,
            email: None,
            avatar_key: None,
            password_hash: None,
            password_changed_at: None,
            password_drawn_at: None,
            session_epoch: 0,
            verified_at: None,
            disabled_at: None,
            superuser_at: None,
            decider_at: None,
            description: String::new(),
            metadata: None,
            created_at,
            last_used_at: None,
            created_by: None,
        }
    }
}

/// The principal with exactly this name.
///
/// # Errors
/// For trouble with the database (so for all of this file).
pub fn find_by_name(q: &mut dyn Query, name: &str) -> Result<Option<Principal>, StoreError> {
    q.optional(&BY_NAME, &[name.into()])?.as_ref().map(Principal::from_row).transpose()
}

/// The principal with this id.
///
/// # Errors
/// For trouble with the database.
pub fn find(q: &mut dyn Query, id: &PrincipalId) -> Result<Option<Principal>, StoreError> {
    q.optional(&BY_ID, &[id.into()])?.as_ref().map(Principal::from_row).transpose()
}

/// The principal with this e-mail address, in lower case.
///
/// # Errors
/// For trouble with the database.
pub fn find_by_email(q: &mut dyn Query, key: &str) -> Result<Option<Principal>, StoreError> {
    q.optional(&BY_EMAIL, &[key.into()])?.as_ref().map(Principal::from_row).transpose()
}

/// Whether there is any user yet.
///
/// # Errors
/// For trouble with the database.
pub fn any_user(q: &mut dyn Query) -> Result<bool, StoreError> {
    Ok(q.optional(&ANY_USER, &[])?.is_some())
}

/// The users whose password is still the one that the program drew.
///
/// # Errors
/// For trouble with the database.
pub fn with_drawn_password(q: &mut dyn Query) -> Result<Vec<String>, StoreError> {
    q.all(&DRAWN, &[])?.iter().map(|row| row.text(0).map(str::to_owned)).collect()
}

/// What decisions need to know of a principal, with the teams it is in.
///
/// # Errors
/// For trouble with the database.
pub fn facts(q: &mut dyn Query, id: &PrincipalId) -> Result<Option<PrincipalFacts>, StoreError> {
    let Some(row) = q.optional(&FACTS, &[id.into()])? else { return Ok(None) };
    let teams = q.all(&TEAMS, &[id.into()])?;
    let teams = teams.iter().map(|row| Ok(TeamOf { team: row.parse(0)?, org: row.parse(1)? }));
    Ok(Some(PrincipalFacts {
        id: row.parse(0)?,
        account: row.parse(1)?,
        kind: row.parse(2)?,
        name: row.text(3)?.into(),
        owner: row.opt_parse(4)?,
        enabled: row.opt_int(5)?.is_none(),
        verified: row.opt_int(6)?.is_some(),
        superuser: row.opt_int(7)?.is_some(),
        decider: row.opt_int(8)?.is_some(),
        session_epoch: row.int(9)?,
        teams: teams.collect::<Result<_, StoreError>>()?,
    }))
}

/// The user or organisation whose namespace this is; robots have none.
///
/// # Errors
/// For trouble with the database.
pub fn namespace(q: &mut dyn Query, name: &str) -> Result<Option<NamespaceFacts>, StoreError> {
    let Some(row) = q.optional(&NAMESPACE, &[name.into()])? else { return Ok(None) };
    let facts = NamespaceFacts { id: row.parse(0)?, kind: row.parse(1)? };
    Ok((facts.kind != PrincipalKind::Robot).then_some(facts))
}

/// The id of the principal with exactly this name.
///
/// # Errors
/// For trouble with the database.
pub fn id_of(q: &mut dyn Query, name: &str) -> Result<Option<PrincipalId>, StoreError> {
    q.optional(&NAMESPACE, &[name.into()])?.map(|row| row.parse(0)).transpose()
}

/// Adds a principal. Its name and address must be free.
///
/// # Errors
/// For trouble with the database.
pub fn insert(tx: &mut Tx<'_>, principal: &Principal) -> Result<(), StoreError> {
    // only a user is found by his address, so only users' must differ
    let user = principal.kind == PrincipalKind::User;
    let email_key = principal.email.as_ref().filter(|_| user).map(|email| email.to_lowercase());
    tx.execute(
        &INSERT,
        &[
            (&principal.id).into(),
            (&principal.account).into(),
            principal.kind.as_str().into(),
            (&principal.name).into(),
            principal.owner.as_ref().into(),
            (&principal.email).into(),
            (&email_key).into(),
            (&principal.avatar_key).into(),
            (&principal.password_hash).into(),
            principal.password_changed_at.into(),
            principal.password_drawn_at.into(),
            principal.session_epoch.into(),
            principal.verified_at.into(),
            principal.disabled_at.into(),
            principal.superuser_at.into(),
            principal.decider_at.into(),
            (&principal.description).into(),
            (&principal.metadata).into(),
            principal.created_at.into(),
            principal.last_used_at.into(),
            principal.created_by.as_ref().into(),
        ],
    )
    .map(drop)
}

/// Notes who changed a principal when. Nobody decides by it.
///
/// # Errors
/// For trouble with the database.
pub fn modified(
    tx: &mut Tx<'_>,
    id: &PrincipalId,
    at: UnixMillis,
    by: Option<&PrincipalId>,
) -> Result<(), StoreError> {
    tx.execute(&MODIFIED, &[id.into(), at.into(), by.into()]).map(drop)
}
