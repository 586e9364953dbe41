//! The rule by which facts are read, kept and evicted, without the facts.
//!
//! ```text
//! reader                                     writer
//! since = now()                              commit
//! read what is missing                       evict: forget what was touched, count the epoch up
//! keep it, if the epoch is still `since`     answer
//! use it, if the epoch is still `since`
//! ```
//! An insertion and an eviction exclude each other, so a fact that was read before a commit is
//! either forgotten by its eviction or not kept at all. Of several readers that miss one fact one
//! reads it, and the others take what it found, if no eviction lies between the two beginnings.
//!
//! The primitives come from `super::sync`, so that `service/tests/facts_model.rs` can run these
//! very lines under every interleaving.

use std::{collections::HashMap, hash::Hash};

use super::sync::{Arc, AtomicU64, Condvar, Mutex, MutexGuard, Ordering, PoisonError, RwLock};

/// How many evictions there had been at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Epoch(u64);

/// Keeps insertions and evictions apart.
#[derive(Debug)]
pub(crate) struct Gate {
    epoch: AtomicU64,
    /// Whoever inserts holds it shared, whoever evicts holds it alone.
    fills: RwLock<()>,
}

impl Gate {
    pub(crate) fn new() -> Self {
        Self { epoch: AtomicU64::new(0), fills: RwLock::new(()) }
    }

    /// The present epoch. To be asked before anything is looked at.
    pub(crate) fn now(&self) -> Epoch {
        Epoch(self.epoch.load(Ordering::Acquire))
    }

    /// How many evictions there were.
    pub(crate) fn evictions(&self) -> u64 {
        self.now().0
    }

    /// Remembers what was read by `insert`, unless an eviction came since; whether it did.
    pub(crate) fn keep(&self, since: Epoch, insert: impl FnOnce()) -> bool {
        let _shared = self.fills.read().unwrap_or_else(PoisonError::into_inner);
        let good = self.now() == since;
        if good {
            insert();
        }
        good
    }

    /// Forgets what was touched by `forget`.
    pub(crate) fn evict(&self, forget: impl FnOnce()) {
        let _alone = self.fills.write().unwrap_or_else(PoisonError::into_inner);
        forget();
        self.epoch.fetch_add(1, Ordering::AcqRel);
    }
}

/// How a fact was come by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// It was remembered.
    Remembered,
    /// It was read.
    Read,
    /// Another was reading it.
    Joined,
}

/// The reads of one kind of fact that are under way.
#[derive(Debug)]
pub(crate) struct Reads<K, V>(Mutex<HashMap<K, Arc<UnderWay<V>>>>);

/// One read, for those who wait for it.
#[derive(Debug)]
struct UnderWay<V> {
    since: Epoch,
    end: Mutex<End<V>>,
    ended: Condvar,
}

#[derive(Debug)]
enum End<V> {
    NotYet,
    /// What was found, if there was anything.
    Found(Option<V>),
    /// It failed: whoever waited reads for himself.
    Failed,
}

/// The read that somebody waited for failed.
struct Broken;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<V: Clone> UnderWay<V> {
    /// Waits for the end, and says what was found.
    fn wait(&self) -> Result<Option<V>, Broken> {
        let mut end = lock(&self.end);
        loop {
            match &*end {
                End::NotYet => end = self.ended.wait(end).unwrap_or_else(PoisonError::into_inner),
                End::Found(found) => return Ok(found.clone()),
                End::Failed => return Err(Broken),
            }
        }
    }
}

/// The one who reads. However that ends, those who wait are told.
struct Reader<'a, K: Hash + Eq, V> {
    reads: &'a Reads<K, V>,
    key: &'a K,
    own: Arc<UnderWay<V>>,
}

impl<K: Hash + Eq, V> Reader<'_, K, V> {
    fn tell(&self, end: End<V>) {
        let mut told = lock(&self.own.end);
        if matches!(&*told, End::NotYet) {
            *told = end;
            self.own.ended.notify_all();
        }
    }
}

impl<K: Hash + Eq, V> Drop for Reader<'_, K, V> {
    fn drop(&mut self) {
        let mut reads = lock(&self.reads.0);
        // one that began after an eviction may have taken the place
        if reads.get(self.key).is_some_and(|there| Arc::ptr_eq(there, &self.own)) {
            reads.remove(self.key);
        }
        drop(reads);
        self.tell(End::Failed);
    }
}

impl<K: Hash + Eq + Clone, V: Clone> Reads<K, V> {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(HashMap::new()))
    }

    /// The fact `key`: remembered, or else read by `read` and remembered by `insert`. `since` is
    /// the epoch at which the caller began.
    pub(crate) fn find<E>(
        &self,
        gate: &Gate,
        since: Epoch,
        key: &K,
        remembered: impl Fn() -> Option<V>,
        read: impl FnOnce() -> Result<Option<V>, E>,
        insert: impl FnOnce(V),
    ) -> Result<(Option<V>, Way), E> {
        if let Some(fact) = remembered() {
            return Ok((Some(fact), Way::Remembered));
        }
        let own = match self.under_way(since, key) {
            Ok(other) => match other.wait() {
                Ok(found) => return Ok((found, Way::Joined)),
                Err(Broken) => return Ok((read()?, Way::Read)),
            },
            Err(own) => Reader { reads: self, key, own },
        };
        // the one before us may have ended between our look and our turn
        if let Some(fact) = remembered() {
            own.tell(End::Found(Some(fact.clone())));
            return Ok((Some(fact), Way::Remembered));
        }
        let found = read()?;
        if let Some(fact) = &found {
            gate.keep(since, || insert(fact.clone()));
        }
        own.tell(End::Found(found.clone()));
        Ok((found, Way::Read))
    }

    /// The read to wait for, which began in the same epoch; or a new one, which is ours.
    fn under_way(&self, since: Epoch, key: &K) -> Result<Arc<UnderWay<V>>, Arc<UnderWay<V>>> {
        let mut reads = lock(&self.0);
        if let Some(other) = reads.get(key).filter(|other| other.since == since) {
            return Ok(Arc::clone(other));
        }
        let (end, ended) = (Mutex::new(End::NotYet), Condvar::new());
        let own = Arc::new(UnderWay { since, end, ended });
        reads.insert(key.clone(), Arc::clone(&own));
        Err(own)
    }
}
