//! Facts: what decisions look at, remembered between requests. Verdicts never are.
//!
//! Four facts, each with one key and one place where it changes: a token by the lookup key of its
//! secret, a principal (with the teams it is in) by id, a team by id, a repository (with the
//! permissions on it) by name. The store evicts what a commit has touched before it answers.
//!
//! ```text
//! gather ──▶ all remembered? ──yes──▶ the epoch stood still? ──yes──▶ answer
//!               │ no                     │ no: an eviction came in between, so gather again
//!               ▼
//!            read what is missing; kept, and shared with whoever misses it too, only if no
//!            eviction came since that began
//! ```
//! When the feed was not confirmed within `cache.max_staleness`, nothing remembered is used and
//! everything is read. Absent things are not remembered: a forged token never gets this far, and a
//! new token or repository needs no eviction.
//!
//! Source: `SECURITY.md` section 3; decision 0003. The rule itself is in `gate.rs`, where every
//! interleaving of it is checked.

mod few;
mod gate;
mod gather;
mod shelf;
mod sign_in;
mod weight;

/// What `gate` is made of.
mod sync {
    pub(super) use std::sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    };
}

use std::{
    borrow::Cow,
    sync::{Arc, OnceLock},
    time::Duration,
};

use claviger_domain::{
    access::{Asker, Bar, Case, NamespaceFacts, RepoAcl, Standing},
    principal::{PrincipalFacts, TeamFacts},
    scope::Caps,
};
use claviger_store::{Memory, Touched, feed::Feed};

use crate::{activity::NotedToken, histogram::Histogram, table::State};

pub(crate) use self::gather::{About, Known, Seen};
pub use self::{few::Few, sign_in::Soon};
use self::{
    gate::{Epoch, Gate},
    shelf::Shelf,
};

/// The key of a token's fact.
pub type Lookup = [u8; 32];

/// The facts that are remembered.
pub struct Facts {
    tokens: Shelf<NotedToken>,
    principals: Shelf<PrincipalFacts>,
    teams: Shelf<TeamFacts>,
    repos: Shelf<RepoAcl>,
    gate: Gate,
    fills: Histogram,
    max_staleness: Duration,
    feed: OnceLock<Arc<Feed>>,
}

/// How many facts of one kind are remembered, and how often that helped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KindUse {
    /// Facts remembered at the moment.
    pub entries: u64,
    /// Their weight, in bytes.
    pub bytes: u64,
    /// Look-ups that found a fact.
    pub hits: u64,
    /// Facts that were wanted and not remembered: read, or shared with another who read them.
    pub misses: u64,
    /// Facts that were read.
    pub read: u64,
    /// Reads of others that were shared.
    pub joined: u64,
}

/// The same of all kinds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FactsUse {
    /// Tokens.
    pub tokens: KindUse,
    /// Principals.
    pub principals: KindUse,
    /// Teams.
    pub teams: KindUse,
    /// Repositories.
    pub repos: KindUse,
}

impl FactsUse {
    /// Each kind with its name.
    pub fn kinds(&self) -> [(&'static str, KindUse); 4] {
        let Self { tokens, principals, teams, repos } = *self;
        [("token", tokens), ("principal", principals), ("team", teams), ("repository", repos)]
    }

    /// The sum of one number over all kinds.
    pub fn sum(&self, of: impl Fn(&KindUse) -> u64) -> u64 {
        self.kinds().iter().map(|(_, kind)| of(kind)).sum()
    }
}

/// The epoch of which a fact is known to be, if it is known of any.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AsOf(Option<Epoch>);

/// A token and whom it acts for.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The token, whatever its state.
    pub token: Arc<NotedToken>,
    /// Its principal; `None` when that is gone.
    pub principal: Option<Arc<PrincipalFacts>>,
    /// The owner of a robot, who must not be disabled either.
    pub owner: Option<Arc<PrincipalFacts>>,
    /// What the decision about a repository will look at beside them, if it was known which one that
    /// will be and all of it was remembered.
    pub ahead: Option<Ahead>,
    /// The epoch of all of them.
    pub as_of: AsOf,
}

/// What a decision about a repository looks at beside who asks, gathered when he signed in.
#[derive(Clone, Debug)]
pub struct Ahead {
    /// The repository.
    pub(crate) repo: Arc<RepoAcl>,
    /// His teams in the organisation that the namespace is.
    teams: Few<Arc<TeamFacts>>,
    /// Whether the namespace belongs to a disabled user.
    closed: bool,
}

