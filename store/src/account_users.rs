//! Users as their account sees them: with their role in it. Robots and organisations are none.

use claviger_domain::{
    UnixMillis,
    collection::Asked,
    id::{AccountId, PrincipalId},
    role::AccountRole,
};

use crate::{
    collection::{self, Column, Page, Scope, Source},
    db::{Query, Row, Stmt, StoreError, statements},
};

/// A user of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountUser {
    /// Its id.
    pub id: PrincipalId,
    /// The account.
    pub account: AccountId,
    /// Its name in the other doors.
    pub name: String,
    /// The e-mail address as it was given.
    pub email: Option<String>,
    /// What he says of himself, a JSON object.
    pub profile: Option<String>,
    /// When the password was set; `None`: there is none.
    pub password_changed_at: Option<UnixMillis>,
    /// Since when he may not act.
    pub disabled_at: Option<UnixMillis>,
    /// Since when he is a superuser; names in the settings' list are superusers besides.
    pub superuser_at: Option<UnixMillis>,
    /// When he was made.
    pub created_at: UnixMillis,
    /// By whom; `None`: the program.
    pub created_by: Option<PrincipalId>,
    /// When he was last changed.
    pub modified_at: Option<UnixMillis>,
    /// By whom.
    pub modified_by: Option<PrincipalId>,
    /// His role in the account.
    pub role: Option<AccountRole>,
    /// Whether his role is bound to nothing, so that only his own tokens are left to him.
    pub restricted: bool,
}

statements! {
    FIND = Stmt::same(
        "SELECT p.id, p.account_id, p.name, p.email, p.metadata,
            CASE WHEN p.password_hash IS NULL THEN NULL
                ELSE COALESCE(p.password_changed_at, p.created_at) END,
            p.disabled_at, p.superuser_at, p.created_at, p.created_by_id, p.modified_at,
            p.modified_by_id, b.role, b.constraints
         FROM principal p LEFT JOIN role_binding b ON b.principal_id = p.id
         WHERE p.id = $1 AND p.account_id = $2 AND p.kind = 'user'"
    );
    REPOSITORY = Stmt::same("SELECT id FROM repository WHERE namespace_id = $1 LIMIT 1");
    LAST_ADMIN = Stmt::same(
        "SELECT t.org_id FROM team t JOIN team_member m ON m.team_id = t.id
         WHERE t.role = 'admin' AND m.principal_id = $1 AND NOT EXISTS (
            SELECT 1 FROM team o JOIN team_member n ON n.team_id = o.id
                JOIN principal p ON p.id = n.principal_id
            WHERE o.org_id = t.org_id AND o.role = 'admin' AND n.principal_id <> $1
                AND p.kind = 'user')
         LIMIT 1"
    );
    ROLE = Stmt::same("SELECT role, constraints FROM role_binding WHERE principal_id = $1");
}

const LABELS: &str = "SELECT 1 FROM label l WHERE l.object_id = p.id";
const CREDENTIAL_LABELS: &str = "SELECT 1 FROM label l WHERE l.object_id = 'credential/' || p.id";

/// A part of what a user says of himself.
macro_rules! said {
    ($name:literal) => {
        Column::whole(concat!("COALESCE(json_extract(p.metadata, '$.", $name, "'), '')")).postgres(
            concat!("COALESCE(CAST(p.metadata AS json) ->> '", $name, "', '') COLLATE \"C\""),
        )
    };
}

/// The users of an account.
static USERS: Source = Source {
    from: "principal p LEFT JOIN role_binding b ON b.principal_id = p.id",
    columns: "p.id, p.account_id, p.name, p.email, p.metadata,
        CASE WHEN p.password_hash IS NULL THEN NULL
            ELSE COALESCE(p.password_changed_at, p.created_at) END,
        p.disabled_at, p.superuser_at, p.created_at, p.created_by_id, p.modified_at,
        p.modified_by_id, b.role, b.constraints",
    id: "p.id",
    created: "p.created_at",
    fields: &[
        ("id", Column::whole("p.id")),
        ("email", Column::whole("COALESCE(p.email, '')")),
        ("first_name", said!("given_name")),
        ("last_name", said!("family_name")),
        (
            "state",
            Column::whole("CASE WHEN p.disabled_at IS NULL THEN 'active' ELSE 'suspended' END")
                .postgres(
                    "CASE WHEN p.disabled_at IS NULL THEN 'active' ELSE 'suspended' END COLLATE \"C\"",
                ),
        ),
        (
            "enabled",
            Column::whole("CASE WHEN p.disabled_at IS NULL THEN 'true' ELSE 'false' END").postgres(
                "CASE WHEN p.disabled_at IS NULL THEN 'true' ELSE 'false' END COLLATE \"C\"",
            ),
        ),
        ("created_at", Column::whole("p.created_at")),
        ("modified_at", Column::whole("COALESCE(p.modified_at, p.created_at)")),
        (
            "created_by",
            Column::whole("COALESCE(p.created_by_id, '00000000-0000-0000-0000-000000000000')"),
        ),
        ("modified_by", Column::nullable("p.modified_by_id")),
        ("label_name", Column::any(LABELS, "l.name")),
        ("label_value", Column::any(LABELS, "l.value")),
    ],
};

