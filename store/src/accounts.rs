//! Accounts: the tenants.

use claviger_domain::{
    UnixMillis,
    id::{AccountId, PrincipalId},
};

use crate::db::{Query, Row, Stmt, StoreError, Tx, statements};

/// One account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// What it is called.
    pub name: String,
    /// When it was made.
    pub created_at: UnixMillis,
    /// By whom; `None`: the program.
    pub created_by: Option<PrincipalId>,
    /// When it was last changed.
    pub modified_at: Option<UnixMillis>,
    /// By whom.
    pub modified_by: Option<PrincipalId>,
}

statements! {
    FIND = Stmt::same(
        "SELECT id, name, created_at, created_by_id, modified_at, modified_by_id
         FROM account WHERE id = $1"
    );
    INSERT = Stmt::same(
        "INSERT INTO account (id, name, created_at, created_by_id) VALUES ($1, $2, $3, $4)"
    );
    RENAME = Stmt::same(
        "UPDATE account SET name = $2, modified_at = $3, modified_by_id = $4 WHERE id = $1"
    );
}

impl Account {
    /// A new account.
    pub fn new(
        id: AccountId,
        name: &str,
        created_at: UnixMillis,
        created_by: Option<PrincipalId>,
    ) -> Self {
        let name = name.to_owned();
        Self { id, name, created_at, created_by, modified_at: None, modified_by: None }
    }

    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.parse(0)?,
            name: row.text(1)?.to_owned(),
            created_at: row.millis(2)?,
            created_by: row.opt_parse(3)?,
            modified_at: row.opt_millis(4)?,
            modified_by: row.opt_parse(5)?,
        })
    }
}

/// The account with this id.
///
/// # Errors
/// For trouble with the database (so for all of this file).
pub fn find(q: &mut dyn Query, id: &AccountId) -> Result<Option<Account>, StoreError> {
    q.optional(&FIND, &[id.into()])?.as_ref().map(Account::from_row).transpose()
}

/// Adds an account.
///
/// # Errors
/// For trouble with the database.
pub fn insert(tx: &mut Tx<'_>, account: &Account) -> Result<(), StoreError> {
    let Account { id, name, created_at, created_by, .. } = account;
    let values = [id.into(), name.into(), (*created_at).into(), created_by.as_ref().into()];
    tx.execute(&INSERT, &values).map(drop)
}

/// Gives an account this name, and says who changed it when. Nobody decides by it.
///
/// # Errors
/// For trouble with the database.
pub fn rename(
    tx: &mut Tx<'_>,
    id: &AccountId,
    name: &str,
    at: UnixMillis,
    by: &PrincipalId,
) -> Result<(), StoreError> {
    tx.execute(&RENAME, &[id.into(), name.into(), at.into(), by.into()]).map(drop)
}
