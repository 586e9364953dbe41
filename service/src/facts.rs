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
//!            one read of what is missing; kept only if no eviction came since it began
//! ```
//! When the feed was not confirmed within `cache.max_staleness`, nothing remembered is used and
//! everything is read. Absent things are not remembered: a forged token never gets this far, and a
//! new token or repository needs no eviction.
//!
//! Source: `SECURITY.md` section 3; decision 0003.

mod weight;

use std::{
    sync::{
        Arc, OnceLock, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use claviger_domain::{
    Error,
    access::{Asker, NamespaceFacts, RepoAcl, Standing},
    id::{PrincipalId, TeamId},
    principal::{PrincipalFacts, PrincipalKind, TeamFacts},
    scope::Caps,
    token::TokenFacts,
};
use claviger_store::{
    Db, Memory, Query, Touched, feed::Feed, principals, repositories, teams, tokens,
};
use quick_cache::sync::Cache;

use weight::Bytes;

/// How often a decision gathers its facts anew while they change under it, before it reads them in
/// one snapshot of the store.
const ATTEMPTS: usize = 3;

/// The key of a token's fact.
pub type Lookup = [u8; 32];

/// The facts that are remembered.
pub struct Facts {
    tokens: Cache<Lookup, Arc<TokenFacts>, Bytes>,
    principals: Cache<PrincipalId, Arc<PrincipalFacts>, Bytes>,
    teams: Cache<TeamId, Arc<TeamFacts>, Bytes>,
    repos: Cache<Box<str>, Arc<RepoAcl>, Bytes>,
    /// Counts evictions up. Whoever inserts holds `fills` shared, whoever evicts holds it alone.
    epoch: AtomicU64,
    fills: RwLock<()>,
    max_staleness: Duration,
    feed: OnceLock<Arc<Feed>>,
}

/// How many facts are remembered, and how often that helped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FactsUse {
    /// Facts remembered at the moment.
    pub entries: u64,
    /// Their weight, in bytes.
    pub bytes: u64,
    /// Look-ups that found a fact.
    pub hits: u64,
    /// Look-ups that found none.
    pub misses: u64,
}

/// A token and whom it acts for.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The token, whatever its state.
    pub token: Arc<TokenFacts>,
    /// Its principal; `None` when that is gone.
    pub principal: Option<Arc<PrincipalFacts>>,
    /// The owner of a robot, who must not be disabled either.
    pub owner: Option<Arc<PrincipalFacts>>,
}

/// All that one decision looks at, of one moment.
#[derive(Clone, Debug)]
pub struct Gathered {
    /// Who asks; `None` for nobody.
    pub principal: Option<Arc<PrincipalFacts>>,
    /// His teams in the organisation that the namespace is.
    pub teams: Vec<Arc<TeamFacts>>,
    /// The repository; `None` when there is none.
    pub acl: Option<Arc<RepoAcl>>,
    /// The namespace; `None` when there is none.
    pub namespace: Option<NamespaceFacts>,
    /// What the settings make of him.
    pub standing: Standing,
    /// What his credential may do at most.
    pub caps: Caps,
}

impl Gathered {
    /// The asker, as decisions want him.
    pub fn asker(&self) -> Asker<'_> {
        match self.principal.as_deref() {
            Some(principal) => Asker {
                principal: Some(principal),
                teams: &self.teams,
                standing: self.standing,
                caps: self.caps,
            },
            None => Asker::ANONYMOUS,
        }
    }
}

