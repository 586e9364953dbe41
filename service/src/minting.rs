//! Between the key ring and the store: what is kept of a new secret, and a kept one made again.
//!
//! Not here: who may see a secret again, and the audit of it. The use cases decide that.

use claviger_domain::{
    Conflict, Error, TokenKind, UnixMillis,
    id::TokenId,
    secret::{GivenSecret, Lookup, Prefix, Selector, TokenSecret},
    token::TokenState,
};
use claviger_store::{
    Tx,
    tokens::{self, Form, Kept, NewSecret},
};

use crate::{
    app::App,
    caller::{Caller, Credential},
    keys::{MintedSecret, Purpose},
    settings::Reveal,
};

/// A secret on its way into the store.
pub(crate) struct Coming {
    /// What will be kept of it.
    pub(crate) secret: NewSecret,
    /// Under which it would be found if it had been brought along before, by whatever generation of
    /// the keys. Empty for one that was drawn.
    lookups: Vec<Lookup>,
}

impl Coming {
    /// Makes way for the secret, which reached nothing yet or what has ended.
    ///
    /// # Errors
    /// [`Conflict::SecretTaken`].
    pub(crate) fn make_way(&self, tx: &mut Tx<'_>, now: UnixMillis) -> Result<(), Error> {
        for lookup in &self.lookups {
            let Some(token) = tokens::facts(tx, lookup)? else { continue };
            if token.state(now) == TokenState::Live {
                return Err(Conflict::SecretTaken.into());
            }
            tokens::forget_secret(tx, lookup)?;
        }
        Ok(())
    }
}

impl From<MintedSecret> for NewSecret {
    fn from(minted: MintedSecret) -> Self {
        Self {
            lookup: minted.lookup,
            form: Form::Derived,
            selector: minted.selector.map(|selector| *selector.as_bytes()),
            sealed: None,
            key_generation: minted.generation,
            prefix: minted.prefix.as_str().to_owned(),
            format: minted.format,
        }
    }
}

impl App {
    /// A secret of a token of this kind that is drawn.
    pub(crate) fn drawn(&self, kind: TokenKind) -> (TokenSecret, Coming) {
        let (secret, minted) = self.keys.mint(kind, self.chance());
        (secret, Coming { secret: minted.into(), lookups: Vec::new() })
    }

    /// A secret of the token `id` that is brought along: a keyed hash of it is kept, and a sealed
    /// copy where secrets are shown again.
    ///
    /// # Errors
    /// [`Error::Invalid`] when it has the form of a token of ours; [`Error::Internal`] when the
    /// machine's cryptography does not work.
    pub(crate) fn given(
        &self,
        id: &TokenId,
        secret: GivenSecret,
    ) -> Result<(TokenSecret, Coming), Error> {
        let secret = secret.into_secret();
        if self.keys.looks_like_token(secret.expose()) {
            return Err(Error::invalid("token", "has the form of a token of this system"));
        }
        let hashes = self.keys.keyed_hashes(Purpose::Foreign, secret.expose());
        let hash = hashes.first().ok_or_else(|| Error::internal("there is no key"))?;
        let (form, sealed) = if self.settings.tokens.reveal == Reveal::None {
            (Form::Hashed, None)
        } else {
            let sealed = self.keys.seal(&id.text(), secret.expose().as_bytes(), self.chance())?;
            if sealed.generation != hash.generation {
                return Err(Error::internal("the keys were replaced between two uses"));
            }
            (Form::Sealed, Some(sealed.bytes))
        };
        let kept = NewSecret {
            lookup: hash.lookup,
            form,
            selector: None,
            sealed,
            key_generation: hash.generation,
            prefix: String::new(),
            format: 0,
        };
        let lookups = hashes.iter().map(|hash| hash.lookup).collect();
        Ok((secret, Coming { secret: kept, lookups }))
    }

    /// Whether `caller`, who has every other right to it, may see a secret again
    /// (`tokens.reveal`).
    pub(crate) fn may_see_again(&self, caller: &Caller) -> bool {
        match self.settings.tokens.reveal {
            Reveal::All => true,
            Reveal::Fresh => {
                let person = !matches!(caller.credential, Credential::Token(_));
                person && caller.fresh_user(self.now(), self.fresh_login_timeout()).is_ok()
            }
            Reveal::None => false,
        }
    }

    /// The secret of a live token again; `None` when nothing of it was kept or its key is retired.
    ///
    /// # Errors
    /// [`Error::Internal`] when what was kept is damaged.
    pub(crate) fn secret_again(
        &self,
        kind: TokenKind,
        kept: &Kept,
    ) -> Result<Option<TokenSecret>, Error> {
        if let Some(sealed) = &kept.sealed {
            let text = self.keys.open(kept.key_generation, &kept.token.text(), sealed)?;
            let text = std::str::from_utf8(&text).map_err(Error::internal)?.to_owned();
            return Ok(Some(TokenSecret::foreign(text)));
        }
        let Some(selector) = &kept.selector else { return Ok(None) };
        let selector = Selector::from_slice(selector);
        let selector = selector.ok_or_else(|| Error::internal("a selector is damaged"))?;
        let prefix: Prefix = kept.prefix.parse().map_err(Error::internal)?;
        Ok(self.keys.rebuild(kind, kept.key_generation, prefix, kept.format, selector))
    }
}
