//! Organisations: making, seeing, changing and ending them; who belongs to one.
//!
//! What somebody may do in an organisation is the role of his teams in it (`domain::access`). An
//! act asks for the proof that he administers it; what he sees depends on his `Seat`.
//!
//! Source: `contract/quay.md` section 7, `contract/quay-clients.md` 2.2 and 9.1.

use claviger_domain::{
    Conflict, Error,
    access::{NamespaceFacts, namespace_role},
    id::{PrincipalId, TeamId},
    name::{Email, Namespace},
    principal::PrincipalKind,
    role::OrgRole,
};
pub use claviger_store::faces::Face;
use claviger_store::{
    audit::{self, Act},
    endings::{self, Ending},
    organisations::{self, Belonging},
    principals::{self, Principal},
    teams::{self, Counted, Team},
};
use serde::{Deserialize, Serialize};

use crate::{
    access::NamespaceAdmin,
    app::App,
    caller::{Caller, FreshUser, Origin},
    still::Right,
};

/// The team that the maker of an organisation is put into.
const OWNERS: &str = "owners";

/// What whoever asks is in an organisation.
#[derive(Clone, Debug)]
pub(crate) struct Seat {
    /// The organisation.
    pub(crate) org: PrincipalId,
    /// His role, under his credential's ceiling; `None`: he does not belong to it.
    pub(crate) role: Option<OrgRole>,
    /// His role by his teams alone, and not as a superuser.
    pub(crate) own_role: Option<OrgRole>,
    /// Whether he sees what members see: his credential must be good for organisations.
    pub(crate) belongs: bool,
    /// Whether he may look at everything.
    pub(crate) looks: bool,
    /// His teams in it.
    pub(crate) teams: Vec<TeamId>,
}

impl Seat {
    /// Whether he administers it.
    pub(crate) fn is_admin(&self) -> bool {
        self.role == Some(OrgRole::Admin)
    }

    /// Whether he sees who is in the team.
    pub(crate) fn sees(&self, team: &TeamId) -> bool {
        self.is_admin() || self.looks || (self.belongs && self.teams.contains(team))
    }
}

/// What an organisation's administrators have set, beside its address. Kept as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct OrganisationSettings {
    /// For how long removed tags can be brought back, in seconds.
    pub tag_expiration_s: i64,
    /// Whether invoices are mailed.
    pub invoice_email: bool,
    /// Where to, instead of the organisation's address.
    pub invoice_email_address: Option<String>,
}

impl Default for OrganisationSettings {
    fn default() -> Self {
        let two_weeks = 14 * 24 * 60 * 60;
        Self { tag_expiration_s: two_weeks, invoice_email: false, invoice_email_address: None }
    }
}

impl OrganisationSettings {
    /// The values that [`OrganisationSettings::tag_expiration_s`] may have.
    pub const TAG_EXPIRATIONS: [i64; 5] = [0, 86_400, 604_800, 1_209_600, 2_419_200];

    fn read(metadata: Option<&str>) -> Result<Self, Error> {
        metadata.map_or_else(
            || Ok(Self::default()),
            |text| serde_json::from_str(text).map_err(Error::internal),
        )
    }
}

/// A team, as whoever asks sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TeamLine {
    /// Its name.
    pub name: String,
    /// What is said of it.
    pub description: String,
    /// What its members are in the organisation.
    pub role: OrgRole,
    /// Whether he sees who is in it.
    pub can_view: bool,
    /// Repositories on which it has a permission.
    pub repositories: i64,
    /// Its members; those who are invited do not count.
    pub members: i64,
}

/// An organisation, as whoever asks sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrganisationView {
    /// Its name, and what its avatar is drawn from.
    pub face: Face,
    /// Whether he administers it.
    pub is_admin: bool,
    /// Whether he belongs to it.
    pub is_member: bool,
    /// Its teams, the oldest first; not for strangers.
    pub teams: Option<Vec<TeamLine>>,
    /// What its administrators have set; for them alone.
    pub settings: Option<OrganisationSettings>,
}

