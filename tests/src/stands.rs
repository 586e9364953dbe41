//! What stands still: time that moves only when told, chance that says the same in every run.

use std::sync::{
    Mutex,
    atomic::{AtomicI64, Ordering},
};

use claviger_domain::{Chance, Clock, UnixMillis};
use ring::digest::{SHA256, digest};

/// A clock that moves only when told.
#[derive(Debug)]
pub struct StillClock(AtomicI64);

impl StillClock {
    /// 2026-11-22T05:11:11Z.
    pub const START: UnixMillis = UnixMillis(1_795_324_271_000);

    /// Lets time pass.
    pub fn advance_ms(&self, ms: i64) {
        self.0.fetch_add(ms, Ordering::SeqCst);
    }
}

impl Default for StillClock {
    fn default() -> Self {
        Self(AtomicI64::new(Self::START.0))
    }
}

impl Clock for StillClock {
    fn now(&self) -> UnixMillis {
        UnixMillis(self.0.load(Ordering::SeqCst))
    }
}

/// Chance from a seed: the SHA-256 of a chain, as many bytes as are asked for.
#[derive(Debug)]
pub struct SeededChance(Mutex<[u8; 32]>);

impl SeededChance {
    /// The chance that goes with `seed`.
    pub fn new(seed: u64) -> Self {
        let mut state = [0; 32];
        state[..8].copy_from_slice(&seed.to_be_bytes());
        Self(Mutex::new(state))
    }

    /// A number below `end`.
    pub fn below(&self, end: usize) -> usize {
        let mut bytes = [0; 8];
        self.fill(&mut bytes);
        usize::try_from(u64::from_be_bytes(bytes) % end as u64).expect("smaller than a usize")
    }

    /// One of `items`.
    pub fn pick<'a, T>(&self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }
}

impl Chance for SeededChance {
    fn fill(&self, bytes: &mut [u8]) {
        let mut state = self.0.lock().expect("no panic while it is held");
        for chunk in bytes.chunks_mut(32) {
            let next = digest(&SHA256, &*state);
            state.copy_from_slice(next.as_ref());
            // what is given away does not tell what comes
            let shown = digest(&SHA256, &[&state[..], b"shown"].concat());
            chunk.copy_from_slice(&shown.as_ref()[..chunk.len()]);
        }
    }
}
