//! Who may take the name of a user or an organisation.
//!
//! A name in use is taken. One that the settings give to a superuser, and one with a tombstone, is
//! reserved: for superusers, and for the former owner.
//!
//! Source: `SECURITY.md`, section 2 (reserved names, tombstones).

use claviger_domain::{Conflict, Error, id::PrincipalId, name::Namespace};
use claviger_store::{Tx, names, principals};

use crate::{app::App, caller::Caller};

/// Somebody's wish to have a name.
#[derive(Clone, Debug)]
pub(crate) struct Claim {
    name: Namespace,
    by: Option<PrincipalId>,
    superuser: bool,
    reserved: bool,
}

impl App {
    /// The wish of `caller`, or of somebody who is nobody yet, to have `name`.
    pub(crate) fn claim(&self, name: Namespace, caller: Option<&Caller>) -> Claim {
        let quay = &self.settings.quay;
        Claim {
            by: caller.map(|caller| caller.principal.id),
            superuser: caller.is_some_and(|c| c.standing.superuser && c.caps.superuser),
            reserved: quay.names_superuser(name.as_str())
                || quay.names_global_readonly(name.as_str()),
            name,
        }
    }
}

impl Claim {
    /// The wish of whoever may have any free name: the program on the store, and the first user.
    pub(crate) fn of_program(name: Namespace) -> Self {
        Self { name, by: None, superuser: true, reserved: false }
    }

    /// The name.
    pub(crate) fn name(&self) -> &str {
        self.name.as_str()
    }

    /// Checks that the name may be had, and takes its tombstone away. A former owner gets the names
    /// of the repositories back for the new namespace `id`; a superuser does not hand them out.
    ///
    /// # Errors
    /// [`Conflict::NameTaken`], [`Conflict::NameReserved`].
    pub(crate) fn take(&self, tx: &mut Tx<'_>, id: &PrincipalId) -> Result<(), Error> {
        let name = self.name.as_str();
        if let Some(taken) = principals::find_by_name(tx, name)? {
            return Err(Conflict::NameTaken(taken.kind, name.to_owned()).into());
        }
        let tombstone = names::tombstone(tx, name)?;
        let former = tombstone.and_then(|tombstone| tombstone.former_owner);
        let barred =
            self.reserved || (tombstone.is_some() && (former.is_none() || former != self.by));
        if barred && !self.superuser {
            return Err(Conflict::NameReserved(name.to_owned()).into());
        }
        if let Some(former) = former.filter(|former| Some(*former) == self.by) {
            names::hand_on_below(tx, name, &former, id)?;
        }
        Ok(names::free(tx, name)?)
    }
}
