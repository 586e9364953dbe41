//! Looking ahead: several facts are brought from the main memory at the same time.
//!
//! Among a million facts, a look-up waits for the main memory twice: for its bucket, and for its
//! fact. A processor goes on to what comes behind while it waits, and so waits for many lines at
//! once, but not past a lock, which every look-up takes. So here all locks are taken first, then
//! all buckets are looked at, and then all facts; after that each is found near ([`Glance::take`]).

use std::{
    hint::black_box,
    sync::{Arc, RwLockReadGuard, atomic::Ordering::Relaxed},
};

use super::{Bucket, Kept, Keyed, Part, Place, Table};

/// Where a fact would be, if it is there.
pub(crate) struct Glance<'a, T> {
    part: &'a Part<T>,
    kept: RwLockReadGuard<'a, Kept<T>>,
    place: Place,
}

/// One or more glances. What each look gives is of no use, but that it was looked at. A processor
/// looks no further ahead than a few hundred steps, so each look takes few.
pub(crate) trait Ahead {
    /// Looks at the buckets.
    fn buckets(&self) -> u64;

    /// Looks at the counts in front of the facts, often on a line of their own.
    fn counts(&self) -> u64;

    /// Looks at the rest of the facts.
    fn facts(&self) -> u64;
}

impl<T: Keyed> Table<T> {
    /// A glance at where the fact with this key would be; none while somebody writes there, because
    /// whoever holds one lock must not wait for another.
    pub(crate) fn glance(&self, key: &T::Key) -> Option<Glance<'_, T>> {
        let place = self.place(key);
        let part = self.part(place)?;
        let kept = part.kept.try_read().ok()?;
        Some(Glance { part, kept, place })
    }
}

impl<T: Keyed> Glance<'_, T> {
    fn bucket(&self) -> Option<&Bucket<T>> {
        let [first, _] = self.kept.places(self.place);
        self.kept.buckets.get(first)
    }

    /// What is nearly always the fact: its mark fits.
    pub(crate) fn fact(&self) -> Option<&Arc<T>> {
        let bucket = self.bucket()?;
        let way = bucket.ways(self.place.mark()).next()?;
        bucket.facts.get(way)?.as_ref()
    }

    /// The fact, as [`Table::get`] gives it.
    pub(crate) fn take(self, key: &T::Key) -> Option<Arc<T>> {
        self.part.hit(&self.kept, self.place, key)
    }
}

impl<T: Keyed> Ahead for Option<Glance<'_, T>> {
    fn buckets(&self) -> u64 {
        let bucket = self.as_ref().and_then(Glance::bucket);
        bucket.map_or(0, |bucket| bucket.head.load(Relaxed))
    }

    fn counts(&self) -> u64 {
        let fact = self.as_ref().and_then(Glance::fact);
        fact.map_or(0, |fact| Arc::strong_count(fact) as u64)
    }

    fn facts(&self) -> u64 {
        let fact = self.as_ref().and_then(Glance::fact);
        fact.map_or(0, |fact| fact.touch())
    }
}

impl<A: Ahead, const N: usize> Ahead for [A; N] {
    fn buckets(&self) -> u64 {
        self.iter().fold(0, |all, one| all ^ one.buckets())
    }

    fn counts(&self) -> u64 {
        self.iter().fold(0, |all, one| all ^ one.counts())
    }

    fn facts(&self) -> u64 {
        self.iter().fold(0, |all, one| all ^ one.facts())
    }
}

impl<A: Ahead, B: Ahead> Ahead for (A, B) {
    fn buckets(&self) -> u64 {
        self.0.buckets() ^ self.1.buckets()
    }

    fn counts(&self) -> u64 {
        self.0.counts() ^ self.1.counts()
    }

    fn facts(&self) -> u64 {
        self.0.facts() ^ self.1.facts()
    }
}

/// Brings what is looked at near, all at the same time.
pub(crate) fn bring(all: &impl Ahead) {
    black_box(all.buckets());
    black_box(all.counts());
    black_box(all.facts());
}
