//! What to look at, for what somebody may do something with.

use std::{collections::BTreeSet, sync::Arc};

use claviger_domain::{
    Error,
    access::{RepoAcl, Standing},
    id::PrincipalId,
    principal::{PrincipalFacts, PrincipalKind},
    role::{OrgRole, Visibility},
};
use claviger_store::candidates::{self, Granted, Named, Passed};

use super::{
    scan::{Batch, Filling, PASSED_OVER},
    snapshot::{Person, Snapshot, Thing},
};
use crate::cursor::Place;

/// Repositories by name: public ones, those of namespaces that are his; or all.
const BY_NAME: u8 = 1;
/// Repositories by id: those with a permission.
const BY_ID: u8 = 2;
/// Organisations by id.
pub(crate) const ORGANISATIONS: u8 = 3;

/// Where the things come from that somebody may reach.
pub(crate) struct Reachable {
    named: BTreeSet<Named>,
    granted: BTreeSet<Granted>,
    organisations: BTreeSet<PrincipalId>,
    /// All organisations instead.
    every_organisation: bool,
}

impl Reachable {
    /// What `person` may reach; what is public only with `public`. `reads`: a role to read is
    /// enough.
    pub(crate) fn by(
        snapshot: &mut Snapshot<'_>,
        person: &Person,
        reads: bool,
        public: bool,
    ) -> Result<Self, Error> {
        let Standing { superuser, full_access, global_readonly } = person.standing;
        let above = superuser && full_access && person.caps().superuser;
        let mut reachable = Self {
            named: BTreeSet::new(),
            granted: BTreeSet::new(),
            organisations: BTreeSet::new(),
            every_organisation: above,
        };
        let Some(facts) = &person.facts else { return Ok(reachable) };
        reachable.organisations.extend(facts.teams.iter().map(|of| of.org));
        if above || global_readonly && reads {
            reachable.named.insert(Named::All);
            return Ok(reachable);
        }
        reachable.named.extend(public.then_some(Named::Public));
        reachable.granted.insert(Granted::To(facts.id));
        if facts.kind == PrincipalKind::User {
            reachable.named.insert(Named::In(facts.id));
        }
        for of in &facts.teams {
            reachable.granted.insert(Granted::ToTeam(of.team));
            if snapshot.team(of.team)?.is_some_and(|team| team.role == OrgRole::Admin) {
                reachable.named.insert(Named::In(of.org));
            }
        }
        Ok(reachable)
    }

    /// Whether the repository is among those that are gone through by name.
    fn has_by_name(&self, acl: &RepoAcl) -> bool {
        self.named.contains(&Named::In(acl.namespace.id))
            || acl.visibility == Visibility::Public && self.named.contains(&Named::Public)
    }

    fn repositories(
        &self,
        snapshot: &mut Snapshot<'_>,
        after: &str,
        at_once: i64,
    ) -> Result<Batch<String>, Error> {
        let read = |which: &Named| {
            let read = candidates::repositories(snapshot.q, *which, after, at_once)?;
            Ok(Batch::of(read, at_once, String::clone, Some))
        };
        Ok(Batch::merged(self.named.iter().map(read).collect::<Result<_, Error>>()?))
    }

    fn permissions(
        &self,
        snapshot: &mut Snapshot<'_>,
        after: &str,
        at_once: i64,
    ) -> Result<Batch<String>, Error> {
        let read = |which: &Granted| {
            let read = candidates::granted(snapshot.q, *which, after, at_once)?;
            Ok(Batch::of(read, at_once, |(id, _)| id.clone(), |(_, name)| Some(name)))
        };
        Ok(Batch::merged(self.granted.iter().map(read).collect::<Result<_, Error>>()?))
    }

    fn organisations(
        &self,
        snapshot: &mut Snapshot<'_>,
        after: &str,
        at_once: i64,
    ) -> Result<Batch<PrincipalId>, Error> {
        if self.every_organisation {
            let read = candidates::principals(snapshot.q, after, PASSED_OVER)?;
            let org = |row: Passed| (row.kind == PrincipalKind::Org).then_some(row.id);
            return Ok(Batch::of(read, PASSED_OVER, |row| row.id.to_string(), org));
        }
        let behind = self.organisations.iter().filter(|id| *id.text() > *after);
        let few = behind.take(usize::try_from(at_once).unwrap_or(usize::MAX));
        Ok(Batch::of(few.copied().collect(), at_once, PrincipalId::to_string, Some))
    }
}

impl<R> Filling<R> {
    /// Goes through repositories, each once while it changes nothing. Where it goes on.
    pub(crate) fn repositories<'a>(
        &mut self,
        snapshot: &mut Snapshot<'a>,
        from: &Reachable,
        at: Place,
        mut judge: impl FnMut(&mut Snapshot<'a>, &str, &Thing) -> Result<Option<R>, Error>,
    ) -> Result<Option<Place>, Error> {
        let Place { set, mut after, .. } = at;
        if set < BY_ID {
            let end = self.scan(
                snapshot,
                after,
                |snapshot, after, at_once| from.repositories(snapshot, after, at_once),
                |snapshot, _, name: String| {
                    let thing = snapshot.repository(&name)?;
                    judge(snapshot, &name, &thing)
                },
            )?;
            if let Some(end) = end {
                return Ok(Some(Place::behind(BY_NAME, end)));
            }
            after = String::new();
        }
        let end = self.scan(
            snapshot,
            after,
            |snapshot, after, at_once| from.permissions(snapshot, after, at_once),
            |snapshot, _, name: String| {
                let thing = snapshot.repository(&name)?;
                // that was among those by name
                if thing.acl.as_ref().is_none_or(|acl| from.has_by_name(acl)) {
                    return Ok(None);
                }
                judge(snapshot, &name, &thing)
            },
        )?;
        Ok(end.map(|end| Place::behind(BY_ID, end)))
    }

    /// Goes through organisations, each once. Where it goes on.
    pub(crate) fn organisations<'a>(
        &mut self,
        snapshot: &mut Snapshot<'a>,
        from: &Reachable,
        after: String,
        mut judge: impl FnMut(
            &mut Snapshot<'a>,
            &Arc<PrincipalFacts>,
            &Thing,
        ) -> Result<Option<R>, Error>,
    ) -> Result<Option<Place>, Error> {
        let end = self.scan(
            snapshot,
            after,
            |snapshot, after, at_once| from.organisations(snapshot, after, at_once),
            |snapshot, _, id| {
                let Some(org) = snapshot.principal(&id)? else { return Ok(None) };
                let thing = snapshot.namespace(&org.name)?;
                judge(snapshot, &org, &thing)
            },
        )?;
        Ok(end.map(|end| Place::behind(ORGANISATIONS, end)))
    }
}
