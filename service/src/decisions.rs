//! How many decisions were made, and how they went; for whoever watches the program.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Counts decisions.
#[derive(Debug, Default)]
pub struct Decisions {
    allowed: AtomicU64,
    denied: AtomicU64,
}

impl Decisions {
    /// One was made.
    pub(crate) fn count(&self, allowed: bool) {
        let counter = if allowed { &self.allowed } else { &self.denied };
        counter.fetch_add(1, Relaxed);
    }

    /// How many allowed something.
    pub fn allowed(&self) -> u64 {
        self.allowed.load(Relaxed)
    }

    /// How many refused something.
    pub fn denied(&self) -> u64 {
        self.denied.load(Relaxed)
    }
}
