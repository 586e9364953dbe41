//! What superusers see and change of users. Passwords and sessions are elsewhere (`principals`,
//! `sessions`).

use claviger_domain::{
    UnixMillis,
    id::{AccountId, PrincipalId},
};

use crate::{
    db::{Query, Row, Stmt, StoreError, Touched, Tx, statements},
    endings::Ending,
    grants, sessions, tokens,
};

/// A user, as superusers see one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Its id.
    pub id: PrincipalId,
    /// Its name.
    pub name: String,
    /// The e-mail address as it was given.
    pub email: Option<String>,
    /// What an avatar is drawn from where there is no address.
    pub avatar_key: Option<String>,
    /// When the e-mail address was confirmed.
    pub verified_at: Option<UnixMillis>,
    /// Since when it may not act.
    pub disabled_at: Option<UnixMillis>,
    /// Since when it is a superuser; names in the settings' list are superusers besides.
    pub superuser_at: Option<UnixMillis>,
}

statements! {
    OF_ACCOUNT = Stmt::same(
        "SELECT id, name, email, avatar_key, verified_at, disabled_at, superuser_at
         FROM principal WHERE kind = 'user' AND account_id = $1 ORDER BY name"
    );
    FIND = Stmt::same(
        "SELECT id, name, email, avatar_key, verified_at, disabled_at, superuser_at
         FROM principal WHERE kind = 'user' AND account_id = $1 AND name = $2"
    );
    SET_EMAIL = Stmt::same(
        "UPDATE principal SET email = $2, email_key = $3, verified_at = $4 WHERE id = $1"
    );
    SET_PASSWORD = Stmt::same(
        "UPDATE principal
         SET password_hash = $2, password_changed_at = $3, password_drawn_at = NULL WHERE id = $1"
    );
    SET_PROFILE = Stmt::same("UPDATE principal SET metadata = $2 WHERE id = $1");
    SET_DISABLED = Stmt::same("UPDATE principal SET disabled_at = $2 WHERE id = $1");
    SET_SUPERUSER = Stmt::same("UPDATE principal SET superuser_at = $2 WHERE id = $1");
}

impl User {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.parse(0)?,
            name: row.text(1)?.to_owned(),
            email: row.opt_text(2)?.map(str::to_owned),
            avatar_key: row.opt_text(3)?.map(str::to_owned),
            verified_at: row.opt_millis(4)?,
            disabled_at: row.opt_millis(5)?,
            superuser_at: row.opt_millis(6)?,
        })
    }
}

/// Every user of an account, by name.
///
/// # Errors
/// For trouble with the database (so for all of this file).
pub fn of_account(q: &mut dyn Query, account: &AccountId) -> Result<Vec<User>, StoreError> {
    q.all(&OF_ACCOUNT, &[account.into()])?.iter().map(User::from_row).collect()
}

/// The user of an account with exactly this name; robots and organisations are none.
///
/// # Errors
/// For trouble with the database.
pub fn find(
    q: &mut dyn Query,
    account: &AccountId,
    name: &str,
) -> Result<Option<User>, StoreError> {
    q.optional(&FIND, &[account.into(), name.into()])?.as_ref().map(User::from_row).transpose()
}

/// Gives a user another address, which must be free, and says since when it is confirmed.
///
/// # Errors
/// For trouble with the database.
pub fn set_email(
    tx: &mut Tx<'_>,
    id: &PrincipalId,
    email: Option<&str>,
    verified_at: Option<UnixMillis>,
) -> Result<(), StoreError> {
    let key = email.map(str::to_lowercase);
    tx.execute(&SET_EMAIL, &[id.into(), email.into(), (&key).into(), verified_at.into()])?;
    tx.touch(Touched::Principal(*id));
    Ok(())
}

/// Gives a user another password. Sessions, codes and refresh tokens that were born of the former
/// one end.
///
/// # Errors
/// For trouble with the database.
pub fn set_password(
    tx: &mut Tx<'_>,
    id: &PrincipalId,
    hash: &str,
    ending: &Ending<'_>,
) -> Result<(), StoreError> {
    tx.execute(&SET_PASSWORD, &[id.into(), hash.into(), ending.now.into()])?;
    tokens::revoke_born_of_password(tx, id, ending)?;
    grants::remove_codes(tx, id)?;
    sessions::end_all(tx, id)
}

/// Keeps what a user says of himself, a JSON object. Nobody decides by it.
///
/// # Errors
/// For trouble with the database.
pub fn set_profile(tx: &mut Tx<'_>, id: &PrincipalId, profile: &str) -> Result<(), StoreError> {
    tx.execute(&SET_PROFILE, &[id.into(), profile.into()]).map(drop)
}

/// Disables a user: sessions and OAuth codes end for good; tokens, those of his robots too, open
/// nothing until he is enabled again.
///
/// # Errors
/// For trouble with the database.
pub fn disable(tx: &mut Tx<'_>, id: &PrincipalId, now: UnixMillis) -> Result<(), StoreError> {
    tx.execute(&SET_DISABLED, &[id.into(), now.into()])?;
    grants::remove_codes(tx, id)?;
    sessions::end_all(tx, id)
}

/// Enables a user again.
///
/// # Errors
/// For trouble with the database.
pub fn enable(tx: &mut Tx<'_>, id: &PrincipalId) -> Result<(), StoreError> {
    tx.execute(&SET_DISABLED, &[id.into(), None::<UnixMillis>.into()])?;
    tx.touch(Touched::Principal(*id));
    Ok(())
}

/// Makes a user a superuser since `at`, or an ordinary one again.
///
/// # Errors
/// For trouble with the database.
pub fn set_superuser(
    tx: &mut Tx<'_>,
    id: &PrincipalId,
    at: Option<UnixMillis>,
) -> Result<(), StoreError> {
    tx.execute(&SET_SUPERUSER, &[id.into(), at.into()])?;
    tx.touch(Touched::Principal(*id));
    Ok(())
}
