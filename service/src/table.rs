//! A table of facts by key, bounded by their weight, with few lines of memory for a look-up.
//! What it holds may be forgotten at any time.
//!
//! ```text
//! part, by hash ─▶ bucket, by hash: ┌ 7 marks of 8 bits, used ┬ 7 pointers to facts ┐
//!                                   └────────────── one line of the cache ─────────────┘
//! ```
//! A look-up reads one bucket, seldom a second one, and then the fact, which knows its own key. That
//! is what decides how long it takes: among a million facts each line comes from the main memory, and
//! where it lies there has to be looked up, too (decision 0008).
//!
//! Every fact has two buckets, and lies in the first one if there is room. A part doubles when it is
//! three quarters full. When it weighs more than its share, a hand goes around and forgets what was
//! not used since it last passed (CLOCK). A new fact counts as not used, so that many that are asked
//! for once do not drive out those that are asked for again and again.

mod ahead;
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

pub(crate) use self::ahead::{Glance, bring};

/// A fact that knows its key.
pub(crate) trait Keyed {
    type Key: Hash + Eq + ?Sized;

    fn key(&self) -> &Self::Key;

    /// What it weighs in bytes, which does not change while it is kept.
    fn weight(&self) -> u64;

    /// Looks at all of it that a decision looks at, in few steps, and at nothing behind a pointer.
    /// The answer says nothing.
    fn touch(&self) -> u64;
}

/// What a fact costs in bytes beside its value: its place in the table, the counts in front of it,
/// and what the allocator adds.
pub(crate) const AROUND: usize = 64;

/// Facts of one kind.
pub(crate) struct Table<T> {
    parts: Box<[Part<T>]>,
    /// What the facts of one part may weigh.
    share: u64,
    /// Drawn anew by each process, so that nobody can choose names that meet in one bucket.
    state: SeedableRandomState,
}

/// How many parts a table has at most. Each doubles for itself, so that nobody waits long for it.
const PARTS: u64 = 64;
/// A table has fewer parts when they would not have room for so many facts.
const FACTS_A_PART: u64 = 32;
/// Facts of a bucket.
const WAYS: usize = 7;

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
    /// Of each fact eight bits of its hash, its mark, the first in the lowest byte; in the highest, of
    /// each fact a bit: whether it was used since the hand passed.
    head: AtomicU64,
    facts: [Option<Arc<T>>; WAYS],
}

/// The hash of a key, and so where its fact belongs.
#[derive(Clone, Copy)]
struct Place(u64);

impl Place {
    fn mark(self) -> u8 {
        let [mark, ..] = self.0.to_le_bytes();
        mark
    }

    fn part(self, parts: usize) -> usize {
        let [_, part, ..] = self.0.to_le_bytes();
        // there is a power of two of them
        usize::from(part) & parts.saturating_sub(1)
    }

    /// The two buckets, of so many; they differ as soon as there are two.
    fn buckets(self, count: usize) -> [usize; 2] {
        let bits = |from: u32| usize::try_from((self.0 >> from) & 0xff_ffff).unwrap_or_default();
        let (first, apart) = (bits(16), bits(40));
        [first, first ^ (apart | 1)].map(|at| at & (count - 1))
    }
}

impl<T: Keyed> Table<T> {
    /// Room for facts that weigh `bytes` in all, about `each` one by one.
    pub(crate) fn new(bytes: u64, each: u64) -> Self {
        Self::hashing_with(SeedableRandomState::default(), bytes, each)
    }

