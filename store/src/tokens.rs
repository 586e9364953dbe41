//! Tokens, and the secrets that reach them.

use claviger_domain::{
    TokenKind, UnixMillis,
    id::{AccountId, ApplicationId, PrincipalId, TokenId},
    scope::{Scope, Scopes},
    token::TokenFacts,
};

use crate::{
    db::{Param, Query, Row, Stmt, StoreError, Touched, Tx, statements},
    endings::Ending,
    labels,
};

/// A token to be made.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// Its id.
    pub id: TokenId,
    /// What it is.
    pub kind: TokenKind,
    /// The account it acts in.
    pub account: AccountId,
    /// Whom it acts for.
    pub principal: PrincipalId,
    /// His name, for the time when he is gone.
    pub principal_name: String,
    /// The OAuth application it is given to.
    pub application: Option<ApplicationId>,
    /// What it is called.
    pub name: String,
    /// The token it stands for: it ends with it.
    pub parent: Option<TokenId>,
    /// The token it was minted with, whether it ends with that or not.
    pub minted_by: Option<TokenId>,
    /// The name of who made it.
    pub created_by: String,
    /// His id; `None`: the program.
    pub created_by_id: Option<PrincipalId>,
    /// The registry service of a refresh token.
    pub service: Option<String>,
    /// When it was made.
    pub created_at: UnixMillis,
    /// When it ends; `None` is never.
    pub expires_at: Option<UnixMillis>,
    /// What it may do at most.
    pub scopes: Scopes,
}

/// How a secret is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Derived from a selector.
    Derived,
    /// A keyed hash of what came from elsewhere.
    Hashed,
    /// The same, with a sealed copy that is shown again.
    Sealed,
}

impl Form {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Derived => "derived",
            Self::Hashed => "hashed",
            Self::Sealed => "sealed",
        }
    }
}

/// What is kept of a secret.
#[derive(Clone, Debug)]
pub struct NewSecret {
    /// Under which it is found.
    pub lookup: [u8; 32],
    /// How it is kept.
    pub form: Form,
    /// What it is rebuilt from, when it is shown again.
    pub selector: Option<[u8; 16]>,
    /// The sealed copy, likewise.
    pub sealed: Option<Vec<u8>>,
    /// The generation of the key.
    pub key_generation: u8,
    /// What it begins with; empty when it came from elsewhere.
    pub prefix: String,
    /// How it is made up; 0 when it came from elsewhere.
    pub format: u8,
}

/// A secret that can be shown again: what it is rebuilt from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The token that it reaches.
    pub token: TokenId,
    /// What it is rebuilt from.
    pub selector: Option<Vec<u8>>,
    /// The sealed copy of one that came from elsewhere.
    pub sealed: Option<Vec<u8>>,
    /// The generation of the key.
    pub key_generation: u8,
    /// What it begins with.
    pub prefix: String,
    /// How it is made up.
    pub format: u8,
}

impl Kept {
    /// Reads token, selector, sealed copy, generation, prefix and format, beginning at a column.
    pub(crate) fn from_columns(row: &Row, first: usize) -> Result<Self, StoreError> {
        let byte =
            |column| u8::try_from(row.int(column)?).map_err(|_| StoreError::Column { column });
        Ok(Self {
            token: row.parse(first)?,
            selector: row.opt_blob(first + 1)?.map(<[u8]>::to_vec),
            sealed: row.opt_blob(first + 2)?.map(<[u8]>::to_vec),
            key_generation: byte(first + 3)?,
            prefix: row.text(first + 4)?.to_owned(),
            format: byte(first + 5)?,
        })
    }
}

/// When a token ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Life {
    /// By itself; `None` is never.
    pub expires_at: Option<UnixMillis>,
    /// When it was ended.
    pub revoked_at: Option<UnixMillis>,
}

