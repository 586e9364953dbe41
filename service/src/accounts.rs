//! Accounts: the tenants of the Astra door. The Quay, OpenShift and registry doors show the first
//! one only, and let in nobody else.

use claviger_domain::{Error, id::AccountId};
use claviger_store::installation;

use crate::app::App;

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
}
