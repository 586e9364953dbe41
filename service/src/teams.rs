//! Teams of an organisation: their role, their members, and who is invited.
//!
//! Whoever administers an organisation may not by mistake put himself out of it: the rules about
//! his last admin team are here.
//!
//! Source: `contract/quay.md` section 7, `contract/quay-clients.md` 2.3 and 9.1.

use claviger_domain::{
    Conflict, Error,
    id::{PrincipalId, TeamId},
    name::{Description, TeamName},
    principal::PrincipalKind,
    role::OrgRole,
};
use claviger_store::{
    Query, Tx,
    audit::{self, Act},
    principals::{self, Principal},
    teams,
};
pub use claviger_store::{
    faces::Face,
    teams::{OnRepo, Team},
};

use crate::{
    access::NamespaceAdmin,
    app::App,
    caller::{Caller, Origin},
    organisations::face,
};

/// What a team is to be.
#[derive(Clone, Debug)]
pub struct TeamChange {
    /// Its name.
    pub name: TeamName,
    /// What its members are to be in the organisation.
    pub role: OrgRole,
    /// What is to be said of it; `None`: what is said already.
    pub description: Option<Description>,
}

/// A team that was made or changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TeamChanged {
    /// As it is now.
    pub team: Team,
    /// Whether it was made.
    pub new: bool,
}

/// A member of a team, or somebody who is invited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TeamMember {
    /// The user or robot.
    pub who: Face,
    /// Whether he is only invited.
    pub invited: bool,
}

/// Who is in a team, as whoever asks sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TeamMembers {
    /// The members, then those who are invited.
    pub members: Vec<TeamMember>,
    /// Whether he may change it.
    pub can_edit: bool,
}

fn team_of(q: &mut dyn Query, org: &PrincipalId, name: &str) -> Result<Team, Error> {
    teams::find(q, org, name)?.ok_or(Error::NotFound("team"))
}

/// The user or robot `name` of the account that the organisation belongs to.
fn somebody(tx: &mut Tx<'_>, org: &Principal, name: &str) -> Result<Principal, Error> {
    let found = principals::find_by_name(tx, name)?;
    let found = found.filter(|p| p.account == org.account && p.kind != PrincipalKind::Org);
    found.ok_or(Error::NotFound("user"))
}

/// Whether `team` alone makes `who` admin of its organisation.
fn is_only_admin_team(tx: &mut Tx<'_>, team: &Team, who: &PrincipalId) -> Result<bool, Error> {
    Ok(teams::admin_teams(tx, &team.org, who)? == [team.id])
}

impl App {
    /// Makes a team, or changes it.
    ///
    /// # Errors
    /// [`Conflict::LastAdmin`] when the caller would no longer be admin.
    pub async fn put_team(
        &self,
        permit: &NamespaceAdmin,
        caller: &Caller,
        change: TeamChange,
        origin: &Origin,
    ) -> Result<TeamChanged, Error> {
        let (now, actor, by) = (self.now(), caller.actor(origin), caller.principal.id);
        let (org, namespace) = (permit.on().id, permit.name().to_owned());
        let id = TeamId::random(self.chance());
        self.write_as(caller, permit.right(), move |tx| {
            principals::find(tx, &org)?.ok_or(Error::NotFound("organization"))?;
            let TeamChange { name, role, description } = change;
            let description = description.map(|text| text.as_str().to_owned());
            let (team, before) = match teams::find(tx, &org, name.as_str())? {
                None => {
                    let (name, description) =
                        (name.as_str().to_owned(), description.unwrap_or_default());
                    let team = Team { id, org, name, role, description, created_at: now };
                    teams::insert(tx, &team)?;
                    (team, None)
                }
                Some(old) => {
                    let lowered = old.role == OrgRole::Admin && role != OrgRole::Admin;
                    if lowered && is_only_admin_team(tx, &old, &by)? {
                        return Err(Conflict::LastAdmin.into());
                    }
                    let before = (old.role, old.description.clone());
                    let description = description.unwrap_or_else(|| old.description.clone());
                    let team = Team { role, description, ..old };
                    if before != (team.role, team.description.clone()) {
                        teams::update(tx, &team)?;
                    }
                    (team, Some(before))
                }
            };
            let new = before.is_none();
            let acts = match &before {
                None => vec!["org_create_team"],
                Some((role, description)) => [
                    (*description != team.description, "org_set_team_description"),
                    (*role != team.role, "org_set_team_role"),
                ]
                .into_iter()
                .filter_map(|(changed, act)| changed.then_some(act))
                .collect(),
            };
            let before = before.map(|(role, description)| team_json(role, &description));
            let after = team_json(team.role, &team.description);
            for act in acts {
                let act = Act::done(act, "team", &team.name)
                    .id(&team.id)
                    .namespace(&namespace)
                    .change(before.as_deref(), Some(&after));
                audit::append(tx, now, &actor, &act)?;
            }
            Ok(TeamChanged { team, new })
        })
        .await
    }

