//! The roles of users in their accounts. They are read at each request of the Astra door, so nothing
//! is touched when one changes.

use claviger_domain::{
    UnixMillis,
    collection::Asked,
    id::{AccountId, BindingId, PrincipalId},
    role::AccountRole,
};

use crate::{
    collection::{self, Column, Page, Scope, Source},
    db::{Query, Row, Stmt, StoreError, Tx, statements},
    labels,
};

/// The role of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleBinding {
    /// Its id.
    pub id: BindingId,
    /// The account.
    pub account: AccountId,
    /// The user.
    pub user: PrincipalId,
    /// The role.
    pub role: AccountRole,
    /// What it is bound to, a JSON array of texts.
    pub constraints: String,
    /// When it was given.
    pub created_at: UnixMillis,
    /// By whom; `None`: the program.
    pub created_by: Option<PrincipalId>,
    /// When it was last changed.
    pub modified_at: Option<UnixMillis>,
    /// By whom.
    pub modified_by: Option<PrincipalId>,
}

statements! {
    INSERT_FIRST = Stmt::same(
        "INSERT INTO role_binding (id, account_id, principal_id, role, created_at, created_by_id)
         VALUES ($1, $2, $1, $3, $4, $5)"
    );
    INSERT = Stmt::same(
        "INSERT INTO role_binding (id, account_id, principal_id, role, constraints, created_at,
            created_by_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7)"
    );
    FIND = Stmt::same(
        "SELECT id, account_id, principal_id, role, constraints, created_at, created_by_id,
            modified_at, modified_by_id
         FROM role_binding WHERE id = $1 AND account_id = $2"
    );
    CHANGE = Stmt::same(
        "UPDATE role_binding SET role = $2, constraints = $3, modified_at = $4, modified_by_id = $5
         WHERE id = $1"
    );
    OF_USER = Stmt::same("SELECT id FROM role_binding WHERE principal_id = $1");
}

const LABELS: &str = "SELECT 1 FROM label l WHERE l.object_id = 'role_binding/' || b.id";

static SOURCE: Source = Source {
    from: "role_binding b",
    columns: "b.id, b.account_id, b.principal_id, b.role, b.constraints, b.created_at,
        b.created_by_id, b.modified_at, b.modified_by_id",
    id: "b.id",
    created: "b.created_at",
    fields: &[
        ("id", Column::whole("b.id")),
        ("account", Column::same("b.account_id")),
        ("user", Column::whole("b.principal_id")),
        ("role", Column::whole("b.role")),
        ("created_at", Column::whole("b.created_at")),
        ("modified_at", Column::whole("COALESCE(b.modified_at, b.created_at)")),
        (
            "created_by",
            Column::whole("COALESCE(b.created_by_id, '00000000-0000-0000-0000-000000000000')"),
        ),
        ("modified_by", Column::nullable("b.modified_by_id")),
        ("label_name", Column::any(LABELS, "l.name")),
        ("label_value", Column::any(LABELS, "l.value")),
    ],
};

impl RoleBinding {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.parse(0)?,
            account: row.parse(1)?,
            user: row.parse(2)?,
            role: row.parse(3)?,
            constraints: row.text(4)?.to_owned(),
            created_at: row.millis(5)?,
            created_by: row.opt_parse(6)?,
            modified_at: row.opt_millis(7)?,
            modified_by: row.opt_parse(8)?,
        })
    }
}

/// Gives a new user his first role in his account.
///
/// # Errors
/// For trouble with the database (so for all of this file).
pub fn insert_first(
    tx: &mut Tx<'_>,
    user: &PrincipalId,
    account: &AccountId,
    role: AccountRole,
    at: UnixMillis,
    by: Option<&PrincipalId>,
) -> Result<(), StoreError> {
    let values = [user.into(), account.into(), role.as_str().into(), at.into(), by.into()];
    tx.execute(&INSERT_FIRST, &values).map(drop)
}

/// Gives a user who has none a role.
///
/// # Errors
/// For trouble with the database.
pub fn insert(tx: &mut Tx<'_>, binding: &RoleBinding) -> Result<(), StoreError> {
    let values = [
        (&binding.id).into(),
        (&binding.account).into(),
        (&binding.user).into(),
        binding.role.as_str().into(),
        (&binding.constraints).into(),
        binding.created_at.into(),
        binding.created_by.as_ref().into(),
    ];
    tx.execute(&INSERT, &values).map(drop)
}

/// The role binding of this account with this id.
///
/// # Errors
/// For trouble with the database.
pub fn find(
    q: &mut dyn Query,
    account: &AccountId,
    id: &BindingId,
) -> Result<Option<RoleBinding>, StoreError> {
    q.optional(&FIND, &[id.into(), account.into()])?.as_ref().map(RoleBinding::from_row).transpose()
}

/// The page of the role bindings of an account, or of one user in it, that `asked` describes.
///
/// # Errors
/// For trouble with the database.
pub fn page(
    q: &mut dyn Query,
    account: &AccountId,
    user: Option<&PrincipalId>,
    asked: &Asked,
) -> Result<Page<RoleBinding>, StoreError> {
    let of_account = [account.into()];
    let of_user = user.map(|user| [account.into(), user.into()]);
    let scope = match &of_user {
        Some(values) => Scope { condition: "b.account_id = $1 AND b.principal_id = $2", values },
        None => Scope { condition: "b.account_id = $1", values: &of_account },
    };
    collection::page(q, &SOURCE, scope, asked, RoleBinding::from_row)
}

/// Gives a role binding another role, or binds it to something else.
///
/// # Errors
/// For trouble with the database.
pub fn change(
    tx: &mut Tx<'_>,
    id: &BindingId,
    role: AccountRole,
    constraints: &str,
    at: UnixMillis,
    by: &PrincipalId,
) -> Result<(), StoreError> {
    let values = [id.into(), role.as_str().into(), constraints.into(), at.into(), by.into()];
    tx.execute(&CHANGE, &values).map(drop)
}

/// Takes away the labels of the role that a user has; the role goes with him.
///
/// # Errors
/// For trouble with the database.
pub(crate) fn remove_labels(tx: &mut Tx<'_>, user: &PrincipalId) -> Result<(), StoreError> {
    for row in tx.all(&OF_USER, &[user.into()])? {
        labels::remove(tx, &labels::of_role_binding(row.text(0)?))?;
    }
    Ok(())
}
