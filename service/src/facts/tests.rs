use claviger_domain::{id::TeamId, principal::TeamFacts, role::OrgRole};

use super::*;

struct Ones(u8);
impl claviger_domain::Chance for Ones {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(self.0);
    }
}

struct Count(AtomicU64);
impl claviger_domain::Chance for Count {
    fn fill(&self, bytes: &mut [u8]) {
        let n = self.0.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        bytes.iter_mut().zip(n.iter().rev().cycle()).for_each(|(to, from)| *to = *from);
    }
}

fn team(n: u8) -> Arc<TeamFacts> {
    let org = PrincipalId::random(&Ones(0));
    Arc::new(TeamFacts {
        id: TeamId::random(&Ones(n)),
        org,
        name: "devs".into(),
        role: OrgRole::Admin,
    })
}

fn facts() -> Facts {
    Facts::new(1 << 20, Duration::from_secs(2))
}

#[test]
fn a_fill_that_an_eviction_overtook_is_not_kept() {
    let (facts, team) = (facts(), team(1));
    let insert = |epoch| facts.keep(epoch, |facts| facts.teams.insert(team.id, Arc::clone(&team)));
    let before = facts.epoch.load(Ordering::Acquire);
    facts.evict(&[Touched::Team(team.id)]);
    insert(before);
    assert_eq!(facts.teams.get(&team.id), None);
    insert(facts.epoch.load(Ordering::Acquire));
    assert_eq!(facts.teams.get(&team.id), Some(Arc::clone(&team)));
    facts.evict(&[Touched::Team(team.id)]);
    assert_eq!(facts.teams.get(&team.id), None);
}

#[test]
fn one_word_forgets_everything() {
    let facts = facts();
    for n in 0..9 {
        facts.teams.insert(team(n).id, team(n));
    }
    facts.evict(&[]);
    assert_eq!(facts.usage().entries, 9);
    facts.evict(&[Touched::All]);
    assert_eq!(facts.usage().entries, 0);
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
        let team = TeamFacts { id: TeamId::random(&chance), ..(*team(1)).clone() };
        facts.teams.insert(team.id, Arc::new(team));
    }
    assert!(facts.usage().bytes <= 100_000, "{:?}", facts.usage());
}
