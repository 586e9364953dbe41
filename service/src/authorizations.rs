//! Authorizations: the tokens of the OpenShift door, made, listed, shown again, renamed and revoked
//! by their owners alone.
//!
//! Whoever may act for the user as a whole gets here (a password, or a token with the scope
//! `session`). A secret that is shown again is audited, and shown as `tokens.reveal` says.
//!
//! Source: `contract/openshift.md` sections 2, 3, 5 to 7.

use std::time::Duration;

use claviger_domain::{
    BadCredential, Error, TokenKind, UnixMillis,
    id::TokenId,
    lifetime::{Beyond, Wish},
    name::Description,
    scope::openshift::{AskedScopes, OpenshiftScope},
    secret::TokenSecret,
};
pub use claviger_store::authorizations::{Authorization, Wanted};
use claviger_store::{
    Tx,
    audit::{self, Act, Actor},
    authorizations::{self, Found},
    endings::Ending,
    principals,
    tokens::{self, NewSecret, NewToken},
};

use serde_json::json;

use crate::{
    app::App,
    caller::{Caller, Origin},
    lifetimes,
    settings::{ScopeTimeout, ScopeTimeouts},
    still::Right,
};

/// The lives of a scope of which the settings say nothing.
const ONE_DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// A token that lives longer than this is always good enough to be used again.
const LONG_ENOUGH_S: i64 = 600;

/// An authorization with its secret, where that may be shown.
#[derive(Debug)]
pub struct Shown {
    /// The authorization.
    pub authorization: Authorization,
    /// Its secret.
    pub secret: Option<TokenSecret>,
}

/// For how long a new authorization is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// As long as is usual for its scopes.
    Usual,
    /// So many seconds, or as many as its scopes may have.
    Seconds(u64),
}

/// An authorization that is wanted.
#[derive(Clone, Debug)]
pub struct NewAuthorization {
    /// What it may do at most.
    pub scopes: AskedScopes,
    /// What its owner says of it.
    pub note: Option<Description>,
    /// How long it is to live.
    pub life: Life,
    /// Whether one that is there already will do.
    pub reuse: bool,
}

/// The user, as the OpenShift door shows him.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The address.
    pub email: Option<String>,
    /// When he was made.
    pub created_at: UnixMillis,
}

/// How long an authorization lives in all, and how much of it is left at `now`, in seconds.
pub fn lives(authorization: &Authorization, now: UnixMillis) -> (i64, i64) {
    let Authorization { created_at, expires_at, .. } = authorization;
    let left_ms = expires_at.since(now).max(0);
    (expires_at.since(*created_at) / 1000, left_ms.saturating_add(500) / 1000)
}

impl ScopeTimeouts {
    /// The usual and the longest life of a token with this scope, in seconds.
    pub fn of(&self, scope: &OpenshiftScope) -> (u64, u64) {
        self.of_kind(scope.kind())
    }

    /// The same for a kind of scope, such as `session` or `domain`.
    pub fn of_kind(&self, kind: &str) -> (u64, u64) {
        let named = |name: &str| self.0.iter().find(|timeout| timeout.scope == name);
        let lives = |timeout: &ScopeTimeout| (timeout.default.as_secs(), timeout.max.as_secs());
        let day = (ONE_DAY.as_secs(), ONE_DAY.as_secs());
        named(kind).or_else(|| named("*")).map_or(day, lives)
    }

    /// The life of a token with these scopes, in seconds: the shortest of theirs.
    pub(crate) fn life_s(&self, scopes: &AskedScopes, wanted: Life) -> u64 {
        let (usual, longest) = self.lives_s(scopes);
        match wanted {
            Life::Usual => usual,
            Life::Seconds(wanted) => wanted.min(longest),
        }
    }

    /// The usual and the longest life of a token with these scopes, in seconds.
    fn lives_s(&self, scopes: &AskedScopes) -> (u64, u64) {
        let lives = || scopes.iter().map(|scope| self.of(scope));
        let usual = lives().map(|(usual, _)| usual).min().unwrap_or_default();
        let longest = lives().map(|(_, longest)| longest).min().unwrap_or_default();
        (usual, longest)
    }

