//! When tokens were last used, and from where. Noted in memory beside the request, and written in
//! batches: a crash may lose the last minute of it, a request is never slowed by it.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
};

use claviger_domain::{Error, UnixMillis, id::TokenId};
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

/// What was used since the last flush.
pub struct Activity(Vec<Mutex<Uses>>);

impl Default for Activity {
    fn default() -> Self {
        Self((0..PARTS).map(|_| Mutex::default()).collect())
    }
}

impl Activity {
    fn part(&self, id: &TokenId) -> Option<MutexGuard<'_, Uses>> {
        // the last byte is random
        let [.., byte] = id.bytes();
        let part = self.0.get(usize::from(byte) % PARTS)?;
        Some(part.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A token was used through the secret with this lookup key.
    pub fn used(&self, id: TokenId, lookup: &Lookup, at: UnixMillis, address: Option<IpAddr>) {
        let Some(mut uses) = self.part(&id) else { return };
        let last = Use { at, address };
        if let Some(noted) = uses.get_mut(&id) {
            let Noted { first, more } = noted;
            match std::iter::once(first).chain(&mut *more).find(|(known, _)| known == lookup) {
                Some((_, known)) => *known = last,
                None => more.push((*lookup, last)),
            }
        } else if uses.len() < MOST_IN_PART {
            uses.insert(id, Noted { first: (*lookup, last), more: Vec::new() });
        }
    }

    /// The last use that is not written yet.
    pub fn pending(&self, id: &TokenId) -> Option<Use> {
        let uses = self.part(id)?;
        uses.get(id)?.all().map(|(_, last)| *last).max_by_key(|last| last.at)
    }

    /// The last use through one of its secrets that is not written yet.
    pub fn pending_of(&self, id: &TokenId, lookup: &Lookup) -> Option<Use> {
        let uses = self.part(id)?;
        uses.get(id)?.all().find(|(known, _)| known == lookup).map(|(_, last)| *last)
    }

    /// Takes everything out, in the order of ids.
    fn take(&self) -> Vec<(TokenId, Lookup, Use)> {
        let mut all = Vec::new();
        for part in &self.0 {
            let uses = std::mem::take(&mut *part.lock().unwrap_or_else(PoisonError::into_inner));
            for (id, noted) in uses {
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
                for (id, lookup, last) in all.iter().skip(done * BATCH) {
                    if self.activity.pending(id).is_none() {
                        self.activity.used(*id, lookup, last.at, last.address);
                    }
                }
                return Err(error);
            }
        }
        Ok(all.len())
    }
}
