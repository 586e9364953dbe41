//! Roles of users in their account: giving, changing, taking away.
//!
//! A user has one role at most. Whoever takes it away ends the user, as this door's dialect has it.
//!
//! Source: `contract/astra.md` sections 2.4 and 7.1. Not here: what a role lets its holder do
//! (`crate::residents`).

use claviger_domain::{
    Conflict, Error,
    account::{Label, Rank},
    id::{BindingId, PrincipalId},
    role::AccountRole,
};
pub use claviger_store::role_bindings::RoleBinding;
use claviger_store::{
    Query,
    audit::{self, Act},
    labels, role_bindings,
};

use crate::{
    account_users,
    app::App,
    caller::Origin,
    collection::{Listing, Page},
    residents::{Fellow, Resident},
};

/// A role binding with its labels.
#[derive(Clone, Debug)]
pub struct RoleBindingView {
    /// The binding.
    pub binding: RoleBinding,
    /// What it is bound to.
    pub constraints: Vec<String>,
    /// Its labels.
    pub labels: Vec<Label>,
}

/// A role to be given.
#[derive(Clone, Debug)]
pub struct NewRole {
    /// To whom.
    pub user: PrincipalId,
    /// Which.
    pub role: AccountRole,
    /// What it is bound to; `["*"]` is everything.
    pub constraints: Vec<String>,
    /// Its labels.
    pub labels: Vec<Label>,
}

/// What is changed of a role binding; what is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct RoleChange {
    /// The role.
    pub role: Option<AccountRole>,
    /// What it is bound to.
    pub constraints: Option<Vec<String>>,
    /// Its labels.
    pub labels: Option<Vec<Label>>,
}

impl App {
    /// A page of the role bindings of the account, or of one user in it.
    ///
    /// # Errors
    /// [`Error::Denied`], [`Error::Unavailable`].
    pub async fn role_bindings(
        &self,
        resident: &Resident,
        user: Option<PrincipalId>,
        list: Listing,
    ) -> Result<Page<RoleBindingView>, Error> {
        resident.must_see()?;
        let account = resident.account();
        self.page(list, move |q, asked| {
            let page = role_bindings::page(q, &account, user.as_ref(), asked)?;
            let keys: Vec<_> = page
                .items
                .iter()
                .map(|binding| labels::of_role_binding(&binding.id.text()))
                .collect();
            let keys: Vec<_> = keys.iter().map(String::as_str).collect();
            let mut found = labels::of_many(q, &keys)?;
            page.try_map(|binding| {
                let key = labels::of_role_binding(&binding.id.text());
                shown(binding, found.remove(&key).unwrap_or_default())
            })
        })
        .await
    }

    /// One role binding of the account; `None` when there is no such one.
    ///
    /// # Errors
    /// [`Error::Denied`], [`Error::Unavailable`].
    pub async fn role_binding(
        &self,
        resident: &Resident,
        id: BindingId,
    ) -> Result<Option<RoleBindingView>, Error> {
        resident.must_see()?;
        let by = resident.clone();
        let found = self.db.read(move |q| match find(q, &by, &id) {
            Err(Error::NotFound(_)) => Ok(None),
            found => found.map(Some),
        });
        found.await
    }

    /// Gives a user a role.
    ///
    /// # Errors
    /// [`Error::Denied`] for a user or a role above the giver; [`Error::Invalid`] for an unknown
    /// user; [`Conflict::HasRole`].
    pub async fn give_role(
        &self,
        resident: &Resident,
        new: NewRole,
        origin: &Origin,
    ) -> Result<RoleBindingView, Error> {
        let id = BindingId::random(self.chance());
        let (now, actor) = (self.now(), resident.by().actor(origin));
        let superusers = self.superusers();
        let constraints = json(&new.constraints)?;
        self.write_in(resident, move |tx, by| {
            let fellow = match superusers.fellow(tx, by, new.user) {
                Err(Error::NotFound(_)) => {
                    return Err(Error::invalid("userID", "is no user of this account"));
                }
                found => found?,
            };
            may_bind(by, &fellow, new.role)?;
            if fellow.user.role.is_some() {
                return Err(Conflict::HasRole.into());
            }
            let binding = RoleBinding {
                id,
                account: by.account(),
                user: new.user,
                role: new.role,
                constraints,
                created_at: now,
                created_by: actor.id,
                modified_at: None,
                modified_by: None,
            };
            role_bindings::insert(tx, &binding)?;
            labels::set(tx, &labels::of_role_binding(&id.text()), &new.labels)?;
            let after = said(&binding);
            let act = Act::done("give_account_role", "user", &fellow.user.name);
            let act = act.id(&new.user).change(None, Some(&after));
            audit::append(tx, now, &actor, &act)?;
            shown(binding, new.labels)
        })
        .await
    }

