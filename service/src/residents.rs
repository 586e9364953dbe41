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

use claviger_domain::{
    BadCredential, Error, TokenKind,
    account::Rank,
    id::{AccountId, PrincipalId},
    principal::PrincipalKind,
    role::AccountRole,
    scope::{Dialect, Scopes, UserCap},
};
pub use claviger_store::account_users::AccountUser;
use claviger_store::{account_users, accounts};

use crate::{
    app::App,
    caller::{Caller, Credential, Origin},
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

    fn denied(&self, action: &'static str) -> Error {
        Error::denied(action, self.account.as_str())
    }
}

impl App {
    /// Who comes with the token `text` into the Astra door.
    ///
    /// # Errors
    /// [`Error::BadCredential`], [`Error::Unavailable`].
    pub async fn astra_login(&self, text: &str, origin: &Origin) -> Result<Caller, Error> {
        let caller = self.known_token(text, &[TokenKind::Api], origin).await?;
        let Credential::Token { scopes, .. } = &caller.credential else {
            return Err(BadCredential::Unknown.into());
        };
        let good = caller.principal.kind == PrincipalKind::User
            && scopes.has(Dialect::Astra, Scopes::ACCOUNT);
        if good { Ok(caller) } else { Err(BadCredential::Unknown.into()) }
    }

    /// What `caller` is in `account`. A superuser is an owner in each.
    ///
    /// # Errors
    /// [`Error::Denied`] when he has no role there, or when there is no such account.
    pub async fn resident(&self, caller: &Caller, account: AccountId) -> Result<Resident, Error> {
        let (id, home) = (caller.principal.id, caller.principal.account);
        let superuser = caller.standing.superuser;
        let found = self.db.read(move |q| {
            if account != home {
                return Ok((superuser && accounts::find(q, &account)?.is_some()).then_some(None));
            }
            Ok(Some(account_users::role(q, &id)?))
        });
        let found = found.await?.ok_or_else(|| Error::denied("enter", account.as_str()))?;
        let rank = Rank::of(found.map(|(role, _)| role), superuser);
        let restricted = !superuser && found.is_some_and(|(_, restricted)| restricted);
        match rank {
            Rank::None => Err(Error::denied("enter", account.as_str())),
            rank => Ok(Resident { account, by: caller.clone(), rank, restricted }),
        }
    }

    /// The user `id` of the account of `resident`.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn fellow(&self, resident: &Resident, id: PrincipalId) -> Result<Fellow, Error> {
        let account = resident.account;
        let user = self.db.read(move |q| Ok(account_users::find(q, &account, &id)?)).await?;
        Ok(self.as_fellow(resident, user.ok_or(Error::NotFound("user"))?))
    }

    /// How `user` stands beside `resident`.
    pub(crate) fn as_fellow(&self, resident: &Resident, user: AccountUser) -> Fellow {
        let named = self.settings.quay.names_superuser(&user.name);
        let rank = Rank::of(user.role, named || user.superuser_at.is_some());
        Fellow { rank, oneself: resident.is(user.id), user }
    }
}
