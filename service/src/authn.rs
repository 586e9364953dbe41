//! Who is calling: tokens, sessions and passwords.
//!
//! A token is told from a forgery by its MAC, before anything is looked up; then its kind must be
//! one that opens this door (`SECURITY.md`, section 2), it must live, and so must its principal and
//! a robot's owner. A password is asked for only where a person may come with one, and only after
//! the throttle; one that looks like a token is never hashed.

use std::time::Duration;

use claviger_domain::{
    BadCredential, Error, TokenKind,
    access::{Bar, may_act},
    principal::PrincipalKind,
    scope::{Caps, Dialect, Scopes},
};
use claviger_store::{Query, principals, principals::Principal, sessions};

use crate::{
    app::App,
    caller::{Caller, Credential, Origin},
    facts::{AsOf, Credentials, Soon},
    keys::{Purpose, Verified},
    passwords::Password,
};

/// A token that was made here. Only [`App::genuine`] makes it.
#[derive(Clone, Copy, Debug)]
pub struct Genuine(Verified);

impl App {
    /// Who comes with the token `text`, into a door that the kinds `opens` open. Its use is noted.
    /// An api token that another than its owner made opens the Astra door alone
    /// ([`App::astra_login`]).
    ///
    /// # Errors
    /// [`Error::BadCredential`] with the reason, [`Error::Unavailable`].
    pub fn authenticate_token(
        &self,
        text: &str,
        opens: &[TokenKind],
        origin: &Origin,
    ) -> impl Future<Output = Result<Caller, Error>> + Send {
        self.authenticate_token_for(text, opens, None, origin)
    }

    /// The same, before a decision about the repository that `soon` says: when the store is read, what
    /// the decision looks at is read along.
    ///
    /// # Errors
    /// As [`App::authenticate_token`].
    pub async fn authenticate_token_for(
        &self,
        text: &str,
        opens: &[TokenKind],
        soon: Soon<'_>,
        origin: &Origin,
    ) -> Result<Caller, Error> {
        let genuine = self.genuine(text, opens)?;
        let caller = match self.remembered_caller(genuine, soon, origin) {
            Some(caller) => caller?,
            None => Box::pin(self.read_caller(genuine, soon, origin)).await?,
        };
        self_made(&caller)?;
        Ok(caller)
    }

    /// The same, of a token that was proven to be genuine.
    ///
    /// # Errors
    /// As [`App::authenticate_token`].
    pub async fn authenticate_genuine(
        &self,
        genuine: Genuine,
        soon: Soon<'_>,
        origin: &Origin,
    ) -> Result<Caller, Error> {
        let caller = match self.remembered_caller(genuine, soon, origin) {
            Some(caller) => caller?,
            None => Box::pin(self.read_caller(genuine, soon, origin)).await?,
        };
        self_made(&caller)?;
        Ok(caller)
    }

    /// The same, whoever made it.
    ///
    /// # Errors
    /// As [`App::authenticate_token`].
    pub(crate) async fn known_token(
        &self,
        text: &str,
        opens: &[TokenKind],
        origin: &Origin,
    ) -> Result<Caller, Error> {
        let genuine = self.genuine(text, opens)?;
        match self.remembered_caller(genuine, None, origin) {
            Some(caller) => caller,
            None => self.read_caller(genuine, None, origin).await,
        }
    }

    /// Who comes with a genuine token, if what that takes is remembered. Most requests end here,
    /// without waiting: a caller that is handed up through futures is copied at each step.
    fn remembered_caller(
        &self,
        Genuine(verified): Genuine,
        soon: Soon<'_>,
        origin: &Origin,
    ) -> Option<Result<Caller, Error>> {
        let found = self.facts.remembered_sign_in(&verified.lookup, soon)?;
        Some(self.bearer(&verified, Some(found), origin))
    }

    /// The same, when something must be read.
    async fn read_caller(
        &self,
        Genuine(verified): Genuine,
        soon: Soon<'_>,
        origin: &Origin,
    ) -> Result<Caller, Error> {
        let found = self.facts.sign_in(&self.db, &verified.lookup, soon).await?;
        self.bearer(&verified, found, origin)
    }

    /// The proof that the token `text` was made here, of a kind that `opens` names. Nothing is looked
    /// up for it; whether the token lives is not known yet.
    ///
    /// # Errors
    /// [`Error::BadCredential`].
    pub fn genuine(&self, text: &str, opens: &[TokenKind]) -> Result<Genuine, Error> {
        let verified = self.keys.verify(text).filter(|verified| opens.contains(&verified.kind));
        Ok(Genuine(verified.ok_or(BadCredential::Unknown)?))
    }

    /// Who comes with a token of which this was verified and found, whoever made it.
    fn bearer(
        &self,
        verified: &Verified,
        found: Option<Credentials>,
        origin: &Origin,
    ) -> Result<Caller, Error> {
        let found = found.filter(|found| {
            found.token.kind == verified.kind && found.token.key_generation == verified.generation
        });
        self.admit(found.ok_or(BadCredential::Unknown)?, origin)
    }

    /// Who comes with the secret `text`, which was made elsewhere, for a robot's token.
    ///
    /// # Errors
    /// As [`App::authenticate_token`].
    pub async fn authenticate_foreign(&self, text: &str, origin: &Origin) -> Result<Caller, Error> {
        for hash in self.keys.keyed_hashes(Purpose::Foreign, text) {
            let found = self.facts.credentials(&self.db, &hash.lookup).await?;
            if let Some(found) = found.filter(|found| found.token.kind == TokenKind::Robot) {
                return self.admit(found, origin);
            }
        }
        Err(BadCredential::Unknown.into())
    }

