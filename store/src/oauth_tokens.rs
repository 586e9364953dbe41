//! Tokens that were given to OAuth applications, as their users and their organisations see them:
//! only those that live.

use std::collections::BTreeMap;

use claviger_domain::{
    UnixMillis,
    id::{ApplicationId, PrincipalId, TokenId},
    scope::{Dialect, QuayScope},
};

use crate::{
    db::{Param, Query, Row, Stmt, StoreError, Tx, statements},
    endings::Ending,
    faces::Face,
    token_uses::last_used_at,
    tokens,
};

/// A live token of an application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OauthToken {
    /// Its id.
    pub id: TokenId,
    /// What it is called.
    pub name: String,
    /// Whom it acts for.
    pub principal: PrincipalId,
    /// Who made it, by name.
    pub created_by: String,
    /// When it was made.
    pub created_at: UnixMillis,
    /// When it ends.
    pub expires_at: Option<UnixMillis>,
    /// When it was last used, as far as that is written.
    pub last_used_at: Option<UnixMillis>,
    /// What it may do at most.
    pub scopes: Vec<QuayScope>,
}

/// The application of a token, and its organisation, as they are shown to the token's user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantedTo {
    /// What it is called.
    pub name: String,
    /// The id that clients know.
    pub client_id: String,
    /// What is said of it.
    pub description: String,
    /// Its home page.
    pub application_uri: String,
    /// What its avatar is drawn from.
    pub avatar_email: Option<String>,
    /// Its organisation.
    pub org: Face,
}

statements! {
    OF_APPLICATION = Stmt::same(
        concat!(
            "SELECT t.id, t.name, t.principal_id, t.created_by, t.created_at, t.expires_at, ",
            last_used_at!(),
            " FROM token t WHERE t.application_id = $1 AND t.kind = 'oauth'
                AND t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > $2)
              ORDER BY t.seq"
        )
    );
    SCOPES_OF_APPLICATION = Stmt::same(
        "SELECT s.token_id, s.dialect, s.word FROM token_scope s JOIN token t ON t.id = s.token_id
         WHERE t.application_id = $1 AND t.kind = 'oauth' AND t.revoked_at IS NULL
            AND (t.expires_at IS NULL OR t.expires_at > $2)"
    );
    OF_USER = Stmt::same(
        concat!(
            "SELECT t.id, t.name, t.principal_id, t.created_by, t.created_at, t.expires_at, ",
            last_used_at!(),
            ", a.name, a.client_id, a.description, a.application_uri, a.avatar_email,
                p.id, p.kind, p.name, p.email, p.avatar_key
             FROM token t JOIN application a ON a.id = t.application_id
                JOIN principal p ON p.id = a.org_id
             WHERE t.principal_id = $1 AND t.kind = 'oauth' AND t.revoked_at IS NULL
                AND (t.expires_at IS NULL OR t.expires_at > $2) ORDER BY t.seq"
        )
    );
    SCOPES_OF_USER = Stmt::same(
        "SELECT s.token_id, s.dialect, s.word FROM token_scope s JOIN token t ON t.id = s.token_id
         WHERE t.principal_id = $1 AND t.kind = 'oauth' AND t.revoked_at IS NULL
            AND (t.expires_at IS NULL OR t.expires_at > $2)"
    );
    END = Stmt::same("SELECT expires_at FROM token WHERE id = $1");
    REVOKE_ALL = Stmt::same(
        "WITH RECURSIVE ends (id) AS (
            SELECT id FROM token WHERE application_id = $1
            UNION SELECT t.id FROM token t JOIN ends e ON t.parent_id = e.id)
         UPDATE token SET revoked_at = $2, revoked_by = $3, revoke_reason = $4
         WHERE revoked_at IS NULL AND id IN (SELECT id FROM ends) RETURNING id"
    );
}

type ScopesByToken = BTreeMap<TokenId, Vec<QuayScope>>;

fn token_from(row: &Row, scopes: &ScopesByToken) -> Result<OauthToken, StoreError> {
    let id: TokenId = row.parse(0)?;
    let mut scopes = scopes.get(&id).cloned().unwrap_or_default();
    scopes.sort_unstable();
    Ok(OauthToken {
        id,
        name: row.text(1)?.to_owned(),
        principal: row.parse(2)?,
        created_by: row.text(3)?.to_owned(),
        created_at: row.millis(4)?,
        expires_at: row.opt_millis(5)?,
        last_used_at: row.opt_millis(6)?,
        scopes,
    })
}

/// Quay's words among the scopes; a word that it has not is no scope of its tokens.
fn scopes(
    q: &mut dyn Query,
    stmt: &Stmt,
    params: &[Param<'_>],
) -> Result<ScopesByToken, StoreError> {
    let mut scopes = ScopesByToken::new();
    for row in q.all(stmt, params)? {
        if let (Dialect::Quay, Ok(scope)) = (row.parse(1)?, row.text(2)?.parse()) {
            scopes.entry(row.parse(0)?).or_default().push(scope);
        }
    }
    Ok(scopes)
}

/// The live tokens of an application, the oldest first.
///
/// # Errors
/// For trouble with the database (so for all of this file).
pub fn of_application(
    q: &mut dyn Query,
    application: &ApplicationId,
    now: UnixMillis,
) -> Result<Vec<OauthToken>, StoreError> {
    let params = [application.into(), now.into()];
    let scopes = scopes(q, &SCOPES_OF_APPLICATION, &params)?;
    q.all(&OF_APPLICATION, &params)?.iter().map(|row| token_from(row, &scopes)).collect()
}

/// The live tokens that applications have of a user, the oldest first.
///
/// # Errors
/// For trouble with the database.
pub fn of_user(
    q: &mut dyn Query,
    user: &PrincipalId,
    now: UnixMillis,
) -> Result<Vec<(OauthToken, GrantedTo)>, StoreError> {
    let params = [user.into(), now.into()];
    let scopes = scopes(q, &SCOPES_OF_USER, &params)?;
    let granted = |row: &Row| {
        let to = GrantedTo {
            name: row.text(7)?.to_owned(),
            client_id: row.text(8)?.to_owned(),
            description: row.text(9)?.to_owned(),
            application_uri: row.text(10)?.to_owned(),
            avatar_email: row.opt_text(11)?.map(str::to_owned),
            org: Face::from_columns(row, 12)?,
        };
        Ok((token_from(row, &scopes)?, to))
    };
    q.all(&OF_USER, &params)?.iter().map(granted).collect()
}

/// When a token ends; `None` is never.
///
/// # Errors
/// For trouble with the database.
pub fn end(q: &mut dyn Query, id: &TokenId) -> Result<Option<UnixMillis>, StoreError> {
    q.optional(&END, &[id.into()])?.map_or(Ok(None), |row| row.opt_millis(0))
}

/// Revokes every token of an application, and those that stand for them.
///
/// # Errors
/// For trouble with the database.
pub fn revoke_all(
    tx: &mut Tx<'_>,
    application: &ApplicationId,
    ending: &Ending<'_>,
) -> Result<bool, StoreError> {
    let Ending { now, by, reason } = *ending;
    let params = [application.into(), now.into(), by.into(), reason.into()];
    tokens::revoke_by(tx, &REVOKE_ALL, &params)
}
