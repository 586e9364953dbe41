//! When tokens were last used, and from where. Noted in memory beside the request, and written in
//! batches: a crash may lose the last minute of it, a request is never slowed by it.
//!
//! ```text
//! the remembered fact of a token: in which round it was noted, from where, and when it was last used
//!      ▲ most uses change the last of these, and look at nothing else
//! the uses of this round: which tokens, and from where ──flush──▶ the store; a round ends
//! ```
//! A token is noted once in a round, and when it comes from elsewhere than before; for that alone a
//! lock is taken, and the uses of others are looked at.

#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    hash::BuildHasher,
    net::IpAddr,
    ops::Deref,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{
            AtomicBool, AtomicI64, AtomicU64,
            Ordering::{Relaxed, SeqCst},
        },
    },
};

use claviger_domain::{Error, UnixMillis, id::TokenId, token::TokenFacts};
use claviger_store::token_uses;
use foldhash::fast::RandomState;

use crate::{app::App, facts::Lookup};

/// Enough parts that requests on a few cores rarely meet in one.
const PARTS: usize = 32;
/// How many uses are noted at the most between two flushes, in all parts 131,072: what the writer
/// can write within a minute without being in the way of others. More are left out until the next.
/// Their facts stay in memory until then, whatever was evicted.
const MOST_IN_PART: usize = 4_096;

/// One use of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Use {
    /// When.
    pub at: UnixMillis,
    /// The client's address.
    pub address: Option<IpAddr>,
}

/// The last use of a token through one of its secrets; when that was, the token says.
struct Noted {
    token: Arc<NotedToken>,
    address: Option<IpAddr>,
    /// Where another use of the same token stands, through another of its secrets or noted with facts
    /// that were read at another time; nearly always there is none.
    other: Option<usize>,
}

impl Noted {
    fn last(&self) -> Use {
        Use { at: UnixMillis(self.token.last.load(SeqCst)), address: self.address }
    }
}

/// What was used, in the order in which it was first.
#[derive(Default)]
struct Uses {
    all: Vec<Noted>,
    // ids are ours and random, so nobody can make them meet
    by_token: HashMap<TokenId, usize, RandomState>,
}

impl Uses {
    /// Those of a token.
    fn of(&self, id: &TokenId) -> impl Iterator<Item = &Noted> {
        let first = self.by_token.get(id).and_then(|at| self.all.get(*at));
        std::iter::successors(first, |noted| self.all.get(noted.other?))
    }

    /// Notes the use of a token, if there is room for it; where.
    fn add(&mut self, token: &Arc<NotedToken>, address: Option<IpAddr>) -> Option<usize> {
        let at = self.all.len();
        if at == MOST_IN_PART {
            return None;
        }
        let other = self.by_token.insert(token.id, at);
        self.all.push(Noted { token: Arc::clone(token), address, other });
        Some(at)
    }
}

/// Where a use is noted: in which round of its part, and at which place; round zero is nowhere.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Place {
    round: u64,
    at: usize,
}

impl Place {
    const BITS: u32 = MOST_IN_PART.trailing_zeros();

    fn of(word: u64) -> Self {
        let at = usize::try_from(word).unwrap_or(usize::MAX) % MOST_IN_PART;
        Self { round: word >> Self::BITS, at }
    }

    fn word(self) -> u64 {
        self.round << Self::BITS | u64::try_from(self.at % MOST_IN_PART).unwrap_or_default()
    }
}

/// The facts about a token as one of its secrets reaches it, and its last use.
#[derive(Debug)]
pub struct NotedToken {
    facts: TokenFacts,
    /// The [`Place`], as a word.
    noted: AtomicU64,
    /// From where it was noted, as [`Activity::origin`] has it.
    from: AtomicU64,
    /// When it was last used, in milliseconds; only of uses that were noted.
    last: AtomicI64,
}

impl NotedToken {
    /// A token whose use is not noted.
    pub(crate) const fn new(facts: TokenFacts) -> Self {
        let (noted, from) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { facts, noted, from, last: AtomicI64::new(i64::MIN) }
    }

    /// Looks at where its use is noted, which is of no use but that it was looked at.
    pub(crate) fn look_at_use(&self) -> u64 {
        self.noted.load(Relaxed) ^ self.from.load(Relaxed)
    }
}

impl Deref for NotedToken {
    type Target = TokenFacts;

    fn deref(&self) -> &TokenFacts {
        &self.facts
    }
}

/// Some of what was used since the last flush.
#[derive(Default)]
struct Part {
    uses: Mutex<Uses>,
    /// How often it was flushed; it changes while `uses` is locked.
    flushes: AtomicU64,
    /// Whether there is no room for more.
    full: AtomicBool,
}

impl Part {
    fn lock(&self) -> MutexGuard<'_, Uses> {
        self.uses.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A round ends with a flush; zero is none.
    fn round(&self) -> u64 {
        self.flushes.load(SeqCst) + 1
    }

    /// Notes a use of a token that is noted in this round, from the same place `from`; whether it
    /// was. What comes in between is seen here, or else sees this use: a flush counts the round up
    /// before it looks when the tokens were used, and who comes from elsewhere says so before he does.
    fn again(&self, token: &NotedToken, from: u64, at: UnixMillis) -> bool {
        let is_noted = || {
            Place::of(token.noted.load(SeqCst)).round == self.round()
                && token.from.load(SeqCst) == from
        };
        is_noted() && {
            // many at the same time are in nobody's way when one has said it
            if token.last.load(SeqCst) < at.0 {
                token.last.fetch_max(at.0, SeqCst);
            }
            is_noted()
        }
    }

