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

/// One or more glances.
pub(crate) trait Ahead {
    /// Looks at the buckets.
    fn buckets(&self);

    /// Looks at the facts.
    fn facts(&self);
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
    pub(crate) fn fact(&self) -> Option<&T> {
        let bucket = self.bucket()?;
        let mark = self.place.mark();
        let mut ways = bucket.marks.iter().zip(&bucket.facts);
        ways.find_map(|(its, fact)| fact.as_deref().filter(|_| *its == mark))
    }

    /// The fact, as [`Table::get`] gives it.
    pub(crate) fn take(self, key: &T::Key) -> Option<Arc<T>> {
        self.part.hit(&self.kept, self.place, key)
    }
}

impl<T: Keyed> Ahead for Option<Glance<'_, T>> {
    fn buckets(&self) {
        if let Some(bucket) = self.as_ref().and_then(Glance::bucket) {
            black_box(bucket.used.load(Relaxed));
        }
    }

    fn facts(&self) {
        if let Some(fact) = self.as_ref().and_then(Glance::fact) {
            fact.touch();
        }
    }
}

impl<A: Ahead, const N: usize> Ahead for [A; N] {
    fn buckets(&self) {
        self.iter().for_each(A::buckets);
    }

    fn facts(&self) {
        self.iter().for_each(A::facts);
    }
}

impl<A: Ahead, B: Ahead> Ahead for (A, B) {
    fn buckets(&self) {
        self.0.buckets();
        self.1.buckets();
    }

    fn facts(&self) {
        self.0.facts();
        self.1.facts();
    }
}

/// Brings what is looked at near, all at the same time.
pub(crate) fn bring(all: &impl Ahead) {
    all.buckets();
    all.facts();
}