    fn hashing_with(state: SeedableRandomState, bytes: u64, each: u64) -> Self {
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
            kept.add(&self.state, place, fact, self.share);
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

    fn count_out(&mut self, gone: Option<Arc<T>>) {
        if let Some(fact) = gone {
            self.facts -= 1;
            self.weight -= fact.weight();
        }
    }

    /// Adds a fact that is not there, and forgets others until all weigh `share` at the most.
    fn add(&mut self, state: &SeedableRandomState, place: Place, fact: Arc<T>, share: u64) {
        if (self.facts + 1) * 4 > self.buckets.len() * WAYS * 3 {
            self.double(state);
        }
        // before it is there: it would be the first to go
        let added = fact.weight();
        while self.weight + added > share && self.facts > 0 {
            self.sweep();
        }
        self.weight += added;
        self.facts += 1;
        self.lay(state, place, false, fact);
    }

    /// Lays a fact into one of its buckets.
    fn lay(&mut self, state: &SeedableRandomState, place: Place, used: bool, fact: Arc<T>) {
        let Some(fact) = self.try_lay(place, used, fact) else { return };
        self.make_room(state, place);
        if let Some(fact) = self.try_lay(place, used, fact) {
            // of facts that can be read again one goes; with two buckets for each it hardly happens
            let [first, _] = self.places(place);
            let gone = self.buckets.get_mut(first).and_then(|bucket| bucket.take(0));
            self.count_out(gone);
            let refused = self.try_lay(place, used, fact);
            self.count_out(refused);
        }
    }

    /// Gives the fact back if both buckets are full.
    fn try_lay(&mut self, place: Place, used: bool, fact: Arc<T>) -> Option<Arc<T>> {
        let mut left = Some(fact);
        for at in self.places(place) {
            let (Some(bucket), Some(fact)) = (self.buckets.get_mut(at), left.take()) else { break };
            left = bucket.lay(place.mark(), used, fact);
        }
        left
    }

    /// Moves a fact of one of the two buckets to the other one that it has, if there is room.
    fn make_room(&mut self, state: &SeedableRandomState, place: Place) {
        for at in self.places(place) {
            for way in 0..WAYS {
                let Some(bucket) = self.buckets.get_mut(at) else { continue };
                let Some(fact) = bucket.take(way) else { return };
                let (its, used) = (Place(state.hash_one(fact.key())), bucket.is_used(way));
                let [first, second] = self.places(its);
                let other = self.buckets.get_mut(if first == at { second } else { first });
                let mut back = Some(fact);
                if let (Some(other), Some(fact)) = (other, back.take()) {
                    back = other.lay(its.mark(), used, fact);
                }
                let Some(fact) = back else { return };
                // the way that was made free is free again
                back = self.buckets.get_mut(at).and_then(|same| same.lay(its.mark(), used, fact));
                self.count_out(back);
            }
        }
    }

    fn double(&mut self, state: &SeedableRandomState) {
        let twice = self.buckets.len() * 2;
        let empty = (0..twice).map(|_| Bucket::default()).collect();
        for mut bucket in mem::replace(&mut self.buckets, empty) {
            for way in 0..WAYS {
                if let Some(fact) = bucket.take(way) {
                    let place = Place(state.hash_one(fact.key()));
                    self.lay(state, place, bucket.is_used(way), fact);
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
            *bucket.head.get_mut() &= MARKS;
        }
    }
}

impl<T> Default for Bucket<T> {
    fn default() -> Self {
        Self { head: AtomicU64::new(0), facts: [const { None }; WAYS] }
    }
}

/// A one in each byte.
const ONES: u64 = u64::MAX / 0xff;
/// The bits of the marks; above them are those of use.
const MARKS: u64 = u64::MAX >> 8;

/// The bit that says whether the fact in this way was used.
const fn used_bit(way: usize) -> u64 {
    (MARKS + 1) << way
}

impl<T> Bucket<T> {
    /// The ways with this mark; behind the first one, perhaps some without. In few steps that are
    /// always the same: a search byte by byte ends in another place each time, which no processor
    /// foresees.
    fn ways(&self, mark: u8) -> impl Iterator<Item = usize> {
        // a byte is zero where the mark is the same, and nothing else borrows from the byte above it
        let apart = self.head.load(Relaxed) ^ (ONES * u64::from(mark));
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
        self.ways(mark)
            .filter_map(|way| Some((way, self.facts.get(way)?.as_ref()?)))
            .find(|(_, fact)| fact.key() == key)
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

    fn take(&mut self, way: usize) -> Option<Arc<T>> {
        self.facts.get_mut(way)?.take()
    }

    /// Gives the fact back if the bucket is full.
    fn lay(&mut self, mark: u8, used: bool, fact: Arc<T>) -> Option<Arc<T>> {
        let Some((way, place)) = self.facts.iter_mut().enumerate().find(|(_, old)| old.is_none())
        else {
            return Some(fact);
        };
        *place = Some(fact);
        let head = self.head.get_mut();
        let (byte, bit) = (8 * way, used_bit(way));
        *head = *head & !(0xff << byte) & !bit | u64::from(mark) << byte;
        *head |= if used { bit } else { 0 };
        None
    }
}
