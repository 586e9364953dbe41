//! Signed-in sessions. A session is good only while its epoch equals its user's, so that all of a
//! user's sessions end with one change of his row.

use claviger_domain::{
    UnixMillis,
    id::{PrincipalId, SessionId},
};

use crate::db::{Query, Stmt, StoreError, Touched, Tx, statements};

/// One row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Its id, as lists and the audit name it; never what opens it.
    pub id: SessionId,
    /// Whose it is.
    pub principal: PrincipalId,
    /// The user's session epoch when it began.
    pub epoch: i64,
    /// The client's address when it began.
    pub address: Option<String>,
    /// When it began.
    pub created_at: UnixMillis,
    /// When the password was last given.
    pub signed_in_at: UnixMillis,
    /// When it ends, whatever is done with it.
    pub expires_at: UnixMillis,
}

statements! {
    FIND = Stmt::same(
        "SELECT id, principal_id, epoch, address, created_at, signed_in_at, expires_at
         FROM session WHERE lookup = $1"
    );
    INSERT = Stmt::same(
        "INSERT INTO session (lookup, id, principal_id, epoch, address, created_at, signed_in_at,
            expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
    );
    RENEW = Stmt::same("UPDATE session SET signed_in_at = $2 WHERE lookup = $1");
    END_ALL = Stmt::same(
        "UPDATE principal SET session_epoch = session_epoch + 1 WHERE id = $1"
    );
    REMOVE_ALL = Stmt::same("DELETE FROM session WHERE principal_id = $1");
    REMOVE = Stmt::same("DELETE FROM session WHERE lookup = $1");
    SWEEP = Stmt::same("DELETE FROM session WHERE expires_at <= $1");
}

/// The session that the secret with this lookup key opens, whether it is still good or not.
///
/// # Errors
/// For trouble with the database.
pub fn find(q: &mut dyn Query, lookup: &[u8; 32]) -> Result<Option<Session>, StoreError> {
    let Some(row) = q.optional(&FIND, &[lookup.into()])? else { return Ok(None) };
    Ok(Some(Session {
        id: row.parse(0)?,
        principal: row.parse(1)?,
        epoch: row.int(2)?,
        address: row.opt_text(3)?.map(str::to_owned),
        created_at: row.millis(4)?,
        signed_in_at: row.millis(5)?,
        expires_at: row.millis(6)?,
    }))
}

/// Begins a session.
///
/// # Errors
/// For trouble with the database.
pub fn insert(tx: &mut Tx<'_>, lookup: &[u8; 32], session: &Session) -> Result<(), StoreError> {
    tx.execute(
        &INSERT,
        &[
            lookup.into(),
            (&session.id).into(),
            (&session.principal).into(),
            session.epoch.into(),
            (&session.address).into(),
            session.created_at.into(),
            session.signed_in_at.into(),
            session.expires_at.into(),
        ],
    )
    .map(drop)
}

/// The password was given again.
///
/// # Errors
/// For trouble with the database.
pub fn renew(tx: &mut Tx<'_>, lookup: &[u8; 32], now: UnixMillis) -> Result<(), StoreError> {
    tx.execute(&RENEW, &[lookup.into(), now.into()]).map(drop)
}

/// Ends one session.
///
/// # Errors
/// For trouble with the database.
pub fn remove(tx: &mut Tx<'_>, lookup: &[u8; 32]) -> Result<(), StoreError> {
    tx.execute(&REMOVE, &[lookup.into()]).map(drop)
}

/// Ends every session of a user.
///
/// # Errors
/// For trouble with the database.
pub fn end_all(tx: &mut Tx<'_>, principal: &PrincipalId) -> Result<(), StoreError> {
    tx.execute(&END_ALL, &[principal.into()])?;
    tx.execute(&REMOVE_ALL, &[principal.into()])?;
    tx.touch(Touched::Principal(*principal));
    Ok(())
}

/// Removes what has ended by itself; how many.
///
/// # Errors
/// For trouble with the database.
pub fn sweep(tx: &mut Tx<'_>, now: UnixMillis) -> Result<u64, StoreError> {
    tx.execute(&SWEEP, &[now.into()])
}
