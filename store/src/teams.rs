//! Teams: named sets of an organisation's members, with a role in it.

use claviger_domain::{id::TeamId, principal::TeamFacts};

use crate::db::{Query, Stmt, StoreError, statements};

statements! {
    FACTS = Stmt::same("SELECT id, org_id, name, role FROM team WHERE id = $1");
}

/// What decisions need to know of a team.
///
/// # Errors
/// For trouble with the database.
pub fn facts(q: &mut dyn Query, id: &TeamId) -> Result<Option<TeamFacts>, StoreError> {
    let Some(row) = q.optional(&FACTS, &[id.into()])? else { return Ok(None) };
    Ok(Some(TeamFacts {
        id: row.parse(0)?,
        org: row.parse(1)?,
        name: row.text(2)?.into(),
        role: row.parse(3)?,
    }))
}
