//! Who somebody is in an account, and whom he manages there.
//!
//! | rank | sees | manages |
//! | --- | --- | --- |
//! | no role | nothing | nobody |
//! | a role bound to nothing | his own tokens | his own tokens |
//! | viewer, member | the account | his own tokens, password and name |
//! | admin | the account | everybody who is not above an admin |
//! | owner | the account | everybody but superusers |
//! | superuser | every account | everybody; of another superuser neither tokens, password, state nor address |
//!
//! Roles are read at each request: what is taken away here is gone at once, and the registry pays
//! nothing for it.
//!
//! Source: `contract/astra.md` sections 3.1 and 7.1; `SECURITY.md` section 2, "Tenants".

use std::sync::Arc;

use claviger_domain::{
    BadCredential, Error, TokenKind,
    account::Rank,
    id::{AccountId, PrincipalId},
    principal::PrincipalKind,
    role::AccountRole,
    scope::{Dialect, Scopes, UserCap},
};
pub use claviger_store::account_users::AccountUser;
use claviger_store::{Query, Tx, account_users, accounts, principals};

use crate::{
    access::standing,
    app::App,
    caller::{Caller, Credential, Origin},
    settings::Settings,
    still::Right,
};

/// The proof that somebody has a role in an account. Only [`App::resident`] makes it.
#[derive(Clone, Debug)]
pub struct Resident {
    account: AccountId,
    by: Caller,
    rank: Rank,
    restricted: bool,
}

/// A user of the account that a [`Resident`] has a role in.
#[derive(Clone, Debug)]
pub struct Fellow {
    /// The user.
    pub user: AccountUser,
    /// How high he stands.
    pub rank: Rank,
    /// Whether he is the resident himself.
    pub oneself: bool,
}

impl Resident {
    /// The account.
    pub fn account(&self) -> AccountId {
        self.account
    }

    /// Who is calling.
    pub fn by(&self) -> &Caller {
        &self.by
    }

    /// How high he stands.
    pub fn rank(&self) -> Rank {
        self.rank
    }

    /// Whether `user` is himself.
    pub fn is(&self, user: PrincipalId) -> bool {
        self.by.principal.id == user
    }

    /// Checks that he may see what the account has.
    ///
    /// # Errors
    /// [`Error::Denied`] (so for all of these).
    pub fn must_see(&self) -> Result<(), Error> {
        if self.restricted { Err(self.denied("see")) } else { Ok(()) }
    }

    /// Checks that he manages users at all.
    ///
    /// # Errors
    /// [`Error::Denied`].
    pub fn must_be_admin(&self) -> Result<(), Error> {
        let admin = !self.restricted && self.rank.manages(Rank::Role(AccountRole::Admin));
        if admin { Ok(()) } else { Err(self.denied("administer")) }
    }

    /// Checks that he may do everything.
    ///
    /// # Errors
    /// [`Error::Denied`].
    pub fn must_be_owner(&self) -> Result<(), Error> {
        let owner = !self.restricted && self.rank.manages(Rank::Role(AccountRole::Owner));
        if owner { Ok(()) } else { Err(self.denied("own")) }
    }

    /// Checks that he may see the tokens of `user`: he is an admin, or it is himself.
    ///
    /// # Errors
    /// [`Error::Denied`].
    pub fn must_see_tokens_of(&self, user: PrincipalId) -> Result<(), Error> {
        if self.is(user) { Ok(()) } else { self.must_be_admin() }
    }

    /// Checks that he may change what `fellow` has: it is himself, or he manages him.
    ///
    /// # Errors
    /// [`Error::Denied`].
    pub fn must_manage(&self, fellow: &Fellow) -> Result<(), Error> {
        if fellow.oneself {
            return Ok(());
        }
        self.must_be_admin()?;
        if self.rank.manages(fellow.rank) { Ok(()) } else { Err(self.denied("manage a user of")) }
    }

    /// The same for what somebody signs in with, for his state and his address: a superuser's are
    /// his own, and of the program on the store.
    ///
    /// # Errors
    /// [`Error::Denied`].
    pub fn must_set_credentials_of(&self, fellow: &Fellow) -> Result<(), Error> {
        if fellow.oneself {
            // one who was lent a token may do with it what his role lets him, and nothing to himself
            let own = self.by.caps.user == UserCap::Admin;
            return if own { Ok(()) } else { Err(self.denied("be changed with a lent token in")) };
        }
        self.must_manage(fellow)?;
        if fellow.rank == Rank::Superuser {
            Err(self.denied("manage a superuser of"))
        } else {
            Ok(())
        }
    }

