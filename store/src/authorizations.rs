//! Authorizations of the OpenShift door: what was not revoked. The owner alone finds them.

use claviger_domain::{
    TokenKind, UnixMillis,
    id::{PrincipalId, TokenId},
};

use crate::{
    db::{Param, Query, Row, Stmt, StoreError, Tx, statements},
    endings::Ending,
    tokens::{self, Kept, NewSecret, NewToken},
};

/// An authorization that was not revoked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorization {
    /// Its id.
    pub id: TokenId,
    /// The name that its owner had when it was made.
    pub identity: String,
    /// The scopes in the order in which they were asked for, with blanks between.
    pub scopes: String,
    /// What its owner says of it.
    pub note: Option<String>,
    /// When it was made.
    pub created_at: UnixMillis,
    /// When it ends.
    pub expires_at: UnixMillis,
}

/// With what an authorization is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Its id.
    Id(TokenId),
    /// The lookup key of its secret.
    Secret([u8; 32]),
}

statements! {
    LIVE = Stmt::same(
        "SELECT t.id, t.principal_name, a.scopes, a.note, t.created_at, t.expires_at,
            t.id, s.selector, s.sealed, s.key_generation, s.prefix, s.format
         FROM token t JOIN openshift_authorization a ON a.token_id = t.id
            JOIN secret s ON s.token_id = t.id AND s.valid_until IS NULL
         WHERE t.principal_id = $1 AND t.kind = 'authorization' AND t.revoked_at IS NULL
            AND t.expires_at > $2
         ORDER BY t.created_at DESC, t.seq DESC"
    );
    BY_ID = Stmt::same(
        "SELECT t.id, t.principal_name, a.scopes, a.note, t.created_at, t.expires_at,
            t.id, s.selector, s.sealed, s.key_generation, s.prefix, s.format
         FROM token t JOIN openshift_authorization a ON a.token_id = t.id
            JOIN secret s ON s.token_id = t.id AND s.valid_until IS NULL
         WHERE t.id = $1 AND t.principal_id = $2 AND t.kind = 'authorization'
            AND t.revoked_at IS NULL"
    );
    BY_SECRET = Stmt::same(
        "SELECT t.id, t.principal_name, a.scopes, a.note, t.created_at, t.expires_at,
            t.id, s.selector, s.sealed, s.key_generation, s.prefix, s.format
         FROM secret o JOIN token t ON t.id = o.token_id
            JOIN openshift_authorization a ON a.token_id = t.id
            JOIN secret s ON s.token_id = t.id AND s.valid_until IS NULL
         WHERE o.lookup = $1 AND t.principal_id = $2 AND t.kind = 'authorization'
            AND t.revoked_at IS NULL"
    );
    ALIKE = Stmt::same(
        "SELECT t.id, t.principal_name, a.scopes, a.note, t.created_at, t.expires_at,
            t.id, s.selector, s.sealed, s.key_generation, s.prefix, s.format
         FROM token t JOIN openshift_authorization a ON a.token_id = t.id
            JOIN secret s ON s.token_id = t.id AND s.valid_until IS NULL
         WHERE t.principal_id = $1 AND t.kind = 'authorization' AND t.revoked_at IS NULL
            AND a.scopes = $2 AND (CAST($3 AS TEXT) IS NULL OR a.note = $3)
         ORDER BY t.created_at DESC, t.seq DESC LIMIT 10"
    );
    INSERT = Stmt::same(
        "INSERT INTO openshift_authorization (token_id, scopes, note) VALUES ($1, $2, $3)"
    );
    SET_NOTE = Stmt::same("UPDATE openshift_authorization SET note = $2 WHERE token_id = $1");
    SET_NAME = Stmt::same("UPDATE token SET name = $2 WHERE id = $1");
    // with a token end those that stand for it
    REVOKE_SCOPE = Stmt::same(
        "WITH RECURSIVE ends (id) AS (
            SELECT t.id FROM token t JOIN token_scope s ON s.token_id = t.id
                WHERE t.principal_id = $1 AND t.kind = 'authorization'
                    AND s.dialect = 'openshift' AND s.word = $5
            UNION SELECT t.id FROM token t JOIN ends e ON t.parent_id = e.id)
         UPDATE token SET revoked_at = $2, revoked_by = $3, revoke_reason = $4
         WHERE revoked_at IS NULL AND id IN (SELECT id FROM ends) RETURNING id"
    );
}

