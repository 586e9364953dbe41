//! The decision: who may do what, and why.
//!
//! Pure functions over facts: what the caller belongs to, and who was granted what. Nothing here
//! reads, waits or remembers, and no verdict is kept anywhere.
//!
//! ```text
//! grants_reaching   the explicit grants: direct, by team
//!   └─ paths        and what is implied: namespace, organisation admin, public, superuser
//!        └─ effective_role   the strongest of them, lowered to what the credential may do
//!             └─ decide      allowed or not, for one action; `explain`: the same with the reasons
//!                  └─ permit the proof that guards an act
//! ```
//! Source: `PRODUCT.md`, "Decisions"; Quay `auth/permissions.py` as its contract records it.

mod why;

use std::{marker::PhantomData, sync::Arc};

use crate::{
    error::Error,
    id::{PrincipalId, RepoId, TeamId},
    inline::InlineList,
    name::RepoName,
    principal::{PrincipalFacts, PrincipalKind, TeamFacts},
    role::{Action, OrgRole, RepoState, Role, Visibility},
    scope::Caps,
};

pub use self::why::{
    Answer, Bar, Case, Missing, OrgAnswer, OrgReason, explain, explain_org, may_act,
};

/// Whom a permission was given to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grantee {
    /// A user or a robot.
    Principal(PrincipalId),
    /// A team.
    Team(TeamId),
}

/// One permission on a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// To whom.
    pub to: Grantee,
    /// Which role.
    pub role: Role,
}

/// The namespace that a repository lies in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NamespaceFacts {
    /// The user or organisation.
    pub id: PrincipalId,
    /// Which of the two.
    pub kind: PrincipalKind,
}

/// The cached facts about a repository: who was granted what on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepoAcl {
    /// Its id.
    pub id: RepoId,
    /// Its full name.
    pub name: RepoName,
    /// Where it lies.
    pub namespace: NamespaceFacts,
    /// Who may pull without a permission.
    pub visibility: Visibility,
    /// Whether it takes pushes.
    pub state: RepoState,
    /// Every permission, in the order in which they were given.
    pub grants: InlineList<Grant, 5>,
}

/// What the installation's settings make of a principal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Made superuser, or named as one.
    pub superuser: bool,
    /// Superusers have every right (`quay.feature_superusers_full_access`).
    pub full_access: bool,
    /// Named as one who may read everything.
    pub global_readonly: bool,
}

/// Who is asking, with everything about him that the decision looks at.
#[derive(Clone, Copy, Debug)]
pub struct Asker<'a> {
    /// The principal; nobody for an anonymous caller.
    pub principal: Option<&'a PrincipalFacts>,
    /// Those of his teams that exist in the organisation in question. A team whose fact is gone
    /// gives nothing, whatever a permission or a membership still says.
    pub teams: &'a [Arc<TeamFacts>],
    /// What the settings make of him.
    pub standing: Standing,
    /// What the credential may do at most.
    pub caps: Caps,
}

impl Asker<'_> {
    /// Somebody who is not known at all: what is public, and nothing else.
    pub const ANONYMOUS: Asker<'static> = Asker {
        principal: None,
        teams: &[],
        standing: Standing { superuser: false, full_access: false, global_readonly: false },
        caps: Caps { repo: Some(Role::Read), ..Caps::NONE },
    };

    fn team(&self, id: TeamId) -> Option<&TeamFacts> {
        // those of one organisation, so at most a few, and often none
        let team = self.teams.iter().find(|team| team.id == id)?;
        let member = self.principal?.teams.binary_search_by(|t| t.team.cmp(&id)).is_ok();
        member.then_some(team)
    }

    /// The teams of `namespace` that make him its admin, or creator.
    fn org_teams(&self, namespace: PrincipalId) -> impl Iterator<Item = &TeamFacts> {
        self.teams
            .iter()
            .filter(move |team| team.org == namespace && self.team(team.id).is_some())
            .map(Arc::as_ref)
    }
}

/// One way in which a right reaches a principal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    /// A permission of his own.
    Direct,
    /// A permission of a team he is in.
    Team(TeamId),
    /// The repository lies in his own namespace.
    NamespaceOwner,
    /// A team he is in has a role in the organisation that gives it.
    TeamRole(TeamId),
    /// The repository is public.
    Public,
    /// He is a superuser, and the settings give superusers full access.
    Superuser,
    /// He may read everything by the settings.
    GlobalReadOnly,
}

