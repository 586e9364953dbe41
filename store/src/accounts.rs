//! Accounts: the tenants.

use claviger_domain::{
    UnixMillis,
    collection::Asked,
    id::{AccountId, PrincipalId},
};

use crate::{
    collection::{self, Column, Page, Scope, Source},
    db::{Query, Row, Stmt, StoreError, Tx, statements},
    labels,
};

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
    USED = Stmt::same(
        "SELECT 1 FROM principal WHERE account_id = $1
         UNION ALL SELECT 1 WHERE $1 = (SELECT id FROM account ORDER BY seq LIMIT 1) LIMIT 1"
    );
    REMOVE = Stmt::same("DELETE FROM account WHERE id = $1");
    RENAME = Stmt::same(
        "UPDATE account SET name = $2, modified_at = $3, modified_by_id = $4 WHERE id = $1"
    );
}

const LABELS: &str = "SELECT 1 FROM label l WHERE l.object_id = a.id";

static SOURCE: Source = Source {
    from: "account a",
    columns: "a.id, a.name, a.created_at, a.created_by_id, a.modified_at, a.modified_by_id",
    id: "a.id",
    created: "a.created_at",
    fields: &[
        ("id", Column::whole("a.id")),
        ("name", Column::whole("a.name")),
        ("created_at", Column::whole("a.created_at")),
        ("modified_at", Column::whole("COALESCE(a.modified_at, a.created_at)")),
        (
            "created_by",
            Column::whole("COALESCE(a.created_by_id, '00000000-0000-0000-0000-000000000000')"),
        ),
        ("modified_by", Column::nullable("a.modified_by_id")),
        ("label_name", Column::any(LABELS, "l.name")),
        ("label_value", Column::any(LABELS, "l.value")),
    ],
};

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

/// The page of the accounts, or of one alone, that `asked` describes.
///
/// # Errors
/// For trouble with the database.
pub fn page(
    q: &mut dyn Query,
    alone: Option<&AccountId>,
    asked: &Asked,
) -> Result<Page<Account>, StoreError> {
    let value = alone.map(|id| [id.into()]);
    let scope = match &value {
        Some(values) => Scope { condition: "a.id = $1", values },
        None => Scope { condition: "a.seq > 0", values: &[] },
    };
    collection::page(q, &SOURCE, scope, asked, Account::from_row)
}

/// Whether somebody or something belongs to an account, or it is the one that was made first.
///
/// # Errors
/// For trouble with the database.
pub fn is_used(q: &mut dyn Query, id: &AccountId) -> Result<bool, StoreError> {
    Ok(q.optional(&USED, &[id.into()])?.is_some())
}

/// Removes an account that nobody belongs to, and that has no policies any more.
///
/// # Errors
/// For trouble with the database.
pub fn remove(tx: &mut Tx<'_>, id: &AccountId) -> Result<(), StoreError> {
    labels::remove(tx, &id.text())?;
    tx.execute(&REMOVE, &[id.into()]).map(drop)
}
