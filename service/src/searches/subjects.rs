//! Whom to look at, for who may do something with a repository or an organisation.

use std::collections::BTreeSet;

use claviger_domain::{
    Error, TokenKind,
    access::{Grantee, NamespaceFacts, RepoAcl},
    id::{PrincipalId, TeamId},
    principal::PrincipalKind,
    role::{OrgRole, Visibility},
};
use claviger_store::{
    candidates::{self, Passed, PassedToken},
    principals,
};

use super::{
    scan::{Batch, Filling, PASSED_OVER},
    snapshot::{Person, Snapshot},
};
use crate::{cursor::Place, questions::Subject};

/// Where principals come from, each in the order of their ids.
pub(crate) enum Source {
    /// These.
    These(BTreeSet<PrincipalId>),
    /// The members of a team.
    Team(TeamId),
    /// All who can act.
    Everybody,
    /// All robots.
    Robots,
    /// All who were made superuser.
    Superusers,
}

/// Whoever may reach a repository: everybody, where a role to read is enough (`reads`) and it is
/// public.
pub(crate) fn of_repository(
    snapshot: &mut Snapshot<'_>,
    acl: &RepoAcl,
    reads: bool,
) -> Result<Vec<Source>, Error> {
    if reads && acl.visibility == Visibility::Public {
        return Ok(vec![Source::Everybody]);
    }
    let (mut these, mut teams) = (BTreeSet::new(), BTreeSet::new());
    for grant in &acl.grants {
        match grant.to {
            Grantee::Principal(id) => drop(these.insert(id)),
            Grantee::Team(id) => drop(teams.insert(id)),
        }
    }
    if acl.namespace.kind == PrincipalKind::Org {
        let all = candidates::teams(snapshot.q, &acl.namespace.id)?;
        teams.extend(all.iter().filter(|team| team.role == OrgRole::Admin).map(|team| team.id));
    } else {
        these.insert(acl.namespace.id);
    }
    with_those_above(snapshot, reads, these, teams)
}

/// Whoever may do something with an organisation.
pub(crate) fn of_organisation(
    snapshot: &mut Snapshot<'_>,
    org: NamespaceFacts,
) -> Result<Vec<Source>, Error> {
    let all = candidates::teams(snapshot.q, &org.id)?;
    let able = all.iter().filter(|team| team.role >= OrgRole::Creator);
    let teams = able.map(|team| team.id).collect();
    with_those_above(snapshot, false, BTreeSet::new(), teams)
}

/// Adds whom the settings give rights on everything.
fn with_those_above(
    snapshot: &mut Snapshot<'_>,
    reads: bool,
    mut these: BTreeSet<PrincipalId>,
    teams: BTreeSet<TeamId>,
) -> Result<Vec<Source>, Error> {
    let quay = &snapshot.settings.quay;
    let full_access = quay.feature_superusers_full_access;
    let superusers = quay.super_users.iter().filter(|_| full_access);
    let readers = quay.global_readonly_super_users.iter().filter(|_| reads);
    for name in superusers.chain(readers) {
        these.extend(principals::id_of(snapshot.q, name.as_str())?);
    }
    let mut sources = vec![Source::These(these)];
    sources.extend(teams.into_iter().map(Source::Team));
    sources.extend(full_access.then_some(Source::Superusers));
    Ok(sources)
}

impl Source {
    fn batch(
        &self,
        snapshot: &mut Snapshot<'_>,
        after: &str,
        at_once: i64,
    ) -> Result<Batch<PrincipalId>, Error> {
        let passed = |passed: &Passed| passed.id.to_string();
        Ok(match self {
            Self::These(ids) => {
                let behind = ids.iter().filter(|id| *id.text() > *after);
                let few = behind.take(usize::try_from(at_once).unwrap_or(usize::MAX));
                Batch::of(few.copied().collect(), at_once, PrincipalId::to_string, Some)
            }
            Self::Team(team) => {
                let read = candidates::members(snapshot.q, team, after, at_once)?;
                Batch::of(read, at_once, PrincipalId::to_string, Some)
            }
            Self::Everybody => {
                let read = candidates::principals(snapshot.q, after, at_once)?;
                let acts = |row: Passed| (row.kind != PrincipalKind::Org).then_some(row.id);
                Batch::of(read, at_once, passed, acts)
            }
            Self::Robots => {
                let read = candidates::principals(snapshot.q, after, PASSED_OVER)?;
                let robot = |row: Passed| (row.kind == PrincipalKind::Robot).then_some(row.id);
                Batch::of(read, PASSED_OVER, passed, robot)
            }
            Self::Superusers => {
                let read = candidates::principals(snapshot.q, after, PASSED_OVER)?;
                let above = |row: Passed| row.superuser.then_some(row.id);
                Batch::of(read, PASSED_OVER, passed, above)
            }
        })
    }
}

