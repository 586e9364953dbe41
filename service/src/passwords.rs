//! Passwords: argon2id on a small pool, so that sign-ins cannot starve pulls.
//!
//! At most `AT_ONCE` hashes are computed at a time and `WAITING` calls wait; beyond that a call
//! is told to come again. A name without a password costs the same time as one with.
//!
//! Source: `SECURITY.md` section 4; RFC 9106 for argon2; the parameters are OWASP's.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use argon2::{
    Argon2, Params,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use claviger_domain::{Chance, Error, time::random};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use zeroize::Zeroizing;

/// How many hashes are computed at a time: each takes a core and 19 MiB.
const AT_ONCE: usize = 2;
/// How many calls may wait for their turn.
const WAITING: usize = 64;
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
const MIN_CHARS: usize = 8;
const MAX_BYTES: usize = 1024;

/// A password that somebody gave. It is wiped from memory, and never printed.
pub struct Password(Zeroizing<String>);

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[secret]")
    }
}

impl Password {
    /// What somebody gave to sign in, whether it keeps the rule for new passwords or not.
    pub fn given(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// A new password: at least 8 characters, no whitespace, at most 1,024 bytes.
    ///
    /// # Errors
    /// [`Error::Invalid`] for one that breaks the rule.
    pub fn new(text: impl Into<String>) -> Result<Self, Error> {
        let password = Self::given(text);
        let good = password.0.chars().count() >= MIN_CHARS
            && password.0.len() <= MAX_BYTES
            && !password.0.chars().any(|c| c.is_whitespace() || c == '\0');
        if good {
            Ok(password)
        } else {
            let problem = "must be at least 8 characters and contain no whitespace";
            Err(Error::invalid("password", problem))
        }
    }

    /// A new password of 24 letters and digits, with 142 bits of randomness.
    pub fn draw(chance: &dyn Chance) -> Self {
        const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        let mut text = Zeroizing::new(String::with_capacity(24));
        while text.len() < 24 {
            let [byte]: [u8; 1] = random(chance);
            // 248 is the largest multiple of 62 in a byte: no digit is likelier than another
            if byte < 248
                && let Some(digit) = DIGITS.get(usize::from(byte % 62))
            {
                text.push(char::from(*digit));
            }
        }
        Self(text)
    }

    /// The text, for where it is printed once to whom it belongs, or sent to the hash.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// The pool on which passwords are hashed.
pub struct Passwords {
    turns: Arc<Semaphore>,
    waiting: AtomicUsize,
    /// What a name without a password is compared with, so that it costs the same.
    dummy: String,
}

impl Passwords {
    /// A pool, with a hash to compare unknown names with: drawn, since computing one would cost
    /// every start as much as a sign-in.
    ///
    /// # Errors
    /// [`Error::Internal`] when argon2 does not know its own form.
    pub fn new(chance: &dyn Chance) -> Result<Self, Error> {
        let (salt, drawn): ([u8; 16], [u8; 32]) = (random(chance), random(chance));
        let (salt, drawn) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(drawn));
        let dummy = format!("$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p={LANES}${salt}${drawn}");
        PasswordHash::new(&dummy).map_err(Error::internal)?;
        Ok(Self { turns: Arc::new(Semaphore::new(AT_ONCE)), waiting: AtomicUsize::new(0), dummy })
    }

    /// The hash of a new password, in PHC form.
    ///
    /// # Errors
    /// [`Error::Busy`] when too many calls wait.
    pub async fn hash(&self, password: Password, chance: &dyn Chance) -> Result<String, Error> {
        let salt: [u8; 16] = random(chance);
        let _place = Place::take(&self.waiting)?;
        let turn = self.turn().await?;
        work(turn, move || hash(password.expose(), &salt)).await?.0
    }

    /// Whether `password` fits the stored `hash`; nothing fits `None`, after the same time. When its
    /// turn has come, `before` may refuse; `after` is told before the next turn begins. So what
    /// `before` knows counts all but the few that are compared at the same time.
    ///
    /// # Errors
    /// What `before` says; [`Error::Busy`] when too many calls wait.
    pub async fn verify(
        &self,
        hash: Option<String>,
        password: Password,
        before: impl FnOnce() -> Result<(), Error>,
        after: impl FnOnce(bool),
    ) -> Result<bool, Error> {
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.dummy.clone());
        let _place = Place::take(&self.waiting)?;
        let turn = self.turn().await?;
        before()?;
        let (fits, turn) = work(turn, move || verify(&hash, password.expose())).await?;
        let fits = fits? && known;
        after(fits);
        drop(turn);
        Ok(fits)
    }

