//! Signing in with a token, when it is known which repository will be decided about.
//!
//! Token and repository are looked for at once, and what depends on them after that, so that a
//! request waits for the main memory as seldom as it can (decision 0010).

use std::sync::Arc;

use claviger_domain::{
    Error,
    id::PrincipalId,
    name::RepoName,
    principal::{PrincipalFacts, PrincipalKind, TeamFacts},
};
use claviger_store::Db;

use super::{
    Ahead, AsOf, Credentials, Facts, Few, Lookup,
    gate::Epoch,
    gather::Question,
    shelf::{Missing, Source},
};
use crate::table::{Glance, Next, bring_buckets, bring_facts};

/// Which repository will be decided about when it is known who asks, if that is known already.
pub type Soon<'a> = Option<&'a RepoName>;

/// A token, and the repository that will be decided about next.
struct SignIn {
    lookup: Lookup,
    repo: RepoName,
}

impl Question for SignIn {
    type Answer = Option<Credentials>;

    fn ask(
        &self,
        facts: &Facts,
        source: &mut Source<'_>,
        since: Epoch,
    ) -> Result<Result<Self::Answer, Missing>, Error> {
        let answer = self.lookup.ask(facts, source, since)?;
        let who = answer.as_ref().ok().and_then(Option::as_ref);
        let who = who.and_then(|found| found.principal.as_deref());
        // what a snapshot says is not kept
        if let (Some(who), Source::Both(_)) = (who, &source) {
            // only to have it remembered: the decision gathers it anew, and tells of trouble
            let _ = facts.foresee(source, since, who, &self.repo);
        }
        Ok(answer)
    }

    fn owned(&self) -> impl Question<Answer = Self::Answer> + Send + 'static {
        Self { lookup: self.lookup, repo: self.repo.clone() }
    }
}

impl Facts {
    /// The token that a verified secret reaches, with whom it acts for, if both are remembered, and
    /// what a decision about the repository that `soon` says looks at beside them, if that is.
    pub(crate) fn remembered_sign_in(
        &self,
        lookup: &Lookup,
        soon: Soon<'_>,
    ) -> Option<Credentials> {
        match soon {
            Some(name) => self.remembered_for(lookup, name),
            None => self.remembered(lookup).ok()??,
        }
    }

    /// The token that a verified secret reaches, with whom it acts for; `None` when there is none.
    /// When the store is read, what a decision about the repository that `soon` says looks at is read
    /// along, so that the decision need not go there once more.
    pub(crate) async fn sign_in(
        self: &Arc<Self>,
        db: &Db,
        lookup: &Lookup,
        soon: Soon<'_>,
    ) -> Result<Option<Credentials>, Error> {
        match soon {
            Some(name) => self.settled(db, &SignIn { lookup: *lookup, repo: name.clone() }).await,
            None => self.settled(db, lookup).await,
        }
    }

    /// Token and principal, if they are remembered, and what is about the repository `name`.
    fn remembered_for(&self, lookup: &Lookup, name: &RepoName) -> Option<Credentials> {
        let since = self.gate.now();
        let found = self.found_for(lookup, name, AsOf(Some(since)))?;
        (self.is_trusted() && self.gate.now() == since).then_some(found)
    }

    /// The same, whatever comes in between.
    fn found_for(&self, lookup: &Lookup, name: &RepoName, as_of: AsOf) -> Option<Credentials> {
        let (tokens, repos) = (self.tokens.table(), self.repos.table());
        let (principals, teams) = (self.principals.table(), self.teams.table());
        let known = (tokens.glance(lookup), repos.glance(name.as_bytes()));
        bring_buckets(&known);
        // what they lead to is looked at beside them
        let from_token = known.0.as_ref().and_then(Glance::lead);
        // who goes to his own namespace is looked at once
        let from_repo =
            known.1.as_ref().and_then(Glance::lead).filter(|to| Some(*to) != from_token);
        let along = (
            principals.glance_along(from_token.and_then(Next::principal)),
            principals.glance_along(from_repo.and_then(Next::principal)),
        );
        let all = (known, (along, teams.glance_along(from_repo.and_then(Next::team))));
        bring_facts(&all);
        let ((token, repo), (along, team)) = all;
        let token = token?.take(lookup)?;
        let repo = repo.and_then(|repo| repo.take(name.as_bytes()));
        let principal = principals.take_along(along.0, &token.principal)?;
        let home = repo.as_ref().map(|repo| repo.namespace);
        let org = home.filter(|home| home.kind == PrincipalKind::Org).map(|org| org.id);
        // a user may be disabled, and his namespace with him
        let host = home.filter(|home| org.is_none() && home.id != token.principal);
        let other = host.and_then(|host| principals.take_along(along.1, &host.id));
        let closed = match host {
            Some(_) => other.map(|other| !other.enabled),
            None => Some(org.is_none() && !principal.enabled),
        };
        // no glance is left after this one: nobody waits for a lock while he holds one
        let teams = self.teams_in(org, &principal, team);
        let owner = match principal.owner {
            Some(owner) => Some(self.principals.get(&owner)?),
            None => None,
        };
        let ahead = match (repo, teams, closed) {
            (Some(repo), Some(teams), Some(closed)) => Some(Ahead { repo, teams, closed }),
            _ => None,
        };
        Some(Credentials { token, principal: Some(principal), owner, ahead, as_of })
    }

    /// The teams of `principal` in the organisation `org`, of which `led` perhaps is one; `None` when
    /// one is not remembered.
    fn teams_in(
        &self,
        org: Option<PrincipalId>,
        principal: &PrincipalFacts,
        led: Option<Glance<'_, TeamFacts>>,
    ) -> Option<Few<Arc<TeamFacts>>> {
        let mut teams = Few::default();
        let Some(org) = org else { return Some(teams) };
        let mut his = principal.teams.iter().filter(|of| of.org == org).map(|of| of.team);
        let Some(first) = his.next() else { return Some(teams) };
        teams.extend([self.teams.table().take_along(led, &first)?]);
        for team in his {
            teams.extend([self.teams.get(&team)?]);
        }
        Some(teams)
    }

    /// Has what a decision about the repository `name` looks at remembered, beside who asks.
    fn foresee(
        &self,
        source: &mut Source<'_>,
        since: Epoch,
        who: &PrincipalFacts,
        name: &RepoName,
    ) -> Result<(), Error> {
        let acl = self.find_acl(source, since, name)?.ok().flatten();
        let Some(namespace) = acl.as_ref().map(|acl| acl.namespace) else { return Ok(()) };
        if namespace.kind == PrincipalKind::Org {
            for of in who.teams.iter().filter(|of| of.org == namespace.id) {
                self.find_team(source, since, of)?.ok();
            }
        } else if namespace.id != who.id {
            self.find_principal(source, since, &namespace.id)?.ok();
        }
        Ok(())
    }
}
