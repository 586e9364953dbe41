//! Lifetime policies: everybody sees those of his account, and its owners set them.
//!
//! Not here: what a policy does to tokens (`crate::lifetimes`).

use claviger_domain::{Error, TokenKind, id::AccountId, lifetime::LifetimePolicy};
pub use claviger_store::lifetimes::Policy;
use claviger_store::{
    Query,
    audit::{self, Act},
    lifetimes,
};
use serde_json::{Value, json};

use crate::{
    app::App,
    caller::{Caller, FreshUser, Origin},
    residents::Resident,
    seen::{Seen, tag},
};

/// The tag of a policy's state.
pub fn policy_tag(policy: &Policy) -> String {
    tag(&json!([state(&policy.rules), policy.modified_at.0]))
}

fn state(rules: &LifetimePolicy) -> Value {
    json!({
        "default_ms": rules.default_ms,
        "maximum_ms": rules.maximum_ms,
        "required": rules.required,
        "maximum_idle_ms": rules.maximum_idle_ms,
    })
}

/// The account and the kind that a policy is for.
#[derive(Clone, Copy, Debug)]
pub struct PolicyFor {
    /// The account.
    pub account: AccountId,
    /// The kind of token.
    pub kind: TokenKind,
}

impl PolicyFor {
    fn name(self) -> String {
        format!("{}/{}", self.account, self.kind)
    }

    fn find(self, q: &mut dyn Query, seen: &Seen) -> Result<Option<Policy>, Error> {
        let found = lifetimes::find(q, &self.account, self.kind)?;
        seen.check(|| found.as_ref().map(policy_tag))?;
        Ok(found)
    }
}

/// The proof that somebody may set a policy; made by [`App::permit_policy`] alone.
#[derive(Clone, Debug)]
pub struct PolicyPermit {
    by: Resident,
    on: PolicyFor,
}

const POLICY: &str = "lifetime policy";

impl App {
    /// The policies of the caller's account, by kind; a superuser's are those of all.
    ///
    /// # Errors
    /// [`Error::Unavailable`] (so for all of this file).
    pub async fn lifetime_policies(&self, caller: &Caller) -> Result<Vec<Policy>, Error> {
        let account = (!is_superuser(caller)).then_some(caller.principal.account);
        self.db.peek(move |q| Ok(lifetimes::list(q, account.as_ref())?)).await
    }

    /// One policy.
    ///
    /// # Errors
    /// [`Error::NotFound`], for another's account too.
    pub async fn lifetime_policy(&self, caller: &Caller, of: PolicyFor) -> Result<Policy, Error> {
        let seen = of.account == caller.principal.account || is_superuser(caller);
        let found = self.db.peek(move |q| Ok(lifetimes::find(q, &of.account, of.kind)?)).await?;
        found.filter(|_| seen).ok_or(Error::NotFound(POLICY))
    }

    /// The proof that a user with a fresh sign-in may set this policy.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an account that he may not know of; [`Error::Denied`].
    pub async fn permit_policy(&self, by: FreshUser, on: PolicyFor) -> Result<PolicyPermit, Error> {
        let caller = by.caller();
        let foreign = on.account != caller.principal.account;
        if foreign && !is_superuser(caller) {
            return Err(Error::NotFound("account"));
        }
        // a token for one's own user says nothing of the account
        if !caller.caps.superuser {
            return Err(Error::denied("administer", on.account.text()));
        }
        let by = match self.resident(caller, on.account).await {
            // a superuser is an owner in each account that there is
            Err(Error::Denied { .. }) if foreign => return Err(Error::NotFound("account")),
            resident => resident?,
        };
        by.must_be_owner()?;
        Ok(PolicyPermit { by, on })
    }

    /// Sets a policy in the place of the one that was there. It holds for tokens made from its
    /// answer on; idle ones end soon after.
    ///
    /// # Errors
    /// [`Error::Invalid`]; [`claviger_domain::Conflict::Changed`]; [`Error::Denied`] when he is no
    /// owner any more.
    pub async fn set_lifetime_policy(
        &self,
        permit: &PolicyPermit,
        rules: LifetimePolicy,
        seen: Seen,
        origin: &Origin,
    ) -> Result<Policy, Error> {
        rules.check().map_err(|(field, problem)| Error::invalid(field, problem))?;
        let (now, actor, of) = (self.now(), permit.by.by().actor(origin), permit.on);
        self.write_in(&permit.by, move |tx, still| {
            still.must_be_owner()?;
            let before = of.find(tx, &seen)?.map(|before| state(&before.rules).to_string());
            let policy = Policy {
                account: of.account,
                kind: of.kind,
                rules,
                modified_at: now,
                modified_by: actor.id,
            };
            lifetimes::set(tx, &policy)?;
            let (name, after) = (of.name(), state(&rules).to_string());
            let act = Act::done("set_lifetime_policy", "lifetime_policy", &name);
            audit::append(tx, now, &actor, &act.change(before.as_deref(), Some(&after)))?;
            Ok(policy)
        })
        .await
    }

    /// Takes a policy away.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is none; [`claviger_domain::Conflict::Changed`];
    /// [`Error::Denied`] when he is no owner any more.
    pub async fn remove_lifetime_policy(
        &self,
        permit: &PolicyPermit,
        seen: Seen,
        origin: &Origin,
    ) -> Result<(), Error> {
        let (now, actor, of) = (self.now(), permit.by.by().actor(origin), permit.on);
        self.write_in(&permit.by, move |tx, still| {
            still.must_be_owner()?;
            let before = of.find(tx, &seen)?.ok_or(Error::NotFound(POLICY))?;
            lifetimes::remove(tx, &of.account, of.kind)?;
            let (name, before) = (of.name(), state(&before.rules).to_string());
            let act = Act::done("remove_lifetime_policy", "lifetime_policy", &name);
            Ok(audit::append(tx, now, &actor, &act.change(Some(&before), None))?)
        })
        .await
    }
}

/// Whether the caller's credential acts as a superuser.
fn is_superuser(caller: &Caller) -> bool {
    caller.standing.superuser && caller.caps.superuser
}
