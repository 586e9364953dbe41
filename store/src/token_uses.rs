//! When tokens were last used, and through which of their secrets. Nobody decides by it, so nothing
//! is touched.
//!
//! A row for each secret, in a table of its own that is ordered by token: whoever writes many of
//! them in that order changes few pages. See decision 0007.

use claviger_domain::{UnixMillis, id::TokenId};

use crate::db::{Row, Stmt, StoreError, Tx, statements};

/// The last use of a token through one of its secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenUse {
    /// Under which the secret is found; empty where that is no longer known.
    pub lookup: Vec<u8>,
    /// When.
    pub at: UnixMillis,
    /// The client's address.
    pub address: Option<String>,
}

/// The last use of the token that a statement has as `t`, as a value of SQL; null: never.
macro_rules! last_used_at {
    () => {
        "(SELECT MAX(u.at) FROM token_use u WHERE u.token_id = t.id)"
    };
}
pub(crate) use last_used_at;

/// From where that came.
macro_rules! last_used_address {
    () => {
        "(SELECT u.address FROM token_use u WHERE u.token_id = t.id ORDER BY u.at DESC LIMIT 1)"
    };
}
pub(crate) use last_used_address;

/// How the rows of several tokens are read.
pub(crate) const OF_TOKENS: &str =
    "SELECT token_id, lookup, at, address FROM token_use WHERE token_id IN";
pub(crate) const IN_ORDER: &str = "token_id, at DESC";

statements! {
    // the usual case, which reads and writes one row
    AGAIN = Stmt::same(
        "UPDATE token_use SET at = $3, address = $4
         WHERE token_id = $1 AND lookup = $2 AND at <= $3"
    );
    // one that was swept out meanwhile is not brought back
    NOTE = Stmt::same(
        "INSERT INTO token_use (token_id, lookup, at, address)
         SELECT id, $2, $3, $4 FROM token WHERE id = $1
         ON CONFLICT (token_id, lookup) DO UPDATE
            SET at = excluded.at, address = excluded.address WHERE token_use.at <= excluded.at"
    );
}

impl TokenUse {
    /// Reads lookup, time and address, beginning at the second column.
    pub(crate) fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            lookup: row.blob(1)?.to_vec(),
            at: row.millis(2)?,
            address: row.opt_text(3)?.map(str::to_owned),
        })
    }
}

/// Notes a use of a token through the secret with this lookup key, unless a later one is noted.
///
/// # Errors
/// For trouble with the database.
pub fn note(
    tx: &mut Tx<'_>,
    id: &TokenId,
    lookup: &[u8; 32],
    at: UnixMillis,
    address: Option<&str>,
) -> Result<(), StoreError> {
    let params = [id.into(), lookup.into(), at.into(), address.into()];
    if tx.execute(&AGAIN, &params)? == 0 {
        tx.execute(&NOTE, &params)?;
    }
    Ok(())
}