    /// When a token with these scopes, made `now`, is to end.
    pub(crate) fn wish(&self, scopes: &AskedScopes, wanted: Life, now: UnixMillis) -> Wish {
        let (usual, longest) = self.lives_s(scopes);
        let after = |seconds| now.plus(Duration::from_secs(seconds));
        let asked = match wanted {
            Life::Usual => None,
            Life::Seconds(wanted) => Some(after(wanted)),
        };
        Wish::usual(Some(after(usual))).asking(asked).within(Some(after(longest)))
    }
}

impl App {
    /// Who comes with the token `text` to the OpenShift door.
    ///
    /// # Errors
    /// As [`App::authenticate_token`]; somebody of another account is unknown.
    pub async fn openshift_login(&self, text: &str, origin: &Origin) -> Result<Caller, Error> {
        let caller = self.authenticate_token(text, &[TokenKind::Authorization], origin).await?;
        if self.is_first_account(caller.principal.account).await? {
            Ok(caller)
        } else {
            Err(BadCredential::Unknown.into())
        }
    }

    /// What the door shows of the caller beside his name.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] when he has gone.
    pub async fn openshift_identity(&self, caller: &Caller) -> Result<Identity, Error> {
        let id = caller.principal.id;
        let found = self.db.peek(move |q| Ok(principals::find(q, &id)?)).await?;
        let found = found.ok_or(Error::Unauthenticated)?;
        Ok(Identity { email: found.email, created_at: found.created_at })
    }

