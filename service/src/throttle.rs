//! Slows down who guesses passwords, without locking anybody out for ever.
//!
//! After the n-th wrong password in a row the next try of that user from that network is allowed
//! 0.5·(2ⁿ − 1) seconds later, at most 30. It is asked before argon2 works, so that a flood costs
//! nothing. Tokens and live sessions are not touched by it.
//!
//! Source: Quay's back-off (`contract/quay.md` 1.5); `SECURITY.md` section 4.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use claviger_domain::{Error, UnixMillis};
use ring::digest::{SHA256, SHA256_OUTPUT_LEN, digest};

/// How many (user, network) pairs are remembered; beyond that the oldest half is forgotten.
const MOST: usize = 65_536;
const MAX_DELAY_MS: i64 = 30_000;
/// After so long without a failure the count begins anew.
const FORGET_MS: i64 = 15 * 60 * 1000;

/// The failures of somebody in a row.
#[derive(Clone, Copy, Debug)]
struct Failures {
    count: u32,
    last: UnixMillis,
}

impl Failures {
    /// When the next try is allowed.
    fn until(self) -> UnixMillis {
        // 0.5 s · (2ⁿ − 1); from n = 6 on it is above the most
        let delay = 500 * ((1_i64 << self.count.min(16)) - 1);
        self.last.plus_ms(delay.min(MAX_DELAY_MS))
    }
}

/// The hash of the user's name, so that long names cost no more memory, and the network.
type Key = ([u8; SHA256_OUTPUT_LEN], Option<IpAddr>);

fn key(user: &str, address: Option<IpAddr>) -> Key {
    let mut hash = [0; SHA256_OUTPUT_LEN];
    for (to, from) in hash.iter_mut().zip(digest(&SHA256, user.as_bytes()).as_ref()) {
        *to = *from;
    }
    (hash, address.map(network))
}

/// Who has failed to sign in lately.
#[derive(Default)]
pub struct Throttle(Mutex<HashMap<Key, Failures>>);

impl Throttle {
    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Failures>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether `user` may try a password from `address` at `now`.
    ///
    /// # Errors
    /// [`Error::Throttled`] with the time to wait.
    pub fn check(&self, user: &str, address: Option<IpAddr>, now: UnixMillis) -> Result<(), Error> {
        let failures = self.lock().get(&key(user, address)).copied();
        let wait_ms = failures.map_or(0, |failures| failures.until().since(now));
        match u64::try_from(wait_ms) {
            Ok(wait_ms) if wait_ms > 0 => {
                Err(Error::Throttled { retry_after: Duration::from_millis(wait_ms) })
            }
            _ => Ok(()),
        }
    }

    /// A wrong password was given.
    pub fn failed(&self, user: &str, address: Option<IpAddr>, now: UnixMillis) {
        let mut all = self.lock();
        if all.len() >= MOST {
            let mut ends: Vec<_> = all.values().map(|failures| failures.last).collect();
            let middle = ends.len() / 2;
            let (_, oldest, _) = ends.select_nth_unstable(middle);
            let oldest = *oldest;
            all.retain(|_, failures| failures.last > oldest);
        }
        let failures = all.entry(key(user, address)).or_insert(Failures { count: 0, last: now });
        let forgotten = now.since(failures.last) > FORGET_MS;
        failures.count = if forgotten { 1 } else { failures.count.saturating_add(1) };
        failures.last = now;
    }

    /// The right password was given.
    pub fn succeeded(&self, user: &str, address: Option<IpAddr>) {
        self.lock().remove(&key(user, address));
    }
}

/// The network that a client stands for: /24 of IPv4, /64 of IPv6.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            IpAddr::from([a, b, c, 0])
        }
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait_ms(throttle: &Throttle, user: &str, address: &str, now: i64) -> u128 {
        match throttle.check(user, Some(address.parse().unwrap()), UnixMillis(now)) {
            Ok(()) => 0,
            Err(Error::Throttled { retry_after }) => retry_after.as_millis(),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn the_delay_doubles_up_to_thirty_seconds_for_that_user_and_network_alone() {
        let throttle = Throttle::default();
        let address = Some("192.0.2.1".parse().unwrap());
        let mut waits = Vec::new();
        for _ in 0..8 {
            throttle.failed("ann", address, UnixMillis(0));
            waits.push(wait_ms(&throttle, "ann", "192.0.2.77", 0));
        }
        assert_eq!(waits, [500, 1500, 3500, 7500, 15500, 30000, 30000, 30000]);
        assert_eq!(wait_ms(&throttle, "ann", "192.0.2.1", 29_999), 1);
        assert_eq!(wait_ms(&throttle, "ann", "192.0.2.1", 30_000), 0);
        assert_eq!(wait_ms(&throttle, "ann", "192.0.3.1", 0), 0);
        assert_eq!(wait_ms(&throttle, "bob", "192.0.2.1", 0), 0);
    }

    #[test]
    fn the_right_password_and_a_quiet_quarter_of_an_hour_begin_anew() {
        let throttle = Throttle::default();
        let address = Some("2001:db8::1".parse().unwrap());
        throttle.failed("ann", address, UnixMillis(0));
        throttle.failed("ann", address, UnixMillis(FORGET_MS + 1));
        assert_eq!(wait_ms(&throttle, "ann", "2001:db8::2", FORGET_MS + 1), 500);
        throttle.succeeded("ann", address);
        assert_eq!(wait_ms(&throttle, "ann", "2001:db8::2", FORGET_MS + 1), 0);
    }

    #[test]
    fn memory_is_bounded() {
        let throttle = Throttle::default();
        for n in 0..70_000_i64 {
            throttle.failed(&n.to_string(), None, UnixMillis(n));
        }
        assert!(throttle.lock().len() <= MOST);
        assert!(matches!(
            throttle.check("69999", None, UnixMillis(69_999)),
            Err(Error::Throttled { .. })
        ));
    }
}
