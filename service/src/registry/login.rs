//! Who signs in at a registry: with which user name comes which secret.
//!
//! | user name | secret |
//! | --- | --- |
//! | `$app` | an app token |
//! | `$oauthtoken` | an OAuth access token |
//! | `namespace+name` | the robot's token |
//! | a user's | his password, or one of his tokens |
//!
//! A token is told from a password by its form, and never hashed like one. Source:
//! `contract/quay.md` 6.1; `SECURITY.md` section 2 for the kinds.

use claviger_domain::{BadCredential, Error, TokenKind, principal::PrincipalKind};
use claviger_store::principals;

use crate::{
    app::App,
    caller::{Caller, Origin},
    facts::Soon,
    passwords::Password,
};

/// The tokens that a user may give in the place of his password.
const OWN: &[TokenKind] =
    &[TokenKind::App, TokenKind::Oauth, TokenKind::Authorization, TokenKind::Api];
const OWN_WITHOUT_APP: &[TokenKind] = &[TokenKind::Oauth, TokenKind::Authorization, TokenKind::Api];

impl App {
    /// Who signs in at a registry as `user` with `secret`. A person's password is taken only with
    /// `passwords`. What will be decided then, `soon`, is read along with a token.
    ///
    /// # Errors
    /// [`Error::BadCredential`]: of a robot [`BadCredential::Unknown`] when there is no such robot,
    /// [`BadCredential::Password`] when the secret is wrong. [`Error::Throttled`], [`Error::Busy`],
    /// [`Error::Unavailable`].
    pub async fn registry_login(
        &self,
        user: &str,
        secret: Password,
        passwords: bool,
        soon: Soon<'_>,
        origin: &Origin,
    ) -> Result<Caller, Error> {
        let caller = match self.any_login(user, secret, passwords, soon, origin).await {
            Err(Error::BadCredential(BadCredential::Password))
                if user.contains('+') && !self.is_robot(user).await? =>
            {
                return Err(BadCredential::Unknown.into());
            }
            caller => caller?,
        };
        self.must_be_of_this_house(&caller).await?;
        Ok(caller)
    }

    /// Checks that `caller` belongs to the account that this door shows.
    pub(crate) async fn must_be_of_this_house(&self, caller: &Caller) -> Result<(), Error> {
        if self.is_first_account(caller.principal.account).await? {
            Ok(())
        } else {
            Err(BadCredential::Password.into())
        }
    }

    /// Who comes with `user` and `secret`, in whichever account he is. A forged token is refused
    /// before anything is looked up.
    pub(crate) async fn any_login(
        &self,
        user: &str,
        secret: Password,
        passwords: bool,
        soon: Soon<'_>,
        origin: &Origin,
    ) -> Result<Caller, Error> {
        let quay = &self.settings.quay;
        match user {
            "$token" => Err(BadCredential::Unknown.into()),
            "$app" if quay.feature_app_specific_tokens => {
                self.authenticate_token_for(secret.expose(), &[TokenKind::App], soon, origin).await
            }
            "$oauthtoken" => {
                self.authenticate_token_for(secret.expose(), &[TokenKind::Oauth], soon, origin)
                    .await
            }
            robot if robot.contains('+') => self.robot_login(robot, secret, soon, origin).await,
            _ if self.keys.looks_like_token(secret.expose()) => {
                let opens = if quay.feature_app_specific_tokens { OWN } else { OWN_WITHOUT_APP };
                let caller =
                    self.authenticate_token_for(secret.expose(), opens, soon, origin).await;
                own(user, caller)
            }
            _ if !passwords => Err(BadCredential::Password.into()),
            _ if quay.feature_require_encrypted_basic_auth => {
                Err(BadCredential::EncryptionRequired.into())
            }
            // in a box, so that the way of tokens stays small
            _ => Box::pin(self.authenticate_password(user, secret, origin)).await,
        }
    }

    async fn robot_login(
        &self,
        robot: &str,
        secret: Password,
        soon: Soon<'_>,
        origin: &Origin,
    ) -> Result<Caller, Error> {
        if !self.settings.quay.admits_robot(robot) {
            return Err(BadCredential::RobotsDisallowed.into());
        }
        let secret = secret.expose();
        let caller = if self.keys.looks_like_token(secret) {
            self.authenticate_token_for(secret, &[TokenKind::Robot], soon, origin).await
        } else {
            self.authenticate_foreign(secret, origin).await
        };
        own(robot, caller)
    }

    async fn is_robot(&self, name: &str) -> Result<bool, Error> {
        let name = name.to_owned();
        let found = self.db.peek(move |q| Ok(principals::find_by_name(q, &name)?)).await?;
        Ok(found.is_some_and(|found| found.kind == PrincipalKind::Robot))
    }
}

/// The caller, if his name is `name`; every refusal but that of a disabled one is a wrong
/// password.
fn own(name: &str, caller: Result<Caller, Error>) -> Result<Caller, Error> {
    match caller {
        Ok(caller) if caller.principal.name == *name => Ok(caller),
        Ok(_) => Err(BadCredential::Password.into()),
        Err(Error::BadCredential(BadCredential::Unknown | BadCredential::Expired)) => {
            Err(BadCredential::Password.into())
        }
        Err(error) => Err(error),
    }
}
