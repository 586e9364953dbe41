//! When tokens were last used, and from where. Noted in memory beside the request, and written in
//! batches: a crash may lose the last minute of it, a request is never slowed by it.
//!
//! The remembered fact of a token says where its use is noted, so that nobody need look for it among
//! all that are.

use std::{
    collections::HashMap,
    net::IpAddr,
    ops::Deref,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
};

use claviger_domain::{Error, UnixMillis, id::TokenId, token::TokenFacts};
use claviger_store::token_uses;

use crate::{app::App, facts::Lookup};

/// Enough parts that requests on a few cores rarely meet in one.
const PARTS: usize = 32;
/// How many uses are noted at the most between two flushes, in all parts 131,072: what the writer
/// can write within a minute without being in the way of others. More are left out until the next.
const MOST_IN_PART: usize = 4_096;

/// One use of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Use {
    /// When.
    pub at: UnixMillis,
    /// The client's address.
    pub address: Option<IpAddr>,
}

/// The last use of a token through one of its secrets.
struct Noted {
    id: TokenId,
    lookup: Lookup,
    last: Use,
    /// Where the use through another of its secrets stands; nearly always there is one.
    other: Option<usize>,
}

impl Noted {
    fn is_now(&mut self, last: Use) {
        if self.last.at <= last.at {
            self.last = last;
        }
    }
}

/// What was used, in the order in which it was first.
#[derive(Default)]
struct Uses {
    all: Vec<Noted>,
    // ids are ours and random, so nobody can make them meet
    by_token: HashMap<TokenId, usize, foldhash::fast::RandomState>,
}

impl Uses {
    /// Where those of a token stand.
    fn places(&self, id: &TokenId) -> impl Iterator<Item = usize> {
        let next = |at: &usize| self.all.get(*at)?.other;
        std::iter::successors(self.by_token.get(id).copied(), next)
    }

    fn of(&self, id: &TokenId) -> impl Iterator<Item = &Noted> {
        self.places(id).filter_map(|at| self.all.get(at))
    }

