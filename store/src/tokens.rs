//! Tokens, and the secrets that reach them.

use claviger_domain::{
    UnixMillis,
    id::TokenId,
    scope::{Scope, Scopes},
    token::TokenFacts,
};

use crate::db::{Query, Stmt, StoreError, Tx, statements};

statements! {
    FACTS = Stmt::same(
        "SELECT t.id, t.kind, t.principal_id, t.account_id, t.application_id, t.parent_id,
            t.service, s.key_generation, t.expires_at, s.valid_until, t.revoked_at
         FROM secret s JOIN token t ON t.id = s.token_id WHERE s.lookup = $1"
    );
    SCOPES = Stmt::same(
        "SELECT dialect, word FROM token_scope WHERE token_id = $1 ORDER BY dialect, word"
    );
    USED_TOKEN = Stmt::same(
        "UPDATE token SET last_used_at = $2, last_used_address = $3
         WHERE id = $1 AND (last_used_at IS NULL OR last_used_at <= $2)"
    );
    USED_SECRET = Stmt::same(
        "UPDATE secret SET last_used_at = $2, last_used_address = $3
         WHERE lookup = $1 AND (last_used_at IS NULL OR last_used_at <= $2)"
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

/// Notes the last use of a token, and of the secret that reached it. Nobody decides by it, so
/// nothing is touched.
///
/// # Errors
/// For trouble with the database.
pub fn used(
    tx: &mut Tx<'_>,
    id: &TokenId,
    lookup: &[u8; 32],
    at: UnixMillis,
    address: Option<&str>,
) -> Result<(), StoreError> {
    tx.execute(&USED_TOKEN, &[id.into(), at.into(), address.into()])?;
    tx.execute(&USED_SECRET, &[lookup.into(), at.into(), address.into()]).map(drop)
}
