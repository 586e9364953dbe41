//! Who is calling, with which credential, and what that credential may do at most.
//!
//! Made by `authn` alone. What a caller may do to a thing is asked of the decision
//! ([`crate::facts`]); what changes data asks for a proof, such as [`FreshUser`].

use std::{net::IpAddr, sync::Arc, time::Duration};

use claviger_domain::{
    Error, UnixMillis,
    access::Standing,
    id::{PrincipalId, RequestId, SessionId, TokenId},
    principal::{PrincipalFacts, PrincipalKind},
    scope::{Caps, UserCap},
};
use claviger_store::audit::Actor;

use crate::{
    activity::NotedToken,
    facts::{Ahead, AsOf, Known, Seen},
};

/// With what somebody proved who he is.
#[derive(Clone, Debug)]
pub enum Credential {
    /// A signed-in session.
    Session {
        /// Its id, as lists and the audit name it.
        id: SessionId,
        /// When the password was last given.
        signed_in_at: UnixMillis,
    },
    /// A token, as it is remembered: a caller stays small, and is handed on a few times.
    Token(Arc<NotedToken>),
    /// A user name and its password.
    Password,
}

/// Somebody whose credential was accepted.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Whom he acts for.
    pub principal: Arc<PrincipalFacts>,
    /// What he came with.
    pub credential: Credential,
    /// What the credential may do at most.
    pub caps: Caps,
    /// What the settings make of the principal.
    pub standing: Standing,
    /// What a decision about the repository that he was expected to ask about looks at, if that was
    /// remembered.
    pub ahead: Option<Ahead>,
    /// Until the next eviction the principal, and what is ahead, need not be looked up again.
    pub as_of: AsOf,
}

/// Where a request came from; part of every audit row.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The door, such as `quay` or `registry`; `program` for the program on the store.
    pub door: &'static str,
    /// The client's address.
    pub address: Option<IpAddr>,
    /// The request, as the logs name it.
    pub request_id: RequestId,
}

impl Origin {
    /// Nobody who is known, as the audit names him.
    pub fn nobody(&self) -> Actor {
        Actor {
            id: None,
            name: String::new(),
            credential: "none",
            credential_id: None,
            credential_minter: None,
            door: self.door,
            address: self.address.map(|address| address.to_string()),
            request_id: Some(self.request_id),
        }
    }
}

/// The proof that a user is calling who gave his password a moment ago, or whose token needs
/// none. Only [`Caller::fresh_user`] makes it.
#[derive(Clone, Debug)]
pub struct FreshUser {
    caller: Caller,
}

impl FreshUser {
    /// The user.
    pub fn id(&self) -> PrincipalId {
        self.caller.principal.id
    }

    /// The user, with what he came with.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }
}

impl Caller {
    /// The principal, for a decision.
    pub(crate) fn known(&self) -> Known<'_> {
        let seen = self.ahead.as_ref().map_or(Seen::Nothing, Seen::All);
        Known { facts: &self.principal, as_of: self.as_of, seen }
    }

    /// Whether a person is calling, and not a robot.
    pub fn is_user(&self) -> bool {
        self.principal.kind == PrincipalKind::User
    }

    /// Who is calling, as the audit names him.
    pub fn actor(&self, origin: &Origin) -> Actor {
        let (credential, credential_id, credential_minter) = match &self.credential {
            Credential::Session { id, .. } => ("session", Some(id.to_string()), None),
            Credential::Token(token) => (
                token.kind.as_str(),
                Some(token.id.to_string()),
                token.parent.map(|parent| parent.to_string()),
            ),
            Credential::Password => ("password", None, None),
        };
        Actor {
            id: Some(self.principal.id),
            name: self.principal.name.to_string(),
            credential,
            credential_id,
            credential_minter,
            ..origin.nobody()
        }
    }

    /// Checks that a user is calling with a credential that may change him (`user:admin`).
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] for a robot, [`Error::Denied`].
    pub fn must_be_own_admin(&self) -> Result<(), Error> {
        if !self.is_user() {
            Err(Error::Unauthenticated)
        } else if self.caps.user < UserCap::Admin {
            Err(Error::denied("change", &*self.principal.name))
        } else {
            Ok(())
        }
    }

    /// Checks that somebody is calling who may see what belongs to everybody: a superuser with full
    /// access, or who may read everything, with a credential that may act as a superuser.
    ///
    /// # Errors
    /// [`Error::Denied`].
    pub fn must_be_auditor(&self) -> Result<(), Error> {
        let Standing { superuser, full_access, global_readonly } = self.standing;
        if self.caps.superuser && (superuser && full_access || global_readonly) {
            Ok(())
        } else {
            Err(Error::denied("see all of", "the system"))
        }
    }

    /// The id of the token that he came with.
    pub fn token(&self) -> Option<TokenId> {
        match &self.credential {
            Credential::Token(token) => Some(token.id),
            Credential::Session { .. } | Credential::Password => None,
        }
    }

    /// The proof of a fresh sign-in at `now`: a session whose password was given at most `timeout`
    /// ago, or a credential that has no sign-in to be fresh (a bearer token, a password).
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] for a robot, [`Error::StaleLogin`] for an old session.
    pub fn fresh_user(&self, now: UnixMillis, timeout: Duration) -> Result<FreshUser, Error> {
        if !self.is_user() {
            return Err(Error::Unauthenticated);
        }
        if let Credential::Session { signed_in_at, .. } = self.credential
            && now > signed_in_at.plus(timeout)
        {
            return Err(Error::StaleLogin);
        }
        Ok(FreshUser { caller: self.clone() })
    }
}
