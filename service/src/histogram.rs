//! How long something took, counted in buckets. Recording is two additions, and locks nothing.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

/// Upper bounds of the buckets, in microseconds, with the label of each in seconds. What is answered
/// from memory takes some tens of microseconds; whoever waits waits for a database.
const BOUNDS: [(u64, &str); 14] = [
    (50, "0.00005"),
    (100, "0.0001"),
    (250, "0.00025"),
    (500, "0.0005"),
    (1_000, "0.001"),
    (2_500, "0.0025"),
    (5_000, "0.005"),
    (10_000, "0.01"),
    (25_000, "0.025"),
    (50_000, "0.05"),
    (100_000, "0.1"),
    (500_000, "0.5"),
    (1_000_000, "1"),
    (5_000_000, "5"),
];

/// Durations by how long they were.
#[derive(Debug, Default)]
pub struct Histogram {
    buckets: [AtomicU64; BOUNDS.len()],
    /// What took longer than the last bound.
    longer: AtomicU64,
    micros: AtomicU64,
}

/// What a histogram held at one moment, as Prometheus wants it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The label of each bound, and how many took at most as long.
    pub at_most: Vec<(&'static str, u64)>,
    /// How many there were.
    pub count: u64,
    /// How long they took together.
    pub sum: Duration,
}

impl Histogram {
    /// One more.
    pub fn record(&self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let at = BOUNDS.iter().position(|(bound, _)| micros <= *bound);
        let bucket = at.and_then(|at| self.buckets.get(at)).unwrap_or(&self.longer);
        bucket.fetch_add(1, Relaxed);
        self.micros.fetch_add(micros, Relaxed);
    }

    /// What it holds.
    pub fn seen(&self) -> Seen {
        let mut count = 0;
        let at_most = BOUNDS
            .iter()
            .zip(&self.buckets)
            .map(|((_, label), bucket)| {
                count += bucket.load(Relaxed);
                (*label, count)
            })
            .collect();
        let count = count + self.longer.load(Relaxed);
        Seen { at_most, count, sum: Duration::from_micros(self.micros.load(Relaxed)) }
    }
}
