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

use super::{
    KindUse,
    gate::{Epoch, Gate, Reads, Way},
};
use crate::table::{Keyed, State, Table};

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

pub(super) struct Shelf<T: Keyed<Key: ToOwned<Owned: Hash + Eq + Clone>>> {
    table: Table<T>,
    reads: Reads<<T::Key as ToOwned>::Owned, Arc<T>>,
    read: AtomicU64,
    joined: AtomicU64,
}

impl<T: Keyed<Key: ToOwned<Owned: Hash + Eq + Clone>>> Shelf<T> {
    /// Room for facts of about `bytes` in all, of about `each` one by one.
    pub(super) fn new(state: &State, bytes: u64, each: u64) -> Self {
        Self {
            table: Table::new(state.clone(), bytes, each),
            reads: Reads::new(),
            read: AtomicU64::new(0),
            joined: AtomicU64::new(0),
        }
    }

    /// The fact `key`, from `source`. `since` is the epoch at which the caller began.
    pub(super) fn find(
        &self,
        gate: &Gate,
        since: Epoch,
        source: &mut Source<'_>,
        key: &T::Key,
        read: impl FnOnce(&mut dyn Query, &T::Key) -> Result<Option<T>, StoreError>,
    ) -> Found<T> {
        let q = match source {
            Source::Memory => return Ok(self.table.get(key).map(Some).ok_or(Missing)),
            Source::Store(q) => {
                self.read.fetch_add(1, Relaxed);
                return Ok(Ok(read(&mut **q, key)?.map(Arc::new)));
            }
            Source::Both(q) => q,
        };
        let (found, way) = self.reads.find(
            gate,
            since,
            &key.to_owned(),
            || self.table.get(key),
            || read(&mut **q, key).map(|found| found.map(Arc::new)),
            |fact| self.table.keep(fact),
        )?;
        match way {
            Way::Remembered => {}
            Way::Read => drop(self.read.fetch_add(1, Relaxed)),
            Way::Joined => drop(self.joined.fetch_add(1, Relaxed)),
        }
        Ok(Ok(found))
    }

    /// The fact `key`, if it is remembered.
    pub(super) fn get(&self, key: &T::Key) -> Option<Arc<T>> {
        self.table.get(key)
    }

    /// Where the fact `key` would be, and others of its kind.
    pub(super) fn table(&self) -> &Table<T> {
        &self.table
    }

    /// To be called inside [`Gate::evict`] alone.
    pub(super) fn forget(&self, key: &T::Key) {
        self.table.forget(key);
    }

    /// To be called inside [`Gate::evict`] alone.
    pub(super) fn forget_all(&self) {
        self.table.forget_all();
    }

    pub(super) fn usage(&self) -> KindUse {
        let (read, joined) = (self.read.load(Relaxed), self.joined.load(Relaxed));
        KindUse {
            entries: self.table.facts(),
            bytes: self.table.weight(),
            hits: self.table.hits(),
            // not where it was looked for: on the way to a read that is done more than once
            misses: read + joined,
            read,
            joined,
        }
    }
}