    /// What a text in the place of an id asks for: a token in full, or an id without its hyphens.
    pub fn wanted_authorization(&self, text: &str) -> Option<Wanted> {
        if let Some(verified) = self.keys.verify(text) {
            let fits = verified.kind == TokenKind::Authorization;
            return fits.then_some(Wanted::Secret(verified.lookup));
        }
        let bare = text.len() == 32 && text.is_ascii();
        let part = |from, to| text.get(from..to).unwrap_or_default();
        let hyphened =
            [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-");
        hyphened.parse().ok().filter(|_| bare).map(Wanted::Id)
    }

    /// Makes an authorization of the caller's, or finds one that will do; whether it is new.
    ///
    /// # Errors
    /// [`Error::Denied`] when the credential may not act for the whole user.
    pub async fn create_authorization(
        &self,
        caller: &Caller,
        new: NewAuthorization,
        origin: &Origin,
    ) -> Result<(Shown, bool), Error> {
        caller.must_be_own_admin()?;
        let life_s = self.settings.openshift.scope_timeouts.life_s(&new.scopes, new.life);
        if new.reuse
            && let Some(shown) = self.usable_authorization(caller, &new, life_s, origin).await?
        {
            return Ok((shown, false));
        }
        let now = self.now();
        let (secret, minted) = self.keys.mint(TokenKind::Authorization, self.chance());
        let kept = NewSecret::from(minted);
        let note = new.note.map(|note| note.as_str().to_owned());
        let identity = caller.principal.name.to_string();
        let wish = self.settings.openshift.scope_timeouts.wish(&new.scopes, new.life, now);
        let token = NewToken {
            id: self.new_token_id(),
            kind: TokenKind::Authorization,
            account: caller.principal.account,
            principal: caller.principal.id,
            principal_name: identity.clone(),
            application: None,
            name: note.clone().unwrap_or_default(),
            // it outlives the token that it was made with, as upstream
            parent: None,
            minted_by: caller.token(),
            created_by: identity.clone(),
            created_by_id: Some(caller.principal.id),
            service: None,
            created_at: now,
            expires_at: None,
            scopes: new.scopes.scopes(),
        };
        let actor = caller.actor(origin);
        let authorization = self
            .write_as(caller, Right::Himself, move |tx| {
                let token = lifetimes::limited(tx, token, wish, Beyond::Shorten)?;
                issue(tx, &actor, &token, &kept, &new.scopes, note.as_deref())?;
                Ok(Authorization {
                    id: token.id,
                    identity,
                    scopes: new.scopes.to_string(),
                    note,
                    created_at: now,
                    expires_at: token.expires_at.unwrap_or(now),
                })
            })
            .await?;
        Ok((Shown { authorization, secret: Some(secret) }, true))
    }

    /// The newest authorization with the same scopes and, if one is given, the same note, which
    /// lives for long enough: ten minutes, or a quarter of what is wanted.
    async fn usable_authorization(
        &self,
        caller: &Caller,
        new: &NewAuthorization,
        life_s: u64,
        origin: &Origin,
    ) -> Result<Option<Shown>, Error> {
        let enough_s = i64::try_from(life_s / 4).unwrap_or(i64::MAX).min(LONG_ENOUGH_S);
        let (owner, scopes) = (caller.principal.id, new.scopes.to_string());
        let note = new.note.as_ref().map(|note| note.as_str().to_owned());
        let alike = self
            .db
            .peek(move |q| Ok(authorizations::alike(q, &owner, &scopes, note.as_deref())?))
            .await?;
        let now = self.now();
        let usable = alike.into_iter().find(|(found, _)| lives(found, now).1 > enough_s);
        let Some(usable) = usable else { return Ok(None) };
        // what cannot be shown again is of no use
        let shown = self.show_authorizations(caller, vec![usable], origin).await?.pop();
        Ok(shown.filter(|shown| shown.secret.is_some()))
    }

    /// The caller's authorizations that live, the newest first.
    ///
    /// # Errors
    /// [`Error::Denied`].
    pub async fn live_authorizations(
        &self,
        caller: &Caller,
        origin: &Origin,
    ) -> Result<Vec<Shown>, Error> {
        caller.must_be_own_admin()?;
        let (owner, now) = (caller.principal.id, self.now());
        let found = self.db.peek(move |q| Ok(authorizations::live(q, &owner, now)?)).await?;
        self.show_authorizations(caller, found, origin).await
    }

    /// One of the caller's authorizations, whether it lives or has expired.
    ///
    /// # Errors
    /// [`Error::NotFound`] for one that is another's, revoked, or not there; [`Error::Denied`].
    pub async fn find_authorization(
        &self,
        caller: &Caller,
        wanted: Wanted,
        origin: &Origin,
    ) -> Result<Shown, Error> {
        caller.must_be_own_admin()?;
        let owner = caller.principal.id;
        let found = self.db.peek(move |q| Ok(authorizations::find(q, &owner, wanted)?)).await?;
        let found = found.ok_or(Error::NotFound("authorization"))?;
        let shown = self.show_authorizations(caller, vec![found], origin).await?.pop();
        shown.ok_or(Error::NotFound("authorization"))
    }

    /// Gives one of the caller's authorizations another note, or none.
    ///
    /// # Errors
    /// As [`App::find_authorization`].
    pub async fn note_authorization(
        &self,
        caller: &Caller,
        wanted: Wanted,
        note: Option<Description>,
        origin: &Origin,
    ) -> Result<Shown, Error> {
        caller.must_be_own_admin()?;
        let (owner, now, actor) = (caller.principal.id, self.now(), caller.actor(origin));
        let found = self
            .write_as(caller, Right::Himself, move |tx| {
                let found = authorizations::find(tx, &owner, wanted)?;
                let (mut changed, kept) = found.ok_or(Error::NotFound("authorization"))?;
                changed.note = note.map(|note| note.as_str().to_owned());
                authorizations::set_note(tx, &changed.id, changed.note.as_deref())?;
                record(
                    tx,
                    now,
                    &actor,
                    "change_authorization",
                    &changed.id,
                    changed.note.as_deref(),
                )?;
                Ok((changed, kept))
            })
            .await?;
        let shown = self.show_authorizations(caller, vec![found], origin).await?.pop();
        shown.ok_or(Error::NotFound("authorization"))
    }

    /// Revokes one of the caller's authorizations; there may be none. From the answer on it opens
    /// nothing.
    ///
    /// # Errors
    /// [`Error::Denied`].
    pub async fn end_authorization(
        &self,
        caller: &Caller,
        wanted: Wanted,
        origin: &Origin,
    ) -> Result<(), Error> {
        caller.must_be_own_admin()?;
        let (owner, now, actor) = (caller.principal.id, self.now(), caller.actor(origin));
        self.write_as(caller, Right::Himself, move |tx| {
            let Some((found, _)) = authorizations::find(tx, &owner, wanted)? else {
                return Ok(());
            };
            tokens::revoke(tx, &found.id, &ending(now, &actor))?;
            record(tx, now, &actor, "revoke_authorization", &found.id, found.note.as_deref())
        })
        .await
    }

    /// Revokes all of the caller's authorizations, or those that have `scope` among theirs.
    ///
    /// # Errors
    /// [`Error::Denied`].
    pub async fn end_authorizations(
        &self,
        caller: &Caller,
        scope: Option<String>,
        origin: &Origin,
    ) -> Result<(), Error> {
        caller.must_be_own_admin()?;
        let (owner, now, actor) = (caller.principal.id, self.now(), caller.actor(origin));
        self.write_as(caller, Right::Himself, move |tx| {
            let scope = scope.as_deref();
            if authorizations::revoke_all(tx, &owner, scope, &ending(now, &actor))? {
                let all = Act::done("revoke_authorizations", "user", &actor.name);
                let ended = scope.map(|scope| json!({ "scope": scope }).to_string());
                let act = all.id(&owner).namespace(&actor.name);
                audit::append(tx, now, &actor, &act.change(ended.as_deref(), None))?;
            }
            Ok(())
        })
        .await
    }

    /// Those found, with the secrets that may be shown to the caller; that he saw some is audited.
    async fn show_authorizations(
        &self,
        caller: &Caller,
        found: Vec<Found>,
        origin: &Origin,
    ) -> Result<Vec<Shown>, Error> {
        let now = self.now();
        let may_see = self.may_see_again(caller);
        let mut all = Vec::with_capacity(found.len());
        let mut seen = Vec::new();
        for (authorization, kept) in found {
            let secret = if may_see && now < authorization.expires_at {
                self.secret_again(TokenKind::Authorization, &kept)?
            } else {
                None
            };
            if secret.is_some() {
                seen.push(authorization.id.to_string());
            }
            all.push(Shown { authorization, secret });
        }
        if !seen.is_empty() {
            let (actor, owner) = (caller.actor(origin), caller.principal.id);
            let seen = json!({ "tokens": seen }).to_string();
            self.db
                .write(move |tx| {
                    let shown = Act::done("show_authorizations", "user", &actor.name);
                    let act = shown.id(&owner).namespace(&actor.name);
                    Ok(audit::append(tx, now, &actor, &act.change(None, Some(&seen)))?)
                })
                .await?;
        }
        Ok(all)
    }
}

/// Adds an authorization, and says so in the audit.
pub(crate) fn issue(
    tx: &mut Tx<'_>,
    actor: &Actor,
    token: &NewToken,
    kept: &NewSecret,
    scopes: &AskedScopes,
    note: Option<&str>,
) -> Result<(), Error> {
    authorizations::insert(tx, token, kept, &scopes.to_string(), note)?;
    let act = Act::done("create_authorization", "token", &token.name);
    let act = act.id(&token.id).namespace(&token.principal_name);
    Ok(audit::append(tx, token.created_at, actor, &act)?)
}

fn ending(now: UnixMillis, actor: &Actor) -> Ending<'_> {
    Ending { now, by: &actor.name, reason: "revoked by its owner" }
}