/// An authorization, and what its secret is rebuilt from.
pub type Found = (Authorization, Kept);

fn found(row: &Row) -> Result<Found, StoreError> {
    let authorization = Authorization {
        id: row.parse(0)?,
        identity: row.text(1)?.to_owned(),
        scopes: row.text(2)?.to_owned(),
        note: row.opt_text(3)?.map(str::to_owned),
        created_at: row.millis(4)?,
        expires_at: row.millis(5)?,
    };
    Ok((authorization, Kept::from_columns(row, 6)?))
}

fn all(q: &mut dyn Query, stmt: &Stmt, params: &[Param<'_>]) -> Result<Vec<Found>, StoreError> {
    q.all(stmt, params)?.iter().map(found).collect()
}

/// A user's authorizations that live at `now`, the newest first.
///
/// # Errors
/// For trouble with the database (so for all of this file).
pub fn live(
    q: &mut dyn Query,
    owner: &PrincipalId,
    now: UnixMillis,
) -> Result<Vec<Found>, StoreError> {
    all(q, &LIVE, &[owner.into(), now.into()])
}

/// One of a user's authorizations, whether it lives or has expired.
///
/// # Errors
/// For trouble with the database.
pub fn find(
    q: &mut dyn Query,
    owner: &PrincipalId,
    wanted: Wanted,
) -> Result<Option<Found>, StoreError> {
    let row = match &wanted {
        Wanted::Id(id) => q.optional(&BY_ID, &[id.into(), owner.into()])?,
        Wanted::Secret(lookup) => q.optional(&BY_SECRET, &[lookup.into(), owner.into()])?,
    };
    row.as_ref().map(found).transpose()
}

/// A user's ten newest authorizations with exactly these scopes and, if one is given, this note;
/// expired ones among them.
///
/// # Errors
/// For trouble with the database.
pub fn alike(
    q: &mut dyn Query,
    owner: &PrincipalId,
    scopes: &str,
    note: Option<&str>,
) -> Result<Vec<Found>, StoreError> {
    all(q, &ALIKE, &[owner.into(), scopes.into(), note.into()])
}

/// Adds an authorization.
///
/// # Errors
/// For trouble with the database.
pub fn insert(
    tx: &mut Tx<'_>,
    token: &NewToken,
    secret: &NewSecret,
    scopes: &str,
    note: Option<&str>,
) -> Result<(), StoreError> {
    tokens::insert(tx, token, secret)?;
    tx.execute(&INSERT, &[(&token.id).into(), scopes.into(), note.into()]).map(drop)
}

/// Gives an authorization another note, or none. Nobody decides by it, so nothing is touched.
///
/// # Errors
/// For trouble with the database.
pub fn set_note(tx: &mut Tx<'_>, id: &TokenId, note: Option<&str>) -> Result<(), StoreError> {
    tx.execute(&SET_NOTE, &[id.into(), note.into()])?;
    tx.execute(&SET_NAME, &[id.into(), note.unwrap_or_default().into()]).map(drop)
}

/// Revokes all authorizations of a user, or those that have `scope` among theirs; whether there was
/// one.
///
/// # Errors
/// For trouble with the database.
pub fn revoke_all(
    tx: &mut Tx<'_>,
    owner: &PrincipalId,
    scope: Option<&str>,
    ending: &Ending<'_>,
) -> Result<bool, StoreError> {
    let Some(scope) = scope else {
        return tokens::revoke_kind(tx, owner, TokenKind::Authorization, ending);
    };
    let Ending { now, by, reason } = *ending;
    let values = [owner.into(), now.into(), by.into(), reason.into(), scope.into()];
    tokens::revoke_by(tx, &REVOKE_SCOPE, &values)
}