statements! {
    LIFE = Stmt::same("SELECT expires_at, revoked_at FROM token WHERE id = $1");
    FACTS = Stmt::same(
        "SELECT t.id, t.kind, t.principal_id, t.account_id, t.application_id, t.parent_id,
            t.service, s.key_generation, t.expires_at, s.valid_until, t.revoked_at
         FROM secret s JOIN token t ON t.id = s.token_id WHERE s.lookup = $1"
    );
    SCOPES = Stmt::same(
        "SELECT dialect, word FROM token_scope WHERE token_id = $1 ORDER BY dialect, word"
    );
    INSERT = Stmt::same(
        "INSERT INTO token (id, kind, account_id, principal_id, principal_name, application_id,
            name, parent_id, minted_by, created_by, created_by_id, service, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)"
    );
    INSERT_SCOPE = Stmt::same(
        "INSERT INTO token_scope (token_id, dialect, word) VALUES ($1, $2, $3)"
    );
    INSERT_SECRET = Stmt::same(
        "INSERT INTO secret (lookup, token_id, form, selector, sealed, key_generation, prefix,
            format, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
    );
    // with a token end those that stand for it
    REVOKE = Stmt::same(
        "WITH RECURSIVE ends (id) AS (
            SELECT id FROM token WHERE id = $1
            UNION SELECT t.id FROM token t JOIN ends e ON t.parent_id = e.id)
         UPDATE token SET revoked_at = $2, revoked_by = $3, revoke_reason = $4
         WHERE revoked_at IS NULL AND id IN (SELECT id FROM ends) RETURNING id"
    );
    REVOKE_KIND = Stmt::same(
        "WITH RECURSIVE ends (id) AS (
            SELECT id FROM token WHERE principal_id = $1 AND kind = $5
            UNION SELECT t.id FROM token t JOIN ends e ON t.parent_id = e.id)
         UPDATE token SET revoked_at = $2, revoked_by = $3, revoke_reason = $4
         WHERE revoked_at IS NULL AND id IN (SELECT id FROM ends) RETURNING id"
    );
    REVOKE_BORN_OF_PASSWORD = Stmt::same(
        "UPDATE token SET revoked_at = $2, revoked_by = $3, revoke_reason = $4
         WHERE revoked_at IS NULL AND principal_id = $1 AND kind = 'refresh' AND parent_id IS NULL
         RETURNING id"
    );
    SWEEP_REVOKED = Stmt::same(
        "DELETE FROM token WHERE id IN (SELECT id FROM token WHERE revoked_at <= $1 LIMIT $2)
         RETURNING id"
    );
    SWEEP_EXPIRED = Stmt::same(
        "DELETE FROM token WHERE id IN (SELECT id FROM token WHERE expires_at <= $1 LIMIT $2)
         RETURNING id"
    );
    END_SECRETS = Stmt::same(
        "UPDATE secret SET valid_until = $2
         WHERE token_id = $1 AND (valid_until IS NULL OR valid_until > $2) RETURNING token_id"
    );
    CUT_SECRETS = Stmt::same(
        "UPDATE secret SET valid_until = $2 WHERE token_id = $1 AND valid_until > $2
         RETURNING token_id"
    );
    SWEEP_SECRETS = Stmt::same("DELETE FROM secret WHERE valid_until <= $1");
    FORGET_SECRET = Stmt::same("DELETE FROM secret WHERE lookup = $1");
    LOOKUPS = Stmt::same("SELECT lookup FROM secret WHERE token_id = $1 ORDER BY created_at DESC");
    KEPT = Stmt::same(
        "SELECT t.id, s.selector, s.sealed, s.key_generation, s.prefix, s.format
         FROM token t JOIN secret s ON s.token_id = t.id
         WHERE t.principal_id = $1 AND t.kind = $2 AND t.revoked_at IS NULL
            AND (t.expires_at IS NULL OR t.expires_at > $3) AND s.valid_until IS NULL
            AND EXISTS (SELECT 1 FROM token_scope c WHERE c.token_id = t.id
                AND c.dialect = 'native' AND c.word = 'registry')
         ORDER BY t.seq DESC"
    );
}

