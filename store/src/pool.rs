//! The threads that own the connections: a few readers, and one writer with group commit.
//!
//! ```text
//! callers ──▶ queue ──▶ writer: BEGIN
//!                         SAVEPOINT, closure 1, RELEASE (or ROLLBACK TO, when it says no)
//!                         SAVEPOINT, closure 2, …
//!                         the feed's rows, when something was touched
//!                       COMMIT          one sync to disk for all of them
//!                       evict           whoever remembers a touched fact forgets it
//!                       answer all
//! ```
//! Nothing, not even a refusal, is answered before the commit, because a later closure of the group
//! may have seen rows that were not committed. A failed commit is an outage for all of them.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
};

use claviger_domain::{Chance, Clock, Error};
use tokio::sync::oneshot;

use crate::{
    db::{Connection, Query, Stmt, StoreError, Touched, Tx},
    feed::{self, Feed},
    migrate,
    postgres::{PostgresAddress, PostgresConnection},
    queue::Queue,
    sqlite::SqliteConnection,
};

/// How many writes share one commit at the most.
const GROUP: usize = 256;
/// How many calls may wait; beyond that they are refused at once.
const WAITING: usize = 8192;

/// Which database.
#[derive(Clone, Debug)]
pub enum Target {
    /// A file, made when it is missing.
    Sqlite(PathBuf),
    /// A server.
    Postgres(PostgresAddress),
}

impl Target {
    fn writer(&self) -> Result<Connection, StoreError> {
        match self {
            Self::Sqlite(path) => SqliteConnection::writer(path).map(Connection::Sqlite),
            Self::Postgres(address) => {
                let connection = PostgresConnection::connect(address)?;
                Ok(Connection::Postgres(Box::new(connection)))
            }
        }
    }

    pub(crate) fn reader(&self) -> Result<Connection, StoreError> {
        match self {
            Self::Sqlite(path) => SqliteConnection::reader(path).map(Connection::Sqlite),
            Self::Postgres(address) => {
                let connection = PostgresConnection::connect(address)?;
                Ok(Connection::Postgres(Box::new(connection)))
            }
        }
    }
}

/// Whoever remembers facts of this store.
pub trait Memory: Send + Sync {
    /// Forgets `touched`. Called after the commit that changed them and before it is answered.
    fn evict(&self, touched: &[Touched]);
}

type ReadJob = Box<dyn FnOnce(Result<&mut Connection, StoreError>) + Send>;

