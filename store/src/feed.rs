//! The change feed: what was touched by which commit, so that whoever remembers a fact forgets it.
//!
//! A commit that touches something counts [`revision`](Position) up in the same transaction, as its
//! last act, and writes a row for each fact; the lock on that one row makes the order of numbers
//! the order of commits. A random id stands beside the number: a store that was restored, or whose
//! standby had lost commits, shows another id at a number that we have seen, and then everything
//! remembered is dropped.
//!
//! Every process follows the feed by asking for the revision at short intervals. What it remembers
//! counts only while the last answer is young ([`Feed::is_confirmed`]); the age is counted from
//! before the question was sent, on the monotonic clock.

use std::{
    fmt::Write as _,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use claviger_domain::{Chance, UnixMillis, id::RequestId};
use tokio::sync::watch;

use crate::{
    db::{Connection, Param, Query, Row, Stmt, StoreError, Touched, Tx, statements},
    pool::{Memory, Target},
};

/// A commit that touches more facts than this says "everything" instead.
const MOST_TOUCHED: usize = 1000;

/// Where the feed stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// The number of the last commit that touched something.
    pub n: i64,
    /// Its random id; empty before the first.
    pub change_id: String,
}

statements! {
    POSITION = Stmt::same("SELECT n, change_id FROM revision");
    ADVANCE = Stmt::same("UPDATE revision SET n = n + 1, change_id = $1 RETURNING n");
    INSERT = Stmt::same(
        "INSERT INTO change (n, position, change_id, kind, key, at) VALUES ($1, $2, $3, $4, $5, $6)"
    );
    CHANGE_ID = Stmt::same("SELECT change_id FROM change WHERE n = $1 AND position = 0");
    SINCE = Stmt::same(
        "SELECT n, kind, key FROM change WHERE n > $1 AND n <= $2 ORDER BY n, position"
    );
    PRUNE = Stmt::same("DELETE FROM change WHERE at < $1 AND n < (SELECT n FROM revision)");
    ANNOUNCE = Stmt::same(
        "INSERT INTO replica (id, applied, seen_at) VALUES ($1, $2, $3)
         ON CONFLICT (id) DO UPDATE SET applied = excluded.applied, seen_at = excluded.seen_at"
    );
    LEAVE = Stmt::same("DELETE FROM replica WHERE id = $1");
    FORGET = Stmt::same("DELETE FROM replica WHERE seen_at < $1");
    BEHIND = Stmt::same(
        "SELECT CAST(COUNT(*) AS BIGINT) FROM replica WHERE applied < $1 AND seen_at >= $2"
    );
}

impl Touched {
    fn words(&self) -> (&'static str, String) {
        match self {
            Self::Token(lookup) => {
                let mut hex = String::with_capacity(64);
                for byte in lookup {
                    // writing to a String cannot fail
                    let _ = write!(hex, "{byte:02x}");
                }
                ("token", hex)
            }
            Self::Principal(id) => ("principal", id.to_string()),
            Self::Team(id) => ("team", id.to_string()),
            Self::Repo(name) => ("repo", name.clone()),
            Self::All => ("all", String::new()),
        }
    }

    /// What the words say; [`Touched::All`] for words of a newer program.
    fn read(kind: &str, key: &str) -> Self {
        let read = match kind {
            "token" => lookup(key).map(Self::Token),
            "principal" => key.parse().ok().map(Self::Principal),
            "team" => key.parse().ok().map(Self::Team),
            "repo" => Some(Self::Repo(key.to_owned())),
            _ => None,
        };
        read.unwrap_or(Self::All)
    }
}

fn lookup(hex: &str) -> Option<[u8; 32]> {
    let digits = hex.as_bytes().chunks_exact(2);
    let bytes: Option<Vec<u8>> =
        digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect();
    bytes?.try_into().ok()
}

/// Where the feed stands in the store.
pub(crate) fn position(q: &mut dyn Query) -> Result<Position, StoreError> {
    q.optional(&POSITION, &[])?.map_or(Ok(Position::default()), |row| read_position(&row))
}

fn read_position(row: &Row) -> Result<Position, StoreError> {
    Ok(Position { n: row.int(0)?, change_id: row.text(1)?.to_owned() })
}

/// One step of the feed: what stood there before, and what our commit made of it.
pub(crate) struct Step {
    before: Position,
    after: Position,
}

