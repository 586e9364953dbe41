//! Questions to the facts: what one request needs of them, of one moment.

use std::{borrow::Cow, sync::Arc, time::Instant};

use claviger_domain::{
    Error,
    access::{NamespaceFacts, RepoAcl, Standing},
    id::PrincipalId,
    name::RepoName,
    principal::{PrincipalFacts, PrincipalKind, TeamFacts},
    scope::Caps,
};
use claviger_store::{Db, Query, principals, repositories, teams, tokens};

use crate::activity::NotedToken;

use super::{
    Ahead, AsOf, Credentials, Facts, Few, Gathered, Lookup,
    gate::Epoch,
    shelf::{Found, Missing, Source},
};

/// How often a question is asked anew while the facts change under it, before it is answered from
/// one snapshot of the store.
const ATTEMPTS: usize = 3;

/// What is asked about.
#[derive(Clone, Copy, Debug)]
pub(crate) enum About<'a> {
    /// A repository, whether there is one or not.
    Repo(&'a RepoName),
    /// A namespace by its name.
    Namespace(&'a str),
}

impl<'a> About<'a> {
    /// The namespace, or that of the repository.
    fn namespace(self) -> &'a str {
        match self {
            Self::Namespace(name) => name,
            Self::Repo(name) => name.namespace(),
        }
    }
}

/// A principal whose fact was looked at a moment ago.
#[derive(Clone, Copy)]
pub(crate) struct Known<'a> {
    pub(crate) facts: &'a Arc<PrincipalFacts>,
    pub(crate) as_of: AsOf,
    pub(crate) seen: Seen<'a>,
}

/// What else was looked at in the epoch of a principal.
#[derive(Clone, Copy)]
pub(crate) enum Seen<'a> {
    /// Nothing.
    Nothing,
    /// A repository.
    Repo(&'a Arc<RepoAcl>),
    /// All that a decision of his about a repository looks at.
    All(&'a Ahead),
}

impl<'a> Seen<'a> {
    /// The repository `name`, if that was it.
    fn repo(self, name: &RepoName) -> Option<&'a Arc<RepoAcl>> {
        let repo = match self {
            Self::Nothing => return None,
            Self::Repo(repo) => repo,
            Self::All(ahead) => &ahead.repo,
        };
        (repo.name == *name).then_some(repo)
    }
}

/// Several facts that are wanted together.
pub(super) trait Question {
    type Answer: Send + 'static;

    /// Gathers them, which began in the epoch `since`.
    fn ask(
        &self,
        facts: &Facts,
        source: &mut Source<'_>,
        since: Epoch,
    ) -> Result<Result<Self::Answer, Missing>, Error>;

    /// The same question for another thread.
    fn owned(&self) -> impl Question<Answer = Self::Answer> + Send + 'static;
}

impl Question for Lookup {
    type Answer = Option<Credentials>;

    fn ask(
        &self,
        facts: &Facts,
        source: &mut Source<'_>,
        since: Epoch,
    ) -> Result<Result<Self::Answer, Missing>, Error> {
        let token = match facts.find_token(source, since, self)? {
            Ok(Some(token)) => token,
            Ok(None) => return Ok(Ok(None)),
            Err(missing) => return Ok(Err(missing)),
        };
        let principal = match facts.find_principal(source, since, &token.principal)? {
            Ok(principal) => principal,
            Err(missing) => return Ok(Err(missing)),
        };
        let owner = match principal.as_ref().and_then(|robot| robot.owner) {
            None => None,
            Some(owner) => match facts.find_principal(source, since, &owner)? {
                Ok(owner) => owner,
                Err(missing) => return Ok(Err(missing)),
            },
        };
        let as_of = match source {
            Source::Memory | Source::Both(_) => AsOf(Some(since)),
            Source::Store(_) => AsOf(None),
        };
        Ok(Ok(Some(Credentials { token, principal, owner, ahead: None, as_of })))
    }

    fn owned(&self) -> impl Question<Answer = Self::Answer> + Send + 'static {
        *self
    }
}

impl Question for PrincipalId {
    type Answer = Option<Arc<PrincipalFacts>>;

