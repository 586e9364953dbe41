//! The time and the chance of this machine.

use std::{
    cell::RefCell,
    time::{SystemTime, UNIX_EPOCH},
};

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

/// Microseconds since 1970, for log lines.
#[expect(clippy::disallowed_methods, reason = "nothing is decided by it")]
pub(crate) fn micros() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(elapsed.as_micros()).unwrap_or(i64::MAX)
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

/// Randomness of the machine, drawn for many at once: for names that are no secrets, such as a
/// request's, so that none of them costs a system call.
pub(crate) struct GatheredChance(SystemChance);

/// What a thread has drawn and not given away.
struct Drawn {
    bytes: [u8; DRAWN],
    given: usize,
}

/// How much is drawn at once.
const DRAWN: usize = 1 << 10;

thread_local! {
    static AHEAD: RefCell<Drawn> = const { RefCell::new(Drawn { bytes: [0; DRAWN], given: DRAWN }) };
}

impl GatheredChance {
    /// Opens it.
    pub(crate) fn new() -> Self {
        Self(SystemChance::new())
    }
}

impl Chance for GatheredChance {
    fn fill(&self, bytes: &mut [u8]) {
        let given = AHEAD.with_borrow_mut(|ahead| {
            if bytes.len() > DRAWN - ahead.given && bytes.len() <= DRAWN {
                self.0.fill(&mut ahead.bytes);
                ahead.given = 0;
            }
            let end = ahead.given.saturating_add(bytes.len());
            let Some(drawn) = ahead.bytes.get(ahead.given..end) else { return false };
            bytes.copy_from_slice(drawn);
            ahead.given = end;
            true
        });
        if !given {
            self.0.fill(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn nothing_that_was_drawn_is_given_twice() {
        let chance = GatheredChance::new();
        let mut seen = HashSet::new();
        for _ in 0..1000 {
            let mut bytes = [0; 24];
            chance.fill(&mut bytes);
            assert!(seen.insert(bytes));
        }
        let mut large = [0; 3 * DRAWN];
        chance.fill(&mut large);
        assert!(large.chunks(DRAWN).all(|part| part.iter().any(|byte| *byte != 0)));
    }
}