/// A role, and how it reaches the asker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reason {
    /// The way.
    pub path: Path,
    /// The role that it gives.
    pub role: Role,
}

/// The explicit grants that reach `asker`, in the order in which they were given: direct ones and
/// those of his teams, repetitions kept. Nothing implied.
pub fn grants_reaching<'a>(
    asker: &'a Asker<'_>,
    acl: &'a RepoAcl,
) -> impl Iterator<Item = Reason> + 'a {
    let principal = asker.principal.map(|p| p.id);
    acl.grants.iter().filter_map(move |grant| match grant.to {
        Grantee::Principal(id) if Some(id) == principal => {
            Some(Reason { path: Path::Direct, role: grant.role })
        }
        Grantee::Team(id) => {
            asker.team(id).map(|team| Reason { path: Path::Team(team.id), role: grant.role })
        }
        Grantee::Principal(_) => None,
    })
}

/// What `namespace` gives `asker` on everything in it. For a robot this is what its teams give;
/// the namespace that it belongs to is not its own.
fn implied<'a>(
    asker: &'a Asker<'_>,
    namespace: NamespaceFacts,
) -> impl Iterator<Item = Reason> + 'a {
    let owner = asker.principal.is_some_and(|p| p.id == namespace.id)
        && namespace.kind == PrincipalKind::User;
    let admin = move |path| Reason { path, role: Role::Admin };
    owner
        .then_some(admin(Path::NamespaceOwner))
        .into_iter()
        .chain(
            asker
                .org_teams(namespace.id)
                .filter(|team| team.role == OrgRole::Admin)
                .map(move |team| admin(Path::TeamRole(team.id))),
        )
        .chain(everywhere(asker))
}

/// What the settings give `asker` on everything, whether it exists or not.
fn everywhere(asker: &Asker<'_>) -> impl Iterator<Item = Reason> {
    let standing = asker.standing;
    let superuser = standing.superuser && standing.full_access;
    superuser.then_some(Reason { path: Path::Superuser, role: Role::Admin }).into_iter().chain(
        standing.global_readonly.then_some(Reason { path: Path::GlobalReadOnly, role: Role::Read }),
    )
}

/// Every path by which a right on the repository reaches `asker`, before the credential's
/// ceiling.
pub fn paths<'a>(asker: &'a Asker<'_>, acl: &'a RepoAcl) -> impl Iterator<Item = Reason> + 'a {
    let public = acl.visibility == Visibility::Public;
    grants_reaching(asker, acl)
        .chain(implied(asker, acl.namespace))
        .chain(public.then_some(Reason { path: Path::Public, role: Role::Read }))
}

/// The strongest role of `reasons`, lowered to the credential's ceiling. Superuser rights are
/// under the ceiling of superuser scopes, not of repository scopes; so is reading everything.
fn strongest(asker: &Asker<'_>, reasons: impl Iterator<Item = Reason>) -> Option<Role> {
    if !acts(asker) {
        return None;
    }
    reasons.filter_map(|reason| lowered(asker, reason)).max()
}

/// What is left of `reason` under the credential's ceiling.
fn lowered(asker: &Asker<'_>, reason: Reason) -> Option<Role> {
    match reason.path {
        Path::GlobalReadOnly => Some(reason.role),
        Path::Superuser => asker.caps.superuser.then_some(reason.role),
        _ => asker.caps.repo.map(|cap| cap.min(reason.role)),
    }
}

/// Whether the asker may act at all: a disabled principal has no right, not even to what is public.
fn acts(asker: &Asker<'_>) -> bool {
    why::barred(asker.principal).is_none()
}

/// The role that `asker` has on the repository after all: the strongest path, under the
/// credential's ceiling. `None` is no right.
pub fn effective_role(asker: &Asker<'_>, acl: &RepoAcl) -> Option<Role> {
    strongest(asker, paths(asker, acl))
}