    /// Notes a use, if there is room for it.
    fn note(&self, token: &Arc<NotedToken>, from: u64, last: Use) {
        let mut uses = self.lock();
        let (known, round) = (Place::of(token.noted.load(SeqCst)), self.round());
        if known.round == round {
            let before = token.from.swap(from, SeqCst);
            let is_last = token.last.fetch_max(last.at.0, SeqCst) <= last.at.0;
            match uses.all.get_mut(known.at).filter(|_| is_last) {
                Some(noted) => noted.address = last.address,
                None => token.from.store(before, SeqCst),
            }
        } else if token.last.load(SeqCst) > last.at.0 {
            // a later one was noted in the round before
        } else if let Some(at) = uses.add(token, last.address) {
            token.from.store(from, SeqCst);
            token.last.fetch_max(last.at.0, SeqCst);
            token.noted.store(Place { round, at }.word(), SeqCst);
        } else {
            self.full.store(true, Relaxed);
        }
    }

    /// Takes everything out, with the last use of each.
    fn take(&self) -> Vec<(Arc<NotedToken>, Use)> {
        let all = {
            let mut uses = self.lock();
            self.flushes.fetch_add(1, SeqCst);
            self.full.store(false, Relaxed);
            std::mem::take(&mut *uses).all
        };
        // who is noted anew meanwhile gives his time to this round as well, and his address with the next
        let with_last = |noted: Noted| {
            let last = noted.last();
            (noted.token, last)
        };
        all.into_iter().map(with_last).collect()
    }
}

/// What was used since the last flush.
pub struct Activity {
    parts: Vec<Part>,
    state: RandomState,
}

impl Default for Activity {
    fn default() -> Self {
        let parts = (0..PARTS).map(|_| Part::default()).collect();
        Self { parts, state: RandomState::default() }
    }
}

impl Activity {
    fn part(&self, id: &TokenId) -> Option<&Part> {
        // the last byte is random
        let [.., byte] = id.bytes();
        self.parts.get(usize::from(byte) % PARTS)
    }

    /// An address as a number: of the older kind itself, of the newer one a hash with a key of this
    /// process. Never zero.
    fn origin(&self, address: Option<IpAddr>) -> u64 {
        match address {
            None => 1,
            Some(IpAddr::V4(address)) => 1 << 32 | u64::from(address.to_bits()),
            Some(IpAddr::V6(address)) => 1 << 63 | self.state.hash_one(address.to_bits()),
        }
    }

    /// A token was used through the secret that reaches these facts.
    pub fn used(&self, token: &Arc<NotedToken>, at: UnixMillis, address: Option<IpAddr>) {
        let Some(part) = self.part(&token.id) else { return };
        let from = self.origin(address);
        if part.again(token, from, at) {
            return;
        }
        let known = Place::of(token.noted.load(SeqCst));
        if known.round == part.round() || !part.full.load(Relaxed) {
            part.note(token, from, Use { at, address });
        }
    }

    /// Notes uses that could not be written, where there were none since.
    fn note_again(&self, uses: &[(Arc<NotedToken>, Use)]) {
        for (token, last) in uses {
            let Some(part) = self.part(&token.id) else { continue };
            let mut uses = part.lock();
            let round = part.round();
            if Place::of(token.noted.load(SeqCst)).round != round
                && let Some(at) = uses.add(token, last.address)
            {
                token.from.store(self.origin(last.address), SeqCst);
                token.noted.store(Place { round, at }.word(), SeqCst);
            }
        }
    }

    /// The last use that is not written yet.
    pub fn pending(&self, id: &TokenId) -> Option<Use> {
        self.part(id)?.lock().of(id).map(Noted::last).max_by_key(|last| last.at)
    }

    /// The last use through one of its secrets that is not written yet.
    pub fn pending_of(&self, id: &TokenId, lookup: &Lookup) -> Option<Use> {
        let uses = self.part(id)?.lock();
        let through = uses.of(id).filter(|noted| noted.token.lookup == *lookup);
        through.map(Noted::last).max_by_key(|last| last.at)
    }

    /// Takes everything out, in the order of ids.
    fn take(&self) -> Vec<(Arc<NotedToken>, Use)> {
        let mut all: Vec<_> = self.parts.iter().flat_map(Part::take).collect();
        all.sort_by_key(|(token, last)| (token.id, last.at));
        all
    }
}

/// How many uses are written in one transaction, so that other writes need not wait long.
const BATCH: usize = 2_000;

impl App {
    /// Writes what was used since the last flush; how many secrets.
    ///
    /// # Errors
    /// [`Error::Unavailable`]; what was not written is noted again, unless it was used meanwhile.
    pub async fn flush_activity(&self) -> Result<usize, Error> {
        let all = self.activity.take();
        for (done, batch) in all.chunks(BATCH).enumerate() {
            let uses: Vec<_> =
                batch.iter().map(|(token, last)| (token.id, token.lookup, *last)).collect();
            let written = self.db.write(move |tx| {
                for (id, lookup, last) in &uses {
                    let address = last.address.map(|address| address.to_string());
                    token_uses::note(tx, id, lookup, last.at, address.as_deref())?;
                }
                Ok(())
            });
            if let Err(error) = written.await {
                self.activity.note_again(all.get(done * BATCH..).unwrap_or_default());
                return Err(error);
            }
        }
        Ok(all.len())
    }
}
