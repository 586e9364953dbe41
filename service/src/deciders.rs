//! Deciders: whom a superuser or the program lets ask what anyone may do. That alone is no right: it
//! counts with a token that has the scope `decide`, which only the program makes.
//!
//! Source: `PRODUCT.md`, "Who may ask"; `SECURITY.md` section 2.

use claviger_domain::{Error, UnixMillis, access::Standing, principal::PrincipalKind};
pub use claviger_store::deciders::Decider;
use claviger_store::{
    Query, Tx,
    audit::{self, Act, Actor},
    deciders,
    principals::{self, Principal},
};

use crate::{
    app::App,
    caller::{Caller, Origin},
    still::Right,
    superusers::Superuser,
};

impl App {
    /// Every decider.
    ///
    /// # Errors
    /// [`Error::Denied`] for whoever is no superuser; [`Error::Unavailable`] (so for all of this
    /// file).
    pub async fn deciders(&self, caller: &Caller) -> Result<Vec<Decider>, Error> {
        let Standing { superuser, .. } = caller.standing;
        if !(superuser && caller.caps.superuser) {
            return Err(Error::denied("see the deciders of", "the system"));
        }
        self.db.read(|q: &mut dyn Query| Ok(deciders::all(q)?)).await
    }

    /// Makes a user or a robot a decider.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn make_decider(
        &self,
        by: &Superuser,
        name: &str,
        origin: &Origin,
    ) -> Result<(), Error> {
        let caller = by.caller();
        let (now, actor, name) = (self.now(), caller.actor(origin), name.to_owned());
        self.write_as(caller, Right::Superuser, move |tx| {
            let holder = find(tx, &name)?;
            made(tx, &holder, &actor, now)
        })
        .await
    }

    /// Makes a user or a robot a decider no more.
    ///
    /// # Errors
    /// [`Error::NotFound`] for one that is none, too.
    pub async fn unmake_decider(
        &self,
        by: &Superuser,
        name: &str,
        origin: &Origin,
    ) -> Result<(), Error> {
        let caller = by.caller();
        let (now, actor, name) = (self.now(), caller.actor(origin), name.to_owned());
        self.write_as(caller, Right::Superuser, move |tx| {
            let holder = find(tx, &name)?;
            if !deciders::unmake(tx, &holder.id)? {
                return Err(Error::NotFound("decider"));
            }
            note(tx, "unmake_decider", &holder, &actor, now)
        })
        .await
    }
}

fn find(q: &mut dyn Query, name: &str) -> Result<Principal, Error> {
    // what can be no name is not handed to the store
    let found = if name.contains('\0') { None } else { principals::find_by_name(q, name)? };
    let found = found.filter(|found| found.kind != PrincipalKind::Org);
    found.ok_or(Error::NotFound("user or robot"))
}

/// Makes `holder` a decider who is none, and says so in the audit.
pub(crate) fn made(
    tx: &mut Tx<'_>,
    holder: &Principal,
    actor: &Actor,
    now: UnixMillis,
) -> Result<(), Error> {
    if deciders::make(tx, &holder.id, now)? {
        note(tx, "make_decider", holder, actor, now)?;
    }
    Ok(())
}

fn note(
    tx: &mut Tx<'_>,
    act: &'static str,
    holder: &Principal,
    actor: &Actor,
    now: UnixMillis,
) -> Result<(), Error> {
    let namespace = holder.name.split('+').next().unwrap_or_default();
    let act =
        Act::done(act, holder.kind.as_str(), &holder.name).id(&holder.id).namespace(namespace);
    Ok(audit::append(tx, now, actor, &act)?)
}
