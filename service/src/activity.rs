//! When tokens were last used, and from where. Noted in memory beside the request, and written in
//! batches: a crash may lose the last minute of it, a request is never slowed by it.
//!
//! The remembered fact of a token says whether its use is noted already, so that nobody need look
//! for it among all that are once there is no room for more.

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
/// How many tokens are noted at the most between two flushes, in all parts 131,072: what the writer
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

/// The last use of a token through each of its secrets; nearly always there is one.
struct Noted {
    first: (Lookup, Use),
    more: Vec<(Lookup, Use)>,
}

impl Noted {
    fn all(&self) -> impl Iterator<Item = &(Lookup, Use)> {
        std::iter::once(&self.first).chain(&self.more)
    }
}

// ids are ours and random, so nobody can make them meet
type Uses = HashMap<TokenId, Noted, foldhash::fast::RandomState>;

/// The facts about a token as one of its secrets reaches it, and whether that use is noted.
#[derive(Debug)]
pub struct NotedToken {
    facts: TokenFacts,
    /// The round of its part in which it was.
    round: AtomicU64,
}

impl NotedToken {
    /// A token whose use is not noted.
    pub(crate) const fn new(facts: TokenFacts) -> Self {
        Self { facts, round: AtomicU64::new(0) }
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
    /// How often it was flushed.
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

    /// Notes a use, if there is room for it and no later one is noted; in which round.
    fn note(&self, id: TokenId, lookup: &Lookup, last: Use) -> Option<u64> {
        let mut uses = self.lock();
        if let Some(Noted { first, more }) = uses.get_mut(&id) {
            match std::iter::once(first).chain(&mut *more).find(|(known, _)| known == lookup) {
                Some((_, known)) if known.at <= last.at => *known = last,
                Some(_) => {}
                None => more.push((*lookup, last)),
            }
        } else if uses.len() < MOST_IN_PART {
            uses.insert(id, Noted { first: (*lookup, last), more: Vec::new() });
        } else {
            self.full.store(true, Relaxed);
            return None;
        }
        Some(self.round())
    }

    fn take(&self) -> Uses {
        let mut uses = self.lock();
        self.flushes.fetch_add(1, Relaxed);
        self.full.store(false, Relaxed);
        std::mem::take(&mut *uses)
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
        let noted = token.round.load(Relaxed) == part.round();
        if noted || !part.full.load(Relaxed) {
            let noted = part.note(token.id, &token.lookup, Use { at, address });
            token.round.store(noted.unwrap_or_default(), Relaxed);
        }
    }

    /// Notes uses that could not be written, where there were none since.
    fn note_again(&self, uses: &[(TokenId, Lookup, Use)]) {
        for (id, lookup, last) in uses {
            self.part(id).and_then(|part| part.note(*id, lookup, *last));
        }
    }

    /// The last use that is not written yet.
    pub fn pending(&self, id: &TokenId) -> Option<Use> {
        let uses = self.part(id)?.lock();
        uses.get(id)?.all().map(|(_, last)| *last).max_by_key(|last| last.at)
    }

    /// The last use through one of its secrets that is not written yet.
    pub fn pending_of(&self, id: &TokenId, lookup: &Lookup) -> Option<Use> {
        let uses = self.part(id)?.lock();
        uses.get(id)?.all().find(|(known, _)| known == lookup).map(|(_, last)| *last)
    }

    /// Takes everything out, in the order of ids.
    fn take(&self) -> Vec<(TokenId, Lookup, Use)> {
        let mut all = Vec::new();
        for part in &self.0 {
            for (id, noted) in part.take() {
                all.extend(noted.all().map(|(lookup, last)| (id, *lookup, *last)));
            }
        }
        all.sort_unstable_by_key(|(id, ..)| *id);
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
            let uses = batch.to_vec();
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
