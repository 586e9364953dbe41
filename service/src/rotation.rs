//! Rotation with overlap: a token gets another secret, and the one that it had lives on for a while,
//! so that whoever holds it can be given the new one. The token stays the same one: its id, its
//! scopes, its end. Each secret's last use tells when the old one is quiet.
//!
//! At most two secrets live. A new one is for who may make such a token: its user himself, who
//! administers a robot's namespace, and for an api token that was lent to somebody whoever may lend
//! one. A token gives a new secret to none that may do more than itself or lives longer.

use std::time::Duration;

use claviger_domain::{
    Conflict, Error, TokenKind, UnixMillis,
    id::TokenId,
    scope::{Dialect, Scopes},
    secret::TokenSecret,
    token::TokenState,
};
use claviger_store::{
    Tx,
    audit::{self, Act},
    token_list::{self, Change, Listed},
    tokens::{self, NewSecret},
};
use serde_json::json;

use crate::{
    app::App,
    caller::{Caller, Credential, FreshUser, Origin},
    seen::Seen,
    tokens::{Authority, TokenPermit, token_tag},
};

/// How long an old secret lives on, where nothing is said.
pub const USUAL_GRACE: Duration = Duration::from_secs(24 * 60 * 60);
/// How long it lives on at the most.
pub const LONGEST_GRACE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// The proof that somebody may have a new secret of a token; made by [`App::permit_rotation`]
/// alone.
#[derive(Clone, Debug)]
pub struct RotationPermit(TokenPermit);

impl App {
    /// The proof that a user with a fresh sign-in may have a new secret of a token.
    ///
    /// # Errors
    /// [`Error::NotFound`] for one that he may not know of, [`Error::Denied`].
    pub async fn permit_rotation(
        &self,
        by: &FreshUser,
        id: TokenId,
    ) -> Result<RotationPermit, Error> {
        let caller = by.caller();
        let permit = self.permit_token(caller, id).await?;
        let token = &permit.token;
        let lent = token.kind == TokenKind::Api && !token.scopes.has(Dialect::Native, Scopes::USER);
        let may = match &permit.authority {
            Authority::Own | Authority::Home { .. } => true,
            Authority::Role { .. } | Authority::Superuser => lent,
        };
        if !may {
            return Err(Error::denied("have a new secret of the token", token.id.text()));
        }
        if token.principal == caller.principal.id && !gives(caller, token) {
            let problem = "have, with this token, a new secret of the token";
            return Err(Error::denied(problem, token.id.text()));
        }
        Ok(RotationPermit(permit))
    }

    /// Gives a token a new secret. The one that it had lives on for `grace`; with none it ends, and
    /// with it what an earlier rotation has left.
    ///
    /// # Errors
    /// [`Conflict::Ended`]; [`Conflict::Rotating`] while two secrets live; [`Error::Invalid`] for
    /// too long a grace, or a kind that has no other secret; [`Conflict::Changed`].
    pub async fn rotate_token(
        &self,
        permit: &RotationPermit,
        grace: Duration,
        seen: Seen,
        origin: &Origin,
    ) -> Result<(Listed, TokenSecret), Error> {
        let permit = permit.0.clone();
        if grace > LONGEST_GRACE {
            return Err(Error::invalid("grace", "must be at most `30d`"));
        }
        if permit.token.kind == TokenKind::Refresh {
            // clients keep the first one that they got
            return Err(Conflict::Fixed("secret").into());
        }
        let (secret, minted) = self.keys.mint(permit.token.kind, self.chance());
        let kept = NewSecret::from(minted);
        let (now, actor, caller) = (self.now(), permit.by.actor(origin), permit.by.clone());
        let mut token = self
            .write_as(&caller, permit.authority.right(), move |tx| {
                permit.check(tx)?;
                let token = live(tx, &permit.token.id, &seen, now)?;
                ends_before(tx, &permit.by, &token)?;
                let leaving = token
                    .secrets
                    .iter()
                    .any(|secret| secret.valid_until.is_some_and(|until| until > now));
                if leaving && !grace.is_zero() {
                    return Err(Conflict::Rotating.into());
                }
                tokens::end_secrets(tx, &token.id, now.plus(grace))?;
                tokens::insert_secret(tx, &token.id, &kept, now)?;
                let by = Change { now, by: actor.id.as_ref() };
                token_list::changed(tx, &token.id, by)?;
                let after = json!({ "old_until": now.plus(grace).0 }).to_string();
                let act = Act::done("rotate_token", "token", &token.name)
                    .id(&token.id)
                    .namespace(&token.principal_name)
                    .change(None, Some(&after));
                audit::append(tx, now, &actor, &act)?;
                token_list::find(tx, &token.id)?.ok_or(Error::NotFound("token"))
            })
            .await?;
        self.add_pending_uses(&mut token);
        Ok((token, secret))
    }

    /// Ends what a rotation has left of a token's older secret at once; whether there was one.
    ///
    /// # Errors
    /// [`Conflict::Ended`], [`Conflict::Changed`].
    pub async fn cut_token(
        &self,
        permit: &TokenPermit,
        seen: Seen,
        origin: &Origin,
    ) -> Result<(Listed, bool), Error> {
        let (now, actor, caller) = (self.now(), permit.by.actor(origin), permit.by.clone());
        let permit = permit.clone();
        let (mut token, cut) = self
            .write_as(&caller, permit.authority.right(), move |tx| {
                permit.check(tx)?;
                let token = live(tx, &permit.token.id, &seen, now)?;
                let cut = tokens::cut_secrets(tx, &token.id, now)?;
                if cut {
                    let by = Change { now, by: actor.id.as_ref() };
                    token_list::changed(tx, &token.id, by)?;
                    let act = Act::done("cut_token", "token", &token.name)
                        .id(&token.id)
                        .namespace(&token.principal_name);
                    audit::append(tx, now, &actor, &act)?;
                }
                let token = token_list::find(tx, &token.id)?;
                Ok((token.ok_or(Error::NotFound("token"))?, cut))
            })
            .await?;
        self.add_pending_uses(&mut token);
        Ok((token, cut))
    }
}

/// The live token, in the state that was seen.
fn live(tx: &mut Tx<'_>, id: &TokenId, seen: &Seen, now: UnixMillis) -> Result<Listed, Error> {
    let token = token_list::find(tx, id)?.ok_or(Error::NotFound("token"))?;
    seen.check(|| Some(token_tag(&token)))?;
    if token.state(now) == TokenState::Live { Ok(token) } else { Err(Conflict::Ended.into()) }
}

/// Whether what the caller came with may do all that a token of his may.
fn gives(caller: &Caller, token: &Listed) -> bool {
    match &caller.credential {
        Credential::Session { .. } | Credential::Password => true,
        Credential::Token(with) => {
            let own = token.scopes.caps();
            with.id == token.id || own.meet(caller.caps) == own
        }
    }
}

/// Checks that a user's own token does not live longer than the one that he came with.
fn ends_before(tx: &mut Tx<'_>, by: &Caller, token: &Listed) -> Result<(), Error> {
    let with = by.token().filter(|with| *with != token.id);
    let Some(with) = with.filter(|_| token.principal == by.principal.id) else { return Ok(()) };
    let end = tokens::life(tx, &with)?.ok_or(Error::Unauthenticated)?.expires_at;
    let longer = end.is_some_and(|end| token.expires_at.is_none_or(|own| own > end));
    let problem = "have, with a token that ends before, a new secret of the token";
    if longer { Err(Error::denied(problem, token.id.text())) } else { Ok(()) }
}
