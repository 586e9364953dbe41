use std::{
    hash::BuildHasher,
    sync::atomic::{AtomicU64, Ordering},
};

use claviger_domain::{
    Chance,
    access::{Grant, Grantee},
    id::{PrincipalId, RepoId, TeamId},
    principal::{PrincipalKind, TeamFacts},
    role::{OrgRole, RepoState, Role, Visibility},
};
use claviger_store::{Composed, Engine, Param, Query, Row, Stmt, StoreError};

use super::{shelf::Source, *};
use crate::table::{Keyed, Next};

struct Ones(u8);
impl Chance for Ones {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(self.0);
    }
}

struct Count(AtomicU64);
impl Chance for Count {
    fn fill(&self, bytes: &mut [u8]) {
        let n = self.0.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        bytes.iter_mut().zip(n.iter().rev().cycle()).for_each(|(to, from)| *to = *from);
    }
}

/// A store that is never asked: the closure that reads answers for it.
struct Nothing;
impl Query for Nothing {
    fn optional(&mut self, _: &Stmt, _: &[Param<'_>]) -> Result<Option<Row>, StoreError> {
        Ok(None)
    }
    fn all(&mut self, _: &Stmt, _: &[Param<'_>]) -> Result<Vec<Row>, StoreError> {
        Ok(Vec::new())
    }
    fn engine(&self) -> Engine {
        Engine::Sqlite
    }
    fn once(&mut self, _: &Composed, _: &[Param<'_>]) -> Result<Vec<Row>, StoreError> {
        Ok(Vec::new())
    }
}

fn team(n: u8) -> TeamFacts {
    let org = PrincipalId::random(&Ones(0));
    TeamFacts { id: TeamId::random(&Ones(n)), org, name: "devs".into(), role: OrgRole::Admin }
}

fn facts() -> Facts {
    Facts::new(1 << 20, Duration::from_secs(2))
}

/// Looks for the team as a question that began in the epoch `since` does; the store has it.
fn find(facts: &Facts, since: Epoch, team: &TeamFacts) {
    let mut source = Source::Both(&mut Nothing);
    let read = |_: &mut dyn Query, _: &TeamId| Ok(Some(team.clone()));
    let found = facts.teams.find(&facts.gate, since, &mut source, &team.id, read);
    assert!(matches!(found, Ok(Ok(Some(there))) if *there == *team));
}

fn remembered(facts: &Facts, team: &TeamFacts) -> bool {
    let never = |_: &mut dyn Query, _: &TeamId| Ok(None);
    let now = facts.gate.now();
    let found = facts.teams.find(&facts.gate, now, &mut Source::Memory, &team.id, never);
    matches!(found, Ok(Ok(Some(_))))
}

#[test]
fn a_fill_that_an_eviction_overtook_is_not_kept() {
    let (facts, team) = (facts(), team(1));
    let before = facts.gate.now();
    facts.evict(&[Touched::Team(team.id)]);
    find(&facts, before, &team);
    assert!(!remembered(&facts, &team));
    find(&facts, facts.gate.now(), &team);
    assert!(remembered(&facts, &team));
    facts.evict(&[Touched::Team(team.id)]);
    assert!(!remembered(&facts, &team));
}

#[test]
fn one_word_forgets_everything() {
    let facts = facts();
    for n in 0..9 {
        find(&facts, facts.gate.now(), &team(n));
    }
    facts.evict(&[]);
    assert_eq!(facts.usage().teams.entries, 9);
    facts.evict(&[Touched::All]);
    assert_eq!(facts.usage().sum(|kind| kind.entries), 0);
}

#[test]
fn what_had_to_be_read_is_one_miss() {
    let (facts, team) = (facts(), team(1));
    assert!(!remembered(&facts, &team));
    find(&facts, facts.gate.now(), &team);
    assert!(remembered(&facts, &team));
    let KindUse { hits, misses, read, .. } = facts.usage().teams;
    assert_eq!((hits, misses, read), (1, 1, 1));
}

#[test]
fn nothing_is_trusted_without_a_feed() {
    assert!(!facts().is_trusted());
}

#[test]
fn memory_stays_within_its_bound() {
    let facts = Facts::new(100_000, Duration::from_secs(2));
    let chance = Count(AtomicU64::new(0));
    for _ in 0..10_000 {
        let team = TeamFacts { id: TeamId::random(&chance), ..team(1) };
        find(&facts, facts.gate.now(), &team);
    }
    let usage = facts.usage();
    assert!(usage.sum(|kind| kind.bytes) <= 100_000, "{usage:?}");
    assert_eq!(usage.teams.read, 10_000);
}

fn acl(name: &str, kind: PrincipalKind, grants: &[Grantee]) -> RepoAcl {
    let grants: Vec<_> = grants.iter().map(|to| Grant { to: *to, role: Role::Read }).collect();
    RepoAcl {
        id: RepoId::random(&Ones(2)),
        name: name.parse().unwrap(),
        namespace: NamespaceFacts { id: PrincipalId::random(&Ones(1)), kind },
        visibility: Visibility::Private,
        state: RepoState::Normal,
        grants: grants.into_iter().collect(),
    }
}

#[test]
fn a_repository_leads_to_its_user_or_to_the_team_that_was_first_let_in() {
    let state = State::default();
    let grants = [
        Grantee::Principal(PrincipalId::random(&Ones(3))),
        Grantee::Team(TeamId::random(&Ones(4))),
        Grantee::Team(TeamId::random(&Ones(5))),
    ];
    let next = |kind, grants| acl("aa/b", kind, grants).next(&state);
    let user = state.hash_one(PrincipalId::random(&Ones(1)));
    assert_eq!(next(PrincipalKind::User, &grants), Some(Next::Principal(user)));
    let team = state.hash_one(TeamId::random(&Ones(4)));
    assert_eq!(next(PrincipalKind::Org, &grants), Some(Next::Team(team)));
    assert_eq!(next(PrincipalKind::Org, &grants[..1]), None);
}

/// V1: a key is the whole of what it stands for, so that no two facts share one: a lookup has 32
/// bytes of a hash, ids are unique, and a repository's name is compared as it is.
#[test]
fn no_two_names_share_a_fact() {
    let facts = facts();
    let names = [
        "aa/b", "aa/bc", "aab/c", "ab/b", "aa/b/c", "aa/b.c", "aa/b-c", "aa/b_c", "aa/b0", "a.a/b",
    ];
    for name in names {
        let mut source = Source::Both(&mut Nothing);
        let acl = acl(name, PrincipalKind::User, &[]);
        let mut asked = false;
        let key = name.as_bytes();
        let found = facts.repos.find(&facts.gate, facts.gate.now(), &mut source, key, |_, key| {
            asked = key == name.as_bytes();
            Ok(Some(acl))
        });
        assert!(found.is_ok_and(|found| found.is_ok()) && asked, "{name:?} was taken for another");
    }
    assert_eq!(facts.usage().repos.entries, 10);
}
