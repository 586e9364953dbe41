//! The seam: the only part of Claviger that knows that there are two databases.
//!
//! Store code is synchronous and written once. Every connection belongs to a thread
//! ([`crate::pool`]); callers send closures, which see a [`Query`] or a [`Tx`].
//!
//! The portable subset: `$N` parameters, `ON CONFLICT … DO UPDATE … RETURNING`, row values,
//! `LIKE … ESCAPE`; times and counts as BIGINT, ids and words as TEXT that compares byte by byte, no
//! booleans where a nullable time says more, `CAST(… AS BIGINT)` around sums.

mod param;

use std::str::FromStr;

use claviger_domain::{Chance, Error, UnixMillis, id};

pub use self::param::Param;
use crate::{
    feed::{self, Position},
    postgres::PostgresConnection,
    sqlite::SqliteConnection,
};

/// What went wrong below the use cases.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be reached, or refuses to work at the moment.
    #[error("the database is unavailable")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A statement failed although the database works: a bug of ours.
    #[error("a statement failed")]
    Statement(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A row holds what the schema does not allow.
    #[error("column {column} holds an unexpected value")]
    Column {
        /// Its position in the statement's columns, from 0.
        column: usize,
    },
    /// A newer version of the program has migrated this database.
    #[error(
        "the database has version {found}, and this program knows versions up to {known}: start the newer program again, or restore the backup made before its first start"
    )]
    Newer {
        /// The version of the database.
        found: i64,
        /// The newest version that this program knows.
        known: i64,
    },
    /// Too many calls wait for the database.
    #[error("too many calls wait for the database")]
    Busy,
    /// The closure of a caller panicked; its changes were rolled back.
    #[error("a use case panicked")]
    Panicked,
    /// The address of the database cannot be used; the sentence says why.
    #[error("{0}")]
    Address(String),
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(_) => Self::Unavailable(Box::new(error)),
            StoreError::Busy => Self::Busy { retry_after: std::time::Duration::from_secs(1) },
            StoreError::Statement(_)
            | StoreError::Column { .. }
            | StoreError::Newer { .. }
            | StoreError::Panicked
            | StoreError::Address(_) => Self::Internal(Box::new(error)),
        }
    }
}

/// One statement, as both engines read it.
#[derive(Clone, Copy, Debug)]
pub struct Stmt {
    sqlite: &'static str,
    postgres: &'static str,
}

impl Stmt {
    /// A statement that both engines read alike.
    pub const fn same(sql: &'static str) -> Self {
        Self { sqlite: sql, postgres: sql }
    }

    /// A statement that must be written twice.
    pub const fn split(sqlite: &'static str, postgres: &'static str) -> Self {
        Self { sqlite, postgres }
    }
}

/// Which engine a connection speaks with; they differ in a few functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// A file.
    Sqlite,
    /// A server.
    Postgres,
}

/// A statement put together for one question out of texts of ours, for one engine. There are too
/// many of them to be kept prepared. Only the store makes any.
#[derive(Clone, Debug)]
pub struct Composed(String);

impl Composed {
    pub(crate) fn new(sql: String) -> Self {
        Self(sql)
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Defines a file's statements, and `ALL`, by which a test prepares every one of them on both
/// engines.
macro_rules! statements {
    ($($name:ident = $stmt:expr;)+) => {
        $(const $name: $crate::db::Stmt = $stmt;)+
        /// Every statement of this file, by name.
        pub(crate) const ALL: &[(&str, $crate::db::Stmt)] = &[$((stringify!($name), $name)),+];
    };
}
pub(crate) use statements;

/// One value of a row.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Null,
    Int(i64),
    Text(String),
    Blob(Vec<u8>),
}

/// One row of an answer; columns count from 0.
#[derive(Clone, Debug, PartialEq)]
pub struct Row(pub(crate) Vec<Value>);

impl Row {
    fn at(&self, column: usize) -> Result<&Value, StoreError> {
        self.0.get(column).ok_or(StoreError::Column { column })
    }

    /// A number, or `None` for NULL.
    ///
    /// # Errors
    /// [`StoreError::Column`] when it is something else (so for all of these).
    pub fn opt_int(&self, column: usize) -> Result<Option<i64>, StoreError> {
        match self.at(column)? {
            Value::Null => Ok(None),
            Value::Int(value) => Ok(Some(*value)),
            _ => Err(StoreError::Column { column }),
        }
    }

