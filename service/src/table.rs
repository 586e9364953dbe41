//! A table of facts by key, bounded by their weight, with few lines of memory for a look-up.
//! What it holds may be forgotten at any time.
//!
//! ```text
//! part, by hash ─▶ bucket, by hash: ┌ 5 marks of 8 bits, used ┬ 5 pointers to facts ┬ 5 leads ┐
//!                                   └──────────────────── one line of the cache ───────────────┘
//! ```
//! A look-up reads one bucket, seldom a second one, and then the fact, which knows its own key. That
//! is what decides how long it takes: among a million facts each line comes from the main memory, and
//! where it lies there has to be looked up, too (decision 0008).
//!
//! Every fact has two buckets, and lies in the first one if there is room. A part doubles when it is
//! four fifths full. When it weighs more than its share, a hand goes around and forgets what was
//! not used since it last passed (CLOCK). A new fact counts as not used, so that many that are asked
//! for once do not drive out those that are asked for again and again.

mod ahead;
mod place;
#[cfg(test)]
mod tests;

use std::{
    hash::{BuildHasher, Hash},
    mem,
    sync::{
        Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use foldhash::fast::SeedableRandomState;

pub(crate) use self::ahead::{Glance, bring_buckets, bring_facts};
use self::place::{Lead, Mark, Place};

/// A fact that knows its key.
pub(crate) trait Keyed {
    type Key: Hash + Eq + ?Sized;

    fn key(&self) -> &Self::Key;

    /// What it weighs in bytes, which does not change while it is kept.
    fn weight(&self) -> u64;

    /// Looks at all of it that a decision looks at, in few steps, and at nothing behind a pointer.
    /// The answer says nothing.
    fn touch(&self) -> u64;

    /// The hash of the key of the fact, in another table with the same `state`, that is most likely
    /// looked for as soon as this one is found.
    fn next(&self, _state: &State) -> Option<Next<u64>> {
        None
    }
}

/// What is looked for next, by the table that it is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next<T> {
    Principal(T),
    Team(T),
}

impl<T> Next<T> {
    pub(crate) fn principal(self) -> Option<T> {
        match self {
            Self::Principal(next) => Some(next),
            Self::Team(_) => None,
        }
    }

    pub(crate) fn team(self) -> Option<T> {
        match self {
            Self::Team(next) => Some(next),
            Self::Principal(_) => None,
        }
    }
}

/// With what keys are hashed. Drawn anew by each process, so that nobody can choose names that meet
/// in one bucket.
pub(crate) type State = SeedableRandomState;

/// What a fact costs in bytes beside its value: its place in the table, the counts in front of it,
/// and what the allocator adds.
pub(crate) const AROUND: usize = 64;

/// Facts of one kind.
pub(crate) struct Table<T> {
    parts: Box<[Part<T>]>,
    /// What the facts of one part may weigh.
    share: u64,
    state: State,
}

/// How many parts a table has at most. Each doubles for itself, so that nobody waits long for it.
const PARTS: u64 = 64;
/// A table has fewer parts when they would not have room for so many facts.
const FACTS_A_PART: u64 = 32;
/// Facts of a bucket.
const WAYS: usize = 5;
/// How many facts are moved at the most to make room for one.
const TURNS: usize = 16;

/// So large that two parts share no line of the cache.
#[repr(align(128))]
struct Part<T> {
    kept: RwLock<Kept<T>>,
    hits: AtomicU64,
}

struct Kept<T> {
    /// A power of two of them.
    buckets: Vec<Bucket<T>>,
    facts: usize,
    weight: u64,
    /// The bucket where the hand is.
    hand: usize,
}

/// A line of the cache.
#[repr(align(64))]
struct Bucket<T> {
    /// Of each fact eight bits of its hash, its mark, the first in the lowest byte; in the byte above
    /// them, of each fact a bit: whether it was used since the hand passed; above that, of each fact
    /// the three high bits of its lead.
    head: AtomicU64,
    facts: [Option<Arc<T>>; WAYS],
    /// Of each fact where the next one is looked for, without the high bits.
    leads: [[u8; 3]; WAYS],
    /// Of each fact a bit: whether that is among teams.
    to_teams: u8,
}

/// A fact on its way into a bucket.
struct Entry<T> {
    mark: u8,
    used: bool,
    lead: Lead,
    fact: Arc<T>,
}

impl<T: Keyed> Table<T> {
    /// Room for facts that weigh `bytes` in all, about `each` one by one.
    pub(crate) fn new(state: State, bytes: u64, each: u64) -> Self {
        let parts = (bytes / each.max(1) / FACTS_A_PART).clamp(1, PARTS);
        let parts = 1 << parts.ilog2();
        Self { parts: (0..parts).map(|_| Part::new()).collect(), share: bytes / parts, state }
    }

    fn place(&self, key: &T::Key) -> Place {
        Place(self.state.hash_one(key))
    }

    fn part(&self, place: Place) -> Option<&Part<T>> {
        self.parts.get(place.part(self.parts.len()))
    }

    /// The fact with this key.
    pub(crate) fn get(&self, key: &T::Key) -> Option<Arc<T>> {
        let place = self.place(key);
        let part = self.part(place)?;
        part.hit(&part.read(), place, key)
    }

    /// Keeps a fact, in the place of another one with its key. One that weighs too much is not kept.
    pub(crate) fn keep(&self, fact: Arc<T>) {
        let place = self.place(fact.key());
        let Some(part) = self.part(place) else { return };
        let mut kept = part.write();
        kept.forget(place, fact.key());
        if fact.weight() <= self.share {
            let lead = fact.next(&self.state).map(Lead::to).unwrap_or_default();
            let entry = Entry { mark: place.mark(), used: false, lead, fact };
            kept.add(&self.state, place, entry, self.share);
        }
    }

    /// Forgets the fact with this key.
    pub(crate) fn forget(&self, key: &T::Key) {
        let place = self.place(key);
        if let Some(part) = self.part(place) {
            part.write().forget(place, key);
        }
    }

    /// Forgets everything.
    pub(crate) fn forget_all(&self) {
        for part in &self.parts {
            *part.write() = Kept::new();
        }
    }

    fn sum(&self, of: impl Fn(&Part<T>) -> u64) -> u64 {
        self.parts.iter().map(of).sum()
    }

    /// How many facts there are.
    pub(crate) fn facts(&self) -> u64 {
        self.sum(|part| u64::try_from(part.read().facts).unwrap_or(u64::MAX))
    }

    /// What they weigh.
    pub(crate) fn weight(&self) -> u64 {
        self.sum(|part| part.read().weight)
    }

    /// How often one was found.
    pub(crate) fn hits(&self) -> u64 {
        self.sum(|part| part.hits.load(Relaxed))
    }
}

impl<T: Keyed> Part<T> {
    fn new() -> Self {
        Self { kept: RwLock::new(Kept::new()), hits: AtomicU64::new(0) }
    }

    fn read(&self) -> RwLockReadGuard<'_, Kept<T>> {
        self.kept.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Kept<T>> {
        self.kept.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The fact with this key among `kept`, which is what the part keeps; that it was used is noted.
    fn hit(&self, kept: &Kept<T>, place: Place, key: &T::Key) -> Option<Arc<T>> {
        let (bucket, way, fact) = kept.find(place, key)?;
        bucket.used(way);
        self.hits.fetch_add(1, Relaxed);
        Some(Arc::clone(fact))
    }
}

impl<T: Keyed> Kept<T> {
    fn new() -> Self {
        Self { buckets: vec![Bucket::default()], facts: 0, weight: 0, hand: 0 }
    }

    fn places(&self, place: Place) -> [usize; 2] {
        place.buckets(self.buckets.len())
    }

    /// The bucket, the way in it, and the fact.
    fn find(&self, place: Place, key: &T::Key) -> Option<(&Bucket<T>, usize, &Arc<T>)> {
        self.places(place).into_iter().find_map(|at| {
            let bucket = self.buckets.get(at)?;
            let (way, fact) = bucket.find(place.mark(), key)?;
            Some((bucket, way, fact))
        })
    }

    fn forget(&mut self, place: Place, key: &T::Key) {
        for at in self.places(place) {
            let bucket = self.buckets.get_mut(at);
            let way = bucket.as_ref().and_then(|bucket| Some(bucket.find(place.mark(), key)?.0));
            if let (Some(bucket), Some(way)) = (bucket, way) {
                let gone = bucket.take(way);
                self.count_out(gone);
            }
        }
    }

    fn count_out(&mut self, gone: Option<Entry<T>>) {
        if let Some(Entry { fact, .. }) = gone {
            self.facts -= 1;
            self.weight -= fact.weight();
        }
    }

    /// Adds a fact that is not there, and forgets others until all weigh `share` at the most.
    fn add(&mut self, state: &State, place: Place, entry: Entry<T>, share: u64) {
        if (self.facts + 1) * 5 > self.buckets.len() * WAYS * 4 {
            self.double(state);
        }
        // before it is there: it would be the first to go
        let added = entry.fact.weight();
        while self.weight + added > share && self.facts > 0 {
            self.sweep();
        }
        self.weight += added;
        self.facts += 1;
        self.lay(state, place, entry);
    }

    /// Lays a fact into one of its buckets.
    fn lay(&mut self, state: &State, mut place: Place, mut entry: Entry<T>) {
        for turn in 0..TURNS {
            let Some(left) = self.try_lay(place, entry) else { return };
            self.make_room(state, place);
            let Some(left) = self.try_lay(place, left) else { return };
            // it takes the place of another one, which is laid anew
            let [at, _] = self.places(place);
            let Some(bucket) = self.buckets.get_mut(at) else { return };
            let Some(other) = bucket.take(turn % WAYS) else { return };
            bucket.lay(left);
            place = Place(state.hash_one(other.fact.key()));
            entry = other;
        }
        // of facts that can be read again one goes; with two buckets for each it hardly happens
        self.count_out(Some(entry));
    }

    /// Gives the fact back if both buckets are full.
    fn try_lay(&mut self, place: Place, entry: Entry<T>) -> Option<Entry<T>> {
        let mut left = Some(entry);
        for at in self.places(place) {
            let (Some(bucket), Some(entry)) = (self.buckets.get_mut(at), left.take()) else {
                break;
            };
            left = bucket.lay(entry);
        }
        left
    }

    /// Moves a fact of one of the two buckets to the other one that it has, if there is room.
    fn make_room(&mut self, state: &State, place: Place) {
        for at in self.places(place) {
            for way in 0..WAYS {
                let Some(bucket) = self.buckets.get_mut(at) else { continue };
                let Some(entry) = bucket.take(way) else { return };
                let [first, second] = self.places(Place(state.hash_one(entry.fact.key())));
                let other = self.buckets.get_mut(if first == at { second } else { first });
                let mut back = Some(entry);
                if let (Some(other), Some(entry)) = (other, back.take()) {
                    back = other.lay(entry);
                }
                let Some(entry) = back else { return };
                // the way that was made free is free again
                back = self.buckets.get_mut(at).and_then(|same| same.lay(entry));
                self.count_out(back);
            }
        }
    }

    fn double(&mut self, state: &State) {
        let twice = self.buckets.len() * 2;
        let empty = (0..twice).map(|_| Bucket::default()).collect();
        for mut bucket in mem::replace(&mut self.buckets, empty) {
            for way in 0..WAYS {
                if let Some(entry) = bucket.take(way) {
                    self.lay(state, Place(state.hash_one(entry.fact.key())), entry);
                }
            }
        }
    }

    /// Moves the hand on by one bucket.
    fn sweep(&mut self) {
        self.hand = (self.hand + 1) & (self.buckets.len() - 1);
        for way in 0..WAYS {
            let Some(bucket) = self.buckets.get_mut(self.hand) else { return };
            let gone = if bucket.is_used(way) { None } else { bucket.take(way) };
            self.count_out(gone);
        }
        if let Some(bucket) = self.buckets.get_mut(self.hand) {
            *bucket.head.get_mut() &= !USED;
        }
    }
}

impl<T> Default for Bucket<T> {
    fn default() -> Self {
        let (facts, leads) = ([const { None }; WAYS], [[0; 3]; WAYS]);
        Self { head: AtomicU64::new(0), facts, leads, to_teams: 0 }
    }
}

/// A one in each byte.
const ONES: u64 = u64::MAX / 0xff;
/// The bits of the marks.
const MARKS: u64 = u64::MAX >> (64 - 8 * WAYS);
/// The bits of use.
const USED: u64 = ((1 << WAYS) - 1) << (8 * WAYS);

/// The bit that says whether the fact in this way was used.
const fn used_bit(way: usize) -> u64 {
    1 << (8 * WAYS + way)
}

/// From where on the high bits of the lead of this way lie.
const fn high_bits(way: usize) -> usize {
    8 * WAYS + 8 + 3 * way
}

impl<T> Bucket<T> {
    /// The ways with this mark; behind the first one, perhaps some without. In few steps that are
    /// always the same: a search byte by byte ends in another place each time, which no processor
    /// foresees.
    fn ways(&self, mark: Mark) -> impl Iterator<Item = usize> {
        // a byte is zero where the mark is the same, and nothing else borrows from the byte above it
        let apart = self.head.load(Relaxed) ^ (ONES * u64::from(mark.bits));
        let apart = apart & (ONES * u64::from(mark.known));
        let mut same = apart.wrapping_sub(ONES) & !apart & (ONES << 7) & MARKS;
        std::iter::from_fn(move || {
            let way = same.trailing_zeros() / 8;
            same &= same.wrapping_sub(1);
            usize::try_from(way).ok().filter(|way| *way < WAYS)
        })
    }

    /// The way of the fact with this key, and the fact.
    fn find(&self, mark: u8, key: &T::Key) -> Option<(usize, &Arc<T>)>
    where
        T: Keyed,
    {
        self.ways(Mark::whole(mark))
            .filter_map(|way| Some((way, self.facts.get(way)?.as_ref()?)))
            .find(|(_, fact)| fact.key() == key)
    }

    /// Where the fact in this way leads to.
    fn lead(&self, way: usize) -> Lead {
        let [low, middle, high] = self.leads.get(way).copied().unwrap_or_default();
        let [top, ..] = (self.head.load(Relaxed) >> high_bits(way)).to_le_bytes();
        let to_team = self.to_teams >> way & 1;
        Lead(u32::from_le_bytes([low, middle, high, top & 7 | to_team << 3]))
    }

    fn is_used(&self, way: usize) -> bool {
        self.head.load(Relaxed) & used_bit(way) != 0
    }

    /// Notes that a fact was used.
    fn used(&self, way: usize) {
        // nearly always it was already, and then nobody else need read the line anew
        if !self.is_used(way) {
            self.head.fetch_or(used_bit(way), Relaxed);
        }
    }

    fn take(&mut self, way: usize) -> Option<Entry<T>> {
        let fact = self.facts.get_mut(way)?.take()?;
        let (used, lead) = (self.is_used(way), self.lead(way));
        let mark = self.head.get_mut().to_le_bytes().get(way).copied().unwrap_or_default();
        Some(Entry { mark, used, lead, fact })
    }

    /// Gives the fact back if the bucket is full.
    fn lay(&mut self, entry: Entry<T>) -> Option<Entry<T>> {
        let mut places = self.facts.iter_mut().zip(&mut self.leads).enumerate();
        let Some((way, (place, its))) = places.find(|(_, (old, _))| old.is_none()) else {
            return Some(entry);
        };
        let Entry { mark, used, lead: Lead(lead), fact } = entry;
        let [low, middle, high, top] = lead.to_le_bytes();
        (*place, *its) = (Some(fact), [low, middle, high]);
        let head = self.head.get_mut();
        *head &= !(0xff << (8 * way) | used_bit(way) | 7 << high_bits(way));
        *head |= u64::from(mark) << (8 * way) | u64::from(top & 7) << high_bits(way);
        *head |= if used { used_bit(way) } else { 0 };
        self.to_teams = self.to_teams & !(1 << way) | top >> 3 << way;
        None
    }
}
