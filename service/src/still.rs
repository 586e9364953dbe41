//! A right that was shown before an act is still there when the act commits.
//!
//! A use case shows a right, then queues its write. What takes the right away may be committed in
//! between, and its answer promises that nobody has the right any more. So the write begins with the
//! question whether anything has changed since the credential was looked at; if so, credential and
//! right are looked at again in the write's own transaction. The writer is serial: nothing comes
//! between this look and the commit.
//!
//! What a credential loses by time alone is not asked again: the request came in time.

use std::sync::Arc;

use claviger_domain::{
    Error,
    access::{Act, NamespaceFacts, check, namespace_role},
    id::PrincipalId,
    name::RepoName,
    principal::PrincipalFacts,
    role::OrgRole,
};
use claviger_store::{Query, Tx, feed::Feed, principals, tokens};

use crate::{
    access::standing,
    app::App,
    caller::{Caller, Credential},
    facts::{About, Facts, Gathered},
    reach::sees,
    settings::Settings,
};

/// What was shown before an act.
#[derive(Clone, Debug)]
pub(crate) enum Right {
    /// Nothing but that the caller may act: it is about himself.
    Himself,
    /// He is a superuser.
    Superuser,
    /// He has at least this role in a namespace.
    In { namespace: PrincipalId, name: String, role: OrgRole },
    /// What the check says of what the path names.
    On { path: String, may: fn(&Gathered<'_>, &str) -> bool },
    /// All of these.
    All(Vec<Self>),
}

impl Right {
    /// The right to do `A` to what `path` names.
    pub(crate) fn on<A: Act>(path: &str) -> Self {
        let may = |gathered: &Gathered<'_>, path: &str| {
            let acl = gathered.acl();
            check::<A>(&gathered.asker(), path, gathered.namespace, acl).is_ok()
        };
        Self::On { path: path.to_owned(), may }
    }

    /// The right to see the repository that `path` names.
    pub(crate) fn to_see(path: &str) -> Self {
        Self::On { path: path.to_owned(), may: |gathered, _| sees(gathered).is_some() }
    }
}

/// Whoever acts, with the right that he has shown.
struct Still {
    caller: Caller,
    right: Right,
    facts: Arc<Facts>,
    feed: Arc<Feed>,
    settings: Arc<Settings>,
}

impl App {
    /// Changes something, if `caller` still may when it is his turn.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] when he, or what he came with, has ended meanwhile;
    /// [`Error::Denied`] when the right has; what `f` says; [`Error::Unavailable`].
    pub(crate) async fn write_as<T: Send + 'static>(
        &self,
        caller: &Caller,
        right: Right,
        f: impl FnOnce(&mut Tx<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let still = Still {
            caller: caller.clone(),
            right,
            facts: Arc::clone(&self.facts),
            feed: Arc::clone(self.db.feed()),
            settings: Arc::clone(&self.settings),
        };
        self.db
            .write(move |tx| {
                still.holds(tx)?;
                f(tx)
            })
            .await
    }
}

impl Still {
    fn holds(&self, tx: &mut Tx<'_>) -> Result<(), Error> {
        // the position first: what it counts has been evicted
        if tx.is_next_after(&self.feed.position())? && self.facts.is_present(self.caller.as_of) {
            return Ok(());
        }
        let principal = Arc::new(self.principal(tx)?);
        self.has(tx, &principal, &self.right)
    }

    /// Checks that `principal` has the right.
    fn has(
        &self,
        tx: &mut Tx<'_>,
        principal: &Arc<PrincipalFacts>,
        right: &Right,
    ) -> Result<(), Error> {
        let name = match right {
            Right::On { path, .. } => path.parse::<RepoName>().ok(),
            _ => None,
        };
        let (about, path) = match right {
            Right::Himself => return Ok(()),
            Right::All(rights) => {
                return rights.iter().try_for_each(|right| self.has(tx, principal, right));
            }
            Right::Superuser => {
                let standing = standing(&self.settings.quay, principal);
                return if standing.superuser { Ok(()) } else { Err(Error::Unauthenticated) };
            }
            Right::In { name, .. } => (About::Namespace(name), name),
            Right::On { path, .. } => match &name {
                Some(name) => (About::Repo(name), path),
                None => (About::Namespace(path.split('/').next().unwrap_or_default()), path),
            },
        };
        let gathered = self.facts.gather_in(tx, principal, about, self.caller.caps, |facts| {
            standing(&self.settings.quay, facts)
        })?;
        let may = match right {
            Right::In { namespace, role, .. } => {
                let same = gathered.namespace.filter(|facts| facts.id == *namespace);
                let his = |facts: NamespaceFacts| namespace_role(&gathered.asker(), facts);
                same.and_then(his) >= Some(*role)
            }
            Right::On { may, .. } => may(&gathered, path),
            Right::Himself | Right::Superuser | Right::All(_) => true,
        };
        if may { Ok(()) } else { Err(Error::denied("change", path.as_str())) }
    }

    /// The caller as he is now, if he and his credential may still act.
    fn principal(&self, q: &mut dyn Query) -> Result<PrincipalFacts, Error> {
        let before = &self.caller.principal;
        let now = principals::facts(q, &before.id)?.filter(|now| now.enabled);
        let now = now.ok_or(Error::Unauthenticated)?;
        let good = match &self.caller.credential {
            Credential::Token(token) => {
                tokens::life(q, &token.id)?.is_some_and(|life| life.revoked_at.is_none())
            }
            Credential::Session { .. } | Credential::Password => {
                now.session_epoch == before.session_epoch
            }
        };
        if good { Ok(now) } else { Err(Error::Unauthenticated) }
    }
}