/// What is changed of an organisation; what is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct OrganisationChange {
    /// The address; the inner `None` takes it away.
    pub email: Option<Option<Email>>,
    /// For how long removed tags can be brought back, in seconds.
    pub tag_expiration_s: Option<i64>,
    /// Whether invoices are mailed.
    pub invoice_email: Option<bool>,
    /// Where to; the inner `None`: to the organisation's address.
    pub invoice_email_address: Option<Option<String>>,
}

/// A user of an organisation, or one who works in its repositories.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberLine {
    /// The user.
    pub who: Face,
    /// The names of his teams.
    pub teams: Vec<String>,
    /// The names, inside the organisation, of repositories on which he has a permission of his own.
    pub repositories: Vec<String>,
}

impl App {
    /// What `caller` is in the organisation `name`.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such organisation.
    pub(crate) async fn seat(&self, caller: Option<&Caller>, name: &str) -> Result<Seat, Error> {
        let mut gathered = self.about_namespace(caller, name).await?;
        let org = |facts: &NamespaceFacts| facts.kind == PrincipalKind::Org;
        let facts = gathered.namespace.filter(org).ok_or(Error::NotFound("organization"))?;
        let role = namespace_role(&gathered.asker(), facts);
        let whole = gathered.caps.org == Some(OrgRole::Admin);
        let belongs = role == Some(OrgRole::Admin) || (role.is_some() && whole);
        let looks = gathered.standing.global_readonly;
        gathered.standing.superuser = false;
        let own_role = namespace_role(&gathered.asker(), facts);
        let teams = gathered.teams.iter().map(|team| team.id).collect();
        Ok(Seat { org: facts.id, role, own_role, belongs, looks, teams })
    }

    /// The proof that `caller` administers the organisation `name`.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`], [`Error::Denied`] (for a name that nobody has, too);
    /// [`Error::NotFound`] when it is his own name.
    pub async fn permit_organisation(
        &self,
        caller: Option<&Caller>,
        name: &str,
    ) -> Result<NamespaceAdmin, Error> {
        let permit = self.permit_namespace(caller, name).await?;
        match permit.on().kind {
            PrincipalKind::Org => Ok(permit),
            PrincipalKind::User | PrincipalKind::Robot => Err(Error::NotFound("organization")),
        }
    }

    /// Makes an organisation; `caller` becomes its first owner.
    ///
    /// # Errors
    /// [`Error::Denied`] for a robot; [`Conflict::NameTaken`], [`Conflict::NameReserved`];
    /// [`Conflict::EmailTaken`] when the address is a user's.
    pub async fn create_organisation(
        &self,
        caller: &Caller,
        name: Namespace,
        email: Option<Email>,
        origin: &Origin,
    ) -> Result<(), Error> {
        if !caller.is_user() {
            return Err(Error::denied("create", name.as_str()));
        }
        let (now, actor, owner) = (self.now(), caller.actor(origin), caller.principal.id);
        let id = PrincipalId::random(self.chance());
        let account = caller.principal.account;
        let claim = self.claim(name, Some(caller));
        let team = Team {
            id: TeamId::random(self.chance()),
            org: id,
            name: OWNERS.to_owned(),
            role: OrgRole::Admin,
            description: String::new(),
            created_at: now,
        };
        self.write_as(caller, Right::Himself, move |tx| {
            let maker = principals::find(tx, &owner)?;
            if maker.is_none_or(|maker| maker.disabled_at.is_some()) {
                return Err(Error::Unauthenticated);
            }
            claim.take(tx, &id)?;
            if let Some(email) = &email
                && principals::find_by_email(tx, &email.key())?.is_some()
            {
                return Err(Conflict::EmailTaken.into());
            }
            let new = Principal::new(id, account, PrincipalKind::Org, claim.name(), now);
            let email = email.map(|email| email.as_str().to_owned());
            let avatar_key = Some(PrincipalId::random(tx.chance()).to_string());
            principals::insert(tx, &Principal { email, avatar_key, ..new })?;
            teams::insert(tx, &team)?;
            teams::add_member(tx, &team.id, &owner, now)?;
            let act = Act::done("org_create", "organization", claim.name());
            let act = act.id(&id).namespace(claim.name());
            Ok(audit::append(tx, now, &actor, &act)?)
        })
        .await
    }

