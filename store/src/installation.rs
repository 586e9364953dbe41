//! The installation: its id, its accounts, the prefixes that its tokens were ever made with.

use claviger_domain::{
    UnixMillis,
    id::{AccountId, InstallationId},
    secret::Prefix,
};

use crate::db::{Query, Stmt, StoreError, Tx, statements};

statements! {
    FIND = Stmt::same("SELECT id FROM installation");
    INSERT = Stmt::same(
        "INSERT INTO installation (one, id, public_url, created_at) VALUES (1, $1, NULL, $2)"
    );
    FIRST_ACCOUNT = Stmt::same("SELECT id FROM account ORDER BY seq LIMIT 1");
    FIND_ACCOUNT = Stmt::same("SELECT id FROM account WHERE id = $1");
    PREFIXES = Stmt::same("SELECT prefix FROM token_prefix ORDER BY first_used_at, prefix");
    INSERT_PREFIX = Stmt::same(
        "INSERT INTO token_prefix (prefix, first_used_at) VALUES ($1, $2)
         ON CONFLICT (prefix) DO NOTHING"
    );
}

/// The id of this installation; `None` for an empty store.
///
/// # Errors
/// For trouble with the database (so for all of this file).
pub fn find(q: &mut dyn Query) -> Result<Option<InstallationId>, StoreError> {
    q.optional(&FIND, &[])?.map(|row| row.parse(0)).transpose()
}

/// Makes an empty store one that is in use.
///
/// # Errors
/// For trouble with the database.
pub fn insert(tx: &mut Tx<'_>, id: &InstallationId, now: UnixMillis) -> Result<(), StoreError> {
    tx.execute(&INSERT, &[id.into(), now.into()]).map(drop)
}

/// The account that was made first.
///
/// # Errors
/// For trouble with the database.
pub fn first_account(q: &mut dyn Query) -> Result<Option<AccountId>, StoreError> {
    q.optional(&FIRST_ACCOUNT, &[])?.map(|row| row.parse(0)).transpose()
}

/// Whether there is such an account.
///
/// # Errors
/// For trouble with the database.
pub fn has_account(q: &mut dyn Query, id: &AccountId) -> Result<bool, StoreError> {
    Ok(q.optional(&FIND_ACCOUNT, &[id.into()])?.is_some())
}

/// Every prefix that tokens were ever made with, the first first.
///
/// # Errors
/// For trouble with the database.
pub fn prefixes(q: &mut dyn Query) -> Result<Vec<Prefix>, StoreError> {
    q.all(&PREFIXES, &[])?.iter().map(|row| row.parse(0)).collect()
}

/// Remembers that tokens are made with `prefix` from now on.
///
/// # Errors
/// For trouble with the database.
pub fn use_prefix(tx: &mut Tx<'_>, prefix: &Prefix, now: UnixMillis) -> Result<(), StoreError> {
    tx.execute(&INSERT_PREFIX, &[prefix.as_str().into(), now.into()]).map(drop)
}