/// A write that waits for its turn, and then for its commit.
trait WriteJob: Send {
    /// Runs the closure; whether its changes stay.
    fn run(&mut self, tx: &mut Tx<'_>) -> bool;
    /// Answers the caller: what the closure said, or that the commit failed.
    fn answer(self: Box<Self>, outage: Option<StoreError>);
}

struct Write<F, T> {
    closure: Option<F>,
    said: Option<Result<T, Error>>,
    caller: oneshot::Sender<Result<T, Error>>,
}

impl<F, T> WriteJob for Write<F, T>
where
    F: FnOnce(&mut Tx<'_>) -> Result<T, Error> + Send,
    T: Send,
{
    fn run(&mut self, tx: &mut Tx<'_>) -> bool {
        let Some(closure) = self.closure.take() else { return false };
        let said = guarded(|| closure(tx));
        let keep = said.is_ok();
        self.said = Some(said);
        keep
    }

    fn answer(self: Box<Self>, outage: Option<StoreError>) {
        let said = match (outage, self.said) {
            (None, Some(said)) => said,
            (outage, _) => Err(outage.unwrap_or(StoreError::Panicked).into()),
        };
        // a caller that has gone away wants no answer
        let _ = self.caller.send(said);
    }
}

/// The database. Cheap to clone; the last [`Db::close`] or drop stops its threads.
#[derive(Clone)]
pub struct Db(Arc<Inner>);

struct Inner {
    target: Target,
    reads: Arc<Queue<ReadJob>>,
    writes: Arc<Queue<Box<dyn WriteJob>>>,
    feed: Arc<Feed>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.reads.close();
        self.writes.close();
        self.feed.stop();
    }
}

impl Db {
    /// Opens the database, migrates it, and starts its threads: `readers` for reading and one for
    /// writing. `memory` is told what every commit has touched.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when it cannot be reached; [`StoreError::Newer`].
    pub fn open(
        target: Target,
        readers: usize,
        memory: Arc<dyn Memory>,
        chance: Arc<dyn Chance>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StoreError> {
        let (writer, position) = apart(|| {
            let mut writer = target.writer()?;
            migrate::migrate(&mut writer)?;
            let position = feed::position(&mut writer)?;
            Ok((writer, position))
        })?;
        let feed = Arc::new(Feed::new(position, memory));
        let reads: Arc<Queue<ReadJob>> = Arc::new(Queue::new(WAITING));
        let changes: Arc<Queue<Box<dyn WriteJob>>> = Arc::new(Queue::new(WAITING));
        let mut threads = Vec::new();
        for number in 0..readers.max(1) {
            let (target, reads) = (target.clone(), Arc::clone(&reads));
            threads.push(spawn(&format!("store-read-{number}"), move || {
                read_loop(&target, &reads);
            })?);
        }
        threads.push(spawn("store-write", {
            let (target, changes, feed) = (target.clone(), Arc::clone(&changes), Arc::clone(&feed));
            move || Writer { target, connection: Some(writer), feed, chance, clock }.serve(&changes)
        })?);
        threads.push(spawn("store-feed", {
            let (target, feed) = (target.clone(), Arc::clone(&feed));
            move || feed.follow(&target)
        })?);
        Ok(Self(Arc::new(Inner {
            target,
            reads,
            writes: changes,
            feed,
            threads: Mutex::new(threads),
        })))
    }

    /// Asks something, in a snapshot of one moment.
    ///
    /// # Errors
    /// What `f` says; [`Error::Unavailable`] or [`Error::Busy`] when it could not be asked.
    pub async fn read<T: Send + 'static>(
        &self,
        f: impl FnOnce(&mut dyn Query) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.ask(move |connection| {
            connection.batch(&SNAPSHOT)?;
            let answer = guarded(|| f(connection));
            connection.batch(&END)?;
            answer
        })
        .await
    }

    /// Asks something, each statement in its own moment: for single statements, and for facts,
    /// whose eviction makes up for it.
    ///
    /// # Errors
    /// As [`Db::read`].
    pub async fn peek<T: Send + 'static>(
        &self,
        f: impl FnOnce(&mut dyn Query) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.ask(move |connection| f(connection)).await
    }

    async fn ask<T: Send + 'static>(
        &self,
        f: impl FnOnce(&mut Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (caller, answer) = oneshot::channel();
        let job: ReadJob = Box::new(move |connection| {
            let said = match connection {
                Ok(connection) => guarded(|| f(connection)),
                Err(outage) => Err(outage.into()),
            };
            let _ = caller.send(said);
        });
        self.0.reads.push(job).map_err(|_| StoreError::Busy)?;
        answer.await.unwrap_or_else(|_| Err(closed().into()))
    }

    /// Changes something. All writes run one after another, so a closure sees a serial world:
    /// check, change, audit, touch. `Err` rolls back what this closure changed.
    ///
    /// # Errors
    /// What `f` says; [`Error::Unavailable`] when the commit failed (then it is not known whether
    /// the change is there) or [`Error::Busy`] when it was not tried.
    pub async fn write<T: Send + 'static>(
        &self,
        f: impl FnOnce(&mut Tx<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (caller, answer) = oneshot::channel();
        let job = Box::new(Write { closure: Some(f), said: None, caller });
        self.0.writes.push(job).map_err(|_| StoreError::Busy)?;
        answer.await.unwrap_or_else(|_| Err(closed().into()))
    }

    /// The change feed as this process follows it.
    pub fn feed(&self) -> &Arc<Feed> {
        &self.0.feed
    }

    /// Which database this is.
    pub fn target(&self) -> &Target {
        &self.0.target
    }

    /// Serves what waits, then stops the threads and closes the connections.
    pub fn close(&self) {
        self.0.reads.close();
        self.0.writes.close();
        self.0.feed.stop();
        let threads =
            std::mem::take(&mut *self.0.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            // a thread that panicked has nothing left to close
            let _ = thread.join();
        }
    }
}

