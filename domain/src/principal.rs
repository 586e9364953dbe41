//! Who can be given rights: users, robots and organisations, and what is known about them.

use crate::{
    id::{AccountId, PrincipalId, TeamId},
    inline::{InlineList, InlineText},
    role::{OrgRole, words},
};

words! {
    /// What a principal is.
    PrincipalKind, "kind of principal" {
        /// A person.
        User = "user",
        /// A machine, named `namespace+name`.
        Robot = "robot",
        /// A namespace owned by people.
        Org = "organization",
    }
}

pub use crate::role::UnknownWord;

/// The cached facts about a principal that decisions need.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "four independent facts, each read by its name")]
pub struct PrincipalFacts {
    /// Its id.
    pub id: PrincipalId,
    /// Its home account.
    pub account: AccountId,
    /// User, robot or organisation.
    pub kind: PrincipalKind,
    /// Its full name (`namespace+name` for a robot).
    pub name: InlineText,
    /// The namespace a robot belongs to; `None` for users and organisations.
    pub owner: Option<PrincipalId>,
    /// Whether it may act at all.
    pub enabled: bool,
    /// Whether the e-mail address is confirmed.
    pub verified: bool,
    /// Whether it was made superuser (a name in the settings' list counts besides).
    pub superuser: bool,
    /// Whether it may ask decisions about anyone.
    pub decider: bool,
    /// Counts up when all sessions end.
    pub session_epoch: i64,
    /// The teams it is a member of, each with its organisation; sorted by team.
    pub teams: InlineList<TeamOf, 2>,
}

/// A team and the organisation it never leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TeamOf {
    /// The team.
    pub team: TeamId,
    /// Its organisation.
    pub org: PrincipalId,
}

/// The cached facts about a team. It is a fact of its own, so that a change of a large team
/// touches one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TeamFacts {
    /// Its id.
    pub id: TeamId,
    /// Its organisation.
    pub org: PrincipalId,
    /// Its name.
    pub name: Box<str>,
    /// What its members are in the organisation.
    pub role: OrgRole,
}
