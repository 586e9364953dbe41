//! Scopes: what a token may do at most.
//!
//! A scope is a word of a dialect; another dialect's word gives nothing, and no scope gives no
//! right. [`Caps`] is what a set of scopes amounts to: the ceiling that the principal's own rights
//! are lowered to. Effective right = scope ∩ principal, always.
//!
//! Source: Quay `auth/scopes.py`, as `contract/quay.md` section 4.1 lists it.

pub mod openshift;

use std::{
    fmt,
    sync::{Arc, LazyLock},
};

use self::openshift::OpenshiftScope;
use crate::role::{OrgRole, Role, words};

words! {
    /// Whose word a scope is.
    Dialect, "dialect" {
        /// Quay's OAuth scopes.
        Quay = "quay",
        /// Claviger's own words.
        Native = "native",
        /// OpenShift's scopes.
        Openshift = "openshift",
        /// Astra's roles.
        Astra = "astra",
    }
}

/// One scope.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Scope {
    /// Whose word it is.
    pub dialect: Dialect,
    /// The word.
    pub word: Box<str>,
}

/// The scopes of a token; sorted, without repetition. Cheap to clone, and what they amount to is
/// known from the beginning: every request asks for it.
#[derive(Clone)]
pub struct Scopes {
    all: All,
    caps: Caps,
}

/// Nearly every token has the one scope of app and robot tokens, which is there once and for all.
#[derive(Clone)]
enum All {
    Registry,
    These(Arc<[Scope]>),
}

/// The one scope of app and robot tokens.
static REGISTRY: LazyLock<[Scope; 1]> =
    LazyLock::new(|| [Scope { dialect: Dialect::Native, word: Scopes::REGISTRY.into() }]);

impl PartialEq for Scopes {
    fn eq(&self, other: &Self) -> bool {
        self.words() == other.words()
    }
}

impl Eq for Scopes {}

impl fmt::Debug for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Scopes").field(&self.words()).finish()
    }
}

impl Default for Scopes {
    fn default() -> Self {
        Self::new([])
    }
}

impl Scopes {
    /// The scope of app, robot and refresh tokens: all that the principal may do with
    /// repositories in the registry and by decisions; nothing in the doors that change things.
    pub const REGISTRY: &str = "registry";
    /// The scope that lets its holder ask decisions about anyone, if he may.
    pub const DECIDE: &str = "decide";
    /// The scope of its own user: to change him and his tokens.
    pub const USER: &str = "user";
    /// The scope that lets an api token into the Astra door; what it may do there is its user's role.
    pub const ACCOUNT: &str = "account";

    /// The set of `scopes`.
    pub fn new(scopes: impl IntoIterator<Item = Scope>) -> Self {
        let mut scopes: Vec<_> = scopes.into_iter().collect();
        scopes.sort();
        scopes.dedup();
        let caps = caps(&scopes);
        let all = if scopes == *REGISTRY { All::Registry } else { All::These(scopes.into()) };
        Self { all, caps }
    }

    /// The one scope of app, robot and refresh tokens.
    pub fn registry() -> Self {
        Self { all: All::Registry, caps: Caps::REGISTRY }
    }

    /// The one scope of a token with which decisions are asked for, and nothing else is done.
    pub fn decide() -> Self {
        Self::new([Scope { dialect: Dialect::Native, word: Self::DECIDE.into() }])
    }

    /// The scopes of an api token. One that its owner or the program made opens the registry too;
    /// `lent` is one that somebody else made for him: it opens the Astra door alone.
    pub fn api(lent: bool) -> Self {
        let native = [Self::REGISTRY, Self::USER];
        let native = native.into_iter().filter(|_| !lent).map(|word| (Dialect::Native, word));
        let all = native.chain([(Dialect::Astra, Self::ACCOUNT)]);
        Self::new(all.map(|(dialect, word)| Scope { dialect, word: word.into() }))
    }

    /// A set of Quay's scopes.
    pub fn quay(words: impl IntoIterator<Item = QuayScope>) -> Self {
        Self::new(
            words.into_iter().map(|w| Scope { dialect: Dialect::Quay, word: w.as_str().into() }),
        )
    }

