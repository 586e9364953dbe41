//! Sweeping out what has ended and is kept no longer: sessions, codes, tombstones of tokens, rows of
//! the change feed. Nobody decides by what is removed here.
//!
//! Not here: the audit, which only its own retention may shorten; tombstones of names, which stay.

use std::time::Duration;

use claviger_domain::Error;
use claviger_store::{feed, grants, sessions, tokens};

use crate::app::App;

/// Rows of the change feed are kept so long; whoever is further behind forgets everything.
const FEED: Duration = Duration::from_secs(60 * 60);
/// A server that was not heard of for so long is gone; each speaks every ten minutes.
const REPLICA: Duration = Duration::from_secs(24 * 60 * 60);
/// How many tokens are removed in one transaction, so that other writes need not wait long.
const BATCH: i64 = 500;

/// How many rows were removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Sessions and OAuth codes.
    pub sessions: u64,
    /// Tokens.
    pub tokens: u64,
}

impl App {
    /// Removes what has ended and is kept no longer.
    ///
    /// # Errors
    /// [`Error::Unavailable`]; what was removed until then stays removed.
    pub async fn sweep(&self) -> Result<Swept, Error> {
        let now = self.now();
        let ended = now.minus(self.settings.tokens.retention);
        let sessions = self
            .db
            .write(move |tx| {
                feed::prune(tx, now.minus(FEED))?;
                feed::forget(tx, now.minus(REPLICA))?;
                tokens::sweep_secrets(tx, ended)?;
                Ok(sessions::sweep(tx, now)? + grants::sweep_codes(tx, now)?)
            })
            .await?;
        let mut swept = Swept { sessions, tokens: 0 };
        loop {
            let removed = self.db.write(move |tx| Ok(tokens::sweep(tx, ended, BATCH)?)).await?;
            swept.tokens += removed;
            if removed == 0 {
                return Ok(swept);
            }
        }
    }
}
