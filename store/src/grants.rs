//! What stands between a user's consent and an application's token: codes that are exchanged for
//! one, and tokens that were assigned to a user who has not taken them yet.

use claviger_domain::{
    UnixMillis,
    id::{ApplicationId, AssignmentId, PrincipalId},
};

use crate::db::{Query, Row, Stmt, StoreError, Tx, statements};

/// A code, as it was given out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Code {
    /// Whose it is.
    pub application: ApplicationId,
    /// Who consented.
    pub principal: PrincipalId,
    /// Where it was sent.
    pub redirect_uri: String,
    /// The scopes, as they were asked for.
    pub scope: String,
    /// When it was made.
    pub created_at: UnixMillis,
    /// When it ends.
    pub expires_at: UnixMillis,
    /// When it was exchanged.
    pub used_at: Option<UnixMillis>,
}

/// A token that waits for its user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// Its id.
    pub id: AssignmentId,
    /// The application that the token will be for.
    pub application: ApplicationId,
    /// The id by which clients know that application.
    pub client_id: String,
    /// The user.
    pub principal: PrincipalId,
    /// Where the answer will go.
    pub redirect_uri: String,
    /// The scopes, as they were given.
    pub scope: String,
    /// `token`.
    pub response_type: String,
    /// When it was made.
    pub created_at: UnixMillis,
}

statements! {
    CODE = Stmt::same(
        "SELECT application_id, principal_id, redirect_uri, scope, created_at, expires_at, used_at
         FROM oauth_code WHERE lookup = $1"
    );
    INSERT_CODE = Stmt::same(
        "INSERT INTO oauth_code (lookup, application_id, principal_id, redirect_uri, scope,
            created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)"
    );
    USE_CODE = Stmt::same("UPDATE oauth_code SET used_at = $2 WHERE lookup = $1");
    REMOVE_CODES = Stmt::same("DELETE FROM oauth_code WHERE principal_id = $1");
    SWEEP_CODES = Stmt::same("DELETE FROM oauth_code WHERE expires_at <= $1");
    ASSIGNMENT = Stmt::same(
        "SELECT s.id, s.application_id, a.client_id, s.principal_id, s.redirect_uri, s.scope,
            s.response_type, s.created_at
         FROM oauth_assignment s JOIN application a ON a.id = s.application_id WHERE s.id = $1"
    );
    ASSIGNMENTS = Stmt::same(
        "SELECT s.id, s.application_id, a.client_id, s.principal_id, s.redirect_uri, s.scope,
            s.response_type, s.created_at
         FROM oauth_assignment s JOIN application a ON a.id = s.application_id
         WHERE s.principal_id = $1 ORDER BY s.seq"
    );
    INSERT_ASSIGNMENT = Stmt::same(
        "INSERT INTO oauth_assignment (id, application_id, principal_id, redirect_uri, scope,
            response_type, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)"
    );
    REMOVE_ASSIGNMENT = Stmt::same("DELETE FROM oauth_assignment WHERE id = $1");
}

/// The code with this lookup key, in whatever state.
///
/// # Errors
/// For trouble with the database (so for all of this file).
pub fn code(q: &mut dyn Query, lookup: &[u8; 32]) -> Result<Option<Code>, StoreError> {
    let Some(row) = q.optional(&CODE, &[lookup.into()])? else { return Ok(None) };
    Ok(Some(Code {
        application: row.parse(0)?,
        principal: row.parse(1)?,
        redirect_uri: row.text(2)?.to_owned(),
        scope: row.text(3)?.to_owned(),
        created_at: row.millis(4)?,
        expires_at: row.millis(5)?,
        used_at: row.opt_millis(6)?,
    }))
}

/// Adds a code.
///
/// # Errors
/// For trouble with the database.
pub fn insert_code(tx: &mut Tx<'_>, lookup: &[u8; 32], code: &Code) -> Result<(), StoreError> {
    tx.execute(
        &INSERT_CODE,
        &[
            lookup.into(),
            (&code.application).into(),
            (&code.principal).into(),
            (&code.redirect_uri).into(),
            (&code.scope).into(),
            code.created_at.into(),
            code.expires_at.into(),
        ],
    )
    .map(drop)
}

/// Notes that a code was exchanged; it is good for nothing more.
///
/// # Errors
/// For trouble with the database.
pub fn use_code(tx: &mut Tx<'_>, lookup: &[u8; 32], now: UnixMillis) -> Result<(), StoreError> {
    tx.execute(&USE_CODE, &[lookup.into(), now.into()]).map(drop)
}

/// Ends every code of a user.
///
/// # Errors
/// For trouble with the database.
pub fn remove_codes(tx: &mut Tx<'_>, principal: &PrincipalId) -> Result<u64, StoreError> {
    tx.execute(&REMOVE_CODES, &[principal.into()])
}

/// Removes the codes whose end has come.
///
/// # Errors
/// For trouble with the database.
pub fn sweep_codes(tx: &mut Tx<'_>, now: UnixMillis) -> Result<u64, StoreError> {
    tx.execute(&SWEEP_CODES, &[now.into()])
}

fn assignment_from(row: &Row) -> Result<Assignment, StoreError> {
    Ok(Assignment {
        id: row.parse(0)?,
        application: row.parse(1)?,
        client_id: row.text(2)?.to_owned(),
        principal: row.parse(3)?,
        redirect_uri: row.text(4)?.to_owned(),
        scope: row.text(5)?.to_owned(),
        response_type: row.text(6)?.to_owned(),
        created_at: row.millis(7)?,
    })
}

/// The assignment with this id.
///
/// # Errors
/// For trouble with the database.
pub fn assignment(q: &mut dyn Query, id: &AssignmentId) -> Result<Option<Assignment>, StoreError> {
    q.optional(&ASSIGNMENT, &[id.into()])?.as_ref().map(assignment_from).transpose()
}

/// What was assigned to a user, the oldest first.
///
/// # Errors
/// For trouble with the database.
pub fn assignments(
    q: &mut dyn Query,
    principal: &PrincipalId,
) -> Result<Vec<Assignment>, StoreError> {
    q.all(&ASSIGNMENTS, &[principal.into()])?.iter().map(assignment_from).collect()
}

/// Adds an assignment.
///
/// # Errors
/// For trouble with the database.
pub fn insert_assignment(tx: &mut Tx<'_>, assignment: &Assignment) -> Result<(), StoreError> {
    tx.execute(
        &INSERT_ASSIGNMENT,
        &[
            (&assignment.id).into(),
            (&assignment.application).into(),
            (&assignment.principal).into(),
            (&assignment.redirect_uri).into(),
            (&assignment.scope).into(),
            (&assignment.response_type).into(),
            assignment.created_at.into(),
        ],
    )
    .map(drop)
}

/// Removes an assignment, because it was taken or dropped.
///
/// # Errors
/// For trouble with the database.
pub fn remove_assignment(tx: &mut Tx<'_>, id: &AssignmentId) -> Result<(), StoreError> {
    tx.execute(&REMOVE_ASSIGNMENT, &[id.into()]).map(drop)
}
