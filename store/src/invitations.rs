//! Invitations to teams, as whoever is invited finds them.

use claviger_domain::{
    UnixMillis,
    id::{PrincipalId, TeamId},
};

use crate::db::{Query, Row, Stmt, StoreError, statements};

/// An invitation of somebody to a team.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    /// The team.
    pub team: TeamId,
    /// What the team is called.
    pub team_name: String,
    /// Its organisation.
    pub org: PrincipalId,
    /// What the organisation is called.
    pub org_name: String,
    /// Who invited, when there is still such a one.
    pub inviter: Option<String>,
    /// When.
    pub created_at: UnixMillis,
}

macro_rules! invitations {
    ($rest:literal) => {
        Stmt::same(concat!(
            "SELECT t.id, t.name, o.id, o.name, p.name, i.created_at
             FROM team_invite i JOIN team t ON t.id = i.team_id
                JOIN principal o ON o.id = t.org_id LEFT JOIN principal p ON p.id = i.inviter_id
             WHERE i.principal_id = $1 ",
            $rest
        ))
    };
}

statements! {
    PAGE = invitations!("ORDER BY i.seq DESC LIMIT $2 OFFSET $3");
    TO_TEAM = invitations!("AND i.team_id = $2");
    TO_ORG = invitations!("AND t.org_id = $2 ORDER BY i.seq");
}

fn from_row(row: &Row) -> Result<Invitation, StoreError> {
    Ok(Invitation {
        team: row.parse(0)?,
        team_name: row.text(1)?.to_owned(),
        org: row.parse(2)?,
        org_name: row.text(3)?.to_owned(),
        inviter: row.opt_text(4)?.map(str::to_owned),
        created_at: row.millis(5)?,
    })
}

/// At most `limit` invitations of somebody, the newest first, after so many others.
///
/// # Errors
/// For trouble with the database (so for all of this file).
pub fn page(
    q: &mut dyn Query,
    who: &PrincipalId,
    limit: i64,
    skip: i64,
) -> Result<Vec<Invitation>, StoreError> {
    q.all(&PAGE, &[who.into(), limit.into(), skip.into()])?.iter().map(from_row).collect()
}

/// The invitation of somebody to a team.
///
/// # Errors
/// For trouble with the database.
pub fn to_team(
    q: &mut dyn Query,
    who: &PrincipalId,
    team: &TeamId,
) -> Result<Option<Invitation>, StoreError> {
    q.optional(&TO_TEAM, &[who.into(), team.into()])?.as_ref().map(from_row).transpose()
}

/// All invitations of somebody to teams of an organisation, in their order.
///
/// # Errors
/// For trouble with the database.
pub fn to_org(
    q: &mut dyn Query,
    who: &PrincipalId,
    org: &PrincipalId,
) -> Result<Vec<Invitation>, StoreError> {
    q.all(&TO_ORG, &[who.into(), org.into()])?.iter().map(from_row).collect()
}