/// Writes down what the group touched, as the last act of its transaction.
pub(crate) fn append(
    connection: &mut Connection,
    chance: &dyn Chance,
    now: UnixMillis,
    touched: &mut Vec<Touched>,
) -> Result<Option<Step>, StoreError> {
    if touched.is_empty() {
        return Ok(None);
    }
    if touched.len() > MOST_TOUCHED || touched.contains(&Touched::All) {
        *touched = vec![Touched::All];
    }
    let before = position(connection)?;
    let change_id = RequestId::random(chance).to_string();
    let row = connection.optional(&ADVANCE, &[(&change_id).into()])?;
    let n = row.ok_or(StoreError::Column { column: 0 })?.int(0)?;
    for (position, fact) in (0..).zip(touched.iter()) {
        let (kind, key) = fact.words();
        let params: [Param<'_>; 6] = [
            n.into(),
            Param::Int(Some(position)),
            (&change_id).into(),
            kind.into(),
            (&key).into(),
            now.into(),
        ];
        connection.execute(&INSERT, &params)?;
    }
    Ok(Some(Step { before, after: Position { n, change_id } }))
}

/// Removes rows from before `until`: whoever still needs them drops everything it remembers.
///
/// # Errors
/// For trouble with the database.
pub fn prune(tx: &mut Tx<'_>, until: UnixMillis) -> Result<u64, StoreError> {
    tx.execute(&PRUNE, &[until.into()])
}

/// Says that the server `replica` has applied the feed up to `n`.
///
/// # Errors
/// For trouble with the database.
pub fn announce(tx: &mut Tx<'_>, replica: &str, n: i64, now: UnixMillis) -> Result<(), StoreError> {
    tx.execute(&ANNOUNCE, &[replica.into(), n.into(), now.into()]).map(drop)
}

/// Removes the row of a server that stops.
///
/// # Errors
/// For trouble with the database.
pub fn leave(tx: &mut Tx<'_>, replica: &str) -> Result<(), StoreError> {
    tx.execute(&LEAVE, &[replica.into()]).map(drop)
}

/// Forgets the servers that were last heard of before `until`.
///
/// # Errors
/// For trouble with the database.
pub fn forget(tx: &mut Tx<'_>, until: UnixMillis) -> Result<u64, StoreError> {
    tx.execute(&FORGET, &[until.into()])
}

/// How many servers that have given a sign of life since `since` have not applied commit `n` yet.
///
/// # Errors
/// For trouble with the database.
pub fn behind(q: &mut dyn Query, n: i64, since: UnixMillis) -> Result<i64, StoreError> {
    q.optional(&BEHIND, &[n.into(), since.into()])?.map_or(Ok(0), |row| row.int(0))
}

/// The feed as this process follows it.
pub struct Feed {
    memory: Arc<dyn Memory>,
    position: Mutex<Position>,
    started: Instant,
    /// Milliseconds from `started` to the last confirmed question.
    confirmed_ms: AtomicU64,
    rewinds: AtomicU64,
    /// The number of the last commit of our own writer.
    own: AtomicI64,
    applied: watch::Sender<i64>,
    stopped: Mutex<bool>,
    stop: Condvar,
}

impl Feed {
    pub(crate) fn new(position: Position, memory: Arc<dyn Memory>) -> Self {
        let (applied, _) = watch::channel(position.n);
        Self {
            memory,
            position: Mutex::new(position),
            started: Instant::now(),
            confirmed_ms: AtomicU64::new(0),
            rewinds: AtomicU64::new(0),
            own: AtomicI64::new(0),
            applied,
            stopped: Mutex::new(false),
            stop: Condvar::new(),
        }
    }

    /// Where this process stands.
    pub fn position(&self) -> Position {
        lock(&self.position).clone()
    }

    /// Whether the store confirmed at most `max` ago that nothing is missing. Otherwise nothing
    /// that is remembered may be used.
    pub fn is_confirmed(&self, max: Duration) -> bool {
        self.age() <= max
    }

    /// How long ago the store confirmed that nothing is missing.
    pub fn age(&self) -> Duration {
        let confirmed = Duration::from_millis(self.confirmed_ms.load(Ordering::Acquire));
        self.started.elapsed().saturating_sub(confirmed)
    }

    /// How often the store turned out to be another one than before (a restore, a fail-over that
    /// lost commits).
    pub fn rewinds(&self) -> u64 {
        self.rewinds.load(Ordering::Relaxed)
    }

    /// The number of the last commit of this process that touched something; 0 for none.
    pub fn own(&self) -> i64 {
        self.own.load(Ordering::Acquire)
    }

    /// Tells the number of the last commit of another process that was applied here.
    pub fn applied(&self) -> watch::Receiver<i64> {
        self.applied.subscribe()
    }

