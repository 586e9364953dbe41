//! The lifetime policies of accounts, and the tokens that have been idle for too long.

use claviger_domain::{
    TokenKind, UnixMillis,
    id::{AccountId, PrincipalId, TokenId},
    lifetime::LifetimePolicy,
};

use crate::db::{Query, Row, Stmt, StoreError, Tx, statements};

/// The policy for one kind of token in one account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The account.
    pub account: AccountId,
    /// The kind.
    pub kind: TokenKind,
    /// The rules.
    pub rules: LifetimePolicy,
    /// When they were set.
    pub modified_at: UnixMillis,
    /// Who set them; `None`: the program.
    pub modified_by: Option<PrincipalId>,
}

/// A token that is not used any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idle {
    /// Its id.
    pub id: TokenId,
    /// What it is called.
    pub name: String,
    /// Whom it acts for.
    pub principal_name: String,
}

statements! {
    OF_KIND = Stmt::same(
        "SELECT account_id, kind, default_lifetime, maximum_lifetime, required_at, maximum_idle,
            modified_at, modified_by_id
         FROM lifetime_policy WHERE account_id = $1 AND kind = $2"
    );
    OF_ACCOUNT = Stmt::same(
        "SELECT account_id, kind, default_lifetime, maximum_lifetime, required_at, maximum_idle,
            modified_at, modified_by_id
         FROM lifetime_policy WHERE account_id = $1 ORDER BY kind"
    );
    EVERY = Stmt::same(
        "SELECT account_id, kind, default_lifetime, maximum_lifetime, required_at, maximum_idle,
            modified_at, modified_by_id
         FROM lifetime_policy ORDER BY account_id, kind"
    );
    SET = Stmt::same(
        "INSERT INTO lifetime_policy (account_id, kind, default_lifetime, maximum_lifetime,
            required_at, maximum_idle, modified_at, modified_by_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (account_id, kind) DO UPDATE SET
            default_lifetime = excluded.default_lifetime,
            maximum_lifetime = excluded.maximum_lifetime,
            required_at = excluded.required_at,
            maximum_idle = excluded.maximum_idle,
            modified_at = excluded.modified_at,
            modified_by_id = excluded.modified_by_id"
    );
    REMOVE = Stmt::same("DELETE FROM lifetime_policy WHERE account_id = $1 AND kind = $2");
    IDLE = Stmt::same(
        "SELECT t.id, t.name, t.principal_name FROM token t
         WHERE t.account_id = $1 AND t.kind = $2 AND t.revoked_at IS NULL
            AND (t.expires_at IS NULL OR t.expires_at > $4) AND t.created_at <= $3
            AND NOT EXISTS (
                SELECT 1 FROM token_use u WHERE u.token_id = t.id AND u.at > $3)
            AND NOT EXISTS (
                SELECT 1 FROM secret s WHERE s.token_id = t.id AND s.created_at > $3)
         LIMIT $5"
    );
    IS_IDLE = Stmt::same(
        "SELECT 1 FROM token t WHERE t.id = $1 AND t.revoked_at IS NULL AND t.created_at <= $2
            AND NOT EXISTS (
                SELECT 1 FROM token_use u WHERE u.token_id = t.id AND u.at > $2)
            AND NOT EXISTS (
                SELECT 1 FROM secret s WHERE s.token_id = t.id AND s.created_at > $2)"
    );
}

impl Policy {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            account: row.parse(0)?,
            kind: row.parse(1)?,
            rules: LifetimePolicy {
                default_ms: row.opt_int(2)?,
                maximum_ms: row.opt_int(3)?,
                required: row.opt_int(4)?.is_some(),
                maximum_idle_ms: row.opt_int(5)?,
            },
            modified_at: row.millis(6)?,
            modified_by: row.opt_parse(7)?,
        })
    }
}

/// The policy of an account for one kind of token.
///
/// # Errors
/// For trouble with the database (so for all of this file).
pub fn find(
    q: &mut dyn Query,
    account: &AccountId,
    kind: TokenKind,
) -> Result<Option<Policy>, StoreError> {
    let row = q.optional(&OF_KIND, &[account.into(), kind.as_str().into()])?;
    row.as_ref().map(Policy::from_row).transpose()
}

/// The policies of an account, or of all, by account and kind.
///
/// # Errors
/// For trouble with the database.
pub fn list(q: &mut dyn Query, account: Option<&AccountId>) -> Result<Vec<Policy>, StoreError> {
    let rows = match account {
        Some(account) => q.all(&OF_ACCOUNT, &[account.into()])?,
        None => q.all(&EVERY, &[])?,
    };
    rows.iter().map(Policy::from_row).collect()
}

/// Sets a policy in the place of the one that was there. It is read by each mint, so nothing is
/// touched.
///
/// # Errors
/// For trouble with the database.
pub fn set(tx: &mut Tx<'_>, policy: &Policy) -> Result<(), StoreError> {
    let Policy { account, kind, rules, modified_at, modified_by } = policy;
    let required_at = rules.required.then_some(*modified_at);
    tx.execute(
        &SET,
        &[
            account.into(),
            kind.as_str().into(),
            rules.default_ms.into(),
            rules.maximum_ms.into(),
            required_at.into(),
            rules.maximum_idle_ms.into(),
            (*modified_at).into(),
            modified_by.as_ref().into(),
        ],
    )
    .map(drop)
}

/// Takes a policy away; whether there was one.
///
/// # Errors
/// For trouble with the database.
pub fn remove(tx: &mut Tx<'_>, account: &AccountId, kind: TokenKind) -> Result<bool, StoreError> {
    Ok(tx.execute(&REMOVE, &[account.into(), kind.as_str().into()])? > 0)
}

/// At most `most` tokens of a kind in an account that live at `now`, and were neither used nor given
/// a new secret since `since`, as far as uses are written.
///
/// # Errors
/// For trouble with the database.
pub fn idle(
    q: &mut dyn Query,
    account: &AccountId,
    kind: TokenKind,
    since: UnixMillis,
    now: UnixMillis,
    most: i64,
) -> Result<Vec<Idle>, StoreError> {
    let values = [account.into(), kind.as_str().into(), since.into(), now.into(), most.into()];
    let rows = q.all(&IDLE, &values)?;
    let idle = |row: &Row| {
        Ok(Idle {
            id: row.parse(0)?,
            name: row.text(1)?.to_owned(),
            principal_name: row.text(2)?.to_owned(),
        })
    };
    rows.iter().map(idle).collect()
}

/// Whether this is true of the token `id`.
///
/// # Errors
/// For trouble with the database.
pub fn is_idle(q: &mut dyn Query, id: &TokenId, since: UnixMillis) -> Result<bool, StoreError> {
    Ok(q.optional(&IS_IDLE, &[id.into(), since.into()])?.is_some())
}
