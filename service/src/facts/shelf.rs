//! All remembered facts of one kind, and the reads of them that are under way.

use std::{
    hash::Hash,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use claviger_domain::Error;
use claviger_store::{Query, StoreError};
use quick_cache::{Equivalent, Weighter, sync::Cache};

use super::{
    KindUse,
    gate::{Epoch, Gate, Reads, Way},
    weight::Bytes,
};

/// Something is not remembered, and there is nothing to read it with.
pub(super) struct Missing;

/// A fact, or that it does not exist.
pub(super) type Found<T> = Result<Result<Option<Arc<T>>, Missing>, Error>;

/// Where facts come from in one attempt.
pub(super) enum Source<'a> {
    /// What is remembered, and nothing else.
    Memory,
    /// What is remembered, and the store for the rest.
    Both(&'a mut dyn Query),
    /// The store alone.
    Store(&'a mut dyn Query),
}

pub(super) struct Shelf<K, T> {
    cache: Cache<K, Arc<T>, Bytes>,
    reads: Reads<K, Arc<T>>,
    read: AtomicU64,
    joined: AtomicU64,
}

impl<K, T> Shelf<K, T>
where
    K: Hash + Eq + Clone,
    Bytes: Weighter<K, Arc<T>>,
{
    /// Room for facts of about `bytes` in all, of about `each` one by one.
    pub(super) fn new(bytes: u64, each: u64) -> Self {
        let items = usize::try_from(bytes / each).unwrap_or(usize::MAX);
        Self {
            cache: Cache::with_weighter(items, bytes, Bytes),
            reads: Reads::new(),
            read: AtomicU64::new(0),
            joined: AtomicU64::new(0),
        }
    }

    /// The fact `key`, from `source`. `since` is the epoch at which the caller began.
    pub(super) fn find<Q>(
        &self,
        gate: &Gate,
        since: Epoch,
        source: &mut Source<'_>,
        key: &Q,
        read: impl FnOnce(&mut dyn Query, &Q) -> Result<Option<T>, StoreError>,
    ) -> Found<T>
    where
        Q: Hash + Equivalent<K> + ToOwned + ?Sized,
        K: From<Q::Owned>,
    {
        let q = match source {
            Source::Memory => return Ok(self.cache.get(key).map(Some).ok_or(Missing)),
            Source::Store(q) => {
                self.read.fetch_add(1, Relaxed);
                return Ok(Ok(read(&mut **q, key)?.map(Arc::new)));
            }
            Source::Both(q) => q,
        };
        let owned = K::from(key.to_owned());
        let (found, way) = self.reads.find(
            gate,
            since,
            &owned,
            || self.cache.get(key),
            || read(&mut **q, key).map(|found| found.map(Arc::new)),
            |fact| self.cache.insert(owned.clone(), fact),
        )?;
        match way {
            Way::Remembered => {}
            Way::Read => drop(self.read.fetch_add(1, Relaxed)),
            Way::Joined => drop(self.joined.fetch_add(1, Relaxed)),
        }
        Ok(Ok(found))
    }

    /// To be called inside [`Gate::evict`] alone.
    pub(super) fn forget<Q: Hash + Equivalent<K> + ?Sized>(&self, key: &Q) {
        drop(self.cache.remove(key));
    }

    /// To be called inside [`Gate::evict`] alone.
    pub(super) fn forget_all(&self) {
        self.cache.clear();
    }

    pub(super) fn usage(&self) -> KindUse {
        KindUse {
            entries: u64::try_from(self.cache.len()).unwrap_or(u64::MAX),
            bytes: self.cache.weight(),
            hits: self.cache.hits(),
            misses: self.cache.misses(),
            read: self.read.load(Relaxed),
            joined: self.joined.load(Relaxed),
        }
    }
}
