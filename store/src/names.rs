//! Tombstones of names: of deleted or renamed-away namespaces, and of deleted repositories. A
//! registry may still hold what lay under such a name, so only its former owner or a superuser may
//! take it again.
//!
//! Not here: names that are in use (`principals`, `repositories`), and names that the settings keep
//! for superusers (`service::names`).

use claviger_domain::{UnixMillis, id::PrincipalId};

use crate::db::{Query, Stmt, StoreError, Tx, statements};

/// What a name once was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tombstone {
    /// Who may take the name again, beside superusers.
    pub former_owner: Option<PrincipalId>,
}

/// Of what kind the thing was that had the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameOf {
    /// A user or an organisation.
    Namespace,
    /// A repository.
    Repository,
}

impl NameOf {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Namespace => "namespace",
            Self::Repository => "repository",
        }
    }
}

statements! {
    FIND = Stmt::same("SELECT former_owner_id FROM name_tombstone WHERE name = $1");
    BURY = Stmt::same(
        "INSERT INTO name_tombstone (name, kind, former_owner_id, created_at)
         VALUES ($1, $2, $3, $4)
         ON CONFLICT (name) DO UPDATE SET kind = excluded.kind,
            former_owner_id = excluded.former_owner_id, created_at = excluded.created_at"
    );
    HAND_ON = Stmt::same(
        "UPDATE name_tombstone SET former_owner_id = $2 WHERE former_owner_id = $1"
    );
    HAND_ON_BELOW = Stmt::same(
        "UPDATE name_tombstone SET former_owner_id = $2
         WHERE former_owner_id = $1 AND name > $3 AND name < $4"
    );
    FREE = Stmt::same("DELETE FROM name_tombstone WHERE name = $1");
}

/// The tombstone of `name` (a repository's with its namespace); `None` when the name is free of it.
///
/// # Errors
/// For trouble with the database (so for all of this file).
pub fn tombstone(q: &mut dyn Query, name: &str) -> Result<Option<Tombstone>, StoreError> {
    let row = q.optional(&FIND, &[name.into()])?;
    row.map(|row| Ok(Tombstone { former_owner: row.opt_parse(0)? })).transpose()
}

/// Leaves a tombstone for `name`.
///
/// # Errors
/// For trouble with the database.
pub fn bury(
    tx: &mut Tx<'_>,
    name: &str,
    of: NameOf,
    former_owner: Option<&PrincipalId>,
    now: UnixMillis,
) -> Result<(), StoreError> {
    tx.execute(&BURY, &[name.into(), of.as_str().into(), former_owner.into(), now.into()]).map(drop)
}

/// Takes the tombstone of `name` away: somebody who may has taken the name.
///
/// # Errors
/// For trouble with the database.
pub fn free(tx: &mut Tx<'_>, name: &str) -> Result<(), StoreError> {
    tx.execute(&FREE, &[name.into()]).map(drop)
}

/// Whatever `from` may take again, only `to` may from now on (and superusers).
///
/// # Errors
/// For trouble with the database.
pub fn hand_on(
    tx: &mut Tx<'_>,
    from: &PrincipalId,
    to: Option<&PrincipalId>,
) -> Result<(), StoreError> {
    tx.execute(&HAND_ON, &[from.into(), to.into()]).map(drop)
}

/// The same for the repositories of the namespace with this name alone: its former owner has made
/// it again, so they are its own.
///
/// # Errors
/// For trouble with the database.
pub fn hand_on_below(
    tx: &mut Tx<'_>,
    namespace: &str,
    from: &PrincipalId,
    to: &PrincipalId,
) -> Result<(), StoreError> {
    // `0` follows `/`
    let (first, last) = (format!("{namespace}/"), format!("{namespace}0"));
    let values = [from.into(), to.into(), (&first).into(), (&last).into()];
    tx.execute(&HAND_ON_BELOW, &values).map(drop)
}
