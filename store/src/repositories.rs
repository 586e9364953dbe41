//! Repositories: named, in a namespace, private or public.

use claviger_domain::access::{Grant, Grantee, NamespaceFacts, RepoAcl};

use crate::db::{Query, Row, Stmt, StoreError, statements};

statements! {
    ACL = Stmt::same(
        "SELECT r.id, r.namespace_id, p.kind, r.visibility, r.state
         FROM repository r JOIN principal p ON p.id = r.namespace_id WHERE r.name = $1"
    );
    GRANTS = Stmt::same(
        "SELECT principal_id, team_id, role FROM permission WHERE repo_id = $1 ORDER BY seq"
    );
}

/// What decisions need to know of a repository, with every permission on it in the order in which
/// they were given.
///
/// # Errors
/// For trouble with the database.
pub fn acl(q: &mut dyn Query, name: &str) -> Result<Option<RepoAcl>, StoreError> {
    let Some(row) = q.optional(&ACL, &[name.into()])? else { return Ok(None) };
    let grants = q.all(&GRANTS, &[row.text(0)?.into()])?;
    Ok(Some(RepoAcl {
        id: row.parse(0)?,
        namespace: NamespaceFacts { id: row.parse(1)?, kind: row.parse(2)? },
        visibility: row.parse(3)?,
        state: row.parse(4)?,
        grants: grants.iter().map(grant).collect::<Result<_, _>>()?,
    }))
}

fn grant(row: &Row) -> Result<Grant, StoreError> {
    let to = match row.opt_parse(0)? {
        Some(principal) => Grantee::Principal(principal),
        None => Grantee::Team(row.parse(1)?),
    };
    Ok(Grant { to, role: row.parse(2)? })
}
