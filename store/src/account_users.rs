//! Users as their account sees them: with their role in it. Robots and organisations are none.

use claviger_domain::{
    UnixMillis,
    id::{AccountId, PrincipalId},
    role::AccountRole,
};

use crate::db::{Query, Row, Stmt, StoreError, statements};

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
    ROLE = Stmt::same("SELECT role, constraints FROM role_binding WHERE principal_id = $1");
}

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