    /// Each scope.
    pub fn iter(&self) -> impl Iterator<Item = &Scope> {
        self.words().iter()
    }

    fn words(&self) -> &[Scope] {
        match &self.all {
            All::Registry => REGISTRY.as_slice(),
            All::These(all) => all,
        }
    }

    /// Whether there is none, and so no right.
    pub fn is_empty(&self) -> bool {
        self.words().is_empty()
    }

    /// Whether `word` of `dialect` is among them.
    pub fn has(&self, dialect: Dialect, word: &str) -> bool {
        self.iter().any(|s| s.dialect == dialect && &*s.word == word)
    }

    /// What they amount to. One unknown word of Quay's makes its whole set empty, as upstream.
    pub const fn caps(&self) -> Caps {
        self.caps
    }
}

fn caps(scopes: &[Scope]) -> Caps {
    let mut caps = Caps::NONE;
    for scope in scopes {
        match (scope.dialect, &*scope.word) {
            (Dialect::Native, Scopes::REGISTRY) => caps.raise(Caps::REGISTRY),
            (Dialect::Native, Scopes::DECIDE) => caps.decide = true,
            (Dialect::Native, Scopes::USER) => caps.user = UserCap::Admin,
            (Dialect::Quay, word) => match word.parse::<QuayScope>() {
                Ok(word) => caps.raise(word.caps()),
                Err(_) => return Caps::NONE,
            },
            (Dialect::Openshift, word) => {
                if let Ok(word) = word.parse::<OpenshiftScope>() {
                    caps.raise(word.caps());
                }
            }
            (Dialect::Native | Dialect::Astra, _) => {}
        }
    }
    caps
}

words! {
    /// Quay's OAuth scopes, in the order in which its consent page lists them.
    QuayScope, "scope" {
        /// View all visible repositories.
        RepoRead = "repo:read",
        /// Read/Write to any accessible repositories.
        RepoWrite = "repo:write",
        /// Administer Repositories.
        RepoAdmin = "repo:admin",
        /// Create Repositories.
        RepoCreate = "repo:create",
        /// Read User Information.
        UserRead = "user:read",
        /// Administer User.
        UserAdmin = "user:admin",
        /// Administer Organization.
        OrgAdmin = "org:admin",
        /// Super User Access.
        SuperUser = "super:user",
    }
}

impl QuayScope {
    /// Reads a scope string: words separated by single spaces or commas. One unknown word makes
    /// the whole set empty.
    pub fn parse_set(text: &str) -> Vec<Self> {
        let words = text.split([' ', ',']).map(str::parse).collect::<Result<Vec<Self>, _>>();
        let mut words = words.unwrap_or_default();
        words.sort_unstable();
        words.dedup();
        words
    }

    /// Whether holding this scope covers `asked`, when earlier grants are weighed.
    pub fn implies(self, asked: Self) -> bool {
        use QuayScope::{RepoAdmin, RepoRead, RepoWrite};
        self == asked
            || matches!((self, asked), (RepoWrite, RepoRead) | (RepoAdmin, RepoWrite | RepoRead))
    }

    /// What it amounts to.
    pub fn caps(self) -> Caps {
        let none = Caps::NONE;
        match self {
            Self::RepoRead => Caps { repo: Some(Role::Read), ..none },
            Self::RepoWrite => Caps { repo: Some(Role::Write), ..none },
            Self::RepoAdmin => Caps { repo: Some(Role::Admin), ..none },
            Self::RepoCreate => Caps { org: Some(OrgRole::Creator), ..none },
            Self::UserRead => Caps { user: UserCap::Read, ..none },
            Self::UserAdmin => Caps { user: UserCap::Admin, ..none },
            Self::OrgAdmin => Caps { org: Some(OrgRole::Admin), ..none },
            Self::SuperUser => Caps { superuser: true, ..none },
        }
    }
}

/// What a token may do with its user's own account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum UserCap {
    /// Nothing.
    None,
    /// Read it.
    Read,
    /// Change it and its tokens.
    Admin,
}