    /// Notes a use, if there is room for it and no later one is noted; where.
    fn note(&mut self, id: TokenId, lookup: &Lookup, last: Use) -> Option<usize> {
        let same = |at: &usize| self.all.get(*at).is_some_and(|noted| noted.lookup == *lookup);
        let known = self.places(&id).find(same);
        if let Some(at) = known {
            self.all.get_mut(at)?.is_now(last);
            return Some(at);
        }
        let at = self.all.len();
        if at == MOST_IN_PART {
            return None;
        }
        let other = self.by_token.insert(id, at);
        self.all.push(Noted { id, lookup: *lookup, last, other });
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

/// The facts about a token as one of its secrets reaches it, and where that use is noted.
#[derive(Debug)]
pub struct NotedToken {
    facts: TokenFacts,
    /// The [`Place`], as a word.
    noted: AtomicU64,
}

impl NotedToken {
    /// A token whose use is not noted.
    pub(crate) const fn new(facts: TokenFacts) -> Self {
        Self { facts, noted: AtomicU64::new(0) }
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
        self.flushes.load(Relaxed) + 1
    }

    /// Notes a use of `token`, which is noted at the place `known`, if it is in this round.
    fn note(&self, token: &NotedToken, known: Place, last: Use) {
        let mut uses = self.lock();
        let round = self.round();
        if known.round == round {
            if let Some(noted) = uses.all.get_mut(known.at) {
                noted.is_now(last);
            }
            return;
        }
        if let Some(at) = uses.note(token.id, &token.lookup, last) {
            token.noted.store(Place { round, at }.word(), Relaxed);
        } else {
            self.full.store(true, Relaxed);
        }
    }

    fn take(&self) -> Vec<Noted> {
        let mut uses = self.lock();
        self.flushes.fetch_add(1, Relaxed);
        self.full.store(false, Relaxed);
        std::mem::take(&mut *uses).all
    }
}

/// What was used since the last flush.
pub struct Activity(Vec<Part>);

impl Default for Activity {
    fn default() -> Self {
        Self((0..PARTS).map(|_| Part::default()).collect())
    }
}

impl Activity {
    fn part(&self, id: &TokenId) -> Option<&Part> {
        // the last byte is random
        let [.., byte] = id.bytes();
        self.0.get(usize::from(byte) % PARTS)
    }

    /// A token was used through the secret that reaches these facts.
    pub fn used(&self, token: &NotedToken, at: UnixMillis, address: Option<IpAddr>) {
        let Some(part) = self.part(&token.id) else { return };
        let known = Place::of(token.noted.load(Relaxed));
        if known.round == part.round() || !part.full.load(Relaxed) {
            part.note(token, known, Use { at, address });
        }
    }

    /// Notes uses that could not be written, where there were none since.
    fn note_again(&self, uses: &[Noted]) {
        for Noted { id, lookup, last, .. } in uses {
            self.part(id).and_then(|part| part.lock().note(*id, lookup, *last));
        }
    }

    /// The last use that is not written yet.
    pub fn pending(&self, id: &TokenId) -> Option<Use> {
        self.part(id)?.lock().of(id).map(|noted| noted.last).max_by_key(|last| last.at)
    }

    /// The last use through one of its secrets that is not written yet.
    pub fn pending_of(&self, id: &TokenId, lookup: &Lookup) -> Option<Use> {
        let uses = self.part(id)?.lock();
        uses.of(id).find(|noted| noted.lookup == *lookup).map(|noted| noted.last)
    }

    /// Takes everything out, in the order of ids.
    fn take(&self) -> Vec<Noted> {
        let mut all: Vec<_> = self.0.iter().flat_map(Part::take).collect();
        all.sort_unstable_by_key(|noted| noted.id);
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
            let use_of = |noted: &Noted| (noted.id, noted.lookup, noted.last);
            let uses: Vec<_> = batch.iter().map(use_of).collect();
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

#[cfg(test)]
mod tests {
    use claviger_domain::{
        Chance, TokenKind,
        id::{AccountId, PrincipalId},
        scope::Scopes,
    };

    use super::*;

    /// Numbers, one after another.
    struct Count(AtomicU64);

    impl Chance for Count {
        fn fill(&self, bytes: &mut [u8]) {
            let number = self.0.fetch_add(1, Relaxed).to_be_bytes();
            bytes.fill(0);
            for (place, byte) in bytes.iter_mut().rev().zip(number.iter().rev()) {
                *place = *byte;
            }
        }
    }

    fn token(chance: &dyn Chance) -> NotedToken {
        let (id, nobody) = (TokenId::random(chance), Count(AtomicU64::new(0)));
        let mut lookup = [0; 32];
        for (place, byte) in lookup.iter_mut().zip(id.bytes()) {
            *place = byte;
        }
        NotedToken::new(TokenFacts {
            lookup,
            id,
            kind: TokenKind::App,
            principal: PrincipalId::random(&nobody),
            account: AccountId::random(&nobody),
            application: None,
            parent: None,
            scopes: Scopes::registry(),
            service: None,
            key_generation: 1,
            expires_at: None,
            secret_valid_until: None,
            revoked_at: None,
        })
    }

    fn last(activity: &Activity, token: &NotedToken) -> Option<i64> {
        let of = activity.pending_of(&token.id, &token.lookup).map(|last| last.at.0);
        assert_eq!(of, activity.pending(&token.id).map(|last| last.at.0));
        of
    }

    #[test]
    fn the_last_use_is_the_last_and_is_taken_once() {
        let (activity, token) = (Activity::default(), token(&Count(AtomicU64::new(1))));
        for at in [1, 2] {
            activity.used(&token, UnixMillis(at), None);
            assert_eq!(last(&activity, &token), Some(at));
        }
        assert_eq!(activity.take().len(), 1);
        assert_eq!((last(&activity, &token), activity.take().len()), (None, 0));
        activity.used(&token, UnixMillis(3), None);
        assert_eq!(last(&activity, &token), Some(3));
    }

    #[test]
    fn without_room_those_that_are_noted_go_on_and_others_wait_for_the_flush() {
        let (activity, chance) = (Activity::default(), Count(AtomicU64::new(1)));
        let tokens: Vec<_> = (0..2 * PARTS * MOST_IN_PART).map(|_| token(&chance)).collect();
        let note = |at| tokens.iter().for_each(|token| activity.used(token, UnixMillis(at), None));
        let noted = |at| tokens.iter().filter(|token| last(&activity, token) == Some(at)).count();
        note(1);
        let room = PARTS * MOST_IN_PART;
        assert_eq!(noted(1), room);
        note(2);
        assert_eq!((noted(1), noted(2)), (0, room));
        assert_eq!(activity.take().len(), room);
        let left_out = tokens.last().expect("there are many");
        activity.used(left_out, UnixMillis(3), None);
        assert_eq!(last(&activity, left_out), Some(3));
    }

    #[test]
    fn a_use_that_was_not_written_is_noted_again_unless_there_was_one_since() {
        let (activity, chance) = (Activity::default(), Count(AtomicU64::new(1)));
        let [again, since] = [token(&chance), token(&chance)];
        for token in [&again, &since] {
            activity.used(token, UnixMillis(1), None);
        }
        let taken = activity.take();
        activity.used(&since, UnixMillis(2), None);
        activity.note_again(&taken);
        assert_eq!((last(&activity, &again), last(&activity, &since)), (Some(1), Some(2)));
    }

    #[test]
    fn a_token_whose_place_another_has_since_the_flush_leaves_him_alone() {
        let (activity, chance) = (Activity::default(), Count(AtomicU64::new(0)));
        // every token of one part
        let tokens = (0..2 * PARTS).map(|_| token(&chance)).step_by(PARTS);
        let [first, second] = tokens.collect::<Vec<_>>().try_into().expect("there are two");
        activity.used(&first, UnixMillis(1), None);
        activity.take();
        activity.used(&second, UnixMillis(2), None);
        activity.used(&first, UnixMillis(3), None);
        activity.used(&second, UnixMillis(4), None);
        assert_eq!((last(&activity, &first), last(&activity, &second)), (Some(3), Some(4)));
        assert_eq!(activity.take().len(), 2);
    }

    #[test]
    fn facts_that_were_read_anew_are_of_the_same_use() {
        let (activity, old) = (Activity::default(), token(&Count(AtomicU64::new(1))));
        let new = NotedToken::new(TokenFacts::clone(&old));
        for (token, at) in [(&old, 1), (&new, 3), (&old, 2)] {
            activity.used(token, UnixMillis(at), None);
        }
        assert_eq!((last(&activity, &new), activity.take().len()), (Some(3), 1));
    }

    #[test]
    fn a_use_through_one_secret_that_was_not_written_outlives_a_use_through_another() {
        let (activity, chance) = (Activity::default(), Count(AtomicU64::new(1)));
        let (old, lookup) = (token(&chance), token(&chance).lookup);
        let new = NotedToken::new(TokenFacts { lookup, ..TokenFacts::clone(&old) });
        activity.used(&old, UnixMillis(1), None);
        let taken = activity.take();
        activity.used(&new, UnixMillis(2), None);
        activity.note_again(&taken);
        let of = |token: &NotedToken| {
            activity.pending_of(&token.id, &token.lookup).map(|last| last.at.0)
        };
        assert_eq!((of(&old), of(&new)), (Some(1), Some(2)));
        assert_eq!(activity.pending(&old.id).map(|last| last.at.0), Some(2));
    }
}
