//! Whom and what a search looks at: a few rows behind a place, each read in the order of an index,
//! so that a page costs what it looks at and no more, however much there is.
//!
//! What is found here may be reached; whether it is, the decision says.

use claviger_domain::{
    TokenKind, UnixMillis,
    id::{PrincipalId, TeamId, TokenId},
    principal::{PrincipalKind, TeamFacts},
};

use crate::db::{Query, Row, Stmt, StoreError, statements};

/// A principal that was come by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passed {
    /// Its id.
    pub id: PrincipalId,
    /// What it is.
    pub kind: PrincipalKind,
    /// Its name.
    pub name: String,
    /// Whether it was made superuser.
    pub superuser: bool,
}

/// A token that was come by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassedToken {
    /// Its id.
    pub id: TokenId,
    /// What it is, and when it was made among its like: its place.
    pub place: (TokenKind, i64),
    /// When it ends by itself.
    pub expires_at: Option<UnixMillis>,
    /// When it was ended.
    pub revoked_at: Option<UnixMillis>,
}

/// Which repositories, in the order of their names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Named {
    /// All.
    All,
    /// Those that everybody may pull.
    Public,
    /// Those of a namespace.
    In(PrincipalId),
}

/// Which permissions, in the order of their repositories' ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Granted {
    /// A principal's own.
    To(PrincipalId),
    /// A team's.
    ToTeam(TeamId),
}

statements! {
    PRINCIPALS = Stmt::same(
        "SELECT id, kind, name, superuser_at FROM principal WHERE id > $1 ORDER BY id LIMIT $2"
    );
    MEMBERS = Stmt::same(
        "SELECT principal_id FROM team_member WHERE team_id = $1 AND principal_id > $2
         ORDER BY principal_id LIMIT $3"
    );
    TEAMS = Stmt::same(
        "SELECT id, org_id, name, role FROM team WHERE org_id = $1 ORDER BY name"
    );
    TOKENS = Stmt::same(
        "SELECT id, kind, seq, expires_at, revoked_at FROM token
         WHERE principal_id = $1 AND (kind, seq) > ($2, CAST($3 AS BIGINT))
         ORDER BY kind, seq LIMIT $4"
    );
    REPOSITORIES = Stmt::same(
        "SELECT name FROM repository WHERE name > $1 ORDER BY name LIMIT $2"
    );
    PUBLIC = Stmt::same(
        "SELECT name FROM repository WHERE visibility = 'public' AND name > $1
         ORDER BY name LIMIT $2"
    );
    IN_NAMESPACE = Stmt::same(
        "SELECT name FROM repository WHERE namespace_id = $3 AND name > $1
         ORDER BY name LIMIT $2"
    );
    GRANTED = Stmt::same(
        "SELECT g.repo_id, r.name FROM permission g JOIN repository r ON r.id = g.repo_id
         WHERE g.principal_id = $1 AND g.repo_id > $2 ORDER BY g.repo_id LIMIT $3"
    );
    GRANTED_TO_TEAM = Stmt::same(
        "SELECT g.repo_id, r.name FROM permission g JOIN repository r ON r.id = g.repo_id
         WHERE g.team_id = $1 AND g.repo_id > $2 ORDER BY g.repo_id LIMIT $3"
    );
}

/// Users, robots and organisations behind an id.
///
/// # Errors
/// For trouble with the database (so for all of this file).
pub fn principals(q: &mut dyn Query, after: &str, limit: i64) -> Result<Vec<Passed>, StoreError> {
    let passed = |row: &Row| {
        Ok(Passed {
            id: row.parse(0)?,
            kind: row.parse(1)?,
            name: row.text(2)?.to_owned(),
            superuser: row.opt_int(3)?.is_some(),
        })
    };
    q.all(&PRINCIPALS, &[after.into(), limit.into()])?.iter().map(passed).collect()
}

/// Members of a team behind an id.
///
/// # Errors
/// For trouble with the database.
pub fn members(
    q: &mut dyn Query,
    team: &TeamId,
    after: &str,
    limit: i64,
) -> Result<Vec<PrincipalId>, StoreError> {
    let rows = q.all(&MEMBERS, &[team.into(), after.into(), limit.into()])?;
    rows.iter().map(|row| row.parse(0)).collect()
}

/// Every team of an organisation.
///
/// # Errors
/// For trouble with the database.
pub fn teams(q: &mut dyn Query, org: &PrincipalId) -> Result<Vec<TeamFacts>, StoreError> {
    let team = |row: &Row| {
        Ok(TeamFacts {
            id: row.parse(0)?,
            org: row.parse(1)?,
            name: row.text(2)?.into(),
            role: row.parse(3)?,
        })
    };
    q.all(&TEAMS, &[org.into()])?.iter().map(team).collect()
}

/// Tokens of a principal behind a place, whatever their state.
///
/// # Errors
/// For trouble with the database.
pub fn tokens(
    q: &mut dyn Query,
    of: &PrincipalId,
    after: Option<(TokenKind, i64)>,
    limit: i64,
) -> Result<Vec<PassedToken>, StoreError> {
    let (kind, seq) = after.map_or(("", 0), |(kind, seq)| (kind.as_str(), seq));
    let passed = |row: &Row| {
        Ok(PassedToken {
            id: row.parse(0)?,
            place: (row.parse(1)?, row.int(2)?),
            expires_at: row.opt_millis(3)?,
            revoked_at: row.opt_millis(4)?,
        })
    };
    let values = [of.into(), kind.into(), seq.into(), limit.into()];
    q.all(&TOKENS, &values)?.iter().map(passed).collect()
}

/// Names of repositories behind a name.
///
/// # Errors
/// For trouble with the database.
pub fn repositories(
    q: &mut dyn Query,
    which: Named,
    after: &str,
    limit: i64,
) -> Result<Vec<String>, StoreError> {
    let rows = match &which {
        Named::All => q.all(&REPOSITORIES, &[after.into(), limit.into()])?,
        Named::Public => q.all(&PUBLIC, &[after.into(), limit.into()])?,
        Named::In(namespace) => {
            q.all(&IN_NAMESPACE, &[after.into(), limit.into(), namespace.into()])?
        }
    };
    rows.iter().map(|row| row.text(0).map(str::to_owned)).collect()
}

/// Repositories with a permission behind an id: the id and the name of each.
///
/// # Errors
/// For trouble with the database.
pub fn granted(
    q: &mut dyn Query,
    which: Granted,
    after: &str,
    limit: i64,
) -> Result<Vec<(String, String)>, StoreError> {
    let (stmt, to) = match &which {
        Granted::To(principal) => (&GRANTED, principal.into()),
        Granted::ToTeam(team) => (&GRANTED_TO_TEAM, team.into()),
    };
    let pair = |row: &Row| Ok((row.text(0)?.to_owned(), row.text(1)?.to_owned()));
    q.all(stmt, &[to, after.into(), limit.into()])?.iter().map(pair).collect()
}
