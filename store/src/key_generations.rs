//! The generations of the master key. The keys themselves are never here, only a value by which a
//! wrong one is noticed.

use claviger_domain::UnixMillis;

use crate::db::{Query, Row, Stmt, StoreError, Tx, statements};

/// One generation that is in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyGeneration {
    /// Its number, from 1.
    pub number: u8,
    /// What only its key gives.
    pub check_value: Vec<u8>,
    /// When it was drawn.
    pub created_at: UnixMillis,
}

statements! {
    IN_USE = Stmt::same(
        "SELECT generation, check_value, created_at FROM key_generation
         WHERE retired_at IS NULL ORDER BY generation"
    );
    INSERT = Stmt::same(
        "INSERT INTO key_generation (generation, check_value, created_at, retired_at)
         VALUES ($1, $2, $3, NULL)"
    );
}

impl KeyGeneration {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            number: u8::try_from(row.int(0)?).map_err(|_| StoreError::Column { column: 0 })?,
            check_value: row.blob(1)?.to_vec(),
            created_at: row.millis(2)?,
        })
    }
}

/// Those that are in use, the oldest first.
///
/// # Errors
/// For trouble with the database (so for all of this file).
pub fn in_use(q: &mut dyn Query) -> Result<Vec<KeyGeneration>, StoreError> {
    q.all(&IN_USE, &[])?.iter().map(KeyGeneration::from_row).collect()
}

/// Adds one.
///
/// # Errors
/// For trouble with the database.
pub fn insert(tx: &mut Tx<'_>, generation: &KeyGeneration) -> Result<(), StoreError> {
    let values = [
        i64::from(generation.number).into(),
        generation.check_value.as_slice().into(),
        generation.created_at.into(),
    ];
    tx.execute(&INSERT, &values).map(drop)
}