fn record(
    tx: &mut Tx<'_>,
    now: UnixMillis,
    actor: &Actor,
    act: &'static str,
    id: &TokenId,
    note: Option<&str>,
) -> Result<(), Error> {
    let act = Act::done(act, "token", note.unwrap_or_default());
    Ok(audit::append(tx, now, actor, &act.id(id).namespace(&actor.name))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::OpenShift;

    fn life(scopes: &str, wanted: Life) -> u64 {
        let timeouts = OpenShift::default().scope_timeouts;
        timeouts.life_s(&scopes.parse().unwrap(), wanted)
    }

    #[test]
    fn the_shortest_life_of_the_scopes_counts() {
        assert_eq!(life("session", Life::Usual), 86_400);
        assert_eq!(life("read userinfo", Life::Usual), 2_592_000);
        assert_eq!(life("read session", Life::Seconds(604_801)), 604_800);
        assert_eq!(life("read oauthaccesstoken", Life::Seconds(601)), 600);
        assert_eq!(life("session", Life::Seconds(0)), 0);
    }

    #[test]
    fn what_the_settings_leave_out_lives_a_day() {
        let none = ScopeTimeouts(Vec::new());
        assert_eq!(none.of(&OpenshiftScope::Read), (86_400, 86_400));
    }
}
