//! Teams: named sets of an organisation's members, with a role in it. Somebody who is invited is
//! not a member yet.

use claviger_domain::{
    UnixMillis,
    id::{PrincipalId, TeamId},
    principal::TeamFacts,
    role::{OrgRole, Role, Visibility},
};

use crate::{
    db::{Query, Row, Stmt, StoreError, Touched, Tx, statements},
    faces::Face,
};

/// One row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Team {
    /// Its id.
    pub id: TeamId,
    /// Its organisation.
    pub org: PrincipalId,
    /// Its name inside the organisation.
    pub name: String,
    /// What its members are in the organisation.
    pub role: OrgRole,
    /// What is said of it.
    pub description: String,
    /// When it was made.
    pub created_at: UnixMillis,
}

/// A team of a list, with how many there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    /// The team.
    pub team: Team,
    /// Repositories on which it has a permission.
    pub repositories: i64,
    /// Its members; those who are invited do not count.
    pub members: i64,
}

/// A permission of a team or a principal, as lists of them show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnRepo {
    /// The repository's name inside its namespace.
    pub name: String,
    /// Who may pull it without a permission.
    pub visibility: Visibility,
    /// The role on it.
    pub role: Role,
}

statements! {
    FACTS = Stmt::same("SELECT id, org_id, name, role FROM team WHERE id = $1");
    FACTS_OF = Stmt::same(
        "SELECT t.id, t.org_id, t.name, t.role FROM team_member m JOIN team t ON t.id = m.team_id
         WHERE m.principal_id = $1"
    );
    FIND = Stmt::same(
        "SELECT id, org_id, name, role, description, created_at FROM team
         WHERE org_id = $1 AND name = $2"
    );
    OF_ORG = Stmt::same(
        "SELECT t.id, t.org_id, t.name, t.role, t.description, t.created_at,
            (SELECT COUNT(*) FROM permission p WHERE p.team_id = t.id),
            (SELECT COUNT(*) FROM team_member m WHERE m.team_id = t.id)
         FROM team t WHERE t.org_id = $1 ORDER BY t.seq"
    );
    INSERT = Stmt::same(
        "INSERT INTO team (id, org_id, name, role, description, created_at)
         VALUES ($1, $2, $3, $4, $5, $6)"
    );
    UPDATE = Stmt::same("UPDATE team SET role = $2, description = $3 WHERE id = $1");
    DELETE = Stmt::same("DELETE FROM team WHERE id = $1");
    MEMBERS = Stmt::same(
        "SELECT p.id, p.kind, p.name, p.email, p.avatar_key
         FROM team_member m JOIN principal p ON p.id = m.principal_id
         WHERE m.team_id = $1 ORDER BY m.seq"
    );
    IS_MEMBER = Stmt::same(
        "SELECT 1 FROM team_member WHERE team_id = $1 AND principal_id = $2"
    );
    IN_ORG = Stmt::same(
        "SELECT 1 FROM team_member m JOIN team t ON t.id = m.team_id
         WHERE m.principal_id = $2 AND t.org_id = $1 LIMIT 1"
    );
    ADD_MEMBER = Stmt::same(
        "INSERT INTO team_member (team_id, principal_id, created_at) VALUES ($1, $2, $3)"
    );
    REMOVE_MEMBER = Stmt::same(
        "DELETE FROM team_member WHERE team_id = $1 AND principal_id = $2"
    );
    INVITED = Stmt::same(
        "SELECT p.id, p.kind, p.name, p.email, p.avatar_key
         FROM team_invite i JOIN principal p ON p.id = i.principal_id
         WHERE i.team_id = $1 ORDER BY i.seq"
    );
    INVITE = Stmt::same(
        "INSERT INTO team_invite (team_id, principal_id, inviter_id, created_at)
         VALUES ($1, $2, $3, $4) ON CONFLICT (team_id, principal_id) DO NOTHING"
    );
    UNINVITE = Stmt::same(
        "DELETE FROM team_invite WHERE team_id = $1 AND principal_id = $2"
    );
    ADMIN_TEAMS = Stmt::same(
        "SELECT t.id FROM team t JOIN team_member m ON m.team_id = t.id
         WHERE t.org_id = $1 AND t.role = 'admin' AND m.principal_id = $2 ORDER BY t.id"
    );
    ADMINS = Stmt::same(
        "SELECT DISTINCT p.id FROM team t
            JOIN team_member m ON m.team_id = t.id JOIN principal p ON p.id = m.principal_id
         WHERE t.org_id = $1 AND t.role = 'admin' AND p.kind = 'user'"
    );
    PERMISSIONS = Stmt::same(
        "SELECT r.name, r.visibility, p.role
         FROM permission p JOIN repository r ON r.id = p.repo_id
         WHERE p.team_id = $1 ORDER BY p.seq"
    );
}