/// What is asked about.
#[derive(Clone, Copy, Debug)]
pub(crate) enum About<'a> {
    /// A repository by its full name, whether there is one or not.
    Repo(&'a str),
    /// A namespace by its name.
    Namespace(&'a str),
}

/// Facts without what the settings make of them.
struct Raw {
    principal: Option<Arc<PrincipalFacts>>,
    teams: Vec<Arc<TeamFacts>>,
    acl: Option<Arc<RepoAcl>>,
    namespace: Option<NamespaceFacts>,
}

/// Something is not remembered, and there is nothing to read it with.
struct Missing;

/// Where facts come from in one attempt.
enum From<'a> {
    /// What is remembered, and nothing else.
    Memory,
    /// What is remembered, and the store for the rest.
    Both(&'a mut dyn Query),
    /// The store alone.
    Store(&'a mut dyn Query),
}

type Found<T> = Result<Result<Option<Arc<T>>, Missing>, Error>;

impl Facts {
    /// Room for facts of about `memory_bytes` in all.
    pub fn new(memory_bytes: usize, max_staleness: Duration) -> Self {
        let share = |percent: u64| u64::try_from(memory_bytes).unwrap_or(u64::MAX) / 100 * percent;
        let items = |bytes: u64, each: u64| usize::try_from(bytes / each).unwrap_or(usize::MAX);
        let (tokens, principals, teams, repos) = (share(40), share(25), share(5), share(30));
        Self {
            tokens: Cache::with_weighter(items(tokens, 450), tokens, Bytes),
            principals: Cache::with_weighter(items(principals, 450), principals, Bytes),
            teams: Cache::with_weighter(items(teams, 300), teams, Bytes),
            repos: Cache::with_weighter(items(repos, 500), repos, Bytes),
            epoch: AtomicU64::new(0),
            fills: RwLock::new(()),
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
        let mut usage = FactsUse::default();
        let mut add = |entries: usize, bytes: u64, hits: u64, misses: u64| {
            usage.entries += u64::try_from(entries).unwrap_or(u64::MAX);
            usage.bytes += bytes;
            usage.hits += hits;
            usage.misses += misses;
        };
        let Self { tokens, principals, teams, repos, .. } = self;
        add(tokens.len(), tokens.weight(), tokens.hits(), tokens.misses());
        add(principals.len(), principals.weight(), principals.hits(), principals.misses());
        add(teams.len(), teams.weight(), teams.hits(), teams.misses());
        add(repos.len(), repos.weight(), repos.hits(), repos.misses());
        usage
    }

    /// Remembers what was read, unless an eviction came since `epoch`.
    fn keep(&self, epoch: u64, insert: impl FnOnce(&Self)) {
        let _shared = self.fills.read().unwrap_or_else(PoisonError::into_inner);
        if self.epoch.load(Ordering::Acquire) == epoch {
            insert(self);
        }
    }

    fn find<T>(
        from: &mut From<'_>,
        remembered: impl FnOnce() -> Option<Arc<T>>,
        read: impl FnOnce(&mut dyn Query) -> Result<Option<T>, claviger_store::StoreError>,
        keep: impl FnOnce(Arc<T>),
    ) -> Found<T> {
        let memory = !matches!(from, From::Store(_));
        if let (true, Some(fact)) = (memory, remembered()) {
            return Ok(Ok(Some(fact)));
        }
        match from {
            From::Memory => Ok(Err(Missing)),
            From::Both(q) | From::Store(q) => {
                let fact = read(&mut **q)?.map(Arc::new);
                if let (true, Some(fact)) = (memory, &fact) {
                    keep(Arc::clone(fact));
                }
                Ok(Ok(fact))
            }
        }
    }

    fn find_token(&self, from: &mut From<'_>, epoch: u64, lookup: &Lookup) -> Found<TokenFacts> {
        Self::find(
            from,
            || self.tokens.get(lookup),
            |q| tokens::facts(q, lookup),
            |fact| self.keep(epoch, |facts| facts.tokens.insert(*lookup, fact)),
        )
    }

    fn find_principal(
        &self,
        from: &mut From<'_>,
        epoch: u64,
        id: &PrincipalId,
    ) -> Found<PrincipalFacts> {
        Self::find(
            from,
            || self.principals.get(id),
            |q| principals::facts(q, id),
            |fact| self.keep(epoch, |facts| facts.principals.insert(*id, fact)),
        )
    }

    fn find_team(&self, from: &mut From<'_>, epoch: u64, id: &TeamId) -> Found<TeamFacts> {
        Self::find(
            from,
            || self.teams.get(id),
            |q| teams::facts(q, id),
            |fact| self.keep(epoch, |facts| facts.teams.insert(*id, fact)),
        )
    }

    fn find_acl(&self, from: &mut From<'_>, epoch: u64, name: &str) -> Found<RepoAcl> {
        Self::find(
            from,
            || self.repos.get(name),
            |q| repositories::acl(q, name),
            |fact| self.keep(epoch, |facts| facts.repos.insert(name.into(), fact)),
        )
    }

    fn try_credentials(
        &self,
        mut from: From<'_>,
        lookup: &Lookup,
    ) -> Result<Result<Option<Credentials>, Missing>, Error> {
        let epoch = self.epoch.load(Ordering::Acquire);
        let token = match self.find_token(&mut from, epoch, lookup)? {
            Ok(Some(token)) => token,
            Ok(None) => return Ok(Ok(None)),
            Err(missing) => return Ok(Err(missing)),
        };
        let principal = match self.find_principal(&mut from, epoch, &token.principal)? {
            Ok(principal) => principal,
            Err(missing) => return Ok(Err(missing)),
        };
        let owner = match principal.as_ref().and_then(|robot| robot.owner) {
            None => None,
            Some(owner) => match self.find_principal(&mut from, epoch, &owner)? {
                Ok(owner) => owner,
                Err(missing) => return Ok(Err(missing)),
            },
        };
        Ok(Ok(Some(Credentials { token, principal, owner })))
    }

    fn try_gather(
        &self,
        mut from: From<'_>,
        principal: Option<PrincipalId>,
        about: About<'_>,
    ) -> Result<Result<Raw, Missing>, Error> {
        let epoch = self.epoch.load(Ordering::Acquire);
        let mut raw = Raw { principal: None, teams: Vec::new(), acl: None, namespace: None };
        if let Some(id) = principal {
            match self.find_principal(&mut from, epoch, &id)? {
                Ok(principal) => raw.principal = principal,
                Err(missing) => return Ok(Err(missing)),
            }
        }
        let namespace = match about {
            About::Namespace(name) => name,
            About::Repo(name) => {
                match self.find_acl(&mut from, epoch, name)? {
                    Ok(acl) => raw.acl = acl,
                    Err(missing) => return Ok(Err(missing)),
                }
                name.split_once('/').map_or("", |(namespace, _)| namespace)
            }
        };
        raw.namespace = match (&raw.acl, &mut from) {
            (Some(acl), _) => Some(acl.namespace),
            // names of namespaces are not remembered: they are asked for when nothing is there yet
            (None, From::Memory) => return Ok(Err(Missing)),
            (None, From::Both(q) | From::Store(q)) => principals::namespace(&mut **q, namespace)?,
        };
        let org = raw.namespace.filter(|namespace| namespace.kind == PrincipalKind::Org);
        if let (Some(principal), Some(org)) = (&raw.principal, org) {
            for of in principal.teams.iter().filter(|of| of.org == org.id) {
                match self.find_team(&mut from, epoch, &of.team)? {
                    Ok(team) => raw.teams.extend(team),
                    Err(missing) => return Ok(Err(missing)),
                }
            }
        }
        Ok(Ok(raw))
    }
}

impl Facts {
    /// The token that a verified secret reaches, with whom it acts for; `None` when there is none.
    pub(crate) async fn credentials(
        self: &Arc<Self>,
        db: &Db,
        lookup: &Lookup,
    ) -> Result<Option<Credentials>, Error> {
        let trusted = self.is_trusted();
        if trusted && let Ok(found) = self.try_credentials(From::Memory, lookup)? {
            return Ok(found);
        }
        let (facts, lookup) = (Arc::clone(self), *lookup);
        db.peek(move |q| {
            let from = if trusted { From::Both(q) } else { From::Store(q) };
            facts.try_credentials(from, &lookup)?.map_err(|Missing| lost())
        })
        .await
    }

    /// A principal by id; `None` when there is none.
    pub(crate) async fn principal(
        self: &Arc<Self>,
        db: &Db,
        id: PrincipalId,
    ) -> Result<Option<Arc<PrincipalFacts>>, Error> {
        let trusted = self.is_trusted();
        let epoch = self.epoch.load(Ordering::Acquire);
        if trusted && let Ok(found) = self.find_principal(&mut From::Memory, epoch, &id)? {
            return Ok(found);
        }
        let facts = Arc::clone(self);
        db.peek(move |q| {
            let mut from = if trusted { From::Both(q) } else { From::Store(q) };
            let epoch = facts.epoch.load(Ordering::Acquire);
            facts.find_principal(&mut from, epoch, &id)?.map_err(|Missing| lost())
        })
        .await
    }

    /// Everything that a decision about `about` looks at, of one moment; without what the settings
    /// and the credential make of it.
    async fn gather_raw(
        self: &Arc<Self>,
        db: &Db,
        principal: Option<PrincipalId>,
        about: About<'_>,
    ) -> Result<Raw, Error> {
        for _ in 0..ATTEMPTS {
            if !self.is_trusted() {
                break;
            }
            let epoch = self.epoch.load(Ordering::Acquire);
            let raw = match self.try_gather(From::Memory, principal, about)? {
                Ok(raw) => raw,
                Err(Missing) => self.read(db, principal, about, false).await?,
            };
            if self.epoch.load(Ordering::Acquire) == epoch {
                return Ok(raw);
            }
        }
        self.read(db, principal, about, true).await
    }

    async fn read(
        self: &Arc<Self>,
        db: &Db,
        principal: Option<PrincipalId>,
        about: About<'_>,
        snapshot: bool,
    ) -> Result<Raw, Error> {
        let facts = Arc::clone(self);
        let (repo, name) = match about {
            About::Repo(name) => (true, name.to_owned()),
            About::Namespace(name) => (false, name.to_owned()),
        };
        let gather = move |q: &mut dyn Query| {
            let from = if snapshot { From::Store(q) } else { From::Both(q) };
            let about = if repo { About::Repo(&name) } else { About::Namespace(&name) };
            facts.try_gather(from, principal, about)?.map_err(|Missing| lost())
        };
        if snapshot { db.read(gather).await } else { db.peek(gather).await }
    }

    /// Everything that a decision about `about` looks at, of one moment.
    pub(crate) async fn gather(
        self: &Arc<Self>,
        db: &Db,
        principal: Option<PrincipalId>,
        about: About<'_>,
        caps: Caps,
        standing: impl FnOnce(&PrincipalFacts) -> Standing,
    ) -> Result<Gathered, Error> {
        let Raw { principal, teams, acl, namespace } =
            self.gather_raw(db, principal, about).await?;
        let standing = principal.as_deref().map(standing).unwrap_or_default();
        Ok(Gathered { principal, teams, acl, namespace, standing, caps })
    }
}

/// With the store at hand nothing can be missing.
fn lost() -> Error {
    Error::internal("a fact was neither found nor absent")
}

impl Memory for Facts {
    fn evict(&self, touched: &[Touched]) {
        if touched.is_empty() {
            return;
        }
        let _alone = self.fills.write().unwrap_or_else(PoisonError::into_inner);
        for fact in touched {
            match fact {
                Touched::Token(lookup) => drop(self.tokens.remove(lookup)),
                Touched::Principal(id) => drop(self.principals.remove(id)),
                Touched::Team(id) => drop(self.teams.remove(id)),
                Touched::Repo(name) => drop(self.repos.remove(name.as_str())),
                Touched::All => {
                    self.tokens.clear();
                    self.principals.clear();
                    self.teams.clear();
                    self.repos.clear();
                }
            }
        }
        self.epoch.fetch_add(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests;
