//! App tokens, as their owners and superusers list them: what was not revoked. An expired one stays
//! in the lists for a while.

use claviger_domain::{
    UnixMillis,
    id::{AccountId, PrincipalId, TokenId},
};

use crate::{
    db::{Query, Row, Stmt, StoreError, statements},
    token_uses::last_used_at,
    tokens::Kept,
};

/// An app token that was not revoked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppToken {
    /// Its id.
    pub id: TokenId,
    /// What its owner calls it.
    pub title: String,
    /// When it was made.
    pub created_at: UnixMillis,
    /// When it ends; `None` is never.
    pub expires_at: Option<UnixMillis>,
    /// When it was last used, as far as that is written.
    pub last_used_at: Option<UnixMillis>,
}

statements! {
    OF_PRINCIPAL = Stmt::same(
        concat!(
            "SELECT t.id, t.name, t.created_at, t.expires_at, ",
            last_used_at!(),
            " FROM token t WHERE t.principal_id = $1 AND t.kind = 'app' AND t.revoked_at IS NULL
                AND (t.expires_at IS NULL OR t.expires_at > $2) ORDER BY t.seq"
        )
    );
    OF_ACCOUNT = Stmt::same(
        concat!(
            "SELECT t.id, t.name, t.created_at, t.expires_at, ",
            last_used_at!(),
            " FROM token t WHERE t.account_id = $1 AND t.kind = 'app' AND t.revoked_at IS NULL
                AND (t.expires_at IS NULL OR t.expires_at > $2) ORDER BY t.seq"
        )
    );
    FIND = Stmt::same(
        concat!(
            "SELECT t.id, t.name, t.created_at, t.expires_at, ",
            last_used_at!(),
            ", t.id, s.selector, s.sealed, s.key_generation, s.prefix, s.format
             FROM token t JOIN secret s ON s.token_id = t.id
             WHERE t.id = $1 AND t.principal_id = $2 AND t.kind = 'app' AND t.revoked_at IS NULL
                AND (t.expires_at IS NULL OR t.expires_at > $3) AND s.valid_until IS NULL"
        )
    );
}

impl AppToken {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.parse(0)?,
            title: row.text(1)?.to_owned(),
            created_at: row.millis(2)?,
            expires_at: row.opt_millis(3)?,
            last_used_at: row.opt_millis(4)?,
        })
    }
}

/// The app tokens of a user, the oldest first, but none that ended at or before `ended`.
///
/// # Errors
/// For trouble with the database (so for all of this file).
pub fn of_principal(
    q: &mut dyn Query,
    principal: &PrincipalId,
    ended: UnixMillis,
) -> Result<Vec<AppToken>, StoreError> {
    let rows = q.all(&OF_PRINCIPAL, &[principal.into(), ended.into()])?;
    rows.iter().map(AppToken::from_row).collect()
}

/// The same for everybody in an account.
///
/// # Errors
/// For trouble with the database.
pub fn of_account(
    q: &mut dyn Query,
    account: &AccountId,
    ended: UnixMillis,
) -> Result<Vec<AppToken>, StoreError> {
    let rows = q.all(&OF_ACCOUNT, &[account.into(), ended.into()])?;
    rows.iter().map(AppToken::from_row).collect()
}

/// A user's app token, unless it ended at or before `ended`, and what its secret is rebuilt from.
///
/// # Errors
/// For trouble with the database.
pub fn find(
    q: &mut dyn Query,
    id: &TokenId,
    principal: &PrincipalId,
    ended: UnixMillis,
) -> Result<Option<(AppToken, Kept)>, StoreError> {
    let row = q.optional(&FIND, &[id.into(), principal.into(), ended.into()])?;
    row.map(|row| Ok((AppToken::from_row(&row)?, Kept::from_columns(&row, 5)?))).transpose()
}