/// What is known of the token that the secret with this lookup key reaches, whatever its state.
///
/// # Errors
/// For trouble with the database.
pub fn facts(q: &mut dyn Query, lookup: &[u8; 32]) -> Result<Option<TokenFacts>, StoreError> {
    let Some(row) = q.optional(&FACTS, &[lookup.into()])? else { return Ok(None) };
    let scopes = q.all(&SCOPES, &[row.text(0)?.into()])?;
    let scopes =
        scopes.iter().map(|row| Ok(Scope { dialect: row.parse(0)?, word: row.text(1)?.into() }));
    let generation = row.int(7)?;
    Ok(Some(TokenFacts {
        lookup: *lookup,
        id: row.parse(0)?,
        kind: row.parse(1)?,
        principal: row.parse(2)?,
        account: row.parse(3)?,
        application: row.opt_parse(4)?,
        parent: row.opt_parse(5)?,
        scopes: Scopes::new(scopes.collect::<Result<Vec<_>, StoreError>>()?),
        service: row.opt_text(6)?.map(Into::into),
        key_generation: u8::try_from(generation).map_err(|_| StoreError::Column { column: 7 })?,
        expires_at: row.opt_millis(8)?,
        secret_valid_until: row.opt_millis(9)?,
        revoked_at: row.opt_millis(10)?,
    }))
}

/// Under which keys the secrets of a token are found, the newest first.
///
/// # Errors
/// For trouble with the database.
pub fn lookups(q: &mut dyn Query, id: &TokenId) -> Result<Vec<[u8; 32]>, StoreError> {
    let lookup = |row: &Row| row.blob(0)?.try_into().map_err(|_| StoreError::Column { column: 0 });
    q.all(&LOOKUPS, &[id.into()])?.iter().map(lookup).collect()
}

/// When the token with this id ends.
///
/// # Errors
/// For trouble with the database.
pub fn life(q: &mut dyn Query, id: &TokenId) -> Result<Option<Life>, StoreError> {
    let row = q.optional(&LIFE, &[id.into()])?;
    row.map(|row| Ok(Life { expires_at: row.opt_millis(0)?, revoked_at: row.opt_millis(1)? }))
        .transpose()
}

/// Adds a token with its scopes and its first secret.
///
/// # Errors
/// For trouble with the database.
pub fn insert(tx: &mut Tx<'_>, token: &NewToken, secret: &NewSecret) -> Result<(), StoreError> {
    tx.execute(
        &INSERT,
        &[
            (&token.id).into(),
            token.kind.as_str().into(),
            (&token.account).into(),
            (&token.principal).into(),
            (&token.principal_name).into(),
            token.application.as_ref().into(),
            (&token.name).into(),
            token.parent.as_ref().into(),
            token.minted_by.as_ref().into(),
            (&token.created_by).into(),
            token.created_by_id.as_ref().into(),
            (&token.service).into(),
            token.created_at.into(),
            token.expires_at.into(),
        ],
    )?;
    for scope in token.scopes.iter() {
        let values = [(&token.id).into(), scope.dialect.as_str().into(), (&*scope.word).into()];
        tx.execute(&INSERT_SCOPE, &values)?;
    }
    insert_secret(tx, &token.id, secret, token.created_at)
}

/// Adds a secret that opens a token.
///
/// # Errors
/// For trouble with the database.
pub fn insert_secret(
    tx: &mut Tx<'_>,
    token: &TokenId,
    secret: &NewSecret,
    at: UnixMillis,
) -> Result<(), StoreError> {
    tx.execute(
        &INSERT_SECRET,
        &[
            (&secret.lookup).into(),
            token.into(),
            secret.form.as_str().into(),
            secret.selector.as_ref().map(<[u8; 16]>::as_slice).into(),
            secret.sealed.as_deref().into(),
            i64::from(secret.key_generation).into(),
            (&secret.prefix).into(),
            i64::from(secret.format).into(),
            at.into(),
        ],
    )
    .map(drop)
}

/// Ends the secrets of a token at `until`, those that would end later or never. Which one is the
/// newest is told by this: it alone has no end of its own.
///
/// # Errors
/// For trouble with the database.
pub fn end_secrets(tx: &mut Tx<'_>, token: &TokenId, until: UnixMillis) -> Result<(), StoreError> {
    revoke_by(tx, &END_SECRETS, &[token.into(), until.into()]).map(drop)
}

/// Ends at `now` what a rotation has left of a token's older secrets; whether there was one.
///
/// # Errors
/// For trouble with the database.
pub fn cut_secrets(tx: &mut Tx<'_>, token: &TokenId, now: UnixMillis) -> Result<bool, StoreError> {
    revoke_by(tx, &CUT_SECRETS, &[token.into(), now.into()])
}

