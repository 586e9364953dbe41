//! The actions of registry tokens, and which of those that are asked for are granted.

use claviger_domain::{
    access::{Asker, NamespaceFacts, RepoAcl, decide, role_in_namespace},
    role::Action,
};

/// What can be done in a registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegistryAction {
    /// Write content.
    Push,
    /// Read content.
    Pull,
    /// Remove content.
    Delete,
    /// All of it.
    All,
}

impl RegistryAction {
    /// Every action, in the order in which tokens list them.
    pub const ALL: &[Self] = &[Self::Push, Self::Pull, Self::Delete, Self::All];

    /// The word in scopes and tokens.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Push => "push",
            Self::Pull => "pull",
            Self::Delete => "delete",
            Self::All => "*",
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// A set of actions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Actions(u8);

impl Actions {
    /// Whether `action` is among them.
    pub const fn contains(self, action: RegistryAction) -> bool {
        self.0 & action.bit() != 0
    }

    /// Whether nothing that was `asked` for was refused. `*` means whatever the asker may do: it is
    /// refused only when he may do nothing.
    pub fn covers(self, asked: Self) -> bool {
        let all = RegistryAction::All.bit();
        let star = asked.0 & all == 0 || self.0 != 0;
        star && asked.0 & !all & !self.0 == 0 || self.0 & all != 0
    }

    /// Adds `action`.
    pub const fn insert(&mut self, action: RegistryAction) {
        self.0 |= action.bit();
    }

    /// Adds those of `other`.
    pub const fn merge(&mut self, other: Self) {
        self.0 |= other.0;
    }

    /// Their words, in the order of [`RegistryAction::ALL`].
    pub fn words(self) -> Vec<&'static str> {
        let all = RegistryAction::ALL.iter();
        all.filter(|action| self.contains(**action)).map(|action| action.as_str()).collect()
    }
}

impl FromIterator<RegistryAction> for Actions {
    fn from_iter<I: IntoIterator<Item = RegistryAction>>(actions: I) -> Self {
        let mut set = Self::default();
        actions.into_iter().for_each(|action| set.insert(action));
        set
    }
}

/// Those of the `wanted` actions that `asker` may do to a repository. `*` is for who may do
/// everything; for others it means whatever they may.
pub(super) fn granted(asker: &Asker<'_>, acl: &RepoAcl, wanted: Actions) -> Actions {
    let may = |action| decide(asker, acl, action);
    let star = wanted.contains(RegistryAction::All);
    let everything = star && may(Action::Delete);
    let mut granted = Actions::default();
    if everything {
        granted.insert(RegistryAction::All);
    }
    for (word, action) in [
        (RegistryAction::Push, Action::Push),
        (RegistryAction::Pull, Action::Pull),
        (RegistryAction::Delete, Action::Delete),
    ] {
        let asked_for = wanted.contains(word) || (star && !everything);
        if asked_for && may(action) {
            granted.insert(word);
        }
    }
    granted
}

/// The same for a repository that does not exist: who may read everything in its namespace is
/// told so, and finds nothing there.
pub(super) fn granted_on_nothing(
    asker: &Asker<'_>,
    namespace: NamespaceFacts,
    wanted: Actions,
) -> Actions {
    let asked_for = wanted.contains(RegistryAction::Pull) || wanted.contains(RegistryAction::All);
    let may =
        role_in_namespace(asker, Some(namespace)).is_some_and(|role| role.permits(Action::Pull));
    if asked_for && may { [RegistryAction::Pull].into_iter().collect() } else { Actions::default() }
}

#[cfg(test)]
mod tests {
    use claviger_domain::{
        access::{Grant, Grantee},
        id::{AccountId, PrincipalId, RepoId},
        principal::{PrincipalFacts, PrincipalKind},
        role::{RepoState, Role, Visibility},
        scope::Caps,
    };

    use super::*;

