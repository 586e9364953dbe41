//! Signing in with a token, when it is known which repository will be decided about.
//!
//! Token and repository are looked for at once, and what depends on them after that, so that a
//! request waits for the main memory as seldom as it can (decision 0010).

use std::sync::Arc;

use claviger_domain::{
    Error,
    access::Grantee,
    name::RepoName,
    principal::{PrincipalFacts, PrincipalKind},
};
use claviger_store::Db;

use super::{
    AsOf, Credentials, Facts, Lookup,
    gate::Epoch,
    gather::Question,
    shelf::{Missing, Source},
};
use crate::table::bring;

/// How many teams with a permission are looked at ahead: most repositories have no more.
const TEAMS_AHEAD: usize = 4;

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
            let _ = facts.foresee(source, since, who, self.repo.as_str());
        }
        Ok(answer)
    }

    fn owned(&self) -> impl Question<Answer = Self::Answer> + Send + 'static {
        Self { lookup: self.lookup, repo: self.repo.clone() }
    }
}

impl Facts {
    /// The token that a verified secret reaches, with whom it acts for and with the repository that
    /// `soon` says, if the first two are remembered.
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

    /// Token, principal and the repository `name`, if the first two are remembered.
    fn remembered_for(&self, lookup: &Lookup, name: &RepoName) -> Option<Credentials> {
        let since = self.gate.now();
        let found = self.found_for(lookup, name, AsOf(Some(since)))?;
        (self.is_trusted() && self.gate.now() == since).then_some(found)
    }

    /// The same, whatever comes in between. What a decision looks at beside them is brought near.
    fn found_for(&self, lookup: &Lookup, name: &RepoName, as_of: AsOf) -> Option<Credentials> {
        let known = (self.tokens.glance(lookup), self.repos.glance(name.as_bytes()));
        bring(&known);
        let (token, repo) = known;
        let token = token?.take(lookup)?;
        let repo = repo.and_then(|repo| repo.take(name.as_bytes()));
        let namespace = repo.as_ref().map(|repo| repo.namespace);
        let org = namespace.is_some_and(|namespace| namespace.kind == PrincipalKind::Org);
        // a user may be disabled, and his namespace with him
        let other = namespace.filter(|namespace| !org && namespace.id != token.principal);
        let other = other.and_then(|namespace| self.principals.glance(&namespace.id));
        let grants = repo.as_ref().filter(|_| org).map(|repo| repo.grants.iter());
        let mut teams = grants.into_iter().flatten().filter_map(|grant| match grant.to {
            Grantee::Team(team) => self.teams.glance(&team),
            Grantee::Principal(_) => None,
        });
        let teams: [_; TEAMS_AHEAD] = std::array::from_fn(|_| teams.next());
        let known = ([self.principals.glance(&token.principal), other], teams);
        bring(&known);
        let ([principal, other], teams) = known;
        // nobody waits for a lock while he holds one
        drop((other, teams));
        let principal = principal?.take(&token.principal)?;
        let owner = match principal.owner {
            Some(owner) => Some(self.principals.get(&owner)?),
            None => None,
        };
        Some(Credentials { token, principal: Some(principal), owner, repo, as_of })
    }

    /// Has what a decision about the repository `name` looks at remembered, beside who asks.
    fn foresee(
        &self,
        source: &mut Source<'_>,
        since: Epoch,
        who: &PrincipalFacts,
        name: &str,
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