/// Revokes a token and those that stand for it; whether any of them was not revoked yet.
///
/// # Errors
/// For trouble with the database.
pub fn revoke(tx: &mut Tx<'_>, id: &TokenId, ending: &Ending<'_>) -> Result<bool, StoreError> {
    let Ending { now, by, reason } = *ending;
    revoke_by(tx, &REVOKE, &[id.into(), now.into(), by.into(), reason.into()])
}

/// Revokes all tokens of one kind of a principal; whether there was one.
///
/// # Errors
/// For trouble with the database.
pub fn revoke_kind(
    tx: &mut Tx<'_>,
    principal: &PrincipalId,
    kind: TokenKind,
    ending: &Ending<'_>,
) -> Result<bool, StoreError> {
    let Ending { now, by, reason } = *ending;
    let values = [principal.into(), now.into(), by.into(), reason.into(), kind.as_str().into()];
    revoke_by(tx, &REVOKE_KIND, &values)
}

/// Revokes the refresh tokens that a user got for his password; whether there was one.
///
/// # Errors
/// For trouble with the database.
pub fn revoke_born_of_password(
    tx: &mut Tx<'_>,
    principal: &PrincipalId,
    ending: &Ending<'_>,
) -> Result<bool, StoreError> {
    let Ending { now, by, reason } = *ending;
    let values = [principal.into(), now.into(), by.into(), reason.into()];
    revoke_by(tx, &REVOKE_BORN_OF_PASSWORD, &values)
}

/// Removes at most `most` tombstones of tokens of each way to end, those that ended at `until` or
/// before, with their labels; how many. They open nothing, so nothing is touched.
///
/// # Errors
/// For trouble with the database.
pub fn sweep(tx: &mut Tx<'_>, until: UnixMillis, most: i64) -> Result<u64, StoreError> {
    let mut swept = 0;
    for stmt in [&SWEEP_REVOKED, &SWEEP_EXPIRED] {
        for row in tx.all(stmt, &[until.into(), most.into()])? {
            labels::remove(tx, row.text(0)?)?;
            swept += 1;
        }
    }
    Ok(swept)
}

/// Removes the secrets that ended by a rotation at `until` or before.
///
/// # Errors
/// For trouble with the database.
pub fn sweep_secrets(tx: &mut Tx<'_>, until: UnixMillis) -> Result<u64, StoreError> {
    tx.execute(&SWEEP_SECRETS, &[until.into()])
}

/// Removes one secret, of a token that has ended: it may be brought along for another.
///
/// # Errors
/// For trouble with the database.
pub fn forget_secret(tx: &mut Tx<'_>, lookup: &[u8; 32]) -> Result<(), StoreError> {
    tx.execute(&FORGET_SECRET, &[lookup.into()])?;
    tx.touch(Touched::Token(*lookup));
    Ok(())
}

/// Runs a statement that revokes tokens and answers their ids; evicts each of their secrets.
pub(crate) fn revoke_by(
    tx: &mut Tx<'_>,
    stmt: &Stmt,
    params: &[Param<'_>],
) -> Result<bool, StoreError> {
    let ended = tx.all(stmt, params)?;
    for row in &ended {
        for row in tx.all(&LOOKUPS, &[row.text(0)?.into()])? {
            let lookup = row.blob(0)?.try_into();
            tx.touch(Touched::Token(lookup.map_err(|_| StoreError::Column { column: 0 })?));
        }
    }
    Ok(!ended.is_empty())
}

/// What the secrets of a principal's live tokens of one kind that open the registry are rebuilt
/// from, the newest first.
///
/// # Errors
/// For trouble with the database.
pub fn kept(
    q: &mut dyn Query,
    principal: &PrincipalId,
    kind: TokenKind,
    now: UnixMillis,
) -> Result<Vec<Kept>, StoreError> {
    let rows = q.all(&KEPT, &[principal.into(), kind.as_str().into(), now.into()])?;
    rows.iter().map(|row| Kept::from_columns(row, 0)).collect()
}
