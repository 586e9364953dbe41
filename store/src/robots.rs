//! Robots: the machines of a namespace, named `namespace+short`. A robot is a principal with an
//! owner; its secret belongs to its one live token of kind `robot`.

use claviger_domain::{UnixMillis, id::PrincipalId};

use crate::{
    db::{Query, Row, Stmt, StoreError, statements},
    faces::Face,
    teams::OnRepo,
    tokens::Kept,
};

/// A robot, as lists show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Robot {
    /// Id, full name, and what the avatar is drawn from.
    pub face: Face,
    /// What is said of it.
    pub description: String,
    /// A JSON object that its owner keeps with it.
    pub metadata: Option<String>,
    /// When it was made.
    pub created_at: UnixMillis,
    /// When its token was last used.
    pub last_used_at: Option<UnixMillis>,
}

/// What a robot of a namespace belongs to or works in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Belonging {
    /// The robot.
    pub robot: PrincipalId,
    /// The name of the team; of the repository, inside its namespace.
    pub to: String,
}

statements! {
    FIND = Stmt::same(
        "SELECT p.id, p.kind, p.name, p.email, p.avatar_key, p.description, p.metadata,
            p.created_at,
            (SELECT MAX(u.at) FROM token t JOIN token_use u ON u.token_id = t.id
             WHERE t.principal_id = p.id AND t.kind = 'robot')
         FROM principal p WHERE p.owner_id = $1 AND p.name = $2"
    );
    OF = Stmt::same(
        "SELECT p.id, p.kind, p.name, p.email, p.avatar_key, p.description, p.metadata,
            p.created_at,
            (SELECT MAX(u.at) FROM token t JOIN token_use u ON u.token_id = t.id
             WHERE t.principal_id = p.id AND t.kind = 'robot')
         FROM principal p WHERE p.owner_id = $1 ORDER BY p.name LIMIT $2"
    );
    SECRETS = Stmt::same(
        "SELECT p.id, t.id, s.selector, s.sealed, s.key_generation, s.prefix, s.format
         FROM principal p
            JOIN token t ON t.principal_id = p.id JOIN secret s ON s.token_id = t.id
         WHERE p.owner_id = $1 AND t.kind = 'robot' AND t.revoked_at IS NULL
            AND (t.expires_at IS NULL OR t.expires_at > $2) AND s.valid_until IS NULL
            AND EXISTS (SELECT 1 FROM token_scope c WHERE c.token_id = t.id
                AND c.dialect = 'native' AND c.word = 'registry')
         ORDER BY t.seq"
    );
    TEAMS = Stmt::same(
        "SELECT m.principal_id, t.name FROM principal p
            JOIN team_member m ON m.principal_id = p.id JOIN team t ON t.id = m.team_id
         WHERE p.owner_id = $1 ORDER BY t.seq"
    );
    REPOSITORIES = Stmt::same(
        "SELECT g.principal_id, r.name FROM principal p
            JOIN permission g ON g.principal_id = p.id JOIN repository r ON r.id = g.repo_id
         WHERE p.owner_id = $1 ORDER BY g.seq"
    );
    PERMISSIONS = Stmt::same(
        "SELECT r.name, r.visibility, p.role
         FROM permission p JOIN repository r ON r.id = p.repo_id
         WHERE p.principal_id = $1 ORDER BY p.seq"
    );
}

impl Robot {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            face: Face::from_row(row)?,
            description: row.text(5)?.to_owned(),
            metadata: row.opt_text(6)?.map(str::to_owned),
            created_at: row.millis(7)?,
            last_used_at: row.opt_millis(8)?,
        })
    }
}

/// The robot of a namespace with this full name.
///
/// # Errors
/// For trouble with the database (so for all of this file).
pub fn find(
    q: &mut dyn Query,
    owner: &PrincipalId,
    name: &str,
) -> Result<Option<Robot>, StoreError> {
    q.optional(&FIND, &[owner.into(), name.into()])?.as_ref().map(Robot::from_row).transpose()
}

/// The first `limit` robots of a namespace, by name.
///
/// # Errors
/// For trouble with the database.
pub fn of(q: &mut dyn Query, owner: &PrincipalId, limit: i64) -> Result<Vec<Robot>, StoreError> {
    q.all(&OF, &[owner.into(), limit.into()])?.iter().map(Robot::from_row).collect()
}

/// What the secrets of the live tokens of a namespace's robots are rebuilt from, with the robot;
/// the newest of each robot last. One that does not open the registry is none of its secrets there.
///
/// # Errors
/// For trouble with the database.
pub fn secrets(
    q: &mut dyn Query,
    owner: &PrincipalId,
    now: UnixMillis,
) -> Result<Vec<(PrincipalId, Kept)>, StoreError> {
    let secret = |row: &Row| Ok((row.parse(0)?, Kept::from_columns(row, 1)?));
    q.all(&SECRETS, &[owner.into(), now.into()])?.iter().map(secret).collect()
}

/// The teams that each robot of a namespace is in.
///
/// # Errors
/// For trouble with the database.
pub fn teams(q: &mut dyn Query, owner: &PrincipalId) -> Result<Vec<Belonging>, StoreError> {
    let team = |row: &Row| Ok(Belonging { robot: row.parse(0)?, to: row.text(1)?.to_owned() });
    q.all(&TEAMS, &[owner.into()])?.iter().map(team).collect()
}

/// The repositories on which each robot of a namespace has a permission of its own.
///
/// # Errors
/// For trouble with the database.
pub fn repositories(q: &mut dyn Query, owner: &PrincipalId) -> Result<Vec<Belonging>, StoreError> {
    let repo = |row: &Row| {
        let (_, name) = row.text(1)?.split_once('/').ok_or(StoreError::Column { column: 1 })?;
        Ok(Belonging { robot: row.parse(0)?, to: name.to_owned() })
    };
    q.all(&REPOSITORIES, &[owner.into()])?.iter().map(repo).collect()
}

/// The permissions of a robot, in the order in which they were given.
///
/// # Errors
/// For trouble with the database.
pub fn permissions(q: &mut dyn Query, robot: &PrincipalId) -> Result<Vec<OnRepo>, StoreError> {
    q.all(&PERMISSIONS, &[robot.into()])?.iter().map(OnRepo::from_row).collect()
}