impl Team {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.parse(0)?,
            org: row.parse(1)?,
            name: row.text(2)?.to_owned(),
            role: row.parse(3)?,
            description: row.text(4)?.to_owned(),
            created_at: row.millis(5)?,
        })
    }
}

impl OnRepo {
    /// Reads full name, visibility and role.
    pub(crate) fn from_row(row: &Row) -> Result<Self, StoreError> {
        let name = row.text(0)?;
        let (_, name) = name.split_once('/').ok_or(StoreError::Column { column: 0 })?;
        Ok(Self { name: name.to_owned(), visibility: row.parse(1)?, role: row.parse(2)? })
    }
}

/// What decisions need to know of a team.
///
/// # Errors
/// For trouble with the database (so for all of this file).
pub fn facts(q: &mut dyn Query, id: &TeamId) -> Result<Option<TeamFacts>, StoreError> {
    q.optional(&FACTS, &[id.into()])?.as_ref().map(facts_from_row).transpose()
}

/// The same of every team that somebody is in.
///
/// # Errors
/// For trouble with the database.
pub fn of_principal(q: &mut dyn Query, who: &PrincipalId) -> Result<Vec<TeamFacts>, StoreError> {
    q.all(&FACTS_OF, &[who.into()])?.iter().map(facts_from_row).collect()
}

fn facts_from_row(row: &Row) -> Result<TeamFacts, StoreError> {
    Ok(TeamFacts {
        id: row.parse(0)?,
        org: row.parse(1)?,
        name: row.text(2)?.into(),
        role: row.parse(3)?,
    })
}

/// The team `name` of an organisation.
///
/// # Errors
/// For trouble with the database.
pub fn find(q: &mut dyn Query, org: &PrincipalId, name: &str) -> Result<Option<Team>, StoreError> {
    q.optional(&FIND, &[org.into(), name.into()])?.as_ref().map(Team::from_row).transpose()
}

/// All teams of an organisation, the oldest first.
///
/// # Errors
/// For trouble with the database.
pub fn of_org(q: &mut dyn Query, org: &PrincipalId) -> Result<Vec<Counted>, StoreError> {
    let counted = |row: &Row| {
        Ok(Counted { team: Team::from_row(row)?, repositories: row.int(6)?, members: row.int(7)? })
    };
    q.all(&OF_ORG, &[org.into()])?.iter().map(counted).collect()
}

/// Adds a team. Its name must be free in the organisation.
///
/// # Errors
/// For trouble with the database.
pub fn insert(tx: &mut Tx<'_>, team: &Team) -> Result<(), StoreError> {
    let Team { id, org, name, role, description, created_at } = team;
    let role = role.as_str().into();
    let values =
        [id.into(), org.into(), name.into(), role, description.into(), (*created_at).into()];
    tx.execute(&INSERT, &values).map(drop)
}

/// Writes a team's role and description.
///
/// # Errors
/// For trouble with the database.
pub fn update(tx: &mut Tx<'_>, team: &Team) -> Result<(), StoreError> {
    let values = [(&team.id).into(), team.role.as_str().into(), (&team.description).into()];
    tx.execute(&UPDATE, &values)?;
    tx.touch(Touched::Team(team.id));
    Ok(())
}

/// Removes a team with its memberships, invitations, permissions and default permissions. Without
/// the fact of the team, what other facts still say of it gives nothing.
///
/// # Errors
/// For trouble with the database.
pub fn delete(tx: &mut Tx<'_>, id: &TeamId) -> Result<(), StoreError> {
    tx.execute(&DELETE, &[id.into()])?;
    tx.touch(Touched::Team(*id));
    Ok(())
}