    fn ask(
        &self,
        facts: &Facts,
        source: &mut Source<'_>,
        since: Epoch,
    ) -> Result<Result<Self::Answer, Missing>, Error> {
        facts.find_principal(source, since, self)
    }

    fn owned(&self) -> impl Question<Answer = Self::Answer> + Send + 'static {
        *self
    }
}

/// Facts without what the settings make of them.
#[derive(Default)]
pub(super) struct Raw<'a> {
    principal: Option<Cow<'a, Arc<PrincipalFacts>>>,
    teams: Cow<'a, Few<Arc<TeamFacts>>>,
    acl: Option<Cow<'a, Arc<RepoAcl>>>,
    namespace: Option<NamespaceFacts>,
    closed: bool,
}

impl<'a> Raw<'a> {
    /// The same with what the settings, and the credential, make of it.
    pub(super) fn with(
        self,
        caps: Caps,
        standing: impl FnOnce(&PrincipalFacts) -> Standing,
    ) -> Gathered<'a> {
        let Self { principal, teams, acl, namespace, closed } = self;
        let standing = principal.as_ref().map(|of| standing(of)).unwrap_or_default();
        Gathered { principal, teams, acl, namespace, closed, standing, caps }
    }
}

/// What a decision about `about` looks at.
struct Decision<'a> {
    principal: Option<Known<'a>>,
    about: About<'a>,
}

/// The same, with nothing borrowed.
struct OwnedDecision {
    principal: Option<(Arc<PrincipalFacts>, AsOf)>,
    about: OwnedAbout,
}

#[derive(Clone)]
enum OwnedAbout {
    Repo(RepoName),
    Namespace(Box<str>),
}

impl Question for Decision<'_> {
    type Answer = Raw<'static>;

    fn ask(
        &self,
        facts: &Facts,
        source: &mut Source<'_>,
        since: Epoch,
    ) -> Result<Result<Self::Answer, Missing>, Error> {
        let remembers = !matches!(source, Source::Store(_));
        let current = |known: &Known<'_>| remembers && known.as_of == AsOf(Some(since));
        let principal = match self.principal {
            None => None,
            Some(known) if current(&known) => Some(Arc::clone(known.facts)),
            Some(known) => match facts.find_principal(source, since, &known.facts.id)? {
                Ok(principal) => principal,
                Err(missing) => return Ok(Err(missing)),
            },
        };
        let acl = match self.about {
            About::Namespace(_) => None,
            About::Repo(name) => {
                let known = self.principal.filter(current);
                match known.and_then(|known| known.seen.repo(name)) {
                    Some(acl) => Some(Arc::clone(acl)),
                    None => match facts.find_acl(source, since, name)? {
                        Ok(acl) => acl,
                        Err(missing) => return Ok(Err(missing)),
                    },
                }
            }
        };
        let namespace = match (&acl, &mut *source) {
            (Some(acl), _) => Some(acl.namespace),
            // names of namespaces are not remembered: they are asked for when nothing is there yet
            (None, Source::Memory) => return Ok(Err(Missing)),
            (None, Source::Both(q) | Source::Store(q)) => {
                principals::namespace(&mut **q, self.about.namespace())?
            }
        };
        let (mut teams, mut closed) = (Few::default(), false);
        match namespace {
            None => {}
            // nobody disables an organisation
            Some(namespace) if namespace.kind == PrincipalKind::Org => {
                let all = principal.as_ref().map(|principal| principal.teams.iter());
                for of in all.into_iter().flatten().filter(|of| of.org == namespace.id) {
                    match facts.find_team(source, since, of)? {
                        Ok(team) => teams.extend(team),
                        Err(missing) => return Ok(Err(missing)),
                    }
                }
            }
            Some(namespace) => {
                let own = principal.as_ref().filter(|principal| principal.id == namespace.id);
                closed = match own {
                    Some(principal) => !principal.enabled,
                    None => match facts.find_principal(source, since, &namespace.id)? {
                        Ok(owner) => owner.is_some_and(|owner| !owner.enabled),
                        Err(missing) => return Ok(Err(missing)),
                    },
                };
            }
        }
        let (principal, acl) = (principal.map(Cow::Owned), acl.map(Cow::Owned));
        Ok(Ok(Raw { principal, teams: Cow::Owned(teams), acl, namespace, closed }))
    }

    fn owned(&self) -> impl Question<Answer = Self::Answer> + Send + 'static {
        let about = match self.about {
            About::Repo(name) => OwnedAbout::Repo(name.clone()),
            About::Namespace(name) => OwnedAbout::Namespace(name.into()),
        };
        let principal = self.principal.map(|known| (Arc::clone(known.facts), known.as_of));
        OwnedDecision { principal, about }
    }
}

