use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

#[derive(Debug, PartialEq)]
struct Fact {
    key: u32,
    weight: u64,
    value: u32,
}

impl Keyed for Fact {
    type Key = u32;

    fn key(&self) -> &u32 {
        &self.key
    }

    fn weight(&self) -> u64 {
        self.weight
    }

    fn touch(&self) -> u64 {
        0
    }

    /// The fact whose key is the value.
    fn next(&self, state: &State) -> Option<Next<u64>> {
        Some(next(self.value, state.hash_one(self.value)))
    }
}

/// What `key` is found as, if it is looked for next.
fn next(key: u32, hash: u64) -> Next<u64> {
    if key.is_multiple_of(2) { Next::Principal(hash) } else { Next::Team(hash) }
}

/// A table that is the same in each run.
fn of_bytes(bytes: u64) -> Table<Fact> {
    Table::new(State::fixed(), bytes, 10)
}

fn fact(key: u32, value: u32) -> Arc<Fact> {
    Arc::new(Fact { key, weight: 10, value })
}

#[derive(Clone, Debug)]
enum Step {
    Keep(u32, u32),
    Forget(u32),
    Get(u32),
    ForgetAll,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let key = 0..500_u32;
    let step = prop_oneof![
        8 => (key.clone(), any::<u32>()).prop_map(|(key, value)| Step::Keep(key, value)),
        3 => key.clone().prop_map(Step::Forget),
        4 => key.prop_map(Step::Get),
        1 => Just(Step::ForgetAll),
    ];
    proptest::collection::vec(step, 0..2_000)
}

/// Takes every step in both; a fact of the table is always that of the map.
fn walk(table: &Table<Fact>, steps: &[Step]) -> HashMap<u32, u32> {
    let mut map = HashMap::new();
    for step in steps {
        match *step {
            Step::Keep(key, value) => {
                table.keep(fact(key, value));
                map.insert(key, value);
            }
            Step::Forget(key) => {
                table.forget(&key);
                map.remove(&key);
            }
            Step::Get(key) => {
                if let Some(found) = table.get(&key) {
                    assert_eq!((found.key, Some(&found.value)), (key, map.get(&key)));
                }
            }
            Step::ForgetAll => {
                table.forget_all();
                map.clear();
            }
        }
    }
    map
}

proptest! {
    #[test]
    fn with_room_enough_it_is_a_map(steps in steps()) {
        let table = of_bytes(1 << 20);
        let map = walk(&table, &steps);
        prop_assert_eq!(table.facts(), map.len() as u64);
        prop_assert_eq!(table.weight(), map.len() as u64 * 10);
        for (key, value) in map {
            prop_assert_eq!(table.get(&key).map(|fact| fact.value), Some(value));
        }
    }

    #[test]
    fn without_room_it_forgets_and_is_never_wrong(steps in steps(), bytes in 0..3_000_u64) {
        let table = of_bytes(bytes);
        let map = walk(&table, &steps);
        prop_assert!(table.weight() <= bytes);
        let found: Vec<_> = (0..500).filter_map(|key| table.get(&key)).collect();
        prop_assert_eq!(found.len() as u64, table.facts());
        for fact in found {
            prop_assert_eq!(map.get(&fact.key), Some(&fact.value));
        }
    }
}

#[test]
fn a_bucket_is_a_line_of_the_cache() {
    assert_eq!(size_of::<Bucket<Fact>>(), 64);
}

#[test]
fn many_facts_lose_none_and_need_few_second_looks() {
    let table = of_bytes(u64::MAX);
    let count = 200_000;
    for key in 0..count {
        table.keep(fact(key, key));
    }
    assert_eq!(table.facts(), u64::from(count));
    let in_first = |key: &u32| {
        let place = table.place(key);
        let kept = table.part(place).unwrap().read();
        let [first, _] = kept.places(place);
        kept.buckets[first].find(place.mark(), key).is_some()
    };
    let first = (0..count).filter(in_first).count();
    assert!(first > 150_000, "{first}");
    let places: usize = table.parts.iter().map(|part| part.read().buckets.len() * WAYS).sum();
    assert!(places < 600_000, "{places}");
}

