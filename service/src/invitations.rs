//! What somebody does with invitations to teams: he sees, accepts and declines his own.
//!
//! An invitation is found by the id of its team, which is no secret: only who is invited finds it.
//!
//! Source: quay `endpoints/api/team.py`, `data/model/team.py`. Not here: who invites
//! (`crate::teams`).

use claviger_domain::{Error, UnixMillis, id::TeamId};
pub use claviger_store::invitations::Invitation;
use claviger_store::{
    Tx,
    audit::{self, Act, Actor},
    invitations, teams,
};

use crate::{
    app::App,
    caller::{Caller, Origin},
    still::Right,
};

impl App {
    /// Page `page` of the invitations of `caller`, the newest first, of `limit` each; whether there
    /// are more.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn invitations(
        &self,
        caller: &Caller,
        page: i64,
        limit: i64,
    ) -> Result<(Vec<Invitation>, bool), Error> {
        let who = caller.principal.id;
        let skip = page.saturating_mul(limit);
        let ask = limit.saturating_add(1);
        let mut found = self.db.read(move |q| Ok(invitations::page(q, &who, ask, skip)?)).await?;
        let limit = usize::try_from(limit).unwrap_or_default();
        let more = found.len() > limit;
        found.truncate(limit);
        Ok((found, more))
    }

    /// The invitation of `caller` to a team.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn invitation(&self, caller: &Caller, team: TeamId) -> Result<Invitation, Error> {
        let who = caller.principal.id;
        let found = self.db.read(move |q| Ok(invitations::to_team(q, &who, &team)?)).await?;
        found.ok_or(Error::NotFound("invitation"))
    }

    /// Makes `caller` a member of the team that he is invited to, and of the others of the same
    /// organisation.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn accept_invitation(
        &self,
        caller: &Caller,
        team: TeamId,
        origin: &Origin,
    ) -> Result<Invitation, Error> {
        let (who, now, actor) = (caller.principal.id, self.now(), caller.actor(origin));
        self.write_as(caller, Right::Himself, move |tx| {
            let invitation = invitations::to_team(tx, &who, &team)?;
            let invitation = invitation.ok_or(Error::NotFound("invitation"))?;
            for other in invitations::to_org(tx, &who, &invitation.org)? {
                if teams::is_member(tx, &other.team, &who)? {
                    teams::uninvite(tx, &other.team, &who)?;
                } else {
                    teams::add_member(tx, &other.team, &who, now)?;
                }
                append(tx, now, &actor, "org_team_member_invite_accepted", &other)?;
            }
            Ok(invitation)
        })
        .await
    }

    /// Ends an invitation of `caller`.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn decline_invitation(
        &self,
        caller: &Caller,
        team: TeamId,
        origin: &Origin,
    ) -> Result<(), Error> {
        let (who, now, actor) = (caller.principal.id, self.now(), caller.actor(origin));
        self.write_as(caller, Right::Himself, move |tx| {
            let invitation = invitations::to_team(tx, &who, &team)?;
            let invitation = invitation.ok_or(Error::NotFound("invitation"))?;
            teams::uninvite(tx, &team, &who)?;
            append(tx, now, &actor, "org_team_member_invite_declined", &invitation)
        })
        .await
    }
}

fn append(
    tx: &mut Tx<'_>,
    now: UnixMillis,
    actor: &Actor,
    act: &'static str,
    invitation: &Invitation,
) -> Result<(), Error> {
    let Invitation { team, team_name, org_name, inviter, .. } = invitation;
    let detail = serde_json::json!({ "member": actor.name, "inviter": inviter }).to_string();
    let act = Act::done(act, "team", team_name).id(team).namespace(org_name);
    Ok(audit::append(tx, now, actor, &act.change(None, Some(&detail)))?)
}
