//! Deciders: users and robots that may ask what anyone may do, with a token that has that scope.

use claviger_domain::{UnixMillis, id::PrincipalId, principal::PrincipalKind};

use crate::db::{Query, Row, Stmt, StoreError, Touched, Tx, statements};

/// A decider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decider {
    /// The name.
    pub name: String,
    /// A user or a robot.
    pub kind: PrincipalKind,
    /// Since when.
    pub since: UnixMillis,
}

statements! {
    ALL_OF_THEM = Stmt::same(
        "SELECT name, kind, decider_at FROM principal WHERE decider_at IS NOT NULL ORDER BY name"
    );
    MAKE = Stmt::same("UPDATE principal SET decider_at = $2 WHERE id = $1 AND decider_at IS NULL");
    UNMAKE = Stmt::same(
        "UPDATE principal SET decider_at = NULL WHERE id = $1 AND decider_at IS NOT NULL"
    );
}

/// Every decider, by name.
///
/// # Errors
/// For trouble with the database (so for all of this file).
pub fn all(q: &mut dyn Query) -> Result<Vec<Decider>, StoreError> {
    let decider = |row: &Row| {
        Ok(Decider { name: row.text(0)?.to_owned(), kind: row.parse(1)?, since: row.millis(2)? })
    };
    q.all(&ALL_OF_THEM, &[])?.iter().map(decider).collect()
}

/// Makes somebody a decider; whether he was none.
///
/// # Errors
/// For trouble with the database.
pub fn make(tx: &mut Tx<'_>, id: &PrincipalId, now: UnixMillis) -> Result<bool, StoreError> {
    let changed = tx.execute(&MAKE, &[id.into(), now.into()])? > 0;
    if changed {
        tx.touch(Touched::Principal(*id));
    }
    Ok(changed)
}

/// Makes somebody a decider no more; whether he was one.
///
/// # Errors
/// For trouble with the database.
pub fn unmake(tx: &mut Tx<'_>, id: &PrincipalId) -> Result<bool, StoreError> {
    let changed = tx.execute(&UNMAKE, &[id.into()])? > 0;
    if changed {
        tx.touch(Touched::Principal(*id));
    }
    Ok(changed)
}
