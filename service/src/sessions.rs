//! Sessions: signing in, giving the password again, signing out, and the token against requests
//! from other sites (CSRF) that belongs to each.
//!
//! What a browser holds is a derived secret like any token's; the store has the hash of its
//! selector. Somebody who has not signed in holds one as well, without a row: his CSRF token is
//! derived from it all the same.

use claviger_domain::{BadCredential, Error, id::SessionId};
use claviger_store::{
    Query,
    audit::{self, Act},
    sessions::{self, Session},
};

use crate::{
    app::App,
    caller::{Caller, Credential, Origin},
    keys::{OpaqueSecret, Purpose},
    passwords::Password,
};

/// A session that has begun.
pub struct SignedIn {
    /// What the browser holds.
    pub cookie: OpaqueSecret,
    /// The CSRF token that belongs to it; good as long as the session.
    pub csrf: String,
    /// When it ends.
    pub expires_at: claviger_domain::UnixMillis,
    /// Who has signed in.
    pub caller: Caller,
}

impl App {
    /// A session of nobody, and the CSRF token that belongs to it.
    pub fn anonymous_session(&self) -> (OpaqueSecret, String) {
        let (cookie, lookup) = self.keys.mint_opaque(Purpose::Session, self.chance());
        (cookie, self.keys.csrf_token(&lookup))
    }

    /// The CSRF token that belongs to the cookie `text`; `None` when that is not one of ours.
    pub fn csrf_token(&self, text: &str) -> Option<String> {
        let lookup = self.keys.verify_opaque(Purpose::Session, text);
        lookup.map(|lookup| self.keys.csrf_token(&lookup))
    }

    /// Whether `given` is the CSRF token of the cookie `text`. Takes the same time for any text.
    pub fn is_csrf_token(&self, text: &str, given: &str) -> bool {
        let lookup = self.keys.verify_opaque(Purpose::Session, text);
        lookup.is_some_and(|lookup| self.keys.csrf_matches(&lookup, given))
    }

    /// Signs in with a user name or e-mail address and a password.
    ///
    /// # Errors
    /// As [`App::authenticate_password`]; with mailing on [`BadCredential::Unverified`] for a user
    /// who has not confirmed the address.
    pub async fn sign_in(
        &self,
        name: &str,
        password: Password,
        origin: &Origin,
    ) -> Result<SignedIn, Error> {
        match self.authenticate_password(name, password, origin).await {
            Ok(caller) if self.settings.quay.feature_mailing && !caller.principal.verified => {
                self.refused_sign_in(name, "unverified", origin).await?;
                Err(BadCredential::Unverified.into())
            }
            Ok(caller) => self.begin_session(caller, origin).await,
            Err(error @ Error::BadCredential(_)) => {
                self.refused_sign_in(name, "bad credentials", origin).await?;
                Err(error)
            }
            Err(error) => Err(error),
        }
    }

    /// Begins a session for somebody who has just proved who he is.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn begin_session(&self, caller: Caller, origin: &Origin) -> Result<SignedIn, Error> {
        let now = self.now();
        let (cookie, lookup) = self.keys.mint_opaque(Purpose::Session, self.chance());
        let session = Session {
            id: SessionId::random(self.chance()),
            principal: caller.principal.id,
            epoch: caller.principal.session_epoch,
            address: origin.address.map(|address| address.to_string()),
            created_at: now,
            signed_in_at: now,
            expires_at: now.plus(self.settings.quay.session_timeout),
        };
        let expires_at = session.expires_at;
        let actor = caller.actor(origin);
        let id = session.id;
        self.db
            .write(move |tx| {
                sessions::insert(tx, &lookup, &session)?;
                let name = actor.name.clone();
                let act = Act::done("sign_in", "session", &name).id(&session.id);
                Ok(audit::append(tx, now, &actor, &act)?)
            })
            .await?;
        let caller = Caller { credential: Credential::Session { id, signed_in_at: now }, ..caller };
        let csrf = self.keys.csrf_token(&lookup);
        Ok(SignedIn { cookie, csrf, expires_at, caller })
    }

    /// The password is given again in the session of the cookie `text`: its sign-in is fresh.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] without a session; as [`App::authenticate_password`].
    pub async fn verify_sign_in(
        &self,
        text: &str,
        password: Password,
        origin: &Origin,
    ) -> Result<(), Error> {
        let caller = self.authenticate_session(text).await?.ok_or(Error::Unauthenticated)?;
        let lookup = self.keys.verify_opaque(Purpose::Session, text);
        let lookup = lookup.ok_or(Error::Unauthenticated)?;
        let name = caller.principal.name.to_string();
        if let Err(error) = self.authenticate_password(&name, password, origin).await {
            if matches!(error, Error::BadCredential(_)) {
                self.refused_sign_in(&name, "bad credentials", origin).await?;
            }
            return Err(error);
        }
        let (now, actor) = (self.now(), caller.actor(origin));
        self.db
            .write(move |tx| {
                sessions::renew(tx, &lookup, now)?;
                let act = Act::done("verify_sign_in", "session", &name);
                Ok(audit::append(tx, now, &actor, &act)?)
            })
            .await
    }

    /// Ends every session of the caller.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn sign_out(&self, caller: &Caller, origin: &Origin) -> Result<(), Error> {
        let (now, actor, id) = (self.now(), caller.actor(origin), caller.principal.id);
        self.db
            .write(move |tx| {
                sessions::end_all(tx, &id)?;
                let name = actor.name.clone();
                Ok(audit::append(tx, now, &actor, &Act::done("sign_out", "user", &name))?)
            })
            .await
    }

    async fn refused_sign_in(
        &self,
        name: &str,
        reason: &'static str,
        origin: &Origin,
    ) -> Result<(), Error> {
        let known = name.to_owned();
        let exists = self
            .db
            .peek(move |q: &mut dyn Query| {
                Ok(claviger_store::principals::find_by_name(q, &known)?.is_some())
            })
            .await?;
        // what is no name may be a password typed into the wrong field
        let name = if exists { name.to_owned() } else { "(unknown)".to_owned() };
        let (now, actor) = (self.now(), origin.nobody());
        self.db
            .write(move |tx| {
                let act = Act::done("sign_in", "user", &name).denied(reason);
                Ok(audit::append(tx, now, &actor, &act)?)
            })
            .await
    }
}
