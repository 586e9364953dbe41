//! Between the key ring and the store: what is kept of a new secret, and a kept one made again.
//!
//! Not here: who may see a secret again, and the audit of it. The use cases decide that.

use claviger_domain::{
    Error, TokenKind,
    secret::{Prefix, Selector, TokenSecret},
};
use claviger_store::tokens::{Form, Kept, NewSecret};

use crate::{
    app::App,
    caller::{Caller, Credential},
    keys::MintedSecret,
    settings::Reveal,
};

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
    /// Whether `caller`, who has every other right to it, may see a secret again
    /// (`tokens.reveal`).
    pub(crate) fn may_see_again(&self, caller: &Caller) -> bool {
        match self.settings.tokens.reveal {
            Reveal::All => true,
            Reveal::Fresh => {
                let person = !matches!(caller.credential, Credential::Token { .. });
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
            let text = self.keys.open(kept.key_generation, kept.token.as_str(), sealed)?;
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
