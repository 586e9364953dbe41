//! Passwords of users, as their account's admins set them.
//!
//! Source: `contract/astra.md` section 7; `SECURITY.md` section 2, "Tenants".
//! Not here: hashing (`crate::passwords`), signing in (`crate::authn`).

use claviger_domain::{Conflict, Error, account::Label, id::PrincipalId};
use claviger_store::{
    Query, account_users,
    audit::{self, Act},
    endings::Ending,
    labels, principals, users,
};

use crate::{
    account_users::AccountUser,
    app::App,
    caller::Origin,
    collection::{Listing, Page},
    passwords::Password,
    residents::{Fellow, Resident},
};

/// That a user has a password, which nobody sees.
#[derive(Clone, Debug)]
pub struct CredentialView {
    /// The user.
    pub user: AccountUser,
    /// Its labels.
    pub labels: Vec<Label>,
}

/// What is set of a password.
#[derive(Debug, Default)]
pub struct CredentialChange {
    /// The password; `None`: it stays.
    pub password: Option<Password>,
    /// Its labels; `None`: they stay.
    pub labels: Option<Vec<Label>>,
}

impl App {
    /// A page of the passwords of the account.
    ///
    /// # Errors
    /// [`Error::Denied`], [`Error::Unavailable`].
    pub async fn credentials(
        &self,
        resident: &Resident,
        list: Listing,
    ) -> Result<Page<CredentialView>, Error> {
        resident.must_see()?;
        let account = resident.account();
        self.page(list, move |q, asked| {
            let page = account_users::page_of_credentials(q, &account, asked)?;
            let key = |user: &AccountUser| labels::of_credential(&user.id.text());
            let keys: Vec<_> = page.items.iter().map(key).collect();
            let keys: Vec<_> = keys.iter().map(String::as_str).collect();
            let mut found = labels::of_many(q, &keys)?;
            page.try_map(|user| {
                let labels = found.remove(&key(&user)).unwrap_or_default();
                Ok(CredentialView { user, labels })
            })
        })
        .await
    }

    /// The password of a user; `None` when he has none, or there is no such user.
    ///
    /// # Errors
    /// [`Error::Denied`], [`Error::Unavailable`].
    pub async fn credential(
        &self,
        resident: &Resident,
        user: PrincipalId,
    ) -> Result<Option<CredentialView>, Error> {
        resident.must_see()?;
        let account = resident.account();
        let found = self.db.read(move |q| {
            let user = account_users::find(q, &account, &user)?;
            user.filter(|user| user.password_changed_at.is_some())
                .map(|user| view(q, user))
                .transpose()
        });
        found.await
    }

    /// Gives a user who has none a password.
    ///
    /// # Errors
    /// [`Error::Denied`]; [`Error::Invalid`] for an unknown user and for a bad password;
    /// [`Conflict::HasPassword`]; [`Error::Busy`].
    pub async fn make_credential(
        &self,
        resident: &Resident,
        user: PrincipalId,
        password: Password,
        given: Vec<Label>,
        origin: &Origin,
    ) -> Result<CredentialView, Error> {
        let unknown = || Error::invalid("name", "is no user of this account");
        let fellow = match self.fellow(resident, user).await {
            Err(Error::NotFound(_)) => return Err(unknown()),
            found => found?,
        };
        // before the hash is computed, which costs
        resident.must_set_credentials_of(&fellow)?;
        first(&fellow)?;
        let hash = self.hash_new_password(password).await?;
        let change = Ready { hash: Some(hash), labels: Some(given) };
        let check = |fellow: &Fellow, _: &CredentialView| first(fellow);
        match self.set_credential(resident, user, change, check, origin).await {
            Err(Error::NotFound(_)) => Err(unknown()),
            made => made,
        }
    }

    /// Gives a user another password, if it is still as `expected`; what was born of the former one
    /// ends.
    ///
    /// # Errors
    /// [`Error::Denied`]; [`Error::NotFound`] for a user without a password;
    /// [`Conflict::SamePassword`]; [`Conflict::Changed`]; [`Error::Busy`].
    pub async fn change_credential(
        &self,
        resident: &Resident,
        user: PrincipalId,
        change: CredentialChange,
        expected: impl FnOnce(&CredentialView) -> bool + Send + 'static,
        origin: &Origin,
    ) -> Result<(), Error> {
        let fellow = self.fellow(resident, user).await?;
        resident.must_set_credentials_of(&fellow)?;
        let hash = match change.password {
            Some(password) => {
                self.must_differ(user, &password).await?;
                Some(self.hash_new_password(password).await?)
            }
            None => None,
        };
        let change = Ready { hash, labels: change.labels };
        let check = |fellow: &Fellow, old: &CredentialView| match fellow.user.password_changed_at {
            None => Err(Error::NotFound("credential")),
            Some(_) if expected(old) => Ok(()),
            Some(_) => Err(Conflict::Changed.into()),
        };
        self.set_credential(resident, user, change, check, origin).await.map(drop)
    }

    /// Checks that `password` is not the one that the user has.
    async fn must_differ(&self, user: PrincipalId, password: &Password) -> Result<(), Error> {
        let found = self.db.peek(move |q: &mut dyn Query| Ok(principals::find(q, &user)?)).await?;
        let hash = found.and_then(|user| user.password_hash);
        let given = Password::given(password.expose());
        let same = self.passwords.verify(hash, given, || Ok(()), |_| ()).await?;
        if same { Err(Conflict::SamePassword.into()) } else { Ok(()) }
    }

    async fn set_credential(
        &self,
        resident: &Resident,
        user: PrincipalId,
        change: Ready,
        check: impl FnOnce(&Fellow, &CredentialView) -> Result<(), Error> + Send + 'static,
        origin: &Origin,
    ) -> Result<CredentialView, Error> {
        let (now, actor) = (self.now(), resident.by().actor(origin));
        let superusers = self.superusers();
        self.write_in(resident, move |tx, by| {
            let fellow = superusers.fellow(tx, by, user)?;
            by.must_set_credentials_of(&fellow)?;
            check(&fellow, &view(tx, fellow.user.clone())?)?;
            let ending = Ending { now, by: &actor.name, reason: "password changed" };
            if let Some(hash) = &change.hash {
                users::set_password(tx, &user, hash, &ending)?;
            }
            if let Some(given) = &change.labels {
                labels::set(tx, &labels::of_credential(&user.text()), given)?;
            }
            let name = &fellow.user.name;
            let word = if change.hash.is_some() { "user_change_password" } else { "user_change" };
            let act = Act::done(word, "user", name).id(&user).namespace(name);
            audit::append(tx, now, &actor, &act)?;
            let user = account_users::find(tx, &by.account(), &user)?;
            view(tx, user.ok_or(Error::NotFound("user"))?)
        })
        .await
    }
}

/// A change with the hash computed.
struct Ready {
    hash: Option<String>,
    labels: Option<Vec<Label>>,
}

/// Checks that a user has no password yet.
fn first(fellow: &Fellow) -> Result<(), Error> {
    match fellow.user.password_changed_at {
        None => Ok(()),
        Some(_) => Err(Conflict::HasPassword.into()),
    }
}

fn view(q: &mut dyn Query, user: AccountUser) -> Result<CredentialView, Error> {
    let labels = labels::of(q, &labels::of_credential(&user.id.text()))?;
    Ok(CredentialView { user, labels })
}