    /// Ends a team.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Conflict::LastAdmin`] when it gives the role admin and the caller
    /// would be in no team that does.
    pub async fn delete_team(
        &self,
        permit: &NamespaceAdmin,
        caller: &Caller,
        name: &str,
        origin: &Origin,
    ) -> Result<(), Error> {
        let (now, actor, by) = (self.now(), caller.actor(origin), caller.principal.id);
        let (org, namespace, name) = (permit.on().id, permit.name().to_owned(), name.to_owned());
        self.write_as(caller, permit.right(), move |tx| {
            let team = team_of(tx, &org, &name)?;
            let admin_teams = teams::admin_teams(tx, &org, &by)?;
            let others = admin_teams.iter().any(|other| *other != team.id);
            if team.role == OrgRole::Admin && !others {
                return Err(Conflict::LastAdmin.into());
            }
            teams::delete(tx, &team.id)?;
            let before = team_json(team.role, &team.description);
            let act = Act::done("org_delete_team", "team", &name)
                .id(&team.id)
                .namespace(&namespace)
                .change(Some(&before), None);
            Ok(audit::append(tx, now, &actor, &act)?)
        })
        .await
    }

    /// Who is in the team `name` of `org`; with `pending` also who is invited.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`]; [`Error::Denied`] for who neither administers the organisation
    /// nor is in the team, whether there is one or not; [`Error::NotFound`].
    pub async fn team_members(
        &self,
        caller: Option<&Caller>,
        org: &str,
        name: &str,
        pending: bool,
    ) -> Result<TeamMembers, Error> {
        caller.ok_or(Error::Unauthenticated)?;
        let denied = || Error::denied("see", org);
        let seat = match self.seat(caller, org).await {
            Err(Error::NotFound(_)) => return Err(denied()),
            seat => seat?,
        };
        let (id, team) = (seat.org, name.to_owned());
        let team = self.db.read(move |q| Ok(teams::find(q, &id, &team)?)).await?;
        let can_edit = seat.is_admin();
        if !team.as_ref().map_or(can_edit || seat.looks, |team| seat.sees(&team.id)) {
            return Err(denied());
        }
        let team = team.ok_or(Error::NotFound("team"))?;
        self.db
            .read(move |q| {
                let member = |invited| move |who| TeamMember { who, invited };
                let members = teams::members(q, &team.id)?.into_iter().map(member(false));
                let mut members: Vec<_> = members.collect();
                if pending {
                    members.extend(teams::invited(q, &team.id)?.into_iter().map(member(true)));
                }
                Ok(TeamMembers { members, can_edit })
            })
            .await
    }

