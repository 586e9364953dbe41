//! Roles on repositories and in organisations, visibility and state, with the words stored for them.

macro_rules! words {
    ($(#[$doc:meta])* $name:ident, $what:literal { $($(#[$vdoc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$vdoc])* $variant),+ }

        impl $name {
            /// Every value, weakest first.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The word that is stored and shown.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::role::UnknownWord;

            fn from_str(word: &str) -> Result<Self, $crate::role::UnknownWord> {
                match word { $($word => Ok(Self::$variant),)+ _ => Err($crate::role::UnknownWord($what)) }
            }
        }
    };
}
pub(crate) use words;

/// A word that is none of the known ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not a known {0}")]
pub struct UnknownWord(pub &'static str);

words! {
    /// A role on a repository; each includes the ones before it.
    Role, "role" {
        /// May pull.
        Read = "read",
        /// May pull and push.
        Write = "write",
        /// May pull, push, delete and administer.
        Admin = "admin",
    }
}

words! {
    /// What the members of a team are in its organisation.
    OrgRole, "organisation role" {
        /// Nothing beyond what the team is given.
        Member = "member",
        /// May make repositories (and is admin of those).
        Creator = "creator",
        /// Owns the namespace.
        Admin = "admin",
    }
}

words! {
    /// What a user is in his account; each includes the ones before it.
    ///
    /// Source: `contract/astra.md` section 7.1.
    AccountRole, "account role" {
        /// Sees.
        Viewer = "viewer",
        /// Sees, and manages what is his.
        Member = "member",
        /// Manages users who are not above him.
        Admin = "admin",
        /// Everything.
        Owner = "owner",
    }
}

words! {
    /// Who may pull without a permission.
    Visibility, "visibility" {
        /// Nobody.
        Private = "private",
        /// The world.
        Public = "public",
    }
}

words! {
    /// Whether a repository takes pushes.
    RepoState, "repository state" {
        /// Takes pushes.
        Normal = "NORMAL",
        /// Takes none; pulls and permissions go on.
        ReadOnly = "READ_ONLY",
        /// A mirror: pushed to by its synchronisation alone.
        Mirror = "MIRROR",
    }
}

words! {
    /// What can be done with a repository.
    Action, "action" {
        /// Read its content.
        Pull = "pull",
        /// Write its content.
        Push = "push",
        /// Remove its content.
        Delete = "delete",
        /// Change its permissions, visibility and state; remove it.
        Administer = "administer",
    }
}

words! {
    /// What can be done with an organisation.
    OrgAction, "action on an organisation" {
        /// Make repositories in it.
        Create = "create",
        /// Change its teams, robots and applications; remove it.
        Administer = "administer",
    }
}

impl OrgAction {
    /// The weakest role that permits it.
    pub const fn needs(self) -> OrgRole {
        match self {
            Self::Create => OrgRole::Creator,
            Self::Administer => OrgRole::Admin,
        }
    }
}

impl Action {
    /// The weakest role that permits it.
    pub const fn needs(self) -> Role {
        match self {
            Self::Pull => Role::Read,
            Self::Push => Role::Write,
            Self::Delete | Self::Administer => Role::Admin,
        }
    }
}

impl Role {
    /// Whether this role permits `action`.
    ///
    /// Source: `PRODUCT.md`, "Decisions": read → pull; write → pull, push; admin → all.
    pub const fn permits(self, action: Action) -> bool {
        self as u8 >= action.needs() as u8
    }
}
