//! Why: the reasons of a decision, told by the same walk over the paths that decides.
//!
//! [`weigh`] shows each path to whoever wants to see it. [`super::decide`] looks at none, so that a
//! decision costs nothing more where nobody asks why; [`explain`] keeps them all. Names are not
//! known here: reasons hold ids.

use super::{
    Asker, NamespaceFacts, Path, Reason, RepoAcl, Standing, effective_role, lowered, paths,
};
use crate::{
    principal::{PrincipalFacts, PrincipalKind},
    role::{Action, OrgAction, OrgRole, RepoState, Role},
    token::TokenState,
};

/// Why somebody may not act at all, whatever he was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bar {
    /// The token's end has come.
    TokenExpired,
    /// The token was ended.
    TokenRevoked,
    /// Whom the token acts for is gone.
    PrincipalGone,
    /// The principal is disabled.
    PrincipalDisabled,
    /// The owner of the robot is disabled, or gone.
    OwnerDisabled,
    /// Robots may not act here.
    RobotsDisallowed,
    /// An organisation does nothing itself.
    Organisation,
}

/// Why an action is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// He may not act at all.
    Barred(Bar),
    /// There is no such thing.
    Object,
    /// The user in whose namespace the repository lies is disabled.
    Namespace,
    /// Nothing reaches him.
    Path,
    /// What reaches him gives less than the action needs.
    Role,
    /// What reaches him would do, and his credential may do less.
    Ceiling,
    /// He has the role, and the repository is in a state in which nobody does this.
    State(RepoState),
}

/// A decision about a repository, with its reasons.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// What is missing; `None`: the action is allowed.
    pub missing: Option<Missing>,
    /// The role after all, under the credential's ceiling.
    pub role: Option<Role>,
    /// The weakest role that permits the action.
    pub needs: Role,
    /// Every path that reaches him, before the ceiling.
    pub paths: Vec<Reason>,
}

/// A role in a namespace, and how it reaches the asker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrgReason {
    /// The way.
    pub path: Path,
    /// The role that it gives.
    pub role: OrgRole,
}

/// A decision about an organisation, with its reasons.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrgAnswer {
    /// What is missing; `None`: the action is allowed.
    pub missing: Option<Missing>,
    /// The role after all, under the credential's ceiling.
    pub role: Option<OrgRole>,
    /// The weakest role that permits the action.
    pub needs: OrgRole,
    /// Every path that reaches him, before the ceiling.
    pub paths: Vec<OrgReason>,
}

/// Whether a principal may act, with the token that he comes with (none: by himself). A robot acts
/// only while its `owner` may and the settings admit it.
///
/// # Errors
/// What bars him.
pub fn may_act<'a>(
    token: Option<TokenState>,
    principal: Option<&'a PrincipalFacts>,
    owner: Option<&PrincipalFacts>,
    admits_robots: impl FnOnce(&str) -> bool,
) -> Result<&'a PrincipalFacts, Bar> {
    match token {
        None | Some(TokenState::Live) => {}
        Some(TokenState::Expired) => return Err(Bar::TokenExpired),
        Some(TokenState::Revoked) => return Err(Bar::TokenRevoked),
    }
    let principal = principal.ok_or(Bar::PrincipalGone)?;
    if let Some(bar) = barred(Some(principal)) {
        return Err(bar);
    }
    if principal.kind == PrincipalKind::Robot {
        if owner.is_none_or(|owner| !owner.enabled) {
            return Err(Bar::OwnerDisabled);
        }
        if !admits_robots(&principal.name) {
            return Err(Bar::RobotsDisallowed);
        }
    }
    Ok(principal)
}

/// What bars a principal by what he is; nobody is never barred.
pub(super) fn barred(principal: Option<&PrincipalFacts>) -> Option<Bar> {
    match principal {
        Some(principal) if !principal.enabled => Some(Bar::PrincipalDisabled),
        Some(principal) if principal.kind == PrincipalKind::Org => Some(Bar::Organisation),
        _ => None,
    }
}

/// Decides, and shows each path to `see`: the role after all, or what is missing.
pub(super) fn weigh(
    asker: &Asker<'_>,
    acl: &RepoAcl,
    action: Action,
    mut see: impl FnMut(Reason),
) -> Result<Role, Missing> {
    if let Some(bar) = barred(asker.principal) {
        return Err(Missing::Barred(bar));
    }
    let (mut plain, mut effective) = (None, None);
    for reason in paths(asker, acl) {
        see(reason);
        plain = plain.max(Some(reason.role));
        effective = effective.max(lowered(asker, reason));
    }
    let open =
        matches!(action, Action::Pull | Action::Administer) || acl.state == RepoState::Normal;
    let permits = |role: Option<Role>| role.is_some_and(|role| role.permits(action));
    match effective {
        Some(role) if role.permits(action) && open => Ok(role),
        Some(role) if role.permits(action) => Err(Missing::State(acl.state)),
        _ if permits(plain) => Err(Missing::Ceiling),
        _ if plain.is_some() => Err(Missing::Role),
        _ => Err(Missing::Path),
    }
}

