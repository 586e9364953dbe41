//! The rule by which facts are filled, shared and evicted, under every interleaving of a few
//! threads: the very lines of the program, with loom's primitives in place of the library's.
//!
//! The store is a word behind a lock; what is remembered, a map behind one, as the cache is to its
//! users. A write commits, evicts and is then *answered*; from that moment on nobody may see what
//! was there before.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test")]

mod sync {
    pub(super) use loom::sync::{
        Arc, Condvar, Mutex, MutexGuard, RwLock,
        atomic::{AtomicU64, Ordering},
    };
    pub(super) use std::sync::PoisonError;
}

#[path = "../src/facts/gate.rs"]
mod gate;

use std::{collections::HashMap, panic::AssertUnwindSafe};

use gate::{Gate, Reads, Way};
use loom::thread;
use sync::{Arc, AtomicU64, Mutex, Ordering};

/// The facts of the model.
type Key = u8;
const MEMBER: Key = 0;
const CONTENT: Key = 1;

struct World {
    gate: Gate,
    reads: Reads<Key, u64>,
    remembered: Mutex<HashMap<Key, u64>>,
    stored: Mutex<[u64; 2]>,
    /// How often the store was asked.
    asked: AtomicU64,
    /// Counts writes that were answered.
    answered: AtomicU64,
}

impl World {
    fn new(stored: [u64; 2]) -> Arc<Self> {
        Arc::new(Self {
            gate: Gate::new(),
            reads: Reads::new(),
            remembered: Mutex::new(HashMap::new()),
            stored: Mutex::new(stored),
            asked: AtomicU64::new(0),
            answered: AtomicU64::new(0),
        })
    }

    fn write(&self, key: Key, value: u64) {
        self.stored.lock().unwrap()[usize::from(key)] = value;
        self.gate.evict(|| {
            self.remembered.lock().unwrap().remove(&key);
        });
        self.answered.fetch_add(1, Ordering::Release);
    }

    fn find(&self, since: gate::Epoch, key: Key) -> (u64, Way) {
        let remembered = || self.remembered.lock().unwrap().get(&key).copied();
        let read = || {
            self.asked.fetch_add(1, Ordering::Relaxed);
            Ok::<_, ()>(Some(self.stored.lock().unwrap()[usize::from(key)]))
        };
        let insert = |value| {
            self.remembered.lock().unwrap().insert(key, value);
        };
        let (found, way) =
            self.reads.find(&self.gate, since, &key, remembered, read, insert).unwrap();
        (found.unwrap(), way)
    }

    /// One fact, as a question of one fact asks for it.
    fn one(&self, key: Key) -> u64 {
        self.find(self.gate.now(), key).0
    }

    /// Both facts, as a decision gathers them; `None` when it would have to gather again.
    fn both(&self) -> Option<(u64, u64)> {
        let since = self.gate.now();
        let both = (self.find(since, MEMBER).0, self.find(since, CONTENT).0);
        (self.gate.now() == since).then_some(both)
    }
}

fn explore(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(model);
}

#[test]
fn what_was_answered_is_seen_by_whoever_begins_later() {
    explore(|| {
        let world = World::new([1, 0]);
        let writer = thread::spawn({
            let world = Arc::clone(&world);
            move || world.write(MEMBER, 2)
        });
        let reader = thread::spawn({
            let world = Arc::clone(&world);
            move || world.one(MEMBER)
        });
        let answered = world.answered.load(Ordering::Acquire);
        let seen = world.one(MEMBER);
        assert!(seen > answered, "{answered} answered, {seen} seen");
        reader.join().unwrap();
        writer.join().unwrap();
        assert_eq!(world.one(MEMBER), 2, "nothing old is left behind");
        assert_eq!(world.gate.evictions(), 1);
    });
}

#[test]
fn one_read_serves_all_who_begin_in_one_epoch() {
    explore(|| {
        let world = World::new([7, 0]);
        let since = world.gate.now();
        let others: Vec<_> = (0..2)
            .map(|_| {
                let world = Arc::clone(&world);
                thread::spawn(move || world.find(since, MEMBER))
            })
            .collect();
        let mut all = vec![world.find(since, MEMBER)];
        all.extend(others.into_iter().map(|other| other.join().unwrap()));
        assert!(all.iter().all(|(seen, _)| *seen == 7));
        assert_eq!(all.iter().filter(|(_, way)| *way == Way::Read).count(), 1);
        assert_eq!(world.asked.load(Ordering::Relaxed), 1);
    });
}

/// The new enemy: he is taken out of the team, and only then something is put before it.
#[test]
fn a_decision_never_mixes_two_moments() {
    explore(|| {
        let world = World::new([1, 0]);
        let writer = thread::spawn({
            let world = Arc::clone(&world);
            move || {
                world.write(MEMBER, 0);
                world.write(CONTENT, 1);
            }
        });
        // somebody else fills the cache meanwhile
        let filler = thread::spawn({
            let world = Arc::clone(&world);
            move || world.one(CONTENT)
        });
        assert_ne!(world.both(), Some((1, 1)), "a member, and the content");
        filler.join().unwrap();
        writer.join().unwrap();
        assert_eq!(world.both(), Some((0, 1)));
    });
}

#[test]
fn those_who_wait_for_a_read_that_breaks_read_for_themselves() {
    explore(|| {
        let world = World::new([5, 0]);
        let since = world.gate.now();
        let broken = thread::spawn({
            let world = Arc::clone(&world);
            move || {
                let found = world.reads.find(
                    &world.gate,
                    since,
                    &MEMBER,
                    || None,
                    || Err("the store is away"),
                    |_| panic!("nothing was read"),
                );
                assert!(found != Ok((None, Way::Read)));
            }
        });
        assert_eq!(world.find(since, MEMBER).0, 5);
        broken.join().unwrap();
        assert_eq!(world.one(MEMBER), 5);
    });
}

#[test]
fn a_reader_that_panics_leaves_nobody_waiting() {
    explore(|| {
        let world = World::new([5, 0]);
        let since = world.gate.now();
        let read = || -> Result<Option<u64>, ()> { panic!("a bug") };
        let found = std::panic::catch_unwind(AssertUnwindSafe(|| {
            world.reads.find(&world.gate, since, &MEMBER, || None, read, |_| {})
        }));
        assert!(found.is_err());
        assert_eq!(world.find(since, MEMBER).0, 5);
    });
}