    /// An organisation, as `caller` sees it.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn organisation(
        &self,
        caller: Option<&Caller>,
        name: &str,
    ) -> Result<OrganisationView, Error> {
        let seat = self.seat(caller, name).await?;
        self.db
            .read(move |q| {
                let org = principals::find(q, &seat.org)?;
                let org = org.ok_or(Error::NotFound("organization"))?;
                let teams = if seat.belongs || seat.looks {
                    let teams = teams::of_org(q, &seat.org)?.into_iter();
                    Some(teams.map(|team| line(&seat, team)).collect())
                } else {
                    None
                };
                let settings = OrganisationSettings::read(org.metadata.as_deref());
                Ok(OrganisationView {
                    is_admin: seat.is_admin(),
                    is_member: seat.belongs,
                    teams,
                    settings: seat.is_admin().then_some(settings).transpose()?,
                    face: face(&org),
                })
            })
            .await
    }

    /// Changes an organisation.
    ///
    /// # Errors
    /// [`Error::NotFound`] when it has ended meanwhile.
    pub async fn change_organisation(
        &self,
        permit: &NamespaceAdmin,
        caller: &Caller,
        change: OrganisationChange,
        origin: &Origin,
    ) -> Result<(), Error> {
        let (now, actor, id) = (self.now(), caller.actor(origin), permit.on().id);
        self.write_as(caller, permit.right(), move |tx| {
            let org = principals::find(tx, &id)?.ok_or(Error::NotFound("organization"))?;
            let mut settings = OrganisationSettings::read(org.metadata.as_deref())?;
            let mut email = org.email.clone();
            if let Some(new) = change.email {
                email = new.map(|email| email.as_str().to_owned());
            }
            settings.tag_expiration_s =
                change.tag_expiration_s.unwrap_or(settings.tag_expiration_s);
            settings.invoice_email = change.invoice_email.unwrap_or(settings.invoice_email);
            if let Some(address) = change.invoice_email_address {
                settings.invoice_email_address = address;
            }
            let metadata = serde_json::to_string(&settings).map_err(Error::internal)?;
            organisations::set_profile(tx, &id, email.as_deref(), Some(&metadata))?;
            let after = serde_json::json!({ "email": email, "settings": settings }).to_string();
            let act = Act::done("org_change", "organization", &org.name).id(&id);
            let act = act.namespace(&org.name).change(None, Some(&after));
            Ok(audit::append(tx, now, &actor, &act)?)
        })
        .await
    }

    /// Ends an organisation with all that is its own.
    ///
    /// # Errors
    /// [`Error::NotFound`] when it has ended meanwhile.
    pub async fn delete_organisation(
        &self,
        permit: &NamespaceAdmin,
        by: &FreshUser,
        origin: &Origin,
    ) -> Result<(), Error> {
        self.end_organisation(permit.on().id, by, permit.right(), origin).await
    }

    /// Ends an organisation; the caller has shown that he may.
    pub(crate) async fn end_organisation(
        &self,
        id: PrincipalId,
        by: &FreshUser,
        right: Right,
        origin: &Origin,
    ) -> Result<(), Error> {
        let caller = by.caller();
        let (now, actor, by) = (self.now(), caller.actor(origin), by.id());
        self.write_as(caller, right, move |tx| {
            let org = principals::find(tx, &id)?.ok_or(Error::NotFound("organization"))?;
            // a superuser who was not its admin leaves the name to superusers
            let admin = !teams::admin_teams(tx, &id, &by)?.is_empty();
            let ending = Ending { now, by: &actor.name, reason: "organization deleted" };
            endings::delete(tx, &org, admin.then_some(&by), &ending)?;
            let act = Act::done("org_delete", "organization", &org.name);
            let act = act.id(&id).namespace(&org.name);
            Ok(audit::append(tx, now, &actor, &act)?)
        })
        .await
    }

    /// The users of an organisation, by name.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn organisation_members(
        &self,
        permit: &NamespaceAdmin,
    ) -> Result<Vec<MemberLine>, Error> {
        self.members(permit, None).await
    }

    /// The users of an organisation, or the one of this name.
    async fn members(
        &self,
        permit: &NamespaceAdmin,
        name: Option<&str>,
    ) -> Result<Vec<MemberLine>, Error> {
        let (memberships, permissions) = self.belongings(permit.on().id, name).await?;
        let mut members: Vec<MemberLine> = Vec::new();
        for Belonging { who, to } in memberships {
            match members.last_mut().filter(|line| line.who.id == who.id) {
                Some(line) => line.teams.push(to),
                None => members.push(MemberLine { who, teams: vec![to], repositories: Vec::new() }),
            }
        }
        for Belonging { who, to } in permissions {
            if let Ok(at) = members.binary_search_by(|line| line.who.name.cmp(&who.name)) {
                members.get_mut(at).into_iter().for_each(|line| line.repositories.push(to.clone()));
            }
        }
        Ok(members)
    }

    /// One user of an organisation.
    ///
    /// # Errors
    /// [`Error::NotFound`] when he does not belong to it.
    pub async fn organisation_member(
        &self,
        permit: &NamespaceAdmin,
        name: &str,
    ) -> Result<MemberLine, Error> {
        // what can be no name is not handed to the store
        let name = name.parse::<Namespace>().map_err(|_| Error::NotFound("member"))?;
        let found = self.members(permit, Some(name.as_str())).await?.pop();
        found.ok_or(Error::NotFound("member"))
    }

    /// The users who have a permission in an organisation that they do not belong to, by name.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn organisation_collaborators(
        &self,
        permit: &NamespaceAdmin,
    ) -> Result<Vec<MemberLine>, Error> {
        let (memberships, permissions) = self.belongings(permit.on().id, None).await?;
        let mut lines: Vec<MemberLine> = Vec::new();
        for Belonging { who, to } in permissions {
            if memberships.binary_search_by(|m| m.who.name.cmp(&who.name)).is_ok() {
                continue;
            }
            match lines.last_mut().filter(|line| line.who.id == who.id) {
                Some(line) => line.repositories.push(to),
                None => lines.push(MemberLine { who, teams: Vec::new(), repositories: vec![to] }),
            }
        }
        Ok(lines)
    }

    /// Who belongs to its teams, and who has permissions in it; each by name, or of one name.
    async fn belongings(
        &self,
        id: PrincipalId,
        name: Option<&str>,
    ) -> Result<(Vec<Belonging>, Vec<Belonging>), Error> {
        let name = name.map(str::to_owned);
        self.db
            .read(move |q| {
                let name = name.as_deref();
                let teams = organisations::memberships(q, &id, name)?;
                Ok((teams, organisations::permissions(q, &id, name)?))
            })
            .await
    }

    /// Takes a user out of an organisation: out of its teams, and his permissions in it.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an unknown user; [`Conflict::LastAdmin`].
    pub async fn remove_organisation_member(
        &self,
        permit: &NamespaceAdmin,
        caller: &Caller,
        name: &str,
        origin: &Origin,
    ) -> Result<(), Error> {
        let (now, actor, id) = (self.now(), caller.actor(origin), permit.on().id);
        let (org, name) = (permit.name().to_owned(), name.to_owned());
        self.write_as(caller, permit.right(), move |tx| {
            let who = principals::find_by_name(tx, &name)?;
            let who = who.filter(|who| who.kind == PrincipalKind::User);
            let who = who.ok_or(Error::NotFound("user"))?;
            if teams::admins(tx, &id)? == [who.id] {
                return Err(Conflict::LastAdmin.into());
            }
            organisations::remove_member(tx, &id, &who.id)?;
            let act = Act::done("org_remove_member", "user", &who.name).id(&who.id);
            Ok(audit::append(tx, now, &actor, &act.namespace(&org))?)
        })
        .await
    }
}

/// What lists show of a principal.
pub(crate) fn face(principal: &Principal) -> Face {
    let Principal { id, kind, name, email, avatar_key, .. } = principal.clone();
    Face { id, kind, name, email, avatar_key }
}

fn line(seat: &Seat, counted: Counted) -> TeamLine {
    let Counted { team, repositories, members } = counted;
    TeamLine {
        can_view: seat.sees(&team.id),
        name: team.name,
        description: team.description,
        role: team.role,
        repositories,
        members,
    }
}