    /// Gives the user of a role binding another role, or binds it to something else, if it is still
    /// as `expected`.
    ///
    /// # Errors
    /// [`Error::Denied`], [`Error::NotFound`], [`Conflict::Changed`].
    pub async fn change_role(
        &self,
        resident: &Resident,
        id: BindingId,
        change: RoleChange,
        expected: impl FnOnce(&RoleBindingView) -> bool + Send + 'static,
        origin: &Origin,
    ) -> Result<(), Error> {
        let (now, actor, oneself) =
            (self.now(), resident.by().actor(origin), resident.by().principal.id);
        let superusers = self.superusers();
        self.write_in(resident, move |tx, by| {
            let old = find(tx, by, &id)?;
            if !expected(&old) {
                return Err(Conflict::Changed.into());
            }
            let fellow = superusers.fellow(tx, by, old.binding.user)?;
            let role = change.role.unwrap_or(old.binding.role);
            may_bind(by, &fellow, role)?;
            let constraints = json(&change.constraints.unwrap_or(old.constraints))?;
            role_bindings::change(tx, &id, role, &constraints, now, &oneself)?;
            if let Some(given) = &change.labels {
                labels::set(tx, &labels::of_role_binding(&id.text()), given)?;
            }
            let before = said(&old.binding);
            let after = said(&RoleBinding { role, constraints, ..old.binding });
            let act = Act::done("change_account_role", "user", &fellow.user.name);
            let act = act.id(&fellow.user.id).change(Some(&before), Some(&after));
            Ok(audit::append(tx, now, &actor, &act)?)
        })
        .await
    }

    /// Takes a role away, if it is still as `expected`: it is the only one of its user, who ends
    /// with it.
    ///
    /// # Errors
    /// As [`App::end_account_user`].
    pub async fn take_role(
        &self,
        resident: &Resident,
        id: BindingId,
        expected: impl FnOnce(&RoleBindingView) -> bool + Send + 'static,
        origin: &Origin,
    ) -> Result<(), Error> {
        let (now, actor) = (self.now(), resident.by().actor(origin));
        let superusers = self.superusers();
        self.write_in(resident, move |tx, by| {
            let old = find(tx, by, &id)?;
            if !expected(&old) {
                return Err(Conflict::Changed.into());
            }
            let fellow = superusers.fellow(tx, by, old.binding.user)?;
            account_users::end(tx, by, &fellow, &actor, now)
        })
        .await
    }
}

/// Checks that `by` may give `fellow`, who is not above him, a role that is not above him either.
fn may_bind(by: &Resident, fellow: &Fellow, role: AccountRole) -> Result<(), Error> {
    by.must_be_admin()?;
    if by.rank().manages(fellow.rank) && by.rank().manages(Rank::Role(role)) {
        Ok(())
    } else {
        Err(Error::denied("give a role above one's own in", by.account().text()))
    }
}

fn find(q: &mut dyn Query, by: &Resident, id: &BindingId) -> Result<RoleBindingView, Error> {
    let binding = role_bindings::find(q, &by.account(), id)?;
    let binding = binding.ok_or(Error::NotFound("role binding"))?;
    let labels = labels::of(q, &labels::of_role_binding(&id.text()))?;
    shown(binding, labels)
}

fn shown(binding: RoleBinding, labels: Vec<Label>) -> Result<RoleBindingView, Error> {
    let constraints = serde_json::from_str(&binding.constraints).map_err(Error::internal)?;
    Ok(RoleBindingView { binding, constraints, labels })
}

fn json(constraints: &[String]) -> Result<String, Error> {
    serde_json::to_string(constraints).map_err(Error::internal)
}

/// What the audit says of a role.
fn said(binding: &RoleBinding) -> String {
    let RoleBinding { role, constraints, .. } = binding;
    format!(r#"{{"role":"{role}","constraints":{constraints}}}"#)
}
