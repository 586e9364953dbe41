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
    installation, labels,
};

use crate::{
    app::App,
    caller::{Caller, Origin},
    residents::Resident,
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
        self.db
            .write(move |tx| {
                accounts::insert(tx, &account)?;
                labels::set(tx, id.as_str(), &given)?;
                let act = Act::done("create_account", "account", &account.name).id(id.as_str());
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
        resident.must_be_owner()?;
        let (id, by, now) = (resident.account(), resident.by(), self.now());
        let (actor, by) = (by.actor(origin), by.principal.id);
        self.db
            .write(move |tx| {
                let old = view(tx, &id)?;
                if !expected(&old) {
                    return Err(Conflict::Changed.into());
                }
                let before = old.account.name.as_str();
                let name = change.name.as_ref().map_or(before, ItemName::as_str);
                accounts::rename(tx, &id, name, now, &by)?;
                if let Some(given) = &change.labels {
                    labels::set(tx, id.as_str(), given)?;
                }
                let shown = |name: &str| serde_json::json!({ "name": name }).to_string();
                let (before, after) = (shown(before), shown(name));
                let act = Act::done("change_account", "account", name)
                    .id(id.as_str())
                    .change(Some(&before), Some(&after));
                Ok(audit::append(tx, now, &actor, &act)?)
            })
            .await
    }
}

fn view(q: &mut dyn Query, id: &AccountId) -> Result<AccountView, Error> {
    let account = accounts::find(q, id)?.ok_or(Error::NotFound("account"))?;
    Ok(AccountView { account, labels: labels::of(q, id.as_str())? })
}
