//! Migrations: forward only, each in one transaction, the same numbers on both engines.

use crate::db::{Connection, Query, Stmt, StoreError, statements};

struct Migration {
    number: i64,
    name: &'static str,
    sql: Stmt,
}

const MIGRATIONS: &[Migration] = &[
    Migration {
        number: 1,
        name: "initial",
        sql: Stmt::split(
            include_str!("../migrations/sqlite/0001_initial.sql"),
            include_str!("../migrations/postgres/0001_initial.sql"),
        ),
    },
    Migration {
        number: 2,
        name: "accounts_and_lifetimes",
        sql: Stmt::split(
            include_str!("../migrations/sqlite/0002_accounts_and_lifetimes.sql"),
            include_str!("../migrations/postgres/0002_accounts_and_lifetimes.sql"),
        ),
    },
    Migration {
        number: 3,
        name: "uses_of_tokens",
        sql: Stmt::split(
            include_str!("../migrations/sqlite/0003_uses_of_tokens.sql"),
            include_str!("../migrations/postgres/0003_uses_of_tokens.sql"),
        ),
    },
    Migration {
        number: 4,
        name: "audit_by_actor",
        sql: Stmt::split(
            include_str!("../migrations/sqlite/0004_audit_by_actor.sql"),
            include_str!("../migrations/postgres/0004_audit_by_actor.sql"),
        ),
    },
];

/// The newest version of the schema that this program knows.
pub const NEWEST: i64 = 4;

const TABLE: Stmt = Stmt::split(
    "CREATE TABLE IF NOT EXISTS migration (
        number INTEGER PRIMARY KEY, name TEXT NOT NULL
     ) STRICT",
    "CREATE TABLE IF NOT EXISTS migration (
        number BIGINT PRIMARY KEY, name TEXT COLLATE \"C\" NOT NULL
     )",
);
// two programs that start at once: the second waits, and finds the work done
const BEGIN: Stmt =
    Stmt::split("BEGIN IMMEDIATE", "BEGIN; SELECT pg_advisory_xact_lock(7310579621)");

statements! {
    VERSION = Stmt::same("SELECT CAST(COALESCE(MAX(number), 0) AS BIGINT) FROM migration");
    CHECK = Stmt::split("PRAGMA quick_check(1)", "SELECT 'ok'");
    DONE = Stmt::same("INSERT INTO migration (number, name) VALUES ($1, $2)");
}

/// Brings the database to [`NEWEST`].
///
/// # Errors
/// [`StoreError::Newer`] when a newer program was here; then nothing is changed.
pub(crate) fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    connection.batch(&BEGIN)?;
    let outcome = forward(connection);
    connection.batch(&Stmt::same(if outcome.is_ok() { "COMMIT" } else { "ROLLBACK" }))?;
    outcome
}

fn forward(connection: &mut Connection) -> Result<(), StoreError> {
    connection.batch(&TABLE)?;
    let found = version(connection)?;
    if found > NEWEST {
        return Err(StoreError::Newer { found, known: NEWEST });
    }
    for migration in MIGRATIONS.iter().filter(|migration| migration.number > found) {
        connection.batch(&migration.sql)?;
        connection.execute(&DONE, &[migration.number.into(), migration.name.into()])?;
    }
    Ok(())
}

/// The version that the database has.
///
/// # Errors
/// For trouble with the database.
pub fn version(q: &mut dyn Query) -> Result<i64, StoreError> {
    q.optional(&VERSION, &[])?.map_or(Ok(0), |row| row.int(0))
}

/// What is damaged in the file of the database; PostgreSQL looks after itself.
///
/// # Errors
/// For trouble with the database.
pub fn damage(q: &mut dyn Query) -> Result<Option<String>, StoreError> {
    let found = q.optional(&CHECK, &[])?.map(|row| row.text(0).map(str::to_owned)).transpose()?;
    Ok(found.filter(|word| word != "ok"))
}