/// What all of them give together.
fn union(
    sources: &[Source],
    snapshot: &mut Snapshot<'_>,
    after: &str,
    at_once: i64,
) -> Result<Batch<PrincipalId>, Error> {
    let batches = sources.iter().map(|source| source.batch(snapshot, after, at_once));
    Ok(Batch::merged(batches.collect::<Result<_, _>>()?))
}

impl<R> Filling<R> {
    /// Goes through these teams. The key behind which it goes on.
    pub(crate) fn teams<'a>(
        &mut self,
        snapshot: &mut Snapshot<'a>,
        teams: &BTreeSet<TeamId>,
        after: String,
        mut judge: impl FnMut(&mut Snapshot<'a>, TeamId) -> Result<Option<R>, Error>,
    ) -> Result<Option<String>, Error> {
        self.scan(
            snapshot,
            after,
            |_, after, at_once| {
                let behind = teams.iter().filter(|id| *id.text() > *after);
                let few = behind.take(usize::try_from(at_once).unwrap_or(usize::MAX));
                Ok(Batch::of(few.copied().collect(), at_once, TeamId::to_string, Some))
            },
            |snapshot, _, id| judge(snapshot, id),
        )
    }

    /// Goes through whoever the sources name, each once. The key behind which it goes on.
    pub(crate) fn principals<'a>(
        &mut self,
        snapshot: &mut Snapshot<'a>,
        sources: &[Source],
        after: String,
        mut judge: impl FnMut(&mut Snapshot<'a>, PrincipalId) -> Result<Option<R>, Error>,
    ) -> Result<Option<String>, Error> {
        self.scan(
            snapshot,
            after,
            |snapshot, after, at_once| union(sources, snapshot, after, at_once),
            |snapshot, _, id| judge(snapshot, id),
        )
    }

    /// Goes through all tokens of whoever the sources name. Where it goes on.
    pub(crate) fn tokens<'a>(
        &mut self,
        snapshot: &mut Snapshot<'a>,
        sources: &[Source],
        at: Place,
        mut judge: impl FnMut(&mut Snapshot<'a>, &Person) -> Result<Option<R>, Error>,
    ) -> Result<Option<Place>, Error> {
        let Place { mut after, inside, .. } = at;
        if let Some((kind, seq)) = inside
            && let Ok(id) = after.parse()
        {
            let behind = kind.parse().ok().map(|kind| (kind, seq));
            if let Some(end) = self.tokens_of(snapshot, id, behind, &mut judge)? {
                return Ok(Some(within(after, end)));
            }
        }
        while self.reads_once_more() {
            let batch = union(sources, snapshot, &after, self.at_once())?;
            for (key, id) in batch.rows {
                if !self.takes_one() {
                    return Ok(Some(Place::behind(0, after)));
                }
                if let Some(end) = self.tokens_of(snapshot, id, None, &mut judge)? {
                    return Ok(Some(within(key, end)));
                }
                after = key;
            }
            match batch.seen_to {
                Some(to) => after = to,
                None => return Ok(None),
            }
        }
        Ok(Some(Place::behind(0, after)))
    }

    /// The same for one principal; inside him, where it goes on.
    fn tokens_of<'a>(
        &mut self,
        snapshot: &mut Snapshot<'a>,
        id: PrincipalId,
        mut after: Option<(TokenKind, i64)>,
        judge: &mut impl FnMut(&mut Snapshot<'a>, &Person) -> Result<Option<R>, Error>,
    ) -> Result<Option<(String, i64)>, Error> {
        let Some(facts) = snapshot.principal(&id)? else { return Ok(None) };
        loop {
            let at_once = self.at_once();
            let read = candidates::tokens(snapshot.q, &id, after, at_once)?;
            let full = i64::try_from(read.len()).is_ok_and(|len| len >= at_once);
            for passed in read {
                if !self.takes_one() {
                    let begun = after.map(|(kind, seq)| (kind.to_string(), seq));
                    return Ok(Some(begun.unwrap_or_default()));
                }
                after = Some(passed.place);
                if !is_over(&passed, snapshot)
                    && let Some(token) = snapshot.token(&passed.id)?
                {
                    let subject = Subject::Token(&passed.id.text());
                    let facts = Some(std::sync::Arc::clone(&facts));
                    let person = snapshot.person(facts, Some(token), subject)?;
                    self.found.extend(judge(snapshot, &person)?);
                }
            }
            if !full {
                return Ok(None);
            }
        }
    }
}

fn is_over(token: &PassedToken, snapshot: &Snapshot<'_>) -> bool {
    token.revoked_at.is_some() || token.expires_at.is_some_and(|end| snapshot.now() >= end)
}

/// Behind a token of the principal `key`; without a kind, at the first of them.
fn within(key: String, inside: (String, i64)) -> Place {
    Place { set: 0, after: key, inside: Some(inside) }
}