impl Question for OwnedDecision {
    type Answer = Raw<'static>;

    fn ask(
        &self,
        facts: &Facts,
        source: &mut Source<'_>,
        since: Epoch,
    ) -> Result<Result<Self::Answer, Missing>, Error> {
        let known = |(facts, as_of)| Known { facts, as_of, seen: Seen::Nothing };
        let principal = self.principal.as_ref().map(|(facts, as_of)| known((facts, *as_of)));
        let about = match &self.about {
            OwnedAbout::Repo(name) => About::Repo(name),
            OwnedAbout::Namespace(name) => About::Namespace(name),
        };
        Decision { principal, about }.ask(facts, source, since)
    }

    fn owned(&self) -> impl Question<Answer = Self::Answer> + Send + 'static {
        Self { principal: self.principal.clone(), about: self.about.clone() }
    }
}

impl Facts {
    fn find_token(
        &self,
        source: &mut Source<'_>,
        since: Epoch,
        lookup: &Lookup,
    ) -> Found<NotedToken> {
        let read =
            |q: &mut dyn Query, key: &Lookup| Ok(tokens::facts(q, key)?.map(NotedToken::new));
        self.tokens.find(&self.gate, since, source, lookup, read)
    }

    pub(super) fn find_principal(
        &self,
        source: &mut Source<'_>,
        since: Epoch,
        id: &PrincipalId,
    ) -> Found<PrincipalFacts> {
        self.principals.find(&self.gate, since, source, id, |q, id| principals::facts(q, id))
    }

    pub(super) fn find_team(
        &self,
        source: &mut Source<'_>,
        since: Epoch,
        of: &claviger_domain::principal::TeamOf,
    ) -> Found<TeamFacts> {
        self.teams.find(&self.gate, since, source, &of.team, |q, id| teams::facts(q, id))
    }

    pub(super) fn find_acl(
        &self,
        source: &mut Source<'_>,
        since: Epoch,
        name: &RepoName,
    ) -> Found<RepoAcl> {
        let read = |q: &mut dyn Query, _: &[u8]| repositories::acl(q, name.as_str());
        self.repos.find(&self.gate, since, source, name.as_bytes(), read)
    }

    /// The answer to `question`, of one moment.
    pub(super) async fn settled<Q: Question>(
        self: &Arc<Self>,
        db: &Db,
        question: &Q,
    ) -> Result<Q::Answer, Error> {
        match self.remembered(question)? {
            Some(answer) => Ok(answer),
            // in a box, so that the way of nearly all requests stays small
            None => Box::pin(self.sought(db, question)).await,
        }
    }

    /// The answer, if all of it is remembered.
    pub(super) fn remembered<Q: Question>(&self, question: &Q) -> Result<Option<Q::Answer>, Error> {
        let began = self.gate.now();
        let Ok(answer) = question.ask(self, &mut Source::Memory, began)? else { return Ok(None) };
        Ok((self.is_trusted() && self.gate.now() == began).then_some(answer))
    }

    /// The answer: asked again when an eviction came in between.
    async fn sought<Q: Question>(
        self: &Arc<Self>,
        db: &Db,
        question: &Q,
    ) -> Result<Q::Answer, Error> {
        for _ in 0..ATTEMPTS {
            if !self.is_trusted() {
                break;
            }
            let (answer, since) = self.read(db, question, false).await?;
            // trust is looked at last: whoever slept in between may have outlived it
            if self.is_trusted() && self.gate.now() == since {
                return Ok(answer);
            }
            if let Some(answer) = self.remembered(question)? {
                return Ok(answer);
            }
        }
        Ok(self.read(db, question, true).await?.0)
    }