    const ALICE: &str = "00000000-0000-4000-8000-00000000000a";
    const ORG: &str = "00000000-0000-4000-8000-00000000000b";

    fn alice() -> PrincipalFacts {
        PrincipalFacts {
            id: ALICE.parse().unwrap(),
            account: "00000000-0000-4000-8000-000000000001".parse::<AccountId>().unwrap(),
            kind: PrincipalKind::User,
            name: "alice".into(),
            owner: None,
            enabled: true,
            verified: true,
            superuser: false,
            decider: false,
            session_epoch: 0,
            teams: [].into(),
        }
    }

    fn acl(role: Option<Role>, state: RepoState) -> RepoAcl {
        let to = Grantee::Principal(ALICE.parse().unwrap());
        RepoAcl {
            id: "00000000-0000-4000-8000-00000000000c".parse::<RepoId>().unwrap(),
            name: "acme/app".parse().unwrap(),
            namespace: namespace(ORG, PrincipalKind::Org),
            visibility: Visibility::Private,
            state,
            grants: role.map(|role| Grant { to, role }).into_iter().collect(),
        }
    }

    fn namespace(id: &str, kind: PrincipalKind) -> NamespaceFacts {
        NamespaceFacts { id: id.parse::<PrincipalId>().unwrap(), kind }
    }

    fn asker(alice: &PrincipalFacts) -> Asker<'_> {
        Asker { principal: Some(alice), caps: Caps::REGISTRY, ..Asker::ANONYMOUS }
    }

    fn words(text: &str) -> Actions {
        let of = |word| RegistryAction::ALL.iter().copied().find(|a| a.as_str() == word).unwrap();
        text.split_terminator(',').map(of).collect()
    }

    #[test]
    fn each_role_is_granted_its_own_subset() {
        use RepoState::{Normal, ReadOnly};
        let everything = "push,pull,delete,*";
        for (role, state, asked, expected) in [
            (None, Normal, everything, ""),
            (Some(Role::Read), Normal, everything, "pull"),
            (Some(Role::Write), Normal, everything, "push,pull"),
            (Some(Role::Admin), Normal, everything, everything),
            (Some(Role::Read), Normal, "*", "pull"),
            (Some(Role::Write), Normal, "*", "push,pull"),
            (Some(Role::Admin), Normal, "*", "*"),
            (Some(Role::Admin), Normal, "pull,push,*", "push,pull,*"),
            (Some(Role::Admin), Normal, "delete", "delete"),
            (Some(Role::Write), Normal, "delete", ""),
            (Some(Role::Admin), ReadOnly, "pull,push,*", "pull"),
            (Some(Role::Admin), ReadOnly, "*", "pull"),
        ] {
            let alice = alice();
            let granted = granted(&asker(&alice), &acl(role, state), words(asked));
            assert_eq!(granted, words(expected), "{role:?} {state} {asked}");
        }
    }

    #[test]
    fn a_star_is_refused_only_when_nothing_is_granted() {
        for (asked, granted, covered) in [
            ("pull", "pull", true),
            ("pull,push", "pull", false),
            ("*", "pull", true),
            ("*", "*", true),
            ("*", "", false),
            ("pull,*", "pull", true),
            ("push,*", "pull", false),
            ("", "", true),
        ] {
            assert_eq!(words(granted).covers(words(asked)), covered, "{asked}: {granted}");
        }
    }

    #[test]
    fn owner_may_pull_what_is_not_there_and_others_may_not() {
        let alice = alice();
        let own = namespace(ALICE, PrincipalKind::User);
        let foreign = namespace(ORG, PrincipalKind::Org);
        for (namespace, asked, expected) in [
            (own, "pull,push,*", "pull"),
            (own, "*", "pull"),
            (own, "push,delete", ""),
            (foreign, "pull", ""),
        ] {
            let granted = granted_on_nothing(&asker(&alice), namespace, words(asked));
            assert_eq!(granted, words(expected), "{asked}");
        }
    }
}