/// All that one decision looks at, of one moment; lent by whoever is calling where he has it.
#[derive(Clone, Debug)]
pub struct Gathered<'a> {
    /// Who asks; `None` for nobody.
    pub principal: Option<Cow<'a, Arc<PrincipalFacts>>>,
    /// His teams in the organisation that the namespace is.
    pub teams: Cow<'a, Few<Arc<TeamFacts>>>,
    /// The repository; `None` when there is none.
    pub acl: Option<Cow<'a, Arc<RepoAcl>>>,
    /// The namespace; `None` when there is none.
    pub namespace: Option<NamespaceFacts>,
    /// Whether the namespace belongs to a disabled user.
    pub closed: bool,
    /// What the settings make of him.
    pub standing: Standing,
    /// What his credential may do at most.
    pub caps: Caps,
}

impl Gathered<'_> {
    /// Who asks; `None` for nobody.
    pub fn principal(&self) -> Option<&PrincipalFacts> {
        Some(&**self.principal.as_ref()?)
    }

    /// The repository; `None` when there is none.
    pub fn acl(&self) -> Option<&RepoAcl> {
        Some(&**self.acl.as_ref()?)
    }

    /// The same with nothing lent.
    pub(crate) fn into_owned(self) -> Gathered<'static> {
        let Self { principal, teams, acl, namespace, closed, standing, caps } = self;
        Gathered {
            principal: principal.map(|principal| Cow::Owned(principal.into_owned())),
            teams: Cow::Owned(teams.into_owned()),
            acl: acl.map(|acl| Cow::Owned(acl.into_owned())),
            namespace,
            closed,
            standing,
            caps,
        }
    }

    /// The asker, as decisions want him.
    pub fn asker(&self) -> Asker<'_> {
        match self.principal() {
            Some(principal) => Asker {
                principal: Some(principal),
                teams: &self.teams,
                standing: self.standing,
                caps: self.caps,
            },
            None => Asker::ANONYMOUS,
        }
    }

    /// The question about the repository, of somebody whom `bar` keeps from acting.
    pub fn case(&self, bar: Option<Bar>) -> Case<'_> {
        Case { bar, asker: self.asker(), acl: self.acl(), closed: self.closed }
    }
}

impl Facts {
    /// Room for facts of about `memory_bytes` in all.
    pub fn new(memory_bytes: usize, max_staleness: Duration) -> Self {
        let share = |percent: u64| u64::try_from(memory_bytes).unwrap_or(u64::MAX) / 100 * percent;
        // one for all, so that a fact can lead to one of another kind
        let state = State::default();
        Self {
            tokens: Shelf::new(&state, share(40), 300),
            principals: Shelf::new(&state, share(25), 250),
            teams: Shelf::new(&state, share(5), 150),
            repos: Shelf::new(&state, share(30), 250),
            gate: Gate::new(),
            fills: Histogram::default(),
            max_staleness,
            feed: OnceLock::new(),
        }
    }

    /// Says which feed confirms what is remembered. Until then nothing remembered is used.
    pub fn follow(&self, feed: Arc<Feed>) {
        // a second feed would be a second store, which there is not
        let _ = self.feed.set(feed);
    }

    /// Whether what is remembered may be used.
    pub fn is_trusted(&self) -> bool {
        self.feed.get().is_some_and(|feed| feed.is_confirmed(self.max_staleness))
    }

    /// How much is remembered.
    pub fn usage(&self) -> FactsUse {
        FactsUse {
            tokens: self.tokens.usage(),
            principals: self.principals.usage(),
            teams: self.teams.usage(),
            repos: self.repos.usage(),
        }
    }

    /// How often commits have touched facts.
    pub fn evictions(&self) -> u64 {
        self.gate.evictions()
    }

    /// How long questions took whose facts were read.
    pub fn fills(&self) -> &Histogram {
        &self.fills
    }
}

impl Memory for Facts {
    fn evict(&self, touched: &[Touched]) {
        if touched.is_empty() {
            return;
        }
        self.gate.evict(|| {
            for fact in touched {
                match fact {
                    Touched::Token(lookup) => self.tokens.forget(lookup),
                    Touched::Principal(id) => self.principals.forget(id),
                    Touched::Team(id) => self.teams.forget(id),
                    Touched::Repo(name) => self.repos.forget(name.as_bytes()),
                    Touched::All => {
                        self.tokens.forget_all();
                        self.principals.forget_all();
                        self.teams.forget_all();
                        self.repos.forget_all();
                    }
                }
            }
        });
    }
}

#[cfg(test)]
mod tests;