#[test]
fn what_is_asked_for_again_outlives_what_is_asked_for_once() {
    let table = of_bytes(10_000);
    for key in 0..500 {
        table.keep(fact(key, key));
    }
    for once in 1_000..20_000 {
        table.keep(fact(once, 0));
        let _ = table.get(&(once % 500));
    }
    let left = (0..500).filter(|key| table.get(key).is_some()).count();
    assert!(left > 400, "{left}");
}

#[test]
fn what_is_larger_than_the_table_is_not_kept() {
    let table = of_bytes(100);
    table.keep(fact(1, 1));
    table.keep(Arc::new(Fact { key: 2, weight: 101, value: 2 }));
    assert_eq!((table.get(&1).is_some(), table.get(&2).is_some()), (true, false));
    assert_eq!(table.hits(), 1);
}

#[test]
fn a_glance_sees_what_is_there_and_waits_for_nobody_who_writes() {
    let table = of_bytes(10_000);
    assert!(table.glance(&1).is_some_and(|glance| glance.fact().is_none()));
    for key in 0..100 {
        table.keep(fact(key, key + 1));
    }
    let seen = |key| table.glance(&key).and_then(|glance| glance.fact().map(|fact| fact.value));
    // one that had to go into its second bucket is not seen, nor one behind another of its mark
    let right = (0..100).filter(|key| seen(*key) == Some(key + 1)).count();
    assert!(right > 80, "{right}");
    let glances = [table.glance(&1), table.glance(&1), table.glance(&2)];
    let all = (glances, table.glance(&500));
    bring_buckets(&all);
    bring_facts(&all);
    drop(all);
    let hits = table.hits();
    let part = table.part(table.place(&1)).expect("each key has a part");
    let writing = part.write();
    assert!(table.glance(&1).is_none());
    drop(writing);
    assert_eq!(table.hits(), hits, "a look ahead is no hit");
}

#[test]
fn a_fact_leads_to_the_next_one_wherever_it_was_moved() {
    let table = of_bytes(u64::MAX);
    let count = 20_000;
    for key in 0..count {
        table.keep(fact(key, (key + 1) % count));
    }
    // what is forgotten leaves its way to another one
    for key in (0..count).step_by(3) {
        table.forget(&key);
        table.keep(fact(key, (key + 2) % count));
    }
    let (mut led, mut right) = (0, 0);
    for key in 0..count {
        let to = if key % 3 == 0 { (key + 2) % count } else { (key + 1) % count };
        let glance = table.glance(&key).unwrap();
        // seldom it is another one with the same mark
        if glance.fact().is_none_or(|fact| fact.key != key) {
            continue;
        }
        led += 1;
        let along = glance.lead();
        drop(glance);
        assert_eq!(along, Lead::to(next(to, table.place(&to).0)).place());
        let Some(Next::Principal(along) | Next::Team(along)) = along else { unreachable!() };
        let along = table.glance_along(Some(along)).unwrap();
        right += u32::from(along.fact().is_some_and(|fact| fact.key == to));
    }
    assert!(led > count * 9 / 10 && right > led * 8 / 10, "{led} {right}");
}

#[test]
fn a_wrong_lead_finds_the_right_fact() {
    let table = of_bytes(10_000);
    for key in 0..100 {
        table.keep(fact(key, key + 1));
    }
    for key in 0..100 {
        let other = table.place(&(key + 7)).0;
        for lead in
            [Lead::default(), Lead::to(Next::Principal(0)), Lead::to(Next::Principal(other))]
        {
            let along = lead.place().and_then(Next::principal);
            let found = table.take_along(table.glance_along(along), &key);
            assert_eq!(found.map(|fact| fact.value), Some(key + 1));
        }
    }
    assert!(table.take_along(None, &500).is_none());
    let writing = table.part(table.place(&1)).expect("each key has a part").write();
    assert!(table.take_along(None, &1).is_none(), "nobody waits");
    drop(writing);
}