    /// Text, or `None` for NULL.
    ///
    /// # Errors
    /// As [`Row::opt_int`].
    pub fn opt_text(&self, column: usize) -> Result<Option<&str>, StoreError> {
        match self.at(column)? {
            Value::Null => Ok(None),
            Value::Text(value) => Ok(Some(value)),
            _ => Err(StoreError::Column { column }),
        }
    }

    /// Bytes, or `None` for NULL.
    ///
    /// # Errors
    /// As [`Row::opt_int`].
    pub fn opt_blob(&self, column: usize) -> Result<Option<&[u8]>, StoreError> {
        match self.at(column)? {
            Value::Null => Ok(None),
            Value::Blob(value) => Ok(Some(value)),
            _ => Err(StoreError::Column { column }),
        }
    }

    /// A number.
    ///
    /// # Errors
    /// As [`Row::opt_int`].
    pub fn int(&self, column: usize) -> Result<i64, StoreError> {
        self.opt_int(column)?.ok_or(StoreError::Column { column })
    }

    /// Text.
    ///
    /// # Errors
    /// As [`Row::opt_int`].
    pub fn text(&self, column: usize) -> Result<&str, StoreError> {
        self.opt_text(column)?.ok_or(StoreError::Column { column })
    }

    /// Bytes.
    ///
    /// # Errors
    /// As [`Row::opt_int`].
    pub fn blob(&self, column: usize) -> Result<&[u8], StoreError> {
        self.opt_blob(column)?.ok_or(StoreError::Column { column })
    }

    /// An instant, or `None` for NULL.
    ///
    /// # Errors
    /// As [`Row::opt_int`].
    pub fn opt_millis(&self, column: usize) -> Result<Option<UnixMillis>, StoreError> {
        Ok(self.opt_int(column)?.map(UnixMillis))
    }

    /// An instant.
    ///
    /// # Errors
    /// As [`Row::opt_int`].
    pub fn millis(&self, column: usize) -> Result<UnixMillis, StoreError> {
        self.int(column).map(UnixMillis)
    }

    /// An id or a word, read from text; `None` for NULL.
    ///
    /// # Errors
    /// As [`Row::opt_int`].
    pub fn opt_parse<T: FromStr>(&self, column: usize) -> Result<Option<T>, StoreError> {
        let text = self.opt_text(column)?;
        text.map(|text| text.parse().map_err(|_| StoreError::Column { column })).transpose()
    }

