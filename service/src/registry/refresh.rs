//! Refresh tokens: what `docker login` keeps in the place of a secret.
//!
//! A refresh token stands for the token, or the password, that it was given for. It ends with that,
//! lives 90 days at the most, is good for one registry, and makes nothing but registry tokens: not
//! another refresh token, so that a stolen one dies.
//!
//! Source: distribution `docs/content/spec/auth/oauth.md`; `SECURITY.md` section 2.

use claviger_domain::{
    BadCredential, Error, TokenKind, UnixMillis,
    lifetime::{Beyond, Wish},
    scope::Scopes,
    secret::TokenSecret,
};
use claviger_store::{
    Tx,
    audit::{self, Act},
    principals,
    tokens::{self, NewSecret, NewToken},
};

use crate::{
    app::App,
    caller::{Caller, Credential, Origin},
    lifetimes,
    settings::RegistryState,
};

pub(crate) const LIFE_MS: i64 = 90 * 24 * 60 * 60 * 1000;

impl App {
    /// Who comes with the refresh token `text` for `service`; a client that names none means the
    /// token's own.
    ///
    /// # Errors
    /// [`Error::BadCredential`], also for another registry's token; [`Error::Unavailable`].
    pub async fn registry_refresh_login(
        &self,
        text: &str,
        service: Option<&str>,
        origin: &Origin,
    ) -> Result<Caller, Error> {
        let unknown = || Error::from(BadCredential::Unknown);
        let lookup = self.keys.verify(text).ok_or_else(unknown)?.lookup;
        let found = self.facts.credentials(&self.db, &lookup).await?.ok_or_else(unknown)?;
        if service.is_some_and(|service| found.token.service.as_deref() != Some(service)) {
            return Err(unknown());
        }
        let caller = self.authenticate_token(text, &[TokenKind::Refresh], origin).await?;
        self.must_be_of_this_house(&caller).await?;
        Ok(caller)
    }

    /// A refresh token for `service` (the first of ours when none is named) that stands for what
    /// `caller` came with. `None` when there is none to be had: he came with a refresh token, the
    /// registry is not ours, or nothing is written at the moment.
    ///
    /// # Errors
    /// [`Error::BadCredential`] when his token has ended meanwhile; [`Error::Unavailable`].
    pub async fn mint_refresh_token(
        &self,
        caller: &Caller,
        service: Option<&str>,
        origin: &Origin,
    ) -> Result<Option<TokenSecret>, Error> {
        let Some(service) = self.registry_service(service) else { return Ok(None) };
        if self.settings.quay.registry_state == RegistryState::Readonly {
            return Ok(None);
        }
        let (parent, application, scopes) = match &caller.credential {
            Credential::Session { .. } => return Ok(None),
            Credential::Token(with) => match with.kind {
                TokenKind::Refresh | TokenKind::Api => return Ok(None),
                _ => (Some(with.id), with.application, with.scopes.clone()),
            },
            Credential::Password => (None, None, Scopes::registry()),
        };
        let now = self.now();
        let (secret, minted) = self.keys.mint(TokenKind::Refresh, self.chance());
        let kept = NewSecret::from(minted);
        let token = NewToken {
            id: self.new_token_id(),
            kind: TokenKind::Refresh,
            account: caller.principal.account,
            principal: caller.principal.id,
            principal_name: caller.principal.name.to_string(),
            application,
            name: service.to_owned(),
            parent,
            minted_by: parent,
            created_by: caller.principal.name.to_string(),
            created_by_id: Some(caller.principal.id),
            service: Some(service.to_owned()),
            created_at: now,
            expires_at: None,
            scopes,
        };
        let (actor, epoch) = (caller.actor(origin), caller.principal.session_epoch);
        self.db
            .write(move |tx| {
                let end = Some(ends_with(tx, &token, epoch)?);
                let wish = Wish::usual(end).within(end);
                let token = lifetimes::limited(tx, token, wish, Beyond::Shorten)?;
                tokens::insert(tx, &token, &kept)?;
                let act = Act::done("create_refresh_token", "token", &token.name)
                    .id(&token.id)
                    .namespace(&token.principal_name);
                Ok(audit::append(tx, now, &actor, &act)?)
            })
            .await?;
        Ok(Some(secret))
    }

    /// The service of ours that is asked for; the first when none is.
    pub(super) fn registry_service<'a>(&'a self, asked: Option<&str>) -> Option<&'a str> {
        let services = &self.settings.registry.services;
        match asked {
            Some(asked) => services.iter().find(|ours| *ours == asked),
            None => services.first(),
        }
        .map(String::as_str)
    }
}

/// When the new token ends: not later than what it stands for, which must be good at this moment.
/// `epoch` is the user's when his password was compared; another password begins another.
fn ends_with(tx: &mut Tx<'_>, token: &NewToken, epoch: i64) -> Result<UnixMillis, Error> {
    let gone = || Error::from(BadCredential::Unknown);
    let end = token.created_at.plus_ms(LIFE_MS);
    let Some(parent) = &token.parent else {
        let user = principals::facts(tx, &token.principal)?;
        return user.filter(|user| user.session_epoch == epoch).map(|_| end).ok_or_else(gone);
    };
    let life = tokens::life(tx, parent)?.filter(|life| life.revoked_at.is_none());
    match life.ok_or_else(gone)?.expires_at {
        Some(expiry) if expiry <= token.created_at => Err(gone()),
        Some(expiry) => Ok(end.min(expiry)),
        None => Ok(end),
    }
}
