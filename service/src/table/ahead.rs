//! Looking ahead: several facts are brought from the main memory at the same time.
//!
//! Among a million facts, a look-up waits for the main memory twice: for its bucket, and for its
//! fact. A processor goes on to what comes behind while it waits, and so waits for many lines at
//! once, but not past a lock, which every look-up takes. So locks are taken first, then all buckets
//! are looked at, and then all facts, those that they lead to among them; after that each is found
//! near ([`Glance::take`], [`Table::take_along`]).

use std::{
    hint::black_box,
    ptr,
    sync::{Arc, RwLockReadGuard, atomic::Ordering::Relaxed},
};

use super::{
    Bucket, Kept, Keyed, Next, Part, Table,
    place::{Lead, Mark, Place},
};

/// Where a fact would be, if it is there.
pub(crate) struct Glance<'a, T> {
    part: &'a Part<T>,
    kept: RwLockReadGuard<'a, Kept<T>>,
    place: Place,
    mark: Mark,
}

/// One or more glances. What each look gives is of no use, but that it was looked at. A processor
/// looks no further ahead than a few hundred steps, so each look takes few.
pub(crate) trait Ahead {
    /// Looks at the buckets.
    fn buckets(&self) -> u64;

    /// Looks at the facts, and the counts in front of them, often on a line of their own.
    fn facts(&self) -> u64;
}

impl<T: Keyed> Table<T> {
    /// A glance at where the fact with this key would be; none while somebody writes there, because
    /// whoever holds one lock must not wait for another.
    pub(crate) fn glance(&self, key: &T::Key) -> Option<Glance<'_, T>> {
        let place = self.place(key);
        let part = self.part(place)?;
        let kept = part.kept.try_read().ok()?;
        Some(Glance { part, kept, place, mark: Mark::whole(place.mark()) })
    }

    /// A glance at where a fact of this table would be, as far as another one leads there.
    pub(crate) fn glance_along(&self, lead: Option<Place>) -> Option<Glance<'_, T>> {
        let place = lead?;
        let part = self.part(place)?;
        let kept = part.kept.try_read().ok()?;
        Some(Glance { part, kept, place, mark: Mark { bits: place.mark(), known: Lead::MARK } })
    }

    /// The fact with this key, as [`Table::get`] gives it: from the glance `along` its lead, if it was
    /// led right; none while somebody writes there.
    pub(crate) fn take_along(&self, along: Option<Glance<'_, T>>, key: &T::Key) -> Option<Arc<T>> {
        let place = self.place(key);
        let part = self.part(place)?;
        match along.filter(|along| ptr::eq(along.part, part)) {
            Some(along) => part.hit(&along.kept, place, key),
            None => part.hit(&*part.kept.try_read().ok()?, place, key),
        }
    }
}

impl<T: Keyed> Glance<'_, T> {
    fn bucket(&self) -> Option<&Bucket<T>> {
        let [first, _] = self.kept.places(self.place);
        self.kept.buckets.get(first)
    }

    /// The bucket, and the way in it, of what is nearly always the fact: its mark fits.
    fn found(&self) -> Option<(&Bucket<T>, usize)> {
        // a lead does not know of the second one
        let known = if self.mark.is_whole() { 2 } else { 1 };
        self.kept.places(self.place).into_iter().take(known).find_map(|at| {
            let bucket = self.kept.buckets.get(at)?;
            Some((bucket, bucket.ways(self.mark).next()?))
        })
    }

    /// What is nearly always the fact.
    pub(crate) fn fact(&self) -> Option<&Arc<T>> {
        let (bucket, way) = self.found()?;
        bucket.facts.get(way)?.as_ref()
    }

    /// Where what is nearly always the fact leads to.
    pub(crate) fn lead(&self) -> Option<Next<Place>> {
        let (bucket, way) = self.found()?;
        bucket.lead(way).place()
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

    fn facts(&self) -> u64 {
        let fact = self.as_ref().and_then(Glance::fact);
        fact.map_or(0, |fact| Arc::strong_count(fact) as u64 ^ fact.touch())
    }
}

impl<A: Ahead, const N: usize> Ahead for [A; N] {
    fn buckets(&self) -> u64 {
        self.iter().fold(0, |all, one| all ^ one.buckets())
    }

    fn facts(&self) -> u64 {
        self.iter().fold(0, |all, one| all ^ one.facts())
    }
}

impl<A: Ahead, B: Ahead> Ahead for (A, B) {
    fn buckets(&self) -> u64 {
        self.0.buckets() ^ self.1.buckets()
    }

    fn facts(&self) -> u64 {
        self.0.facts() ^ self.1.facts()
    }
}

/// Brings buckets near, all at the same time.
pub(crate) fn bring_buckets(all: &impl Ahead) {
    black_box(all.buckets());
}

/// Brings facts near whose buckets are, all at the same time.
pub(crate) fn bring_facts(all: &impl Ahead) {
    black_box(all.facts());
}
