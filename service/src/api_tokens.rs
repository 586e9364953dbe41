//! Api tokens, as the Astra door shows them.

use claviger_domain::{Error, id::PrincipalId};
use claviger_store::api_tokens;
pub use claviger_store::api_tokens::ApiToken;

use crate::{
    app::App,
    collection::{Listing, Page},
};

impl App {
    /// The api tokens of a user.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn api_tokens(
        &self,
        owner: PrincipalId,
        list: Listing,
    ) -> Result<Page<ApiToken>, Error> {
        let now = self.now();
        self.page(list, move |q, asked| Ok(api_tokens::page(q, &owner, now, asked)?)).await
    }
}
