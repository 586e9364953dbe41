//! Organisations: who belongs to one, and who works in its repositories without belonging to it.
//! The organisation itself is a principal (`principals`); how one ends is in `namespaces`.

use claviger_domain::id::{AccountId, PrincipalId};

use crate::{
    db::{Query, Row, Stmt, StoreError, Touched, Tx, statements},
    faces::Face,
};

statements! {
    ALL_OF_ACCOUNT = Stmt::same(
        "SELECT id, kind, name, email, avatar_key FROM principal
         WHERE kind = 'organization' AND account_id = $1 ORDER BY name"
    );
    OF_USER = Stmt::same(
        "SELECT id, kind, name, email, avatar_key FROM principal
         WHERE id IN (SELECT t.org_id FROM team_member m JOIN team t ON t.id = m.team_id
            WHERE m.principal_id = $1) ORDER BY seq"
    );
    MEMBERSHIPS = Stmt::same(
        "SELECT t.name, p.id, p.kind, p.name, p.email, p.avatar_key
         FROM team t JOIN team_member m ON m.team_id = t.id JOIN principal p ON p.id = m.principal_id
         WHERE t.org_id = $1 AND p.kind = 'user' AND (CAST($2 AS TEXT) IS NULL OR p.name = $2)
         ORDER BY p.name, t.seq"
    );
    PERMISSIONS = Stmt::same(
        "SELECT r.name, p.id, p.kind, p.name, p.email, p.avatar_key
         FROM repository r
            JOIN permission g ON g.repo_id = r.id JOIN principal p ON p.id = g.principal_id
         WHERE r.namespace_id = $1 AND p.kind = 'user' AND (CAST($2 AS TEXT) IS NULL OR p.name = $2)
         ORDER BY p.name, g.seq"
    );
    END_MEMBERSHIPS = Stmt::same(
        "DELETE FROM team_member WHERE principal_id = $2
            AND team_id IN (SELECT id FROM team WHERE org_id = $1)"
    );
    END_INVITES = Stmt::same(
        "DELETE FROM team_invite WHERE principal_id = $2
            AND team_id IN (SELECT id FROM team WHERE org_id = $1)"
    );
    GRANTED = Stmt::same(
        "SELECT r.name FROM permission g JOIN repository r ON r.id = g.repo_id
         WHERE r.namespace_id = $1 AND g.principal_id = $2"
    );
    END_PERMISSIONS = Stmt::same(
        "DELETE FROM permission WHERE principal_id = $2
            AND repo_id IN (SELECT id FROM repository WHERE namespace_id = $1)"
    );
    SET_PROFILE = Stmt::same(
        "UPDATE principal SET email = $2, metadata = $3 WHERE id = $1"
    );
}

/// Somebody who belongs to something of an organisation: a team, or a repository by a permission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Belonging {
    /// The user.
    pub who: Face,
    /// The name of the team; of the repository, inside its namespace.
    pub to: String,
}

impl Belonging {
    fn to_team(row: &Row) -> Result<Self, StoreError> {
        Ok(Self { to: row.text(0)?.to_owned(), who: Face::from_columns(row, 1)? })
    }

    fn to_repo(row: &Row) -> Result<Self, StoreError> {
        let (_, name) = row.text(0)?.split_once('/').ok_or(StoreError::Column { column: 0 })?;
        Ok(Self { to: name.to_owned(), who: Face::from_columns(row, 1)? })
    }
}

/// Every organisation of an account, by name.
///
/// # Errors
/// For trouble with the database (so for all of this file).
pub fn of_account(q: &mut dyn Query, account: &AccountId) -> Result<Vec<Face>, StoreError> {
    q.all(&ALL_OF_ACCOUNT, &[account.into()])?.iter().map(Face::from_row).collect()
}

/// The organisations that somebody belongs to, the oldest first.
///
/// # Errors
/// For trouble with the database.
pub fn of_user(q: &mut dyn Query, who: &PrincipalId) -> Result<Vec<Face>, StoreError> {
    q.all(&OF_USER, &[who.into()])?.iter().map(Face::from_row).collect()
}

/// Each user of an organisation, or the one of this name, with each of his teams in it; by name.
///
/// # Errors
/// For trouble with the database.
pub fn memberships(
    q: &mut dyn Query,
    org: &PrincipalId,
    name: Option<&str>,
) -> Result<Vec<Belonging>, StoreError> {
    q.all(&MEMBERSHIPS, &[org.into(), name.into()])?.iter().map(Belonging::to_team).collect()
}

/// Each user who has a permission of his own in an organisation, or the one of this name, with each
/// such repository; by name, members and others alike.
///
/// # Errors
/// For trouble with the database.
pub fn permissions(
    q: &mut dyn Query,
    org: &PrincipalId,
    name: Option<&str>,
) -> Result<Vec<Belonging>, StoreError> {
    q.all(&PERMISSIONS, &[org.into(), name.into()])?.iter().map(Belonging::to_repo).collect()
}

/// Takes somebody out of an organisation: his memberships, invitations, and permissions on its
/// repositories.
///
/// # Errors
/// For trouble with the database.
pub fn remove_member(
    tx: &mut Tx<'_>,
    org: &PrincipalId,
    who: &PrincipalId,
) -> Result<(), StoreError> {
    for row in tx.all(&GRANTED, &[org.into(), who.into()])? {
        tx.touch(Touched::Repo(row.text(0)?.to_owned()));
    }
    for end in [&END_MEMBERSHIPS, &END_INVITES, &END_PERMISSIONS] {
        tx.execute(end, &[org.into(), who.into()])?;
    }
    tx.touch(Touched::Principal(*who));
    Ok(())
}

/// Writes an organisation's address and its settings (a JSON object). Neither is a fact, and
/// organisations may share an address.
///
/// # Errors
/// For trouble with the database.
pub fn set_profile(
    tx: &mut Tx<'_>,
    org: &PrincipalId,
    email: Option<&str>,
    metadata: Option<&str>,
) -> Result<(), StoreError> {
    tx.execute(&SET_PROFILE, &[org.into(), email.into(), metadata.into()]).map(drop)
}