/// Decides whether `asker` may do `action`, and says why. Its answer is always that of
/// [`super::decide`].
pub fn explain(asker: &Asker<'_>, acl: &RepoAcl, action: Action) -> Answer {
    Case { bar: None, asker: *asker, acl: Some(acl), closed: false }.explain(action)
}

/// A question with all that is looked at for it; whoever it is about need not be here himself.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// What bars the subject; see [`may_act`].
    pub bar: Option<Bar>,
    /// The subject, with what its credential may do at most.
    pub asker: Asker<'a>,
    /// The repository; `None` when there is none.
    pub acl: Option<&'a RepoAcl>,
    /// Whether the namespace that it lies in belongs to a disabled user.
    pub closed: bool,
}

impl Case<'_> {
    fn weigh(&self, action: Action, see: impl FnMut(Reason)) -> Result<Role, Missing> {
        if let Some(bar) = self.bar {
            return Err(Missing::Barred(bar));
        }
        let acl = self.acl.ok_or(Missing::Object)?;
        let role = weigh(&self.asker, acl, action, see)?;
        if self.closed { Err(Missing::Namespace) } else { Ok(role) }
    }

    /// Whether the subject may do `action`.
    pub fn decide(&self, action: Action) -> bool {
        self.weigh(action, |_| {}).is_ok()
    }

    /// The same, with the reasons.
    pub fn explain(&self, action: Action) -> Answer {
        let mut paths = Vec::new();
        let missing = self.weigh(action, |reason| paths.push(reason)).err();
        let acts = !matches!(missing, Some(Missing::Barred(_)));
        let role = self.acl.filter(|_| acts).and_then(|acl| effective_role(&self.asker, acl));
        Answer { missing, role, needs: action.needs(), paths }
    }
}

/// What an asker is in a namespace.
pub(super) struct OrgWeight {
    plain: Option<OrgRole>,
    /// The role after all.
    pub(super) lowered: Option<OrgRole>,
}

/// What `asker` is in `namespace`; shows each path to `see`.
pub(super) fn weigh_org(
    asker: &Asker<'_>,
    namespace: NamespaceFacts,
    mut see: impl FnMut(OrgReason),
) -> OrgWeight {
    let mut weight = OrgWeight { plain: None, lowered: None };
    if barred(asker.principal).is_some() {
        return weight;
    }
    let mut add = |path, role: OrgRole, lowered| {
        see(OrgReason { path, role });
        weight.plain = weight.plain.max(Some(role));
        weight.lowered = weight.lowered.max(lowered);
    };
    let capped = |role: OrgRole| asker.caps.org.map(|cap| cap.min(role));
    let own = asker.principal.is_some_and(|p| p.id == namespace.id);
    if own && namespace.kind == PrincipalKind::User {
        add(Path::NamespaceOwner, OrgRole::Admin, capped(OrgRole::Admin));
    }
    for team in asker.org_teams(namespace.id) {
        add(Path::TeamRole(team.id), team.role, capped(team.role));
    }
    let Standing { superuser, full_access, .. } = asker.standing;
    if superuser && full_access {
        let lowered = asker.caps.superuser.then_some(OrgRole::Admin);
        add(Path::Superuser, OrgRole::Admin, lowered);
    }
    weight
}

/// Decides whether `asker` may do `action` in an organisation, and says why.
pub fn explain_org(asker: &Asker<'_>, namespace: NamespaceFacts, action: OrgAction) -> OrgAnswer {
    let mut paths = Vec::new();
    let weight = weigh_org(asker, namespace, |reason| paths.push(reason));
    let needs = action.needs();
    let missing = match weight {
        _ if barred(asker.principal).is_some() => barred(asker.principal).map(Missing::Barred),
        OrgWeight { lowered, .. } if lowered >= Some(needs) => None,
        OrgWeight { plain, .. } if plain >= Some(needs) => Some(Missing::Ceiling),
        OrgWeight { plain: Some(_), .. } => Some(Missing::Role),
        OrgWeight { plain: None, .. } => Some(Missing::Path),
    };
    OrgAnswer { missing, role: weight.lowered, needs, paths }
}
