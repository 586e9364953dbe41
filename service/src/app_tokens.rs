//! App tokens: made, listed, shown again and revoked by their owners; listed by superusers.
//!
//! Everybody sees his own tokens alone. A secret is shown when it is made, and again only as
//! `tokens.reveal` says; that is audited.
//!
//! Source: `contract/quay.md`, section 2; `SECURITY.md`, section 1 (showing again).

use std::time::Duration;

use claviger_domain::{
    Error, TokenKind, UnixMillis,
    id::{PrincipalId, TokenId},
    lifetime::{Beyond, Wish},
    name::TokenTitle,
    scope::Scopes,
    secret::TokenSecret,
};
pub use claviger_store::app_tokens::AppToken;
use claviger_store::{
    Tx, app_tokens,
    audit::{self, Act, Actor},
    endings::Ending,
    principals,
    tokens::{self, Kept, NewSecret, NewToken},
};

use crate::{
    app::App,
    caller::{Caller, FreshUser, Origin},
    lifetimes,
    still::Right,
};

/// A token of this kind that has no lifetime is reckoned with this one where something is said to
/// be expiring soon.
const USUAL_LIFE: Duration = Duration::from_secs(4 * 7 * 24 * 60 * 60);

impl App {
    /// Makes an app token of the caller's. It opens what he may do with repositories; its life is
    /// the settings', within the policy of his account.
    ///
    /// # Errors
    /// [`Error::Denied`] when the credential may not change its user.
    pub async fn create_app_token(
        &self,
        by: &FreshUser,
        title: TokenTitle,
        origin: &Origin,
    ) -> Result<(AppToken, TokenSecret), Error> {
        let caller = by.caller();
        caller.must_be_own_admin()?;
        let now = self.now();
        let (secret, minted) = self.keys.mint(TokenKind::App, self.chance());
        let kept = NewSecret::from(minted);
        let life = self.settings.quay.app_specific_token_expiration;
        let token = NewToken {
            id: self.new_token_id(),
            kind: TokenKind::App,
            account: caller.principal.account,
            principal: caller.principal.id,
            principal_name: caller.principal.name.to_string(),
            application: None,
            name: title.as_str().to_owned(),
            // it outlives the token that it was made with, as upstream
            parent: None,
            minted_by: caller.token(),
            created_by: caller.principal.name.to_string(),
            created_by_id: Some(caller.principal.id),
            service: None,
            created_at: now,
            expires_at: None,
            scopes: Scopes::registry(),
        };
        let actor = caller.actor(origin);
        let view = self
            .write_as(caller, Right::Himself, move |tx| {
                let owner = principals::find(tx, &token.principal)?;
                if owner.is_none_or(|owner| owner.disabled_at.is_some()) {
                    return Err(Error::Unauthenticated);
                }
                let wish = Wish::usual(life.map(|life| now.plus(life)));
                let token = lifetimes::limited(tx, token, wish, Beyond::Shorten)?;
                tokens::insert(tx, &token, &kept)?;
                record(tx, now, &actor, "create_app_specific_token", &token.id, &token.name)?;
                Ok(AppToken {
                    id: token.id,
                    title: token.name,
                    created_at: now,
                    expires_at: token.expires_at,
                    last_used_at: None,
                })
            })
            .await?;
        Ok((view, secret))
    }

    /// The caller's app tokens, the oldest first; an expired one stays in the list for a while.
    /// With `expiring` only those that live, but not for long.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`], [`Error::Denied`].
    pub async fn app_tokens(
        &self,
        caller: &Caller,
        expiring: bool,
    ) -> Result<Vec<AppToken>, Error> {
        caller.must_be_own_admin()?;
        let (id, ended) = (caller.principal.id, self.gone_from_lists());
        let all = self.db.peek(move |q| Ok(app_tokens::of_principal(q, &id, ended)?)).await?;
        Ok(self.listed(all, expiring))
    }

    /// The app tokens of everybody in the superuser's account.
    ///
    /// # Errors
    /// [`Error::Denied`].
    pub async fn all_app_tokens(
        &self,
        by: &FreshUser,
        expiring: bool,
    ) -> Result<Vec<AppToken>, Error> {
        let caller = by.caller();
        caller.must_be_auditor()?;
        let (account, ended) = (caller.principal.account, self.gone_from_lists());
        let all = self.db.peek(move |q| Ok(app_tokens::of_account(q, &account, ended)?)).await?;
        Ok(self.listed(all, expiring))
    }

