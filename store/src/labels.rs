//! Labels: what somebody sticks on a thing, to find it by. Nobody decides by them, so nothing is
//! touched.
//!
//! A token, a user and an account have them under their id; what may have the same id as a user
//! has them under [`of_role_binding`] and [`of_credential`].

use claviger_domain::account::Label;

use crate::db::{Query, Stmt, StoreError, Tx, statements};

statements! {
    OF = Stmt::same("SELECT name, value FROM label WHERE object_id = $1 ORDER BY position");
    INSERT = Stmt::same(
        "INSERT INTO label (object_id, position, name, value) VALUES ($1, $2, $3, $4)"
    );
    REMOVE = Stmt::same("DELETE FROM label WHERE object_id = $1");
}

/// Under which a role binding has its labels.
pub fn of_role_binding(id: &str) -> String {
    format!("role_binding/{id}")
}

/// Under which the password of a user has its labels.
pub fn of_credential(user: &str) -> String {
    format!("credential/{user}")
}

/// The labels of a thing, in the order given.
///
/// # Errors
/// For trouble with the database (so for all of this file).
pub fn of(q: &mut dyn Query, object: &str) -> Result<Vec<Label>, StoreError> {
    let rows = q.all(&OF, &[object.into()])?;
    let label = |row: &crate::Row| {
        Label::new(row.text(0)?, row.text(1)?).map_err(|_| StoreError::Column { column: 0 })
    };
    rows.iter().map(label).collect()
}

/// Gives a thing these labels in the place of those that it has.
///
/// # Errors
/// For trouble with the database.
pub fn set(tx: &mut Tx<'_>, object: &str, labels: &[Label]) -> Result<(), StoreError> {
    remove(tx, object)?;
    for (position, label) in (0_i64..).zip(labels) {
        let values = [object.into(), position.into(), label.name().into(), label.value().into()];
        tx.execute(&INSERT, &values)?;
    }
    Ok(())
}

/// Takes the labels of a thing away.
///
/// # Errors
/// For trouble with the database.
pub fn remove(tx: &mut Tx<'_>, object: &str) -> Result<(), StoreError> {
    tx.execute(&REMOVE, &[object.into()]).map(drop)
}
