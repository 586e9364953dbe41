//! Everything that can go wrong in a use case. It knows nothing of HTTP.
//!
//! Each door matches [`Error`] without a catch-all arm, so that a new variant does not compile
//! until every door gives it a face. Messages are in lower case, without a final period, in the
//! user's words; never a Rust type name and never the cause (the log prints the chain).

use std::{error::Error as StdError, time::Duration};

use crate::principal::PrincipalKind;

/// Why a credential was not accepted. Doors word it; most do not tell the difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadCredential {
    /// Unknown, damaged, forged, revoked, or of a kind that does not open this door.
    Unknown,
    /// The user name and password do not fit, or there is no such user.
    Password,
    /// The token was good once and its end has come.
    Expired,
    /// The principal, or the owner of the robot, is disabled.
    Disabled,
    /// The user has not confirmed the e-mail address.
    Unverified,
    /// Passwords are not taken here as they are.
    EncryptionRequired,
    /// Robots may not sign in.
    RobotsDisallowed,
}

/// What failed; see the module.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody is calling, and this needs somebody.
    #[error("credentials are missing")]
    Unauthenticated,
    /// Somebody tried to sign in and failed.
    #[error("credentials are not valid")]
    BadCredential(BadCredential),
    /// The session is too old for this; sign in again.
    #[error("a fresh sign-in is required")]
    StaleLogin,
    /// The caller may not.
    #[error("not allowed to {action} `{on}`")]
    Denied {
        /// What was tried, such as `administer`.
        action: &'static str,
        /// The object, by name.
        on: String,
    },
    /// There is no such thing (or the caller may not know of it).
    #[error("no such {0}")]
    NotFound(&'static str),
    /// What was sent breaks a rule.
    #[error("`{field}` {problem}")]
    Invalid {
        /// The field, as the domain names it.
        field: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The act would break a rule about what is there already.
    #[error("{0}")]
    Conflict(Conflict),
    /// Too many wrong passwords; try again later.
    #[error("too many attempts")]
    Throttled {
        /// How long to wait.
        retry_after: Duration,
    },
    /// A queue is full; try again in a moment.
    #[error("too busy")]
    Busy {
        /// How long to wait.
        retry_after: Duration,
    },
    /// The installation takes no writes at the moment.
    #[error("the system is read-only")]
    ReadOnly,
    /// The store (or another part that a request needs) cannot be reached.
    #[error("storage is unavailable")]
    Unavailable(#[source] Box<dyn StdError + Send + Sync>),
    /// A bug of ours; the cause is logged and never shown.
    #[error("internal error")]
    Internal(#[source] Box<dyn StdError + Send + Sync>),
}

/// Rules about what is there already; doors word them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Conflict {
    /// The name is taken by a user, robot or organisation.
    #[error("the name `{1}` is taken")]
    NameTaken(PrincipalKind, String),
    /// The name is reserved: a tombstone of another's, or named in a superuser list.
    #[error("the name `{0}` is reserved")]
    NameReserved(String),
    /// The e-mail address is taken.
    #[error("the e-mail address is taken")]
    EmailTaken,
    /// There is such a repository already.
    #[error("the repository exists already")]
    RepositoryExists,
    /// There is such a robot already; its full name.
    #[error("the robot `{0}` exists already")]
    RobotExists(String),
    /// The namespace's owner is always admin.
    #[error("the namespace owner is always admin")]
    NamespaceOwner,
    /// The robot belongs to another namespace.
    #[error("the robot `{robot}` belongs to another namespace than `{namespace}`")]
    ForeignRobot {
        /// The robot's full name.
        robot: String,
        /// The namespace of the organisation or repository.
        namespace: String,
    },
    /// There is no such permission.
    #[error("there is no such permission")]
    NoPermission,
    /// The member is in the team already.
    #[error("`{0}` is a member already")]
    AlreadyMember(String),
    /// The principal is not a member of the team.
    #[error("`{0}` is not a member")]
    NotMember(String),
    /// Somebody must remain admin of the organisation.
    #[error("the organisation would have no admin")]
    LastAdmin,
    /// There are users already.
    #[error("the store has users already")]
    NotEmpty,
    /// An organisation cannot do this; only a user can.
    #[error("an organisation cannot do this")]
    NotAUser,
    /// It is not what it was any more when somebody last saw it.
    #[error("it was changed meanwhile")]
    Changed,
    /// The field says otherwise than what is there, and cannot.
    #[error("`{0}` cannot be changed")]
    Fixed(&'static str),
    /// The user has a role in his account already.
    #[error("the user has a role already")]
    HasRole,
    /// The user has a password already.
    #[error("the user has a password already")]
    HasPassword,
    /// The new password is the old one.
    #[error("the password is the same")]
    SamePassword,
    /// The user owns repositories, which would go with him.
    #[error("the user owns repositories")]
    OwnsRepositories,
    /// The account has users, or is the first one.
    #[error("the account is in use")]
    AccountInUse,
    /// The token has ended.
    #[error("the token has ended")]
    Ended,
    /// The token has an older secret that lives on for a while.
    #[error("the token has two secrets already: cut the old one, or rotate with no grace")]
    Rotating,
    /// More would end than was said.
    #[error("{matched} tokens would end, and at most {cap} may")]
    TooMany {
        /// How many.
        matched: u64,
        /// How many may.
        cap: u64,
    },
    /// The secret that was brought along is in use.
    #[error("the secret is in use")]
    SecretTaken,
}

impl From<Conflict> for Error {
    fn from(conflict: Conflict) -> Self {
        Self::Conflict(conflict)
    }
}

impl From<BadCredential> for Error {
    fn from(why: BadCredential) -> Self {
        Self::BadCredential(why)
    }
}

impl Error {
    /// An [`Error::Invalid`] about `field`.
    pub fn invalid(field: &'static str, problem: impl std::fmt::Display) -> Self {
        Self::Invalid { field, problem: problem.to_string() }
    }

    /// An [`Error::Denied`].
    pub fn denied(action: &'static str, on: impl Into<String>) -> Self {
        Self::Denied { action, on: on.into() }
    }

    /// An [`Error::Internal`] from whatever went wrong.
    pub fn internal(cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::Internal(cause.into())
    }
}
