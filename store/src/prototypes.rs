//! Default permissions of an organisation (Quay's prototypes): what whoever makes a repository in
//! it gives to others without saying so.

use claviger_domain::{
    access::Grantee,
    id::{PrincipalId, PrototypeId},
    role::Role,
};

use crate::{
    db::{Query, Row, Stmt, StoreError, Tx, statements},
    faces::Face,
};

/// A default permission, as lists show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prototype {
    /// Its id.
    pub id: PrototypeId,
    /// Whose new repositories it is for; `None`: everybody's.
    pub activating: Option<Member>,
    /// Who gets the permission.
    pub delegate: Delegate,
    /// Which.
    pub role: Role,
}

/// Who gets a default permission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delegate {
    /// A user or a robot.
    Principal(Member),
    /// A team, by its name.
    Team(String),
}

/// Somebody, and whether he belongs to the organisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The user or robot.
    pub face: Face,
    /// Whether he is in one of the organisation's teams, or is one of its robots.
    pub of_org: bool,
}

/// A default permission to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewPrototype {
    /// Its id.
    pub id: PrototypeId,
    /// The organisation.
    pub org: PrincipalId,
    /// Whose new repositories it is for; `None`: everybody's.
    pub activating: Option<PrincipalId>,
    /// Who gets the permission.
    pub delegate: Grantee,
    /// Which.
    pub role: Role,
}

statements! {
    LIST = Stmt::same(
        "SELECT d.id, d.role,
            a.id, a.kind, a.name, a.email, a.avatar_key,
            CASE WHEN a.owner_id = d.org_id OR EXISTS (
                SELECT 1 FROM team_member m JOIN team o ON o.id = m.team_id
                WHERE m.principal_id = a.id AND o.org_id = d.org_id) THEN 1 ELSE 0 END,
            p.id, p.kind, p.name, p.email, p.avatar_key,
            CASE WHEN p.owner_id = d.org_id OR EXISTS (
                SELECT 1 FROM team_member m JOIN team o ON o.id = m.team_id
                WHERE m.principal_id = p.id AND o.org_id = d.org_id) THEN 1 ELSE 0 END,
            t.name
         FROM prototype d
            LEFT JOIN principal a ON a.id = d.activating_id
            LEFT JOIN principal p ON p.id = d.principal_id
            LEFT JOIN team t ON t.id = d.team_id
         WHERE d.org_id = $1 ORDER BY d.seq"
    );
    INSERT = Stmt::same(
        "INSERT INTO prototype (id, org_id, activating_id, principal_id, team_id, role)
         VALUES ($1, $2, $3, $4, $5, $6)"
    );
    SET_ROLE = Stmt::same("UPDATE prototype SET role = $3 WHERE org_id = $1 AND id = $2");
    DELETE = Stmt::same("DELETE FROM prototype WHERE org_id = $1 AND id = $2");
    FOR_CREATION = Stmt::same(
        "SELECT activating_id, principal_id, team_id, role FROM prototype
         WHERE org_id = $1 AND (activating_id IS NULL OR activating_id = $2) ORDER BY seq"
    );
}

fn member(row: &Row, first: usize) -> Result<Option<Member>, StoreError> {
    if row.opt_text(first)?.is_none() {
        return Ok(None);
    }
    Ok(Some(Member { face: Face::from_columns(row, first)?, of_org: row.int(first + 5)? != 0 }))
}

/// The default permissions of an organisation, the oldest first.
///
/// # Errors
/// For trouble with the database (so for all of this file).
pub fn of_org(q: &mut dyn Query, org: &PrincipalId) -> Result<Vec<Prototype>, StoreError> {
    let prototype = |row: &Row| {
        let delegate = match member(row, 8)? {
            Some(member) => Delegate::Principal(member),
            None => Delegate::Team(row.text(14)?.to_owned()),
        };
        let activating = member(row, 2)?;
        Ok(Prototype { id: row.parse(0)?, activating, delegate, role: row.parse(1)? })
    };
    q.all(&LIST, &[org.into()])?.iter().map(prototype).collect()
}

/// Adds a default permission.
///
/// # Errors
/// For trouble with the database.
pub fn insert(tx: &mut Tx<'_>, new: &NewPrototype) -> Result<(), StoreError> {
    let (principal, team) = match &new.delegate {
        Grantee::Principal(id) => (Some(id), None),
        Grantee::Team(id) => (None, Some(id)),
    };
    let activating = new.activating.as_ref().into();
    let role = new.role.as_str().into();
    let values =
        [(&new.id).into(), (&new.org).into(), activating, principal.into(), team.into(), role];
    tx.execute(&INSERT, &values).map(drop)
}

/// Changes the role of a default permission of an organisation; whether there is such a one.
///
/// # Errors
/// For trouble with the database.
pub fn set_role(
    tx: &mut Tx<'_>,
    org: &PrincipalId,
    id: &PrototypeId,
    role: Role,
) -> Result<bool, StoreError> {
    Ok(tx.execute(&SET_ROLE, &[org.into(), id.into(), role.as_str().into()])? > 0)
}

/// Removes a default permission of an organisation; whether there was one.
///
/// # Errors
/// For trouble with the database.
pub fn delete(tx: &mut Tx<'_>, org: &PrincipalId, id: &PrototypeId) -> Result<bool, StoreError> {
    Ok(tx.execute(&DELETE, &[org.into(), id.into()])? > 0)
}

/// What a repository that `creator` makes in `org` is given besides the creator's own permission,
/// in the order in which the default permissions were made.
///
/// One that names the creator beats one for everybody; of several that name him the last counts,
/// of several for everybody the first. Nothing is given to the creator himself.
///
/// Source: `contract/quay.md`, section 7.
///
/// # Errors
/// For trouble with the database.
pub fn for_creation(
    q: &mut dyn Query,
    org: &PrincipalId,
    creator: &PrincipalId,
) -> Result<Vec<(Grantee, Role)>, StoreError> {
    let mut given: Vec<(Grantee, Role)> = Vec::new();
    for row in q.all(&FOR_CREATION, &[org.into(), creator.into()])? {
        let named = row.opt_text(0)?.is_some();
        let to = match row.opt_parse(1)? {
            Some(id) if id == *creator => continue,
            Some(id) => Grantee::Principal(id),
            None => Grantee::Team(row.parse(2)?),
        };
        let role = row.parse(3)?;
        match given.iter_mut().find(|(grantee, _)| *grantee == to) {
            None => given.push((to, role)),
            Some(found) if named => found.1 = role,
            Some(_) => {}
        }
    }
    Ok(given)
}