    async fn turn(&self) -> Result<OwnedSemaphorePermit, Error> {
        Arc::clone(&self.turns).acquire_owned().await.map_err(Error::internal)
    }
}

/// Works on a thread, which holds the turn, so that a caller who goes away does not free a busy
/// core.
async fn work<T: Send + 'static>(
    turn: OwnedSemaphorePermit,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<(T, OwnedSemaphorePermit), Error> {
    tokio::task::spawn_blocking(move || (work(), turn)).await.map_err(Error::internal)
}

/// A place among those who wait.
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn take(waiting: &'a AtomicUsize) -> Result<Self, Error> {
        let place = Self(waiting);
        if waiting.fetch_add(1, Ordering::AcqRel) < WAITING + AT_ONCE {
            Ok(place)
        } else {
            Err(Error::Busy { retry_after: Duration::from_secs(1) })
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

fn hash(password: &str, salt: &[u8; 16]) -> Result<String, Error> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(Error::internal)?;
    let argon2 = Argon2::from(params);
    let hash = argon2.hash_password_with_salt(password.as_bytes(), salt);
    Ok(hash.map_err(Error::internal)?.to_string())
}

fn verify(hash: &str, password: &str) -> Result<bool, Error> {
    let hash = PasswordHash::new(hash).map_err(Error::internal)?;
    Ok(Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Counter(AtomicUsize);
    impl Chance for Counter {
        fn fill(&self, bytes: &mut [u8]) {
            for byte in bytes {
                *byte = self.0.fetch_add(7, Ordering::Relaxed).to_le_bytes()[0];
            }
        }
    }

    #[tokio::test]
    async fn only_the_right_password_fits_and_nothing_fits_no_hash() {
        let chance = Counter(AtomicUsize::new(0));
        let pool = Passwords::new(&chance).unwrap();
        let stored = pool.hash(Password::new("correct-horse").unwrap(), &chance).await.unwrap();
        let form = "$argon2id$v=19$m=19456,t=2,p=1$";
        assert!(stored.starts_with(form), "{stored}");
        let costs_the_same = pool.dummy.starts_with(form) && pool.dummy.len() == stored.len();
        assert!(costs_the_same, "{}", pool.dummy);
        let fits = |hash: Option<&str>, given: &str| {
            let hash = hash.map(str::to_owned);
            pool.verify(hash, Password::given(given), || Ok(()), |_| ())
        };
        assert!(fits(Some(&stored), "correct-horse").await.unwrap());
        assert!(!fits(Some(&stored), "wrong-horse").await.unwrap());
        assert!(!fits(None, "correct-horse").await.unwrap());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn of_many_guesses_at_once_only_those_of_the_same_moment_are_compared() {
        let chance = Counter(AtomicUsize::new(0));
        let pool = Arc::new(Passwords::new(&chance).unwrap());
        let failures = Arc::new(AtomicUsize::new(0));
        let guesses = (0..20).map(|_| {
            let (pool, failures) = (Arc::clone(&pool), Arc::clone(&failures));
            tokio::spawn(async move {
                let before = || match failures.load(Ordering::Acquire) {
                    0 => Ok(()),
                    _ => Err(Error::Throttled { retry_after: Duration::from_secs(1) }),
                };
                let after = |_| {
                    failures.fetch_add(1, Ordering::AcqRel);
                };
                pool.verify(None, Password::given("guess"), before, after).await.is_ok()
            })
        });
        let mut compared = 0;
        for guess in guesses.collect::<Vec<_>>() {
            compared += usize::from(guess.await.unwrap());
        }
        assert!((1..=AT_ONCE).contains(&compared), "{compared}");
    }

    #[test]
    fn short_spaced_and_endless_passwords_are_refused() {
        for bad in ["", "seven77", "with space", "tab\tbed-tab", &"x".repeat(1025)] {
            assert!(Password::new(bad).is_err(), "{bad:?}");
        }
        assert!(Password::new("password").is_ok());
        assert_eq!(format!("{:?}", Password::given("hunter22")), "[secret]");
    }

    #[test]
    fn too_many_who_wait_are_told_to_come_again() {
        let waiting = AtomicUsize::new(0);
        let places: Vec<_> = (0..WAITING + AT_ONCE).map(|_| Place::take(&waiting)).collect();
        assert!(places.iter().all(Result::is_ok));
        assert!(matches!(Place::take(&waiting), Err(Error::Busy { .. })));
        drop(places);
        assert!(Place::take(&waiting).is_ok());
    }
}
