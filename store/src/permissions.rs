//! Permissions: roles on a repository, given to a user, a robot or a team. The order in which they
//! were given shows in lists, so changing one keeps its place.

use claviger_domain::{
    UnixMillis,
    access::Grantee,
    id::{PrincipalId, RepoId},
    role::Role,
};

use crate::{
    db::{Query, Row, Stmt, StoreError, Touched, Tx, statements},
    faces::Face,
    repositories::Repository,
};

/// A user's or robot's permission, as lists show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserPermission {
    /// Who has it.
    pub face: Face,
    /// Which.
    pub role: Role,
    /// Whether he belongs to the organisation that the repository lies in: he is in one of its
    /// teams, or one of its robots.
    pub of_org: bool,
}

/// A team's permission, as lists show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TeamPermission {
    /// The team's name.
    pub team: String,
    /// Which.
    pub role: Role,
}

statements! {
    USERS = Stmt::same(
        "SELECT g.role, p.id, p.kind, p.name, p.email, p.avatar_key,
            CASE WHEN p.owner_id = r.namespace_id OR EXISTS (
                SELECT 1 FROM team_member m JOIN team t ON t.id = m.team_id
                WHERE m.principal_id = p.id AND t.org_id = r.namespace_id) THEN 1 ELSE 0 END
         FROM permission g
            JOIN repository r ON r.id = g.repo_id JOIN principal p ON p.id = g.principal_id
         WHERE g.repo_id = $1 ORDER BY g.seq"
    );
    USER = Stmt::same(
        "SELECT g.role, p.id, p.kind, p.name, p.email, p.avatar_key,
            CASE WHEN p.owner_id = r.namespace_id OR EXISTS (
                SELECT 1 FROM team_member m JOIN team t ON t.id = m.team_id
                WHERE m.principal_id = p.id AND t.org_id = r.namespace_id) THEN 1 ELSE 0 END
         FROM permission g
            JOIN repository r ON r.id = g.repo_id JOIN principal p ON p.id = g.principal_id
         WHERE g.repo_id = $1 AND p.name = $2"
    );
    TEAMS = Stmt::same(
        "SELECT t.name, g.role FROM permission g JOIN team t ON t.id = g.team_id
         WHERE g.repo_id = $1 ORDER BY g.seq"
    );
    TEAM = Stmt::same(
        "SELECT t.name, g.role FROM permission g JOIN team t ON t.id = g.team_id
         WHERE g.repo_id = $1 AND t.name = $2"
    );
    REACHING = Stmt::same(
        "SELECT g.role FROM permission g
         WHERE g.repo_id = $1 AND (g.principal_id = $2
            OR g.team_id IN (SELECT m.team_id FROM team_member m WHERE m.principal_id = $2))
         ORDER BY g.seq"
    );
    TO_PRINCIPAL = Stmt::same(
        "INSERT INTO permission (repo_id, principal_id, role, created_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (repo_id, principal_id) DO UPDATE SET role = excluded.role"
    );
    TO_TEAM = Stmt::same(
        "INSERT INTO permission (repo_id, team_id, role, created_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (repo_id, team_id) DO UPDATE SET role = excluded.role"
    );
    DELETE_USER = Stmt::same(
        "DELETE FROM permission WHERE repo_id = $1
            AND principal_id = (SELECT id FROM principal WHERE name = $2)"
    );
    DELETE_TEAM = Stmt::same(
        "DELETE FROM permission WHERE repo_id = $1
            AND team_id = (SELECT id FROM team WHERE org_id = $2 AND name = $3)"
    );
}

impl UserPermission {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            role: row.parse(0)?,
            face: Face::from_columns(row, 1)?,
            of_org: row.int(6)? != 0,
        })
    }
}

impl TeamPermission {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self { team: row.text(0)?.to_owned(), role: row.parse(1)? })
    }
}

/// Every user and robot with a permission of its own on the repository.
///
/// # Errors
/// For trouble with the database (so for all of this file).
pub fn users(q: &mut dyn Query, repo: &RepoId) -> Result<Vec<UserPermission>, StoreError> {
    q.all(&USERS, &[repo.into()])?.iter().map(UserPermission::from_row).collect()
}

/// The permission of the user or robot `name`.
///
/// # Errors
/// For trouble with the database.
pub fn user(
    q: &mut dyn Query,
    repo: &RepoId,
    name: &str,
) -> Result<Option<UserPermission>, StoreError> {
    let row = q.optional(&USER, &[repo.into(), name.into()])?;
    row.as_ref().map(UserPermission::from_row).transpose()
}

/// Every team with a permission on the repository.
///
/// # Errors
/// For trouble with the database.
pub fn teams(q: &mut dyn Query, repo: &RepoId) -> Result<Vec<TeamPermission>, StoreError> {
    q.all(&TEAMS, &[repo.into()])?.iter().map(TeamPermission::from_row).collect()
}

/// The permission of the team `name`. Only teams of the repository's own organisation have any.
///
/// # Errors
/// For trouble with the database.
pub fn team(
    q: &mut dyn Query,
    repo: &RepoId,
    name: &str,
) -> Result<Option<TeamPermission>, StoreError> {
    let row = q.optional(&TEAM, &[repo.into(), name.into()])?;
    row.as_ref().map(TeamPermission::from_row).transpose()
}

/// The role of each permission that reaches a principal, its own and those of its teams, in the
/// order in which they were given; nothing implied.
///
/// # Errors
/// For trouble with the database.
pub fn reaching(
    q: &mut dyn Query,
    repo: &RepoId,
    who: &PrincipalId,
) -> Result<Vec<Role>, StoreError> {
    q.all(&REACHING, &[repo.into(), who.into()])?.iter().map(|row| row.parse(0)).collect()
}

/// Gives somebody a role on a repository, in place of the one he may have.
///
/// # Errors
/// For trouble with the database.
pub fn give(
    tx: &mut Tx<'_>,
    repo: &Repository,
    to: &Grantee,
    role: Role,
    now: UnixMillis,
) -> Result<(), StoreError> {
    let (stmt, to) = match to {
        Grantee::Principal(id) => (&TO_PRINCIPAL, id.into()),
        Grantee::Team(id) => (&TO_TEAM, id.into()),
    };
    tx.execute(stmt, &[(&repo.id).into(), to, role.as_str().into(), now.into()])?;
    tx.touch(Touched::Repo(repo.name.clone()));
    Ok(())
}

/// Takes the permission of the user or robot `name` away; whether there was one.
///
/// # Errors
/// For trouble with the database.
pub fn take_from_user(tx: &mut Tx<'_>, repo: &Repository, name: &str) -> Result<bool, StoreError> {
    taken(tx, repo, |tx| tx.execute(&DELETE_USER, &[(&repo.id).into(), name.into()]))
}

/// Takes the permission of the team `name` away; whether there was one.
///
/// # Errors
/// For trouble with the database.
pub fn take_from_team(tx: &mut Tx<'_>, repo: &Repository, name: &str) -> Result<bool, StoreError> {
    let org = &repo.namespace;
    taken(tx, repo, |tx| tx.execute(&DELETE_TEAM, &[(&repo.id).into(), org.into(), name.into()]))
}

fn taken(
    tx: &mut Tx<'_>,
    repo: &Repository,
    delete: impl FnOnce(&mut Tx<'_>) -> Result<u64, StoreError>,
) -> Result<bool, StoreError> {
    let taken = delete(tx)? > 0;
    if taken {
        tx.touch(Touched::Repo(repo.name.clone()));
    }
    Ok(taken)
}