    /// An id or a word, read from text.
    ///
    /// # Errors
    /// As [`Row::opt_int`].
    pub fn parse<T: FromStr>(&self, column: usize) -> Result<T, StoreError> {
        self.opt_parse(column)?.ok_or(StoreError::Column { column })
    }
}

/// Something that answers questions: a reader's connection, or a write in progress.
pub trait Query {
    /// The first row of the answer, if there is one.
    ///
    /// # Errors
    /// For trouble with the database.
    fn optional(&mut self, stmt: &Stmt, params: &[Param<'_>]) -> Result<Option<Row>, StoreError>;

    /// All rows of the answer.
    ///
    /// # Errors
    /// For trouble with the database.
    fn all(&mut self, stmt: &Stmt, params: &[Param<'_>]) -> Result<Vec<Row>, StoreError>;

    /// Which engine answers.
    fn engine(&self) -> Engine;

    /// All rows of the answer to a statement that was put together for this engine.
    ///
    /// # Errors
    /// For trouble with the database.
    fn once(&mut self, sql: &Composed, params: &[Param<'_>]) -> Result<Vec<Row>, StoreError>;
}

/// A connection to either engine.
pub(crate) enum Connection {
    Sqlite(SqliteConnection),
    Postgres(Box<PostgresConnection>),
}

impl Connection {
    pub(crate) fn execute(&mut self, stmt: &Stmt, params: &[Param<'_>]) -> Result<u64, StoreError> {
        crate::told::sql(stmt.sqlite);
        match self {
            Self::Sqlite(connection) => connection.execute(stmt.sqlite, params),
            Self::Postgres(connection) => connection.execute(stmt.postgres, params),
        }
    }

    /// Runs statements that have no parameters and no answer, such as a migration.
    pub(crate) fn batch(&mut self, stmt: &Stmt) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(connection) => connection.batch(stmt.sqlite),
            Self::Postgres(connection) => connection.batch(stmt.postgres),
        }
    }

    /// The same, for single statements that come again and again.
    pub(crate) fn step(&mut self, stmt: &Stmt) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(connection) => connection.execute(stmt.sqlite, &[]).map(drop),
            Self::Postgres(connection) => connection.batch(stmt.postgres),
        }
    }

    /// Checks that the engine understands `stmt`.
    pub(crate) fn prepare(&mut self, stmt: &Stmt) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(connection) => connection.prepare(stmt.sqlite),
            Self::Postgres(connection) => connection.prepare(stmt.postgres),
        }
    }

    /// Whether the connection is lost for good and another must be made.
    pub(crate) fn is_closed(&self) -> bool {
        match self {
            Self::Sqlite(_) => false,
            Self::Postgres(connection) => connection.is_closed(),
        }
    }
}

impl Query for Connection {
    fn optional(&mut self, stmt: &Stmt, params: &[Param<'_>]) -> Result<Option<Row>, StoreError> {
        crate::told::sql(stmt.sqlite);
        match self {
            Self::Sqlite(connection) => connection.optional(stmt.sqlite, params),
            Self::Postgres(connection) => connection.optional(stmt.postgres, params),
        }
    }

    fn all(&mut self, stmt: &Stmt, params: &[Param<'_>]) -> Result<Vec<Row>, StoreError> {
        crate::told::sql(stmt.sqlite);
        match self {
            Self::Sqlite(connection) => connection.all(stmt.sqlite, params),
            Self::Postgres(connection) => connection.all(stmt.postgres, params),
        }
    }

    fn engine(&self) -> Engine {
        match self {
            Self::Sqlite(_) => Engine::Sqlite,
            Self::Postgres(_) => Engine::Postgres,
        }
    }

    fn once(&mut self, sql: &Composed, params: &[Param<'_>]) -> Result<Vec<Row>, StoreError> {
        crate::told::sql(sql.as_str());
        match self {
            Self::Sqlite(connection) => connection.once(sql.as_str(), params),
            Self::Postgres(connection) => connection.once(sql.as_str(), params),
        }
    }
}

/// A fact that a write has changed; whoever remembers it must forget it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Touched {
    /// A token, by the lookup key of one of its secrets.
    Token([u8; 32]),
    /// A user, robot or organisation: its row, or the teams it is in.
    Principal(id::PrincipalId),
    /// A team: its role, or whether it exists.
    Team(id::TeamId),
    /// A repository, by its full name: its row, or the permissions on it.
    Repo(String),
    /// Everything.
    All,
}

/// A write in progress. What it changes becomes durable, and visible to others, after the closure
/// that got it has answered `Ok` and the group that it belongs to was committed.
pub struct Tx<'a> {
    pub(crate) connection: &'a mut Connection,
    pub(crate) touched: &'a mut Vec<Touched>,
    pub(crate) chance: &'a dyn Chance,
}

impl Tx<'_> {
    /// Runs a statement that changes something; how many rows it changed.
    ///
    /// # Errors
    /// For trouble with the database.
    pub fn execute(&mut self, stmt: &Stmt, params: &[Param<'_>]) -> Result<u64, StoreError> {
        self.connection.execute(stmt, params)
    }

    /// Says that a fact has changed: it is evicted everywhere before the write is answered.
    pub fn touch(&mut self, fact: Touched) {
        self.touched.push(fact);
    }

    /// Whether nothing was touched since the feed stood at `position`: neither by a commit nor in
    /// the commit that this write is part of.
    ///
    /// # Errors
    /// For trouble with the database.
    pub fn is_next_after(&mut self, position: &Position) -> Result<bool, StoreError> {
        Ok(self.touched.is_empty() && feed::position(self)? == *position)
    }

    /// Where ids made by the store come from.
    pub fn chance(&self) -> &dyn Chance {
        self.chance
    }
}

impl Query for Tx<'_> {
    fn optional(&mut self, stmt: &Stmt, params: &[Param<'_>]) -> Result<Option<Row>, StoreError> {
        self.connection.optional(stmt, params)
    }

    fn all(&mut self, stmt: &Stmt, params: &[Param<'_>]) -> Result<Vec<Row>, StoreError> {
        self.connection.all(stmt, params)
    }

    fn engine(&self) -> Engine {
        self.connection.engine()
    }

    fn once(&mut self, sql: &Composed, params: &[Param<'_>]) -> Result<Vec<Row>, StoreError> {
        self.connection.once(sql, params)
    }
}
