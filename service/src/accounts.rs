//! Accounts: the tenants of the Astra door. The Quay, OpenShift and registry doors show the first
//! one only, and let in nobody else.

use claviger_domain::{
    Conflict, Error,
    account::{ItemName, Label},
    id::AccountId,
};
pub use claviger_store::accounts::Account;
use claviger_store::{
    Query, accounts,
    audit::{self, Act},
    installation, labels, lifetimes,
};

use crate::{
    app::App,
    caller::{Caller, Origin},
    collection::{Listing, Page},
    residents::Resident,
    still::Right,
};

/// An account, as those who have a role in it see it.
#[derive(Clone, Debug)]
pub struct AccountView {
    /// The account.
    pub account: Account,
    /// Its labels.
    pub labels: Vec<Label>,
}

/// What is changed of an account; what is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct AccountChange {
    /// What it is called.
    pub name: Option<ItemName>,
    /// Its labels.
    pub labels: Option<Vec<Label>>,
}

impl App {
    /// Whether `account` is the one that was made first.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn is_first_account(&self, account: AccountId) -> Result<bool, Error> {
        if let Some(first) = self.first_account.get() {
            return Ok(*first == account);
        }
        let first = self.db.peek(|q| Ok(installation::first_account(q)?)).await?;
        let first = first.ok_or_else(|| Error::internal("there is no account"))?;
        // it never changes: whoever was faster has put in the same
        Ok(*self.first_account.get_or_init(|| first) == account)
    }

    /// The account that `resident` has a role in.
    ///
    /// # Errors
    /// [`Error::NotFound`] when it has gone meanwhile.
    pub async fn account(&self, resident: &Resident) -> Result<AccountView, Error> {
        let id = resident.account();
        self.db.read(move |q| view(q, &id)).await
    }

    /// A page of the accounts that `caller` has a role in: his own, or all for a superuser.
    ///
    /// # Errors
    /// [`Error::Denied`] when he has no role; [`Error::Unavailable`].
    pub async fn accounts(
        &self,
        caller: &Caller,
        list: Listing,
    ) -> Result<Page<AccountView>, Error> {
        let home = self.resident(caller, caller.principal.account).await?;
        home.must_see()?;
        let alone = (!caller.standing.superuser).then_some(home.account());
        self.page(list, move |q, asked| {
            let page = accounts::page(q, alone.as_ref(), asked)?;
            let ids: Vec<_> = page.items.iter().map(|account| account.id.text()).collect();
            let mut found = labels::of_many(q, &ids)?;
            page.try_map(|account| {
                let labels = found.remove(&*account.id.text()).unwrap_or_default();
                Ok(AccountView { account, labels })
            })
        })
        .await
    }

    /// Makes an account. Nobody has a role in it but superusers.
    ///
    /// # Errors
    /// [`Error::Denied`] to all but superusers.
    pub async fn make_account(
        &self,
        by: &Caller,
        name: ItemName,
        given: Vec<Label>,
        origin: &Origin,
    ) -> Result<AccountView, Error> {
        if !by.standing.superuser {
            return Err(Error::denied("make", "an account"));
        }
        let (id, now, actor) = (AccountId::random(self.chance()), self.now(), by.actor(origin));
        let account = Account::new(id, name.as_str(), now, Some(by.principal.id));
        self.write_as(by, Right::Superuser, move |tx| {
            accounts::insert(tx, &account)?;
            labels::set(tx, &id.text(), &given)?;
            let act = Act::done("create_account", "account", &account.name).id(&id);
            audit::append(tx, now, &actor, &act)?;
            Ok(AccountView { account, labels: given })
        })
        .await
    }

    /// Changes the account, if it is still as `expected`.
    ///
    /// # Errors
    /// [`Error::Denied`] to all but owners; [`Error::NotFound`]; [`Conflict::Changed`].
    pub async fn change_account(
        &self,
        resident: &Resident,
        change: AccountChange,
        expected: impl FnOnce(&AccountView) -> bool + Send + 'static,
        origin: &Origin,
    ) -> Result<(), Error> {
        let (id, now) = (resident.account(), self.now());
        let (actor, by) = (resident.by().actor(origin), resident.by().principal.id);
        self.write_in(resident, move |tx, resident| {
            resident.must_be_owner()?;
            let old = view(tx, &id)?;
            if !expected(&old) {
                return Err(Conflict::Changed.into());
            }
            let before = old.account.name.as_str();
            let name = change.name.as_ref().map_or(before, ItemName::as_str);
            accounts::rename(tx, &id, name, now, &by)?;
            if let Some(given) = &change.labels {
                labels::set(tx, &id.text(), given)?;
            }
            let shown = |name: &str| serde_json::json!({ "name": name }).to_string();
            let (before, after) = (shown(before), shown(name));
            let act = Act::done("change_account", "account", name)
                .id(&id)
                .change(Some(&before), Some(&after));
            Ok(audit::append(tx, now, &actor, &act)?)
        })
        .await
    }

    /// Removes the account, if nobody belongs to it and it is still as `expected`.
    ///
    /// # Errors
    /// [`Error::Denied`] to all but owners; [`Error::NotFound`]; [`Conflict::Changed`];
    /// [`Conflict::AccountInUse`].
    pub async fn remove_account(
        &self,
        resident: &Resident,
        expected: impl FnOnce(&AccountView) -> bool + Send + 'static,
        origin: &Origin,
    ) -> Result<(), Error> {
        let (id, now) = (resident.account(), self.now());
        let actor = resident.by().actor(origin);
        self.write_in(resident, move |tx, resident| {
            resident.must_be_owner()?;
            let old = view(tx, &id)?;
            if !expected(&old) {
                return Err(Conflict::Changed.into());
            }
            if accounts::is_used(tx, &id)? {
                return Err(Conflict::AccountInUse.into());
            }
            for policy in lifetimes::list(tx, Some(&id))? {
                lifetimes::remove(tx, &id, policy.kind)?;
            }
            accounts::remove(tx, &id)?;
            let act = Act::done("delete_account", "account", &old.account.name);
            Ok(audit::append(tx, now, &actor, &act.id(&id))?)
        })
        .await
    }
}

fn view(q: &mut dyn Query, id: &AccountId) -> Result<AccountView, Error> {
    let account = accounts::find(q, id)?.ok_or(Error::NotFound("account"))?;
    Ok(AccountView { account, labels: labels::of(q, &id.text())? })
}
