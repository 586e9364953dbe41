//! The end of tokens: of one with its descent, or of all that fit.

use std::collections::{BTreeMap, HashMap, HashSet};

use claviger_domain::{
    Conflict, Error, UnixMillis,
    collection::Order,
    id::{PrincipalId, TokenId},
    token::TokenState,
};
use claviger_store::{
    Query, Tx,
    audit::{self, Act, Actor},
    endings::Ending,
    token_list::{self, Listed, Sight},
    tokens,
};

use super::{Authority, Reach, TOKEN, TokenPermit, asks_for_uses, token_tag};
use crate::{
    app::App,
    caller::{Caller, Origin},
    collection::{Asked, Listing},
    seen::Seen,
    still::Right,
};

/// Many tokens to be ended.
#[derive(Clone, Debug)]
pub struct Sweep {
    /// Those in the list that fit this.
    pub listing: Listing,
    /// More are not ended.
    pub cap: u64,
    /// Nothing is ended.
    pub dry_run: bool,
    /// Why, for the tombstones.
    pub reason: String,
}

/// What ends, or would.
#[derive(Clone, Debug)]
pub struct SweepOutcome {
    /// How many tokens fit and may be ended by the caller.
    pub matched: u64,
    /// These and what ends with them; of a dry run at the most [`MOST_SHOWN`].
    pub ended: Vec<Listed>,
}

/// How many tokens a dry run shows.
pub const MOST_SHOWN: usize = 1000;

impl App {
    /// Ends a token, and those that stand for it or were made with it unless `alone`. From the answer
    /// on none of them opens anything. One that has ended already stays as it is. What ended is given.
    ///
    /// # Errors
    /// [`Conflict::Changed`].
    pub async fn end_token(
        &self,
        permit: &TokenPermit,
        alone: bool,
        seen: Seen,
        origin: &Origin,
    ) -> Result<Vec<Listed>, Error> {
        let (id, now, actor) = (permit.token.id, self.now(), permit.by.actor(origin));
        let permit = permit.clone();
        self.write_as(&permit.by.clone(), permit.authority.right(), move |tx| {
            permit.check(tx)?;
            let token = token_list::find(tx, &id)?.ok_or(Error::NotFound(TOKEN))?;
            seen.check(|| Some(token_tag(&token)))?;
            end_all(tx, &token, alone, "revoked", now, &actor)
        })
        .await
    }

    /// Ends every token in sight that fits, lives, and may be ended by the caller, with those that
    /// stand for it or were made with it; all or none.
    ///
    /// # Errors
    /// [`Conflict::TooMany`] for more than the cap; [`Error::Unavailable`].
    pub async fn end_tokens(
        &self,
        caller: &Caller,
        sight: Sight,
        sweep: Sweep,
        origin: &Origin,
    ) -> Result<SweepOutcome, Error> {
        if asks_for_uses(&sweep.listing.asked) {
            self.flush_activity().await?;
        }
        let (found, rights) = self.fitting(caller, sight, &sweep).await?;
        let count = found.len() as u64;
        if sweep.dry_run {
            let now = self.now();
            let would_end = self.db.read(move |q| would_end(q, &found, now)).await?;
            return Ok(SweepOutcome { matched: count, ended: would_end });
        }
        if count > sweep.cap {
            return Err(Conflict::TooMany { matched: count, cap: sweep.cap }.into());
        }
        let (now, actor) = (self.now(), caller.actor(origin));
        let ended = self
            .write_as(caller, all_of(rights.values()), move |tx| {
                let mut ended = Vec::new();
                for authority in rights.values() {
                    authority.check(tx)?;
                }
                for id in found {
                    // it may have ended with one before it
                    if let Some(token) = token_list::find(tx, &id)? {
                        ended.extend(end_all(tx, &token, false, &sweep.reason, now, &actor)?);
                    }
                }
                Ok(ended)
            })
            .await?;
        Ok(SweepOutcome { matched: count, ended })
    }

    /// The live tokens that fit and may be ended by the caller, and by which right he ends those of
    /// each principal.
    async fn fitting(
        &self,
        caller: &Caller,
        sight: Sight,
        sweep: &Sweep,
    ) -> Result<(Vec<TokenId>, HashMap<PrincipalId, Authority>), Error> {
        let now = self.now();
        let mut asked = Asked { limit: None, ..sweep.listing.asked.clone() };
        asked.order = Order { field: None, descending: false };
        let (mut found, mut rights) = (Vec::new(), HashMap::new());
        let mut out_of_reach = HashSet::new();
        loop {
            let page = asked.clone();
            let read = move |q: &mut dyn Query| Ok(token_list::page(q, &sight, now, &page)?);
            let page = self.db.read(read).await?;
            for token in page.items.iter().filter(|token| token.state(now) == TokenState::Live) {
                let whose = token.principal;
                if !rights.contains_key(&whose) && !out_of_reach.contains(&whose) {
                    match self.reach_over(caller, token).await? {
                        Reach::Change(authority) => drop(rights.insert(whose, authority)),
                        Reach::See | Reach::None => drop(out_of_reach.insert(whose)),
                    }
                }
                if rights.contains_key(&whose) {
                    found.push(token.id);
                }
            }
            match page.end {
                Some(end) => asked.after = Some(end),
                None => return Ok((found, rights)),
            }
        }
    }
}

/// What is asked again before a write by all of these, each right once.
fn all_of<'a>(authorities: impl Iterator<Item = &'a Authority>) -> Right {
    // in an order, the superuser's first, so that the same refusal is given each time
    let mut rights = BTreeMap::new();
    for authority in authorities {
        let which = match authority {
            Authority::Own | Authority::Role { .. } => continue,
            Authority::Home { namespace, .. } => Some(*namespace),
            Authority::Superuser => None,
        };
        rights.entry(which).or_insert_with(|| authority.right());
    }
    Right::All(rights.into_values().collect())
}

/// Ends a token, and unless `alone` all that descends from it; those that lived.
fn end_all(
    tx: &mut Tx<'_>,
    token: &Listed,
    alone: bool,
    reason: &str,
    now: UnixMillis,
    actor: &Actor,
) -> Result<Vec<Listed>, Error> {
    let ending = Ending { now, by: &actor.name, reason };
    let mut descent = token_list::descent(tx, &token.id, now)?;
    if alone {
        // what only stands for it ends with it all the same
        tokens::revoke(tx, &token.id, &ending)?;
        descent.truncate(usize::from(token.state(now) == TokenState::Live));
    }
    let mut ended = Vec::new();
    for id in descent {
        let Some(one) = token_list::find(tx, &id)? else { continue };
        token_list::revoke(tx, &id, &ending)?;
        let act =
            Act::done("revoke_token", "token", &one.name).id(&id).namespace(&one.principal_name);
        audit::append(tx, now, actor, &Act { reason: Some(reason), ..act })?;
        ended.push(token_list::find(tx, &id)?.unwrap_or(one));
    }
    Ok(ended)
}

/// What would end with these tokens, each once.
fn would_end(
    q: &mut dyn Query,
    matches: &[TokenId],
    now: UnixMillis,
) -> Result<Vec<Listed>, Error> {
    let mut seen = HashSet::new();
    let mut shown = Vec::new();
    for id in matches {
        for id in token_list::descent(q, id, now)? {
            if shown.len() < MOST_SHOWN && seen.insert(id) {
                shown.extend(token_list::find(q, &id)?);
            }
        }
        if shown.len() >= MOST_SHOWN {
            break;
        }
    }
    Ok(shown)
}