/// The ceiling that a credential puts on its principal's rights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caps {
    /// The highest role on repositories; `None`: nothing with them, not even what is public.
    pub repo: Option<Role>,
    /// The highest role in organisations and in one's own namespace.
    pub org: Option<OrgRole>,
    /// The user's own account.
    pub user: UserCap,
    /// Whether superuser rights count.
    pub superuser: bool,
    /// Whether decisions about others may be asked.
    pub decide: bool,
}

impl Caps {
    /// No right at all.
    pub const NONE: Self =
        Self { repo: None, org: None, user: UserCap::None, superuser: false, decide: false };
    /// A session or a password: all that the user may do.
    pub const DIRECT: Self = Self {
        repo: Some(Role::Admin),
        org: Some(OrgRole::Admin),
        user: UserCap::Admin,
        superuser: true,
        decide: true,
    };
    /// App, robot and refresh tokens: repositories, and making them by a push.
    pub const REGISTRY: Self = Self {
        repo: Some(Role::Admin),
        org: Some(OrgRole::Admin),
        user: UserCap::None,
        superuser: true,
        decide: false,
    };

    /// Raises this ceiling to where `other` is higher.
    pub fn raise(&mut self, other: Self) {
        self.repo = self.repo.max(other.repo);
        self.org = self.org.max(other.org);
        self.user = self.user.max(other.user);
        self.superuser |= other.superuser;
        self.decide |= other.decide;
    }

    /// The lower of both ceilings in each respect.
    #[must_use]
    pub fn meet(self, other: Self) -> Self {
        Self {
            repo: self.repo.min(other.repo),
            org: self.org.min(other.org),
            user: self.user.min(other.user),
            superuser: self.superuser && other.superuser,
            decide: self.decide && other.decide,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_unknown_word_makes_the_set_empty() {
        assert_eq!(
            QuayScope::parse_set("repo:read,user:read"),
            [QuayScope::RepoRead, QuayScope::UserRead]
        );
        for bad in ["", "repo:read nope", "repo:read  user:read", "REPO:READ"] {
            assert!(QuayScope::parse_set(bad).is_empty(), "{bad:?}");
        }
        let stored = Scopes::new([
            Scope { dialect: Dialect::Quay, word: "repo:read".into() },
            Scope { dialect: Dialect::Quay, word: "nope".into() },
        ]);
        assert_eq!(stored.caps(), Caps::NONE);
    }

    #[test]
    fn another_dialects_word_gives_nothing() {
        let foreign = Scopes::new([Scope { dialect: Dialect::Astra, word: "repo:admin".into() }]);
        assert_eq!(foreign.caps(), Caps::NONE);
        assert_eq!(Scopes::default().caps(), Caps::NONE);
    }

    #[test]
    fn the_scope_of_app_tokens_is_the_same_however_it_is_made() {
        let read = Scopes::new([Scope { dialect: Dialect::Native, word: "registry".into() }]);
        assert_eq!(read, Scopes::registry());
        assert_eq!(read.caps(), Caps::REGISTRY);
        assert!(read.has(Dialect::Native, Scopes::REGISTRY) && read.iter().count() == 1);
        assert_ne!(read, Scopes::default());
    }

    #[test]
    fn api_token_made_by_another_is_for_the_astra_door_alone() {
        assert_eq!(Scopes::api(true).caps(), Caps::NONE);
        assert!(Scopes::api(true).has(Dialect::Astra, Scopes::ACCOUNT));
        let own = Scopes::api(false);
        assert_eq!(own.caps(), Caps { user: UserCap::Admin, ..Caps::REGISTRY });
        assert!(own.has(Dialect::Astra, Scopes::ACCOUNT));
    }

    #[test]
    fn caps_take_the_strongest_scope_of_each_kind() {
        let caps = Scopes::quay([QuayScope::RepoRead, QuayScope::RepoWrite]).caps();
        assert_eq!(caps, Caps { repo: Some(Role::Write), ..Caps::NONE });
        assert_eq!(caps.meet(Caps::DIRECT), caps);
    }
}