/// Runs a caller's closure; its panic is an error of its own call and of nobody else's.
fn guarded<T>(f: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(f)).unwrap_or_else(|_| Err(StoreError::Panicked.into()))
}

fn closed() -> StoreError {
    StoreError::Unavailable("the store is closed".into())
}

/// Runs `work` on a thread of its own and waits for it: the PostgreSQL driver must not be used on a
/// thread that drives asynchronous work.
pub(crate) fn apart<T: Send>(
    work: impl FnOnce() -> Result<T, StoreError> + Send,
) -> Result<T, StoreError> {
    std::thread::scope(|scope| scope.spawn(work).join().unwrap_or(Err(StoreError::Panicked)))
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, StoreError> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(work)
        .map_err(|error| StoreError::Unavailable(Box::new(error)))
}

const SNAPSHOT: Stmt = Stmt::split("BEGIN", "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
const END: Stmt = Stmt::same("ROLLBACK");

/// Serves reads on a connection of its own, made anew when it was lost.
fn read_loop(target: &Target, jobs: &Queue<ReadJob>) {
    let mut open: Option<Connection> = None;
    while let Some(job) = jobs.pop() {
        if open.as_ref().is_none_or(Connection::is_closed) {
            match target.reader() {
                Ok(connection) => open = Some(connection),
                Err(outage) => {
                    open = None;
                    job(Err(outage));
                    continue;
                }
            }
        }
        if let Some(connection) = &mut open {
            job(Ok(connection));
        }
    }
}

/// The group's transaction. On PostgreSQL the lock orders the writers of several processes.
const BEGIN: Stmt = Stmt::split("BEGIN IMMEDIATE", "BEGIN; LOCK TABLE revision IN EXCLUSIVE MODE");
const COMMIT: Stmt = Stmt::same("COMMIT");
const SAVEPOINT: Stmt = Stmt::same("SAVEPOINT one");
const KEEP: Stmt = Stmt::same("RELEASE SAVEPOINT one");
const UNDO: Stmt = Stmt::same("ROLLBACK TO SAVEPOINT one; RELEASE SAVEPOINT one");

struct Writer {
    target: Target,
    connection: Option<Connection>,
    feed: Arc<Feed>,
    chance: Arc<dyn Chance>,
    clock: Arc<dyn Clock>,
}

impl Writer {
    fn serve(mut self, jobs: &Queue<Box<dyn WriteJob>>) {
        loop {
            let mut group = jobs.take(GROUP);
            if group.is_empty() {
                return;
            }
            let outcome = self.commit(&mut group);
            if outcome.is_err() {
                // whatever state the connection is in, a new one has none
                self.connection = None;
            }
            let outage = outcome.err();
            for job in group {
                job.answer(outage.as_ref().map(again));
            }
        }
    }

    fn commit(&mut self, group: &mut [Box<dyn WriteJob>]) -> Result<(), StoreError> {
        if self.connection.as_ref().is_none_or(Connection::is_closed) {
            self.connection = Some(self.target.writer()?);
        }
        let Some(connection) = &mut self.connection else { return Err(closed()) };
        let mut touched = Vec::new();
        connection.step(&BEGIN)?;
        for job in group.iter_mut() {
            connection.step(&SAVEPOINT)?;
            let before = touched.len();
            let mut tx = Tx { connection, touched: &mut touched, chance: self.chance.as_ref() };
            if job.run(&mut tx) {
                connection.step(&KEEP)?;
            } else {
                connection.batch(&UNDO)?;
                touched.truncate(before);
            }
        }
        let now = self.clock.now();
        let step = feed::append(connection, self.chance.as_ref(), now, &mut touched)?;
        let outcome = connection.step(&COMMIT);
        match outcome {
            Ok(()) => self.feed.committed(step, &touched),
            Err(_) => self.feed.doubtful(&touched),
        }
        outcome
    }
}

/// The same outage once more, for the next caller of the group.
fn again(outage: &StoreError) -> StoreError {
    match outage {
        StoreError::Busy => StoreError::Busy,
        other => StoreError::Unavailable(other.to_string().into()),
    }
}