    /// Our own writer has committed.
    pub(crate) fn committed(&self, step: Option<Step>, touched: &[Touched]) {
        let Some(Step { before, after }) = step else { return };
        self.memory.evict(touched);
        self.own.store(after.n, Ordering::Release);
        let mut position = lock(&self.position);
        // commits of others in between are left to `follow`, and so is a store that is not the
        // one it was: then our number may fit and the id of the one before does not
        if *position == before {
            *position = after;
        }
    }

    /// Our own writer does not know whether its commit came about.
    pub(crate) fn doubtful(&self, touched: &[Touched]) {
        self.memory.evict(touched);
    }

    pub(crate) fn stop(&self) {
        *lock(&self.stopped) = true;
        self.stop.notify_all();
    }

    /// Asks for news until it is stopped.
    pub(crate) fn follow(&self, target: &Target) {
        let pause = match target {
            Target::Sqlite(_) => Duration::from_millis(20),
            Target::Postgres(_) => Duration::from_millis(100),
        };
        let mut open: Option<Connection> = None;
        loop {
            let outcome = self.ask(target, &mut open);
            if let Err(error) = outcome {
                tracing::debug!(error = &error as &dyn std::error::Error, "the feed has no answer");
                open = None;
            }
            let stopped = lock(&self.stopped);
            let (stopped, _) = self
                .stop
                .wait_timeout_while(stopped, pause, |stopped| !*stopped)
                .unwrap_or_else(PoisonError::into_inner);
            if *stopped {
                return;
            }
        }
    }

    fn ask(&self, target: &Target, open: &mut Option<Connection>) -> Result<(), StoreError> {
        let asked = self.started.elapsed();
        let connection = match open {
            Some(connection) => connection,
            None => open.insert(target.reader()?),
        };
        while !self.catch_up(connection)? {}
        let asked_ms = u64::try_from(asked.as_millis()).unwrap_or(u64::MAX);
        self.confirmed_ms.fetch_max(asked_ms, Ordering::AcqRel);
        Ok(())
    }

    /// Applies what came since the position that is ours; whether that was possible. It is not when
    /// our own writer moved on meanwhile: then the answer is old, and must be asked for again.
    fn catch_up(&self, q: &mut dyn Query) -> Result<bool, StoreError> {
        let mine = self.position();
        let theirs = position(q)?;
        if theirs == mine {
            return Ok(true);
        }
        // read before the comparison of ids, so that rows pruned in between are missed by it
        let rows = q.all(&SINCE, &[mine.n.into(), theirs.n.into()])?;
        let known = match mine.n {
            0 => true,
            n => match q.optional(&CHANGE_ID, &[n.into()])? {
                Some(row) => row.text(0)? == mine.change_id,
                None => false,
            },
        };
        let mut touched = Vec::with_capacity(rows.len());
        let mut next = mine.n;
        for row in &rows {
            let n = row.int(0)?;
            next += i64::from(n == next + 1);
            touched.push(Touched::read(row.text(1)?, row.text(2)?));
        }
        let rewound = theirs.n <= mine.n || (!known && next == theirs.n);
        if rewound || !known || next != theirs.n {
            touched = vec![Touched::All];
        }
        let mut position = lock(&self.position);
        if *position != mine {
            return Ok(false);
        }
        if rewound {
            self.rewinds.fetch_add(1, Ordering::Relaxed);
            tracing::warn!(from = mine.n, to = theirs.n, "the store is not the one it was");
        }
        self.memory.evict(&touched);
        *position = theirs.clone();
        drop(position);
        self.applied.send_replace(theirs.n);
        Ok(true)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Forgets;
    impl Memory for Forgets {
        fn evict(&self, _: &[Touched]) {}
    }

    fn at(n: i64, change_id: &str) -> Position {
        Position { n, change_id: change_id.to_owned() }
    }

    #[test]
    fn our_commit_on_a_store_that_was_swapped_is_left_to_be_noticed() {
        let feed = Feed::new(at(10, "ours"), Arc::new(Forgets));
        let step = |before, after| Some(Step { before, after });
        feed.committed(step(at(10, "of another history"), at(11, "new")), &[Touched::All]);
        assert_eq!(feed.position(), at(10, "ours"));
        feed.committed(step(at(10, "ours"), at(11, "new")), &[Touched::All]);
        assert_eq!(feed.position(), at(11, "new"));
        feed.committed(step(at(12, "of another server"), at(13, "newer")), &[Touched::All]);
        assert_eq!(feed.position(), at(11, "new"));
    }
}
