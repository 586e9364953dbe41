//! Stars: repositories that somebody wants to find again. They give no right.

use claviger_domain::{
    UnixMillis,
    id::{PrincipalId, RepoId},
};

use crate::db::{Query, Stmt, StoreError, Tx, statements};

statements! {
    FIND = Stmt::same("SELECT 1 FROM star WHERE principal_id = $1 AND repo_id = $2");
    INSERT = Stmt::same("INSERT INTO star (principal_id, repo_id, created_at) VALUES ($1, $2, $3)");
    DELETE = Stmt::same("DELETE FROM star WHERE principal_id = $1 AND repo_id = $2");
}

/// Whether `who` has starred `repo`.
///
/// # Errors
/// For trouble with the database (so for all of this file).
pub fn is_there(q: &mut dyn Query, who: &PrincipalId, repo: &RepoId) -> Result<bool, StoreError> {
    Ok(q.optional(&FIND, &[who.into(), repo.into()])?.is_some())
}

/// Adds a star that is not there.
///
/// # Errors
/// For trouble with the database.
pub fn insert(
    tx: &mut Tx<'_>,
    who: &PrincipalId,
    repo: &RepoId,
    now: UnixMillis,
) -> Result<(), StoreError> {
    tx.execute(&INSERT, &[who.into(), repo.into(), now.into()]).map(drop)
}

/// Takes a star away; whether there was one.
///
/// # Errors
/// For trouble with the database.
pub fn delete(tx: &mut Tx<'_>, who: &PrincipalId, repo: &RepoId) -> Result<bool, StoreError> {
    Ok(tx.execute(&DELETE, &[who.into(), repo.into()])? > 0)
}