    /// A live app token of the caller's, with its secret where it may be shown again.
    ///
    /// # Errors
    /// [`Error::NotFound`] for one that is another's, ended, or not there; [`Error::Denied`].
    pub async fn app_token(
        &self,
        by: &FreshUser,
        id: TokenId,
        origin: &Origin,
    ) -> Result<(AppToken, Option<TokenSecret>), Error> {
        let caller = by.caller();
        caller.must_be_own_admin()?;
        let (owner, now) = (caller.principal.id, self.now());
        let (token, kept) = self.find_app_token(id, owner, now).await?;
        let secret = if self.may_see_again(caller) {
            self.secret_again(TokenKind::App, &kept)?
        } else {
            None
        };
        if secret.is_some() {
            let (actor, title) = (caller.actor(origin), token.title.clone());
            let act = "reveal_app_specific_token";
            self.db.write(move |tx| record(tx, now, &actor, act, &id, &title)).await?;
        }
        Ok((self.with_last_use(token), secret))
    }

    /// Revokes an app token of the caller's, whether it lives or is only still listed. From the
    /// answer on it opens nothing.
    ///
    /// # Errors
    /// [`Error::NotFound`] for one that is another's, revoked, or not there; [`Error::Denied`].
    pub async fn revoke_app_token(
        &self,
        by: &FreshUser,
        id: TokenId,
        origin: &Origin,
    ) -> Result<(), Error> {
        let caller = by.caller();
        caller.must_be_own_admin()?;
        let (owner, now, ended) = (caller.principal.id, self.now(), self.gone_from_lists());
        let actor = caller.actor(origin);
        self.write_as(caller, Right::Himself, move |tx| {
            let found = app_tokens::find(tx, &id, &owner, ended)?;
            let (token, _) = found.ok_or(Error::NotFound("app token"))?;
            let ending = Ending { now, by: &actor.name, reason: "revoked by its owner" };
            tokens::revoke(tx, &id, &ending)?;
            record(tx, now, &actor, "revoke_app_specific_token", &id, &token.title)
        })
        .await
    }

    async fn find_app_token(
        &self,
        id: TokenId,
        owner: PrincipalId,
        ended: UnixMillis,
    ) -> Result<(AppToken, Kept), Error> {
        let found = self.db.peek(move |q| Ok(app_tokens::find(q, &id, &owner, ended)?)).await?;
        found.ok_or(Error::NotFound("app token"))
    }

    /// What ended at this instant or before is not listed any more.
    fn gone_from_lists(&self) -> UnixMillis {
        match self.settings.quay.expired_app_specific_token_gc {
            Some(kept) => self.now().minus(kept),
            None => UnixMillis(i64::MIN),
        }
    }

    /// The token with its last use, written or not yet.
    fn with_last_use(&self, token: AppToken) -> AppToken {
        let pending = self.activity.pending(&token.id).map(|last| last.at);
        AppToken { last_used_at: pending.max(token.last_used_at), ..token }
    }

    fn listed(&self, tokens: Vec<AppToken>, expiring: bool) -> Vec<AppToken> {
        let (now, soon) = (self.now(), self.expiring_until());
        let wanted = |token: &AppToken| {
            !expiring || token.expires_at.is_some_and(|end| now < end && end <= soon)
        };
        tokens.into_iter().filter(wanted).map(|token| self.with_last_use(token)).collect()
    }

    /// A token that ends until then is said to be expiring: within a tenth of the usual life, in
    /// whole seconds.
    fn expiring_until(&self) -> UnixMillis {
        let life = self.settings.quay.app_specific_token_expiration.unwrap_or(USUAL_LIFE);
        let window_s = life.as_millis().div_ceil(10_000).max(1);
        self.now().plus(Duration::from_secs(u64::try_from(window_s).unwrap_or(u64::MAX)))
    }
}

fn record(
    tx: &mut Tx<'_>,
    now: UnixMillis,
    actor: &Actor,
    act: &'static str,
    id: &TokenId,
    title: &str,
) -> Result<(), Error> {
    let act = Act::done(act, "token", title).id(id).namespace(&actor.name);
    Ok(audit::append(tx, now, actor, &act)?)
}