/// The members of a team, in the order in which they joined.
///
/// # Errors
/// For trouble with the database.
pub fn members(q: &mut dyn Query, team: &TeamId) -> Result<Vec<Face>, StoreError> {
    q.all(&MEMBERS, &[team.into()])?.iter().map(Face::from_row).collect()
}

/// Whether somebody is a member of a team.
///
/// # Errors
/// For trouble with the database.
pub fn is_member(q: &mut dyn Query, team: &TeamId, who: &PrincipalId) -> Result<bool, StoreError> {
    Ok(q.optional(&IS_MEMBER, &[team.into(), who.into()])?.is_some())
}

/// Whether somebody is a member of any team of an organisation.
///
/// # Errors
/// For trouble with the database.
pub fn in_org(q: &mut dyn Query, org: &PrincipalId, who: &PrincipalId) -> Result<bool, StoreError> {
    Ok(q.optional(&IN_ORG, &[org.into(), who.into()])?.is_some())
}

/// Makes somebody a member who is none; an invitation is used up.
///
/// # Errors
/// For trouble with the database.
pub fn add_member(
    tx: &mut Tx<'_>,
    team: &TeamId,
    who: &PrincipalId,
    now: UnixMillis,
) -> Result<(), StoreError> {
    tx.execute(&ADD_MEMBER, &[team.into(), who.into(), now.into()])?;
    tx.execute(&UNINVITE, &[team.into(), who.into()])?;
    tx.touch(Touched::Principal(*who));
    Ok(())
}

/// Ends a membership; whether there was one.
///
/// # Errors
/// For trouble with the database.
pub fn remove_member(
    tx: &mut Tx<'_>,
    team: &TeamId,
    who: &PrincipalId,
) -> Result<bool, StoreError> {
    let removed = tx.execute(&REMOVE_MEMBER, &[team.into(), who.into()])? > 0;
    if removed {
        tx.touch(Touched::Principal(*who));
    }
    Ok(removed)
}

/// Those who are invited to a team, in the order of the invitations.
///
/// # Errors
/// For trouble with the database.
pub fn invited(q: &mut dyn Query, team: &TeamId) -> Result<Vec<Face>, StoreError> {
    q.all(&INVITED, &[team.into()])?.iter().map(Face::from_row).collect()
}

/// Invites somebody; a second invitation changes nothing.
///
/// # Errors
/// For trouble with the database.
pub fn invite(
    tx: &mut Tx<'_>,
    team: &TeamId,
    who: &PrincipalId,
    inviter: &PrincipalId,
    now: UnixMillis,
) -> Result<(), StoreError> {
    tx.execute(&INVITE, &[team.into(), who.into(), inviter.into(), now.into()]).map(drop)
}

/// Takes an invitation back; whether there was one.
///
/// # Errors
/// For trouble with the database.
pub fn uninvite(tx: &mut Tx<'_>, team: &TeamId, who: &PrincipalId) -> Result<bool, StoreError> {
    Ok(tx.execute(&UNINVITE, &[team.into(), who.into()])? > 0)
}

/// The teams that make somebody admin of an organisation.
///
/// # Errors
/// For trouble with the database.
pub fn admin_teams(
    q: &mut dyn Query,
    org: &PrincipalId,
    who: &PrincipalId,
) -> Result<Vec<TeamId>, StoreError> {
    q.all(&ADMIN_TEAMS, &[org.into(), who.into()])?.iter().map(|row| row.parse(0)).collect()
}

/// The users who are admin of an organisation. A robot in such a team does not count: nobody can
/// sign in with it.
///
/// # Errors
/// For trouble with the database.
pub fn admins(q: &mut dyn Query, org: &PrincipalId) -> Result<Vec<PrincipalId>, StoreError> {
    q.all(&ADMINS, &[org.into()])?.iter().map(|row| row.parse(0)).collect()
}

/// The permissions of a team, in the order in which they were given.
///
/// # Errors
/// For trouble with the database.
pub fn permissions(q: &mut dyn Query, team: &TeamId) -> Result<Vec<OnRepo>, StoreError> {
    q.all(&PERMISSIONS, &[team.into()])?.iter().map(OnRepo::from_row).collect()
}
