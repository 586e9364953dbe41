//! What lists show of a user, robot or organisation: the name, and what the avatar is drawn from.

use claviger_domain::{
    id::{AccountId, PrincipalId},
    principal::PrincipalKind,
};

use crate::db::{Query, Row, Stmt, StoreError, statements};

/// A principal as lists show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Face {
    /// Its id.
    pub id: PrincipalId,
    /// User, robot or organisation.
    pub kind: PrincipalKind,
    /// Its full name.
    pub name: String,
    /// The e-mail address as it was given.
    pub email: Option<String>,
    /// What an avatar is drawn from where there is no address.
    pub avatar_key: Option<String>,
}

statements! {
    USERS = Stmt::same(
        "SELECT id, kind, name, email, avatar_key FROM principal
         WHERE kind = 'user' AND account_id = $1 AND name LIKE $2 ESCAPE '\\'
         ORDER BY CASE WHEN name = $3 THEN 0 ELSE 1 END, name LIMIT $4"
    );
    ROBOTS = Stmt::same(
        "SELECT id, kind, name, email, avatar_key FROM principal
         WHERE owner_id = $1 AND name LIKE $2 ESCAPE '\\' ORDER BY name LIMIT $3"
    );
}

impl Face {
    /// Reads id, kind, name, e-mail address and avatar key.
    pub(crate) fn from_row(row: &Row) -> Result<Self, StoreError> {
        Self::from_columns(row, 0)
    }

    /// The same, beginning at a column.
    pub(crate) fn from_columns(row: &Row, first: usize) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.parse(first)?,
            kind: row.parse(first + 1)?,
            name: row.text(first + 2)?.to_owned(),
            email: row.opt_text(first + 3)?.map(str::to_owned),
            avatar_key: row.opt_text(first + 4)?.map(str::to_owned),
        })
    }
}

/// `text` as a pattern that stands for itself.
pub(crate) fn pattern(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len() + 1);
    for c in text.chars() {
        if matches!(c, '\\' | '%' | '_') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern
}

/// `prefix` as a pattern that stands for itself and whatever follows.
fn beginning_with(prefix: &str) -> String {
    pattern(prefix) + "%"
}

/// The first `limit` users of an account whose names begin with `prefix` (in lower case), by name;
/// one with exactly this name comes first.
///
/// # Errors
/// For trouble with the database (so for all of this file).
pub fn users_beginning_with(
    q: &mut dyn Query,
    account: &AccountId,
    prefix: &str,
    limit: i64,
) -> Result<Vec<Face>, StoreError> {
    let pattern = beginning_with(prefix);
    let values = [account.into(), (&pattern).into(), prefix.into(), limit.into()];
    q.all(&USERS, &values)?.iter().map(Face::from_row).collect()
}

/// The first `limit` robots of a namespace whose full names begin with `prefix` (in lower case).
///
/// # Errors
/// For trouble with the database.
pub fn robots_beginning_with(
    q: &mut dyn Query,
    owner: &PrincipalId,
    prefix: &str,
    limit: i64,
) -> Result<Vec<Face>, StoreError> {
    let pattern = beginning_with(prefix);
    let values = [owner.into(), (&pattern).into(), limit.into()];
    q.all(&ROBOTS, &values)?.iter().map(Face::from_row).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn signs_of_a_pattern_stand_for_themselves() {
        assert_eq!(super::beginning_with(r"a_b%\"), r"a\_b\%\\%");
    }
}