    /// What he is in the account by now.
    ///
    /// # Errors
    /// [`Error::Denied`] when he has no role any more; [`Error::Unauthenticated`].
    pub(crate) fn still(&self, q: &mut dyn Query, superusers: &Superusers) -> Result<Self, Error> {
        let now = principals::facts(q, &self.by.principal.id)?;
        let now = now.ok_or(Error::Unauthenticated)?;
        let superuser = standing(&superusers.0.quay, &now).superuser;
        enter(q, self.by.clone(), self.account, superuser)
    }

    fn denied(&self, action: &'static str) -> Error {
        Error::denied(action, self.account.text())
    }
}

impl App {
    /// The names that the settings make superusers.
    pub(crate) fn superusers(&self) -> Superusers {
        Superusers(Arc::clone(&self.settings))
    }

    /// Who comes with the token `text` into the Astra door.
    ///
    /// # Errors
    /// [`Error::BadCredential`], [`Error::Unavailable`].
    pub async fn astra_login(&self, text: &str, origin: &Origin) -> Result<Caller, Error> {
        let caller = self.known_token(text, &[TokenKind::Api], origin).await?;
        let Credential::Token(token) = &caller.credential else {
            return Err(BadCredential::Unknown.into());
        };
        let good = caller.principal.kind == PrincipalKind::User
            && token.scopes.has(Dialect::Astra, Scopes::ACCOUNT);
        if good { Ok(caller) } else { Err(BadCredential::Unknown.into()) }
    }

    /// What `caller` is in `account`. A superuser is an owner in each.
    ///
    /// # Errors
    /// [`Error::Denied`] when he has no role there, or when there is no such account.
    pub async fn resident(&self, caller: &Caller, account: AccountId) -> Result<Resident, Error> {
        let (by, superuser) = (caller.clone(), caller.standing.superuser);
        self.db.read(move |q| enter(q, by, account, superuser)).await
    }

    /// Changes something in the account of `resident`, whose credential still lives when it is his
    /// turn. `f` is told what he is in the account by then.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`]; [`Error::Denied`] when he has no role any more; what `f` says.
    pub(crate) async fn write_in<T: Send + 'static>(
        &self,
        resident: &Resident,
        f: impl FnOnce(&mut Tx<'_>, &Resident) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (before, superusers) = (resident.clone(), self.superusers());
        self.write_as(&resident.by, Right::Himself, move |tx| {
            let still = before.still(tx, &superusers)?;
            f(tx, &still)
        })
        .await
    }

    /// The user `id` of the account of `resident`.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn fellow(&self, resident: &Resident, id: PrincipalId) -> Result<Fellow, Error> {
        let (superusers, resident) = (self.superusers(), resident.clone());
        self.db.read(move |q| superusers.fellow(q, &resident, id)).await
    }
}

/// What `by` is in `account`.
fn enter(
    q: &mut dyn Query,
    by: Caller,
    account: AccountId,
    superuser: bool,
) -> Result<Resident, Error> {
    let role = if account == by.principal.account {
        account_users::role(q, &by.principal.id)?
    } else {
        None
    };
    let elsewhere = account != by.principal.account && accounts::find(q, &account)?.is_none();
    let restricted = !superuser && role.is_some_and(|(_, restricted)| restricted);
    match Rank::of(role.map(|(role, _)| role), superuser) {
        rank if rank != Rank::None && !elsewhere => Ok(Resident { account, by, rank, restricted }),
        _ => Err(Error::denied("enter", account.text())),
    }
}

/// The names that the settings make superusers, for use where the store is written.
#[derive(Clone, Debug)]
pub(crate) struct Superusers(Arc<Settings>);

impl Superusers {
    /// The user `id` of the account of `resident`.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub(crate) fn fellow(
        &self,
        q: &mut dyn Query,
        resident: &Resident,
        id: PrincipalId,
    ) -> Result<Fellow, Error> {
        let user = account_users::find(q, &resident.account, &id)?;
        let user = user.ok_or(Error::NotFound("user"))?;
        let named = self.0.quay.names_superuser(&user.name);
        let rank = Rank::of(user.role, named || user.superuser_at.is_some());
        Ok(Fellow { rank, oneself: resident.is(user.id), user })
    }
}
