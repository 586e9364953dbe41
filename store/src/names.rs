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