    /// Puts a user or robot into a team. Where mail goes out, a user who does not belong to the
    /// organisation is invited.
    ///
    /// # Errors
    /// [`Error::NotFound`] (`team`, `user`); [`Conflict::AlreadyMember`],
    /// [`Conflict::ForeignRobot`].
    pub async fn add_team_member(
        &self,
        permit: &NamespaceAdmin,
        caller: &Caller,
        team: &str,
        name: &str,
        origin: &Origin,
    ) -> Result<TeamMember, Error> {
        let (now, actor, by) = (self.now(), caller.actor(origin), caller.principal.id);
        let (org, namespace) = (permit.on().id, permit.name().to_owned());
        let (team, name) = (team.to_owned(), name.to_owned());
        let by_mail = self.settings.quay.invites_to_teams();
        self.write_as(caller, permit.right(), move |tx| {
            let team = team_of(tx, &org, &team)?;
            let of = principals::find(tx, &org)?.ok_or(Error::NotFound("organization"))?;
            let who = somebody(tx, &of, &name)?;
            if who.kind == PrincipalKind::Robot && who.owner != Some(org) {
                return Err(Conflict::ForeignRobot { robot: who.name, namespace }.into());
            }
            if teams::is_member(tx, &team.id, &who.id)? {
                return Err(Conflict::AlreadyMember(who.name).into());
            }
            let stranger = who.kind == PrincipalKind::User && !teams::in_org(tx, &org, &who.id)?;
            let invited = by_mail && stranger;
            let act = if invited {
                teams::invite(tx, &team.id, &who.id, &by, now)?;
                "org_invite_team_member"
            } else {
                teams::add_member(tx, &team.id, &who.id, now)?;
                "org_add_team_member"
            };
            let after = member_json(&team.name, &who.name);
            let act = Act::done(act, "team", &team.name)
                .id(&team.id)
                .namespace(&namespace)
                .change(None, Some(&after));
            audit::append(tx, now, &actor, &act)?;
            Ok(TeamMember { who: face(&who), invited })
        })
        .await
    }

    /// Takes a user or robot out of a team, or his invitation back.
    ///
    /// # Errors
    /// [`Error::NotFound`] (`team`, `user`); [`Conflict::NotMember`]; [`Conflict::LastAdmin`] when
    /// the caller would take himself out of his only admin team.
    pub async fn remove_team_member(
        &self,
        permit: &NamespaceAdmin,
        caller: &Caller,
        team: &str,
        name: &str,
        origin: &Origin,
    ) -> Result<(), Error> {
        let (now, actor, by) = (self.now(), caller.actor(origin), caller.principal.id);
        let (org, namespace) = (permit.on().id, permit.name().to_owned());
        let (team, name) = (team.to_owned(), name.to_owned());
        self.write_as(caller, permit.right(), move |tx| {
            let team = team_of(tx, &org, &team)?;
            let of = principals::find(tx, &org)?.ok_or(Error::NotFound("organization"))?;
            let who = somebody(tx, &of, &name)?;
            if who.id == by && is_only_admin_team(tx, &team, &by)? {
                return Err(Conflict::LastAdmin.into());
            }
            let act = if teams::remove_member(tx, &team.id, &who.id)? {
                "org_remove_team_member"
            } else if teams::uninvite(tx, &team.id, &who.id)? {
                "org_delete_team_member_invite"
            } else {
                return Err(Conflict::NotMember(who.name).into());
            };
            let before = member_json(&team.name, &who.name);
            let act = Act::done(act, "team", &team.name)
                .id(&team.id)
                .namespace(&namespace)
                .change(Some(&before), None);
            Ok(audit::append(tx, now, &actor, &act)?)
        })
        .await
    }

    /// The permissions of a team.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn permissions_of_team(
        &self,
        permit: &NamespaceAdmin,
        name: &str,
    ) -> Result<Vec<OnRepo>, Error> {
        let (org, name) = (permit.on().id, name.to_owned());
        self.db
            .read(move |q| {
                let team = team_of(q, &org, &name)?;
                Ok(teams::permissions(q, &team.id)?)
            })
            .await
    }
}

fn team_json(role: OrgRole, description: &str) -> String {
    serde_json::json!({ "role": role.as_str(), "description": description }).to_string()
}

fn member_json(team: &str, member: &str) -> String {
    serde_json::json!({ "team": team, "member": member }).to_string()
}
