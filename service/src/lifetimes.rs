//! How long tokens live: what a policy makes of a new token's life, and the end of idle ones.
//!
//! A policy is read in the write that makes a token, so a stricter one holds from its answer on. It
//! says nothing of tokens that are there already, save that idle ones end.
//!
//! Not here: who may set a policy (`crate::policies`).

use std::time::Duration;

use claviger_domain::{
    Error,
    lifetime::{Beyond, Wish},
};
use claviger_store::{
    Query,
    audit::{self, Act, Actor},
    endings::Ending,
    lifetimes::{self, Idle, Policy},
    tokens::{self, NewToken},
};

use crate::app::App;

/// The token as it is made: it ends by what is asked, by what its door makes of that, and by the
/// policy of its account. Every mint asks this.
///
/// # Errors
/// [`Error::Invalid`] with [`Beyond::Refuse`], for a wish beyond the policy.
pub(crate) fn limited(
    q: &mut dyn Query,
    token: NewToken,
    wish: Wish,
    beyond: Beyond,
) -> Result<NewToken, Error> {
    let policy = lifetimes::find(q, &token.account, token.kind)?;
    let rules = policy.map(|policy| policy.rules).unwrap_or_default();
    let end = rules.end(token.created_at, wish, beyond);
    let expires_at = end.map_err(|problem| Error::invalid("expires", problem))?;
    Ok(NewToken { expires_at, ..token })
}

/// Uses are written every minute, here and by other servers: what was used a moment ago may not be
/// written yet.
const UNWRITTEN: Duration = Duration::from_secs(2 * 60);
/// How many tokens are ended in one transaction, so that other writes need not wait long.
const BATCH: i64 = 500;

impl App {
    /// Ends the tokens that were not used for as long as their policy allows; how many. Call it
    /// when the uses noted here are written.
    ///
    /// # Errors
    /// [`Error::Unavailable`]; what was ended until then stays ended.
    pub async fn end_idle_tokens(&self) -> Result<u64, Error> {
        let policies = self.db.peek(|q: &mut dyn Query| Ok(lifetimes::list(q, None)?)).await?;
        let mut ended = 0;
        for policy in policies {
            while self.end_some_idle(&policy, &mut ended).await? {}
        }
        Ok(ended)
    }

    /// Ends some idle tokens under one policy; whether there may be more.
    async fn end_some_idle(&self, policy: &Policy, ended: &mut u64) -> Result<bool, Error> {
        let Some(idle_ms) = policy.rules.maximum_idle_ms else { return Ok(false) };
        let now = self.now();
        let since = now.minus(UNWRITTEN).plus_ms(-idle_ms);
        let (account, kind) = (policy.account, policy.kind);
        let found =
            move |q: &mut dyn Query| Ok(lifetimes::idle(q, &account, kind, since, now, BATCH)?);
        let found: Vec<Idle> = self.db.read(found).await?;
        let full = i64::try_from(found.len()) == Ok(BATCH);
        let quiet = found.into_iter().filter(|token| self.activity.pending(&token.id).is_none());
        let quiet: Vec<_> = quiet.collect();
        if quiet.is_empty() {
            return Ok(false);
        }
        *ended += self
            .db
            .write(move |tx| {
                let mut ended = 0;
                for token in quiet {
                    // it may have been used meanwhile
                    if !lifetimes::is_idle(tx, &token.id, since)? {
                        continue;
                    }
                    let ending = Ending { now, by: "", reason: "idle" };
                    tokens::revoke(tx, &token.id, &ending)?;
                    let act = Act::done("end_idle_token", "token", &token.name)
                        .id(&token.id)
                        .namespace(&token.principal_name);
                    let act = Act { reason: Some("idle"), ..act };
                    audit::append(tx, now, &Actor::program(String::new()), &act)?;
                    ended += 1;
                }
                Ok(ended)
            })
            .await?;
        Ok(full)
    }
}