    /// Lets in whom a token reaches, if it and he may act at the moment.
    fn admit(&self, found: Credentials, origin: &Origin) -> Result<Caller, Error> {
        let now = self.now();
        let Credentials { token, principal, owner, ahead, as_of } = found;
        let admits = |robot: &str| self.settings.quay.admits_robot(robot);
        may_act(Some(token.state(now)), principal.as_deref(), owner.as_deref(), admits)
            .map_err(refused)?;
        let principal = principal.ok_or(BadCredential::Unknown)?;
        self.activity.used(&token, now, origin.address);
        let standing = self.standing(&principal);
        Ok(Caller {
            caps: token.scopes.caps(),
            credential: Credential::Token(token),
            principal,
            standing,
            ahead,
            as_of,
        })
    }

    /// Who comes with the session cookie `text`; `None` when it opens no session (any more).
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn authenticate_session(&self, text: &str) -> Result<Option<Caller>, Error> {
        let Some(lookup) = self.keys.verify_opaque(Purpose::Session, text) else {
            return Ok(None);
        };
        let session =
            self.db.peek(move |q: &mut dyn Query| Ok(sessions::find(q, &lookup)?)).await?;
        let Some(session) = session.filter(|session| session.expires_at > self.now()) else {
            return Ok(None);
        };
        let principal = self.facts.principal(&self.db, session.principal).await?;
        let good = principal.filter(|principal| {
            principal.enabled
                && principal.session_epoch == session.epoch
                && principal.kind == PrincipalKind::User
        });
        let Some(principal) = good else { return Ok(None) };
        let credential = Credential::Session { id: session.id, signed_in_at: session.signed_in_at };
        let standing = self.standing(&principal);
        let (caps, as_of) = (Caps::DIRECT, AsOf::default());
        Ok(Some(Caller { principal, credential, caps, standing, ahead: None, as_of }))
    }

    /// Who comes with a user name (or e-mail address) and a password.
    ///
    /// # Errors
    /// [`Error::Throttled`] before the password is looked at; [`Error::BadCredential`], told apart
    /// only after the right password; [`Error::Busy`], [`Error::Unavailable`].
    pub async fn authenticate_password(
        &self,
        name: &str,
        password: Password,
        origin: &Origin,
    ) -> Result<Caller, Error> {
        if self.keys.looks_like_token(password.expose()) {
            return Err(BadCredential::Password.into());
        }
        let user = self.find_user(name).await?;
        // a name and an address of one user share the count
        let key = user.as_ref().map_or_else(|| name.to_owned(), |user| user.id.to_string());
        let allowed = || self.throttle.check(&key, origin.address, self.now());
        allowed()?;
        let hash = user.as_ref().and_then(|user| user.password_hash.clone());
        let note = |fits| {
            if fits {
                self.throttle.succeeded(&key, origin.address);
            } else {
                self.throttle.failed(&key, origin.address, self.now());
            }
        };
        // asked again when its turn has come: others may have failed while it waited
        let fits = self.passwords.verify(hash, password, allowed, note).await?;
        let user = user.filter(|_| fits).ok_or(BadCredential::Password)?;
        let principal = self.facts.principal(&self.db, user.id).await?;
        // another password meanwhile has begun another epoch
        let same = principal.filter(|principal| principal.session_epoch <= user.session_epoch);
        let principal = same.ok_or(BadCredential::Password)?;
        // every door that takes passwords shows the first account alone
        if !self.is_first_account(principal.account).await? {
            return Err(BadCredential::Password.into());
        }
        if !principal.enabled {
            return Err(BadCredential::Disabled.into());
        }
        let standing = self.standing(&principal);
        let (caps, as_of) = (Caps::DIRECT, AsOf::default());
        let credential = Credential::Password;
        Ok(Caller { principal, credential, caps, standing, ahead: None, as_of })
    }

    /// The user with this name or e-mail address; robots and organisations are none.
    async fn find_user(&self, name: &str) -> Result<Option<Principal>, Error> {
        let name = name.to_owned();
        self.db
            .peek(move |q: &mut dyn Query| {
                let found = match principals::find_by_name(q, &name)? {
                    None if name.contains('@') => {
                        principals::find_by_email(q, &name.to_lowercase())?
                    }
                    found => found,
                };
                Ok(found.filter(|found| found.kind == PrincipalKind::User))
            })
            .await
    }

    /// How long a sign-in counts as fresh.
    pub fn fresh_login_timeout(&self) -> Duration {
        self.settings.quay.fresh_login_timeout
    }
}

/// Checks that a caller did not come with an api token that another than its owner made.
fn self_made(caller: &Caller) -> Result<(), Error> {
    match &caller.credential {
        Credential::Token(token)
            if token.kind == TokenKind::Api
                && !token.scopes.has(Dialect::Native, Scopes::REGISTRY) =>
        {
            Err(BadCredential::Unknown.into())
        }
        _ => Ok(()),
    }
}

/// What a door learns of a credential whose owner may not act.
fn refused(bar: Bar) -> BadCredential {
    match bar {
        Bar::TokenExpired => BadCredential::Expired,
        Bar::TokenRevoked | Bar::PrincipalGone | Bar::Organisation => BadCredential::Unknown,
        Bar::PrincipalDisabled | Bar::OwnerDisabled => BadCredential::Disabled,
        Bar::RobotsDisallowed => BadCredential::RobotsDisallowed,
    }
}
