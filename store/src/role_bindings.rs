//! The roles of users in their accounts.

use claviger_domain::{
    UnixMillis,
    id::{AccountId, PrincipalId},
    role::AccountRole,
};

use crate::db::{Stmt, StoreError, Tx, statements};

statements! {
    INSERT_FIRST = Stmt::same(
        "INSERT INTO role_binding (id, account_id, principal_id, role, created_at, created_by_id)
         VALUES ($1, $2, $1, $3, $4, $5)"
    );
}

/// Gives a new user his first role in his account. Nobody decides by it yet, so nothing is touched.
///
/// # Errors
/// For trouble with the database.
pub fn insert_first(
    tx: &mut Tx<'_>,
    user: &PrincipalId,
    account: &AccountId,
    role: AccountRole,
    at: UnixMillis,
    by: Option<&PrincipalId>,
) -> Result<(), StoreError> {
    let values = [user.into(), account.into(), role.as_str().into(), at.into(), by.into()];
    tx.execute(&INSERT_FIRST, &values).map(drop)
}
