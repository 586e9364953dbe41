//! Labels: what somebody sticks on a thing, to find it by. Nobody decides by them, so nothing is
//! touched.
//!
//! A token, a user and an account have them under their id; what may have the same id as a user
//! has them under [`of_role_binding`] and [`of_credential`].

use std::collections::HashMap;

use claviger_domain::account::Label;

use crate::db::{Composed, Param, Query, Row, Stmt, StoreError, Tx, statements};

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
    rows.iter().map(|row| label(row, 0)).collect()
}

/// The labels of each of the things of a page, in the order given; what has none is left out.
///
/// # Errors
/// For trouble with the database.
pub fn of_many(
    q: &mut dyn Query,
    objects: &[impl AsRef<str>],
) -> Result<HashMap<String, Vec<Label>>, StoreError> {
    let mut found: HashMap<String, Vec<Label>> = HashMap::new();
    if objects.is_empty() {
        return Ok(found);
    }
    let numbers: Vec<_> = (1..=objects.len()).map(|number| format!("${number}")).collect();
    let sql = format!(
        "SELECT object_id, name, value FROM label WHERE object_id IN ({})
         ORDER BY object_id, position",
        numbers.join(", ")
    );
    let values: Vec<Param<'_>> = objects.iter().map(|object| object.as_ref().into()).collect();
    for row in q.once(&Composed::new(sql), &values)? {
        found.entry(row.text(0)?.to_owned()).or_default().push(label(&row, 1)?);
    }
    Ok(found)
}

fn label(row: &Row, first: usize) -> Result<Label, StoreError> {
    let label = Label::new(row.text(first)?, row.text(first + 1)?);
    label.map_err(|_| StoreError::Column { column: first })
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
