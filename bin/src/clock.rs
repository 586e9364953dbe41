//! The time and the chance of this machine.

use std::time::{SystemTime, UNIX_EPOCH};

use claviger_domain::{Chance, Clock, UnixMillis};
use ring::rand::{SecureRandom, SystemRandom};

/// The clock of the machine.
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock that the rest is given")]
    fn now(&self) -> UnixMillis {
        // before 1970 only on a machine whose clock was never set; `doctor` tells
        let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        UnixMillis(i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX))
    }
}

/// The randomness of the machine.
pub(crate) struct SystemChance(SystemRandom);

impl SystemChance {
    /// Opens it.
    pub(crate) fn new() -> Self {
        Self(SystemRandom::new())
    }
}

impl Chance for SystemChance {
    fn fill(&self, bytes: &mut [u8]) {
        if self.0.fill(bytes).is_err() {
            // nothing that needs a secret can go on, and a guessable one must never be made
            eprintln!("claviger: the system gives no randomness");
            std::process::abort();
        }
    }
}
