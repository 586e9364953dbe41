//! Servers that run on one store, and the program beside them.
//!
//! A server says in the store how far it has applied the change feed. Whoever changes the store
//! from another process waits, before it answers, until every server has applied the change, or
//! until what a server remembers has run out (`cache.max_staleness`), after which that server
//! trusts nothing that it remembers without asking.

use std::time::Duration;

use claviger_domain::{Error, id::RequestId};
use claviger_store::{Query, Target, feed};
use tokio::time::{Instant, interval, sleep};

use crate::app::App;

/// How often a server that hears nothing says that it is still there.
const SIGN_OF_LIFE: Duration = Duration::from_secs(600);
/// Who has been silent for so long is gone.
const SILENCE_MS: i64 = 3 * 600 * 1000;
/// How often the program asks whether the servers have applied its change.
const ASK: Duration = Duration::from_millis(5);
/// What a server may need, beyond its staleness, from a question to the end of its answer.
const MARGIN: Duration = Duration::from_millis(100);

impl App {
    /// Says in the store how far this server has applied the feed, until `stop` is done. Trouble
    /// with the store is logged: whoever waits for this server then waits until it trusts nothing.
    pub async fn follow_feed(&self, stop: impl Future<Output = ()>) {
        let replica = RequestId::random(self.chance()).to_string();
        let mut applied = self.db.feed().applied();
        let mut sign_of_life = interval(SIGN_OF_LIFE);
        let mut first = true;
        tokio::pin!(stop);
        loop {
            tokio::select! {
                () = &mut stop => break,
                _ = sign_of_life.tick() => {}
                // the feed lives as long as the store
                _ = applied.changed() => {}
            }
            let n = *applied.borrow_and_update();
            let n = n.max(self.db.feed().position().n);
            if let Err(error) = self.announce(&replica, n, first).await {
                tracing::warn!(error = &error as &dyn std::error::Error, "cannot announce itself");
            }
            first = false;
        }
        let gone = self.db.write(move |tx| Ok(feed::leave(tx, &replica)?)).await;
        if let Err(error) = gone {
            tracing::debug!(error = &error as &dyn std::error::Error, "cannot take leave");
        }
    }

    async fn announce(&self, replica: &str, n: i64, first: bool) -> Result<(), Error> {
        let (replica, now) = (replica.to_owned(), self.now());
        // the one server that may run on a SQLite file has locked it: other rows are left-overs
        let alone = first && matches!(self.db.target(), Target::Sqlite(_));
        let gone = if alone { now.plus_ms(1) } else { now.plus_ms(-SILENCE_MS) };
        self.db
            .write(move |tx| {
                feed::forget(tx, gone)?;
                Ok(feed::announce(tx, &replica, n, now)?)
            })
            .await
    }

    /// Waits until every server on this store has applied what this process has changed, or trusts
    /// nothing of before.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn wait_for_servers(&self) -> Result<(), Error> {
        let n = self.db.feed().own();
        let end = Instant::now() + self.settings.cache.max_staleness + MARGIN;
        let since = self.now().plus_ms(-SILENCE_MS);
        while Instant::now() < end {
            let behind = self.db.peek(move |q: &mut dyn Query| Ok(feed::behind(q, n, since)?));
            let behind = behind.await?;
            if behind == 0 {
                break;
            }
            sleep(ASK).await;
        }
        Ok(())
    }
}