    /// Asks on a thread that has the store at hand; with the epoch in which that began.
    async fn read<Q: Question>(
        self: &Arc<Self>,
        db: &Db,
        question: &Q,
        snapshot: bool,
    ) -> Result<(Q::Answer, Epoch), Error> {
        let (facts, question) = (Arc::clone(self), question.owned());
        let ask = move |q: &mut dyn Query| {
            let mut source = if snapshot { Source::Store(q) } else { Source::Both(q) };
            let since = facts.gate.now();
            let answer = question.ask(&facts, &mut source, since)?;
            answer.map(|answer| (answer, since)).map_err(|Missing| lost())
        };
        let started = Instant::now();
        let answer = if snapshot { db.read(ask).await } else { db.peek(ask).await };
        self.fills.record(started.elapsed());
        answer
    }

    /// The token that a verified secret reaches, with whom it acts for; `None` when there is none.
    pub(crate) async fn credentials(
        self: &Arc<Self>,
        db: &Db,
        lookup: &Lookup,
    ) -> Result<Option<Credentials>, Error> {
        self.settled(db, lookup).await
    }

    /// A principal by id; `None` when there is none.
    pub(crate) async fn principal(
        self: &Arc<Self>,
        db: &Db,
        id: PrincipalId,
    ) -> Result<Option<Arc<PrincipalFacts>>, Error> {
        self.settled(db, &id).await
    }

    /// Whether nothing was evicted since what is known of `as_of` was looked at.
    pub(crate) fn is_present(&self, as_of: AsOf) -> bool {
        as_of == AsOf(Some(self.gate.now()))
    }

    /// What a decision about `about` looks at, if whoever is calling has all of it and nothing was
    /// evicted since he signed in.
    fn lent<'a>(&self, known: Known<'a>, about: About<'_>) -> Option<Raw<'a>> {
        let (Seen::All(ahead), About::Repo(name)) = (known.seen, about) else { return None };
        let Ahead { repo, teams, closed } = ahead;
        let good = repo.name == *name && self.is_trusted() && self.is_present(known.as_of);
        good.then_some(Raw {
            principal: Some(Cow::Borrowed(known.facts)),
            teams: Cow::Borrowed(teams),
            acl: Some(Cow::Borrowed(repo)),
            namespace: Some(repo.namespace),
            closed: *closed,
        })
    }

    /// Everything that a decision about `about` looks at, as a write in progress sees it.
    pub(crate) fn gather_in(
        &self,
        q: &mut dyn Query,
        principal: &Arc<PrincipalFacts>,
        about: About<'_>,
        caps: Caps,
        standing: impl FnOnce(&PrincipalFacts) -> Standing,
    ) -> Result<Gathered<'static>, Error> {
        let known = Known { facts: principal, as_of: AsOf(None), seen: Seen::Nothing };
        let decision = Decision { principal: Some(known), about };
        let raw = decision.ask(self, &mut Source::Store(q), self.gate.now())?;
        Ok(raw.map_err(|Missing| lost())?.with(caps, standing))
    }

    /// Everything that a decision about `about` looks at, of one moment. `standing` says what the
    /// settings make of the principal.
    pub(crate) async fn gather<'a>(
        self: &Arc<Self>,
        db: &Db,
        principal: Option<Known<'a>>,
        about: About<'_>,
        caps: Caps,
        standing: impl FnOnce(&PrincipalFacts) -> Standing,
    ) -> Result<Gathered<'a>, Error> {
        if let Some(lent) = principal.and_then(|known| self.lent(known, about)) {
            return Ok(lent.with(caps, standing));
        }
        let decision = Decision { principal, about };
        let raw = match self.remembered(&decision)? {
            Some(raw) => raw,
            None => Box::pin(self.sought(db, &decision)).await?,
        };
        Ok(raw.with(caps, standing))
    }
}

/// With the store at hand nothing can be missing.
fn lost() -> Error {
    Error::internal("a fact was neither found nor absent")
}
