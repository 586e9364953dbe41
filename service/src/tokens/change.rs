//! What is changed of a token, whatever its kind: name, labels, end.

use claviger_domain::{
    Conflict, Error, TokenKind, UnixMillis,
    account::{ItemName, Label},
    id::TokenId,
    lifetime::Asked,
    name::{Description, TokenTitle},
    token::TokenState,
};
use claviger_store::{
    Tx,
    audit::{self, Act, Actor},
    authorizations, labels, lifetimes,
    token_list::{self, Change, Listed},
    tokens,
};
use serde_json::json;

use super::{TOKEN, TokenPermit, token_tag};
use crate::{app::App, caller::Origin, seen::Seen};

/// What is changed of a token; what is `None` stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenChange {
    /// What it is called.
    pub name: Option<String>,
    /// Its labels.
    pub labels: Option<Vec<Label>>,
    /// When it ends.
    pub expires: Asked,
}

impl App {
    /// Changes a token.
    ///
    /// # Errors
    /// [`Error::Invalid`]; [`Conflict::Ended`], [`Conflict::Changed`].
    pub async fn change_token(
        &self,
        permit: &TokenPermit,
        change: TokenChange,
        seen: Seen,
        origin: &Origin,
    ) -> Result<Listed, Error> {
        let (id, caller) = (permit.token.id, permit.by.clone());
        if let Some(name) = &change.name {
            check_name(permit.token.kind, name)?;
        }
        let (now, actor, with) = (self.now(), caller.actor(origin), caller.token());
        let permit = permit.clone();
        let right = permit.authority.right();
        let mut changed = self
            .write_as(&permit.by.clone(), right, move |tx| {
                permit.check(tx)?;
                let before = token_list::find(tx, &id)?.ok_or(Error::NotFound(TOKEN))?;
                seen.check(|| Some(token_tag(&before)))?;
                if before.state(now) != TokenState::Live {
                    return Err(Conflict::Ended.into());
                }
                apply(tx, &before, &change, now, with, &actor)?;
                let after = token_list::find(tx, &id)?.ok_or(Error::NotFound(TOKEN))?;
                let (old, new) = (shown(&before).to_string(), shown(&after).to_string());
                let act = Act::done("change_token", "token", &after.name)
                    .id(&id)
                    .namespace(&after.principal_name)
                    .change(Some(&old), Some(&new));
                audit::append(tx, now, &actor, &act)?;
                Ok(after)
            })
            .await?;
        self.add_pending_uses(&mut changed);
        Ok(changed)
    }
}

/// What the audit says of a token that is changed.
fn shown(token: &Listed) -> serde_json::Value {
    let labels: Vec<_> = token.labels.iter().map(|l| [l.name(), l.value()]).collect();
    json!({
        "name": token.name,
        "labels": labels,
        "expires_at": token.expires_at.map(|at| at.0),
    })
}

/// Checks that a token of this kind may be called so.
fn check_name(kind: TokenKind, name: &str) -> Result<(), Error> {
    let problem = match kind {
        TokenKind::App | TokenKind::Oauth => {
            name.parse::<TokenTitle>().err().map(|problem| problem.to_string())
        }
        TokenKind::Authorization => {
            name.parse::<Description>().err().map(|problem| problem.to_string())
        }
        TokenKind::Api => name.parse::<ItemName>().err().map(|problem| problem.to_string()),
        TokenKind::Robot => Some("is the robot's, and stays".to_owned()),
        TokenKind::Refresh => Some("is the registry's, and stays".to_owned()),
    };
    problem.map_or(Ok(()), |problem| Err(Error::invalid("name", problem)))
}

/// Changes a live token; `with` is the token that the caller came with.
fn apply(
    tx: &mut Tx<'_>,
    token: &Listed,
    change: &TokenChange,
    now: UnixMillis,
    with: Option<TokenId>,
    actor: &Actor,
) -> Result<(), Error> {
    let by = Change { now, by: actor.id.as_ref() };
    if let Some(name) = &change.name {
        token_list::rename(tx, &token.id, name, by)?;
        if token.kind == TokenKind::Authorization {
            let note = Some(name.as_str()).filter(|name| !name.is_empty());
            authorizations::set_note(tx, &token.id, note)?;
        }
    }
    if let Some(labels) = &change.labels {
        Label::check_all(labels).map_err(|problem| Error::invalid("labels", problem))?;
        labels::set(tx, &token.id.text(), labels)?;
    }
    let end = match change.expires {
        Asked::Nothing => token.expires_at,
        Asked::Never => None,
        Asked::Until(at) => Some(at),
    };
    if end != token.expires_at {
        let end = new_end(tx, token, end, now, with)?;
        token_list::set_end(tx, &token.id, end)?;
    }
    Ok(token_list::changed(tx, &token.id, by)?)
}

/// The new end of a live token: an earlier one, or a later one where the policy sets a maximum and
/// the whole life stays within it. A token makes nothing live longer than itself, itself neither.
fn new_end(
    tx: &mut Tx<'_>,
    token: &Listed,
    end: Option<UnixMillis>,
    now: UnixMillis,
    with: Option<TokenId>,
) -> Result<UnixMillis, Error> {
    let refuse = |problem: &str| Error::invalid("expires", problem);
    let end = end.ok_or_else(|| refuse("cannot be taken away"))?;
    if end <= now {
        return Err(refuse("must lie ahead; `DELETE` ends it now"));
    }
    if token.expires_at.is_none_or(|known| end < known) {
        return Ok(end);
    }
    let policy = lifetimes::find(tx, &token.account, token.kind)?;
    let longest = policy.and_then(|policy| policy.rules.maximum_ms);
    let longest = longest.map(|ms| token.created_at.plus_ms(ms));
    if longest.is_none_or(|longest| end > longest) {
        return Err(refuse("may only be made earlier here, as the lifetime policy says"));
    }
    for above in [token.parent, token.minted_by, with].into_iter().flatten() {
        let life = tokens::life(tx, &above)?;
        let longest = life.and_then(|life| life.expires_at);
        if above == token.id || longest.is_some_and(|longest| end > longest) {
            return Err(refuse("must not be later than that of the token behind it"));
        }
    }
    Ok(end)
}