/// Their passwords.
static CREDENTIALS: Source = Source {
    created: "COALESCE(p.password_changed_at, p.created_at)",
    fields: &[
        ("id", Column::whole("p.id")),
        ("created_at", Column::whole("COALESCE(p.password_changed_at, p.created_at)")),
        (
            "created_by",
            Column::whole("COALESCE(p.created_by_id, '00000000-0000-0000-0000-000000000000')"),
        ),
        ("label_name", Column::any(CREDENTIAL_LABELS, "l.name")),
        ("label_value", Column::any(CREDENTIAL_LABELS, "l.value")),
    ],
    ..USERS
};

impl AccountUser {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.parse(0)?,
            account: row.parse(1)?,
            name: row.text(2)?.to_owned(),
            email: row.opt_text(3)?.map(str::to_owned),
            profile: row.opt_text(4)?.map(str::to_owned),
            password_changed_at: row.opt_millis(5)?,
            disabled_at: row.opt_millis(6)?,
            superuser_at: row.opt_millis(7)?,
            created_at: row.millis(8)?,
            created_by: row.opt_parse(9)?,
            modified_at: row.opt_millis(10)?,
            modified_by: row.opt_parse(11)?,
            role: row.opt_parse(12)?,
            restricted: restricted(row.opt_text(13)?),
        })
    }
}

/// Whether a role is bound to nothing.
fn restricted(constraints: Option<&str>) -> bool {
    constraints == Some("[]")
}

/// The user of this account with this id.
///
/// # Errors
/// For trouble with the database (so for all of this file).
pub fn find(
    q: &mut dyn Query,
    account: &AccountId,
    id: &PrincipalId,
) -> Result<Option<AccountUser>, StoreError> {
    q.optional(&FIND, &[id.into(), account.into()])?.as_ref().map(AccountUser::from_row).transpose()
}

/// The role of a user in his account, and whether it is bound to nothing.
///
/// # Errors
/// For trouble with the database.
pub fn role(
    q: &mut dyn Query,
    id: &PrincipalId,
) -> Result<Option<(AccountRole, bool)>, StoreError> {
    let row = q.optional(&ROLE, &[id.into()])?;
    row.map(|row| Ok((row.parse(0)?, restricted(row.opt_text(1)?)))).transpose()
}

/// The page of the users of an account that `asked` describes.
///
/// # Errors
/// For trouble with the database.
pub fn page(
    q: &mut dyn Query,
    account: &AccountId,
    asked: &Asked,
) -> Result<Page<AccountUser>, StoreError> {
    let values = [account.into()];
    let scope = Scope { condition: "p.account_id = $1 AND p.kind = 'user'", values: &values };
    collection::page(q, &USERS, scope, asked, AccountUser::from_row)
}

/// The same of those who have a password, as `CREDENTIALS` names their fields.
///
/// # Errors
/// For trouble with the database.
pub fn page_of_credentials(
    q: &mut dyn Query,
    account: &AccountId,
    asked: &Asked,
) -> Result<Page<AccountUser>, StoreError> {
    let values = [account.into()];
    let condition = "p.account_id = $1 AND p.kind = 'user' AND p.password_hash IS NOT NULL";
    collection::page(
        q,
        &CREDENTIALS,
        Scope { condition, values: &values },
        asked,
        AccountUser::from_row,
    )
}

/// Why a user cannot go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needed {
    /// Repositories are his.
    ForRepositories,
    /// An organisation has no other admin.
    ForOrganisation,
}

/// Whether something would be lost, or be left to nobody, if a user went.
///
/// # Errors
/// For trouble with the database.
pub fn needed(q: &mut dyn Query, id: &PrincipalId) -> Result<Option<Needed>, StoreError> {
    if q.optional(&REPOSITORY, &[id.into()])?.is_some() {
        return Ok(Some(Needed::ForRepositories));
    }
    Ok(q.optional(&LAST_ADMIN, &[id.into()])?.map(|_| Needed::ForOrganisation))
}
