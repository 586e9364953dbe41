//! What decisions look at, read in one snapshot of the store. Nothing of it is remembered, so that a
//! search that goes through much neither fills the caches nor learns from them.

use std::{borrow::Cow, collections::HashMap, sync::Arc};

use claviger_domain::{
    Error, UnixMillis,
    access::{Bar, NamespaceFacts, RepoAcl, Standing},
    id::{PrincipalId, TeamId, TokenId},
    name::{Namespace, RepoName},
    principal::{PrincipalFacts, PrincipalKind, TeamFacts, TeamOf},
    scope::Caps,
    token::TokenState,
};
use claviger_store::{Query, principals, repositories, teams, tokens};

use crate::{
    access::standing,
    activity::NotedToken,
    facts::{Few, Gathered},
    questions::{Insight, Matter, Subject, bar_of},
    settings::Settings,
};

/// One moment of the store.
pub(crate) struct Snapshot<'a> {
    pub(crate) q: &'a mut dyn Query,
    pub(crate) settings: &'a Settings,
    now: UnixMillis,
    /// Owners of robots, and namespaces: many share one.
    homes: HashMap<PrincipalId, Option<Arc<PrincipalFacts>>>,
    teams: HashMap<TeamId, Option<Arc<TeamFacts>>>,
}

/// Somebody, and what he comes with.
#[derive(Clone)]
pub(crate) struct Person {
    pub(crate) facts: Option<Arc<PrincipalFacts>>,
    pub(crate) token: Option<Arc<NotedToken>>,
    pub(crate) bar: Option<Bar>,
    pub(crate) standing: Standing,
}

impl Person {
    /// What his credential may do at most.
    pub(crate) fn caps(&self) -> Caps {
        self.token.as_ref().map_or(Caps::DIRECT, |token| token.scopes.caps())
    }
}

/// A repository or a namespace.
#[derive(Clone, Default)]
pub(crate) struct Thing {
    pub(crate) acl: Option<Arc<RepoAcl>>,
    pub(crate) namespace: Option<NamespaceFacts>,
}

impl<'a> Snapshot<'a> {
    pub(crate) fn new(q: &'a mut dyn Query, settings: &'a Settings, now: UnixMillis) -> Self {
        Self { q, settings, now, homes: HashMap::new(), teams: HashMap::new() }
    }

    /// The time.
    pub(crate) fn now(&self) -> UnixMillis {
        self.now
    }

    /// A principal.
    pub(crate) fn principal(
        &mut self,
        id: &PrincipalId,
    ) -> Result<Option<Arc<PrincipalFacts>>, Error> {
        Ok(principals::facts(self.q, id)?.map(Arc::new))
    }

    /// A principal to whom others belong.
    pub(crate) fn home(&mut self, id: PrincipalId) -> Result<Option<Arc<PrincipalFacts>>, Error> {
        if let Some(known) = self.homes.get(&id) {
            return Ok(known.clone());
        }
        let found = self.principal(&id)?;
        self.homes.insert(id, found.clone());
        Ok(found)
    }

    /// A team, if it is there.
    pub(crate) fn team(&mut self, id: TeamId) -> Result<Option<Arc<TeamFacts>>, Error> {
        if let Some(known) = self.teams.get(&id) {
            return Ok(known.clone());
        }
        let found = teams::facts(self.q, &id)?.map(Arc::new);
        self.teams.insert(id, found.clone());
        Ok(found)
    }

    /// The repository of this name, if there is one.
    pub(crate) fn repository(&mut self, name: &str) -> Result<Thing, Error> {
        // what can be no name is not handed to the store
        let known = RepoName::is_one(name);
        let acl = if known { repositories::acl(self.q, name)?.map(Arc::new) } else { None };
        Ok(Thing { namespace: acl.as_ref().map(|acl| acl.namespace), acl })
    }

    /// The namespace of this name, if there is one.
    pub(crate) fn namespace(&mut self, name: &str) -> Result<Thing, Error> {
        let namespace = match name.parse::<Namespace>() {
            Ok(_) => principals::namespace(self.q, name)?,
            Err(_) => None,
        };
        Ok(Thing { acl: None, namespace })
    }

    /// Somebody with what he comes with, and what keeps him from acting.
    pub(crate) fn person(
        &mut self,
        facts: Option<Arc<PrincipalFacts>>,
        token: Option<Arc<NotedToken>>,
        subject: Subject<'_>,
    ) -> Result<Person, Error> {
        let owner = match facts.as_ref().and_then(|facts| facts.owner) {
            Some(owner) => self.home(owner)?,
            None => None,
        };
        let state = token.as_ref().map(|token| token.state(self.now));
        let quay = &self.settings.quay;
        let bar = bar_of(quay, state, facts.as_deref(), owner.as_deref(), subject);
        let standing = facts.as_deref().map(|facts| standing(quay, facts)).unwrap_or_default();
        Ok(Person { facts, token, bar, standing })
    }

    /// The token with this id, as its best secret reaches it.
    pub(crate) fn token(&mut self, id: &TokenId) -> Result<Option<Arc<NotedToken>>, Error> {
        let mut known = None;
        for lookup in tokens::lookups(self.q, id)? {
            let Some(found) = tokens::facts(self.q, &lookup)?.map(NotedToken::new) else {
                continue;
            };
            if found.state(self.now) == TokenState::Live {
                return Ok(Some(Arc::new(found)));
            }
            known.get_or_insert(found);
        }
        Ok(known.map(Arc::new))
    }

    /// The question what somebody may do with something.
    pub(crate) fn matter(
        &mut self,
        insight: Insight,
        person: &Person,
        thing: &Thing,
    ) -> Result<Matter, Error> {
        let mut teams = Few::default();
        let org = thing.namespace.filter(|namespace| namespace.kind == PrincipalKind::Org);
        if let (Some(facts), Some(org)) = (&person.facts, org) {
            let his = |of: &&TeamOf| of.org == org.id;
            for of in facts.teams.iter().filter(his) {
                teams.extend(self.team(of.team)?);
            }
        }
        let whose = person.facts.as_ref().map(|facts| facts.id);
        let foreign = thing.acl.as_ref().map(|acl| acl.namespace.id);
        let closed = match foreign.filter(|home| Some(*home) != whose) {
            Some(home) => self.home(home)?.is_some_and(|home| !home.enabled),
            None => false,
        };
        let gathered = Gathered {
            principal: person.facts.clone().map(Cow::Owned),
            teams: Cow::Owned(teams),
            acl: thing.acl.clone().map(Cow::Owned),
            namespace: thing.namespace,
            closed,
            standing: person.standing,
            caps: person.caps(),
        };
        Ok(Matter { insight, token: person.token.clone(), bar: person.bar, gathered })
    }
}