/// The role that `asker` has on a repository of `namespace` that does not exist (yet): only what
/// is implied by the namespace; without one, what the settings give on everything.
pub fn role_in_namespace(asker: &Asker<'_>, namespace: Option<NamespaceFacts>) -> Option<Role> {
    match namespace {
        Some(namespace) => strongest(asker, implied(asker, namespace)),
        None => strongest(asker, everywhere(asker)),
    }
}

/// Whether `asker` may do `action`. A repository that is not in its normal state takes no content
/// changes; pulls and permissions go on.
pub fn decide(asker: &Asker<'_>, acl: &RepoAcl, action: Action) -> bool {
    why::weigh(asker, acl, action, |_| {}).is_ok()
}

/// The role that `asker` has in a namespace: `admin` in his own, the strongest of his teams' in
/// an organisation, under the credential's ceiling. `None`: he does not belong to it.
pub fn namespace_role(asker: &Asker<'_>, namespace: NamespaceFacts) -> Option<OrgRole> {
    why::weigh_org(asker, namespace, |_| {}).lowered
}

/// Whether `asker` may make repositories in the namespace.
pub fn may_create(asker: &Asker<'_>, namespace: NamespaceFacts) -> bool {
    namespace_role(asker, namespace) >= Some(OrgRole::Creator)
}

/// An act that needs a proof.
pub trait Act {
    /// What it is called in a refusal.
    const NAME: &'static str;
    /// The action that the role must permit. The repository's state is not looked at.
    const NEEDS: Action;
    /// Whether it only looks, so that somebody who may read everything may do it.
    const LOOKS: bool;
}

/// Changing a repository's permissions, visibility and state, or removing it.
#[derive(Clone, Copy, Debug)]
pub struct Administer;

impl Act for Administer {
    const NAME: &'static str = "administer";
    const NEEDS: Action = Action::Administer;
    const LOOKS: bool = false;
}

/// Seeing a repository's permissions.
#[derive(Clone, Copy, Debug)]
pub struct Inspect;

impl Act for Inspect {
    const NAME: &'static str = "inspect";
    const NEEDS: Action = Action::Administer;
    const LOOKS: bool = true;
}

/// Saying something else of a repository.
#[derive(Clone, Copy, Debug)]
pub struct Describe;

impl Act for Describe {
    const NAME: &'static str = "describe";
    const NEEDS: Action = Action::Push;
    const LOOKS: bool = false;
}

/// The proof that somebody may do `A` to a repository. Only [`permit`] makes it, so that an act
/// without its check does not compile.
#[derive(Clone, Debug)]
pub struct Permit<A> {
    on: RepoName,
    by: PrincipalId,
    act: PhantomData<A>,
}

impl<A> Permit<A> {
    /// The repository (or the name of one that does not exist, in a namespace that he
    /// administers).
    pub fn on(&self) -> &RepoName {
        &self.on
    }

    /// Who was permitted.
    pub fn by(&self) -> PrincipalId {
        self.by
    }
}

/// Checks that `asker` may do `A` to `name`. `acl` is `None` when there is no such repository:
/// then the namespace alone decides, so that a stranger does not learn whether it exists.
///
/// # Errors
/// [`Error::Unauthenticated`] for nobody, [`Error::Denied`] for somebody who may not.
pub fn permit<A: Act>(
    asker: &Asker<'_>,
    name: &RepoName,
    namespace: Option<NamespaceFacts>,
    acl: Option<&RepoAcl>,
) -> Result<Permit<A>, Error> {
    let by = check::<A>(asker, name.as_str(), namespace, acl)?;
    Ok(Permit { on: name.clone(), by, act: PhantomData })
}

/// The same for a text that may be no valid name, without the proof; who was permitted.
///
/// # Errors
/// As [`permit`].
pub fn check<A: Act>(
    asker: &Asker<'_>,
    text: &str,
    namespace: Option<NamespaceFacts>,
    acl: Option<&RepoAcl>,
) -> Result<PrincipalId, Error> {
    let by = asker.principal.ok_or(Error::Unauthenticated)?.id;
    let role = match acl {
        Some(acl) => effective_role(asker, acl),
        None => role_in_namespace(asker, namespace),
    };
    let looks = A::LOOKS && asker.standing.global_readonly && acts(asker);
    if looks || role.is_some_and(|role| role.permits(A::NEEDS)) {
        Ok(by)
    } else {
        Err(Error::denied(A::NAME, text))
    }
}
