//! One connection to SQLite: write-ahead log, every commit synced, foreign keys on.

use std::{path::Path, time::Duration};

use rusqlite::{OpenFlags, ToSql, ffi::ErrorCode, types::ToSqlOutput, types::ValueRef};

use crate::db::{Param, Row, StoreError, Value};

/// How long another process may hold the write lock before we give up.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// More statements than the program has, so that each is prepared once a connection.
const STATEMENTS: usize = 400;

pub(crate) struct SqliteConnection(rusqlite::Connection);

impl SqliteConnection {
    /// Opens (and makes, if need be) the database for writing.
    pub(crate) fn writer(path: &Path) -> Result<Self, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Self::open(path, flags)?;
        connection
            .0
            .execute_batch(
                // with four times the usual length of the log (16 MiB), pages that many writes change
                // are copied back less often, which took a quarter of the time of new tokens; the
                // writes behind a copy wait longer for it, some tens of milliseconds;
                // a log that a large write (a migration) has made long is cut when it begins anew;
                // in memory a savepoint keeps what it would put back
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -8192;
                 PRAGMA wal_autocheckpoint = 4000; PRAGMA journal_size_limit = 67108864;
                 PRAGMA temp_store = MEMORY;",
            )
            .map_err(trouble)?;
        Ok(connection)
    }

    /// Opens the database for reading; it must exist.
    pub(crate) fn reader(path: &Path) -> Result<Self, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Self::open(path, flags)?;
        connection
            .0
            .execute_batch("PRAGMA query_only = ON; PRAGMA cache_size = -4096;")
            .map_err(trouble)?;
        Ok(connection)
    }

    fn open(path: &Path, flags: OpenFlags) -> Result<Self, StoreError> {
        let connection = rusqlite::Connection::open_with_flags(path, flags).map_err(trouble)?;
        connection.busy_timeout(BUSY_TIMEOUT).map_err(trouble)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        connection
            .execute_batch("PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF;")
            .map_err(trouble)?;
        Ok(Self(connection))
    }

    pub(crate) fn execute(&self, sql: &str, params: &[Param<'_>]) -> Result<u64, StoreError> {
        let mut statement = self.0.prepare_cached(sql).map_err(trouble)?;
        bind(&mut statement, params).map_err(trouble)?;
        let changed = statement.raw_execute().map_err(trouble)?;
        Ok(changed.try_into().unwrap_or(u64::MAX))
    }

    pub(crate) fn batch(&self, sql: &str) -> Result<(), StoreError> {
        self.0.execute_batch(sql).map_err(trouble)
    }

    pub(crate) fn prepare(&self, sql: &str) -> Result<(), StoreError> {
        self.0.prepare(sql).map(drop).map_err(trouble)
    }

    pub(crate) fn optional(
        &self,
        sql: &str,
        params: &[Param<'_>],
    ) -> Result<Option<Row>, StoreError> {
        let mut statement = self.0.prepare_cached(sql).map_err(trouble)?;
        let columns = statement.column_count();
        bind(&mut statement, params).map_err(trouble)?;
        let mut rows = statement.raw_query();
        let row = rows.next().map_err(trouble)?;
        row.map(|row| read(row, columns)).transpose()
    }

    pub(crate) fn all(&self, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>, StoreError> {
        collect(&mut *self.0.prepare_cached(sql).map_err(trouble)?, params)
    }

    /// The same, for a statement that is not kept prepared.
    pub(crate) fn once(&self, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>, StoreError> {
        collect(&mut self.0.prepare(sql).map_err(trouble)?, params)
    }
}

fn collect(
    statement: &mut rusqlite::Statement<'_>,
    params: &[Param<'_>],
) -> Result<Vec<Row>, StoreError> {
    let columns = statement.column_count();
    bind(statement, params).map_err(trouble)?;
    let mut rows = statement.raw_query();
    let mut all = Vec::new();
    while let Some(row) = rows.next().map_err(trouble)? {
        all.push(read(row, columns)?);
    }
    Ok(all)
}

/// Gives `$N` the N-th value. To SQLite `$N` is a name, numbered by where it is met first.
fn bind(statement: &mut rusqlite::Statement<'_>, params: &[Param<'_>]) -> rusqlite::Result<()> {
    let count = statement.parameter_count();
    if count != params.len() {
        return Err(rusqlite::Error::InvalidParameterCount(params.len(), count));
    }
    for index in 1..=count {
        let name = statement.parameter_name(index).unwrap_or_default();
        let number = name.strip_prefix('$').and_then(|digits| digits.parse::<usize>().ok());
        let param = number.and_then(|number| params.get(number.checked_sub(1)?));
        let param = param.ok_or_else(|| rusqlite::Error::InvalidParameterName(name.to_owned()))?;
        statement.raw_bind_parameter(index, param)?;
    }
    Ok(())
}

fn read(row: &rusqlite::Row<'_>, columns: usize) -> Result<Row, StoreError> {
    let value = |column| match row.get_ref(column).map_err(trouble)? {
        ValueRef::Null => Ok(Value::Null),
        ValueRef::Integer(value) => Ok(Value::Int(value)),
        ValueRef::Text(text) => std::str::from_utf8(text)
            .map(|text| Value::Text(text.to_owned()))
            .map_err(|_| StoreError::Column { column }),
        ValueRef::Blob(bytes) => Ok(Value::Blob(bytes.to_vec())),
        ValueRef::Real(_) => Err(StoreError::Column { column }),
    };
    (0..columns).map(value).collect::<Result<_, _>>().map(Row)
}

impl ToSql for Param<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Int(Some(value)) => ValueRef::Integer(*value),
            Self::Text(Some(text)) => ValueRef::Text(text.as_bytes()),
            Self::Id(id) => ValueRef::Text(id.as_bytes()),
            Self::Blob(Some(bytes)) => ValueRef::Blob(bytes),
            Self::Int(None) | Self::Text(None) | Self::Blob(None) => ValueRef::Null,
        }))
    }
}

/// Tells an outage (disk full, file gone, locked, read-only) from a statement that is wrong.
fn trouble(error: rusqlite::Error) -> StoreError {
    let outage = matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::OutOfMemory
                | ErrorCode::ReadOnly
                | ErrorCode::SystemIoFailure
                | ErrorCode::DatabaseCorrupt
                | ErrorCode::DiskFull
                | ErrorCode::CannotOpen
                | ErrorCode::FileLockingProtocolFailed
                | ErrorCode::PermissionDenied
                | ErrorCode::NotADatabase
                | ErrorCode::OperationInterrupted
        )
    );
    if outage {
        StoreError::Unavailable(Box::new(error))
    } else {
        StoreError::Statement(Box::new(error))
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn sqlite_is_compiled_with_what_is_used() {
        let connection = rusqlite::Connection::open_in_memory().unwrap();
        let mut options = connection.prepare("PRAGMA compile_options").unwrap();
        let options: Vec<String> =
            options.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap();
        for wanted in ["DEFAULT_MEMSTATUS=0", "DQS=0", "OMIT_LOAD_EXTENSION", "OMIT_SHARED_CACHE"] {
            assert!(
                options.iter().any(|option| option == wanted),
                "{wanted} is not in {options:?}"
            );
        }
        for unwanted in ["ENABLE_API_ARMOR", "ENABLE_MEMORY_MANAGEMENT", "ENABLE_STAT4"] {
            assert!(options.iter().all(|option| option != unwanted), "{unwanted}");
        }
    }
}
