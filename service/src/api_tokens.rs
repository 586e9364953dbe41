//! Api tokens: made, listed, renamed and deleted by their owners, and by who manages these.
//!
//! The secret is shown once. A token that another than its owner makes, or that is made with such a
//! one, is lent: it opens the Astra door alone. It ends with its minter's end at the latest, but not
//! with the minter: a token that made others may be deleted before them.
//!
//! Source: `contract/astra.md`, sections 2 and 7.1; `SECURITY.md`, section 2.

use claviger_domain::{
    Conflict, Error, TokenKind, UnixMillis,
    account::{ItemName, Label},
    id::{PrincipalId, TokenId},
    lifetime::{Beyond, Wish},
    scope::{Dialect, Scopes},
    secret::TokenSecret,
};
pub use claviger_store::api_tokens::ApiToken;
use claviger_store::{
    Query, Tx, api_tokens,
    audit::{self, Act, Actor},
    endings::Ending,
    labels,
    tokens::{self, NewSecret, NewToken},
};

use crate::{
    app::App,
    caller::{Credential, Origin},
    collection::{Listing, Page},
    lifetimes,
    residents::{Fellow, Resident},
};

/// An api token, as those who may see it do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiTokenView {
    /// The token.
    pub token: ApiToken,
    /// Its labels.
    pub labels: Vec<Label>,
}

/// What is changed of a token; what is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct ApiTokenChange {
    /// What it is called.
    pub name: Option<ItemName>,
    /// Its labels.
    pub labels: Option<Vec<Label>>,
}

impl App {
    /// A page of the tokens of `of`.
    ///
    /// # Errors
    /// [`Error::Denied`] to all but admins and himself.
    pub async fn api_tokens(
        &self,
        by: &Resident,
        of: &Fellow,
        list: Listing,
    ) -> Result<Page<ApiTokenView>, Error> {
        by.must_see_tokens_of(of.user.id)?;
        let (owner, now) = (of.user.id, self.now());
        let page = self.page(list, move |q, asked| {
            let page = api_tokens::page(q, &owner, now, asked)?;
            let ids: Vec<_> = page.items.iter().map(|token| token.id.text()).collect();
            let mut labels = labels::of_many(q, &ids)?;
            Ok(page.map(|token| {
                let labels = labels.remove(&*token.id.text()).unwrap_or_default();
                ApiTokenView { token, labels }
            }))
        });
        page.await
    }

    /// A token of `of`.
    ///
    /// # Errors
    /// [`Error::Denied`] to all but admins and himself; [`Error::NotFound`].
    pub async fn api_token(
        &self,
        by: &Resident,
        of: &Fellow,
        id: TokenId,
    ) -> Result<ApiTokenView, Error> {
        by.must_see_tokens_of(of.user.id)?;
        let (owner, now) = (of.user.id, self.now());
        self.db.read(move |q| view(q, &owner, &id, now)).await
    }

    /// Makes a token for `of`; its secret is shown this once.
    ///
    /// # Errors
    /// [`Error::Denied`] to all but himself and who manages him; [`Error::NotFound`] when he is
    /// gone; [`Error::Unauthenticated`] when the token that makes it has ended meanwhile.
    pub async fn create_api_token(
        &self,
        by: &Resident,
        of: &Fellow,
        name: ItemName,
        given: Vec<Label>,
        origin: &Origin,
    ) -> Result<(ApiTokenView, TokenSecret), Error> {
        by.must_manage(of)?;
        let (caller, now) = (by.by(), self.now());
        let (secret, minted) = self.keys.mint(TokenKind::Api, self.chance());
        let kept = NewSecret::from(minted);
        let lent = match &caller.credential {
            _ if !of.oneself => true,
            Credential::Token(with) => !with.scopes.has(Dialect::Native, Scopes::REGISTRY),
            Credential::Session { .. } | Credential::Password => false,
        };
        let token = NewToken {
            id: self.new_token_id(),
            kind: TokenKind::Api,
            account: of.user.account,
            principal: of.user.id,
            principal_name: of.user.name.clone(),
            application: None,
            name: name.as_str().to_owned(),
            parent: None,
            minted_by: caller.token(),
            created_by: caller.principal.name.to_string(),
            created_by_id: Some(caller.principal.id),
            service: None,
            created_at: now,
            expires_at: None,
            scopes: Scopes::api(lent),
        };
        let view = ApiTokenView {
            token: ApiToken {
                id: token.id,
                name: token.name.clone(),
                owner: token.principal,
                created_at: now,
                created_by: token.created_by_id,
                modified_at: None,
                modified_by: None,
            },
            labels: given,
        };
        let (actor, superusers) = (caller.actor(origin), self.superusers());
        self.write_in(by, move |tx, by| {
            by.must_manage(&superusers.fellow(tx, by, token.principal)?)?;
            let wish = Wish::default().within(minters_end(tx, &token, now)?);
            let token = lifetimes::limited(tx, token, wish, Beyond::Shorten)?;
            tokens::insert(tx, &token, &kept)?;
            labels::set(tx, &token.id.text(), &view.labels)?;
            let act = Act::done("create_api_token", "token", &token.name);
            record(tx, now, &actor, act, &token.id, &token.principal_name)?;
            Ok((view, secret))
        })
        .await
    }

    /// Changes a token of `of`, if it is still as `expected`. Its secret stays.
    ///
    /// # Errors
    /// As [`App::api_token`], to all but himself and who manages him; [`Conflict::Changed`].
    pub async fn change_api_token(
        &self,
        by: &Resident,
        of: &Fellow,
        id: TokenId,
        change: ApiTokenChange,
        expected: impl FnOnce(&ApiTokenView) -> bool + Send + 'static,
        origin: &Origin,
    ) -> Result<(), Error> {
        by.must_manage(of)?;
        let (owner, namespace, now) = (of.user.id, of.user.name.clone(), self.now());
        let (actor, superusers) = (by.by().actor(origin), self.superusers());
        self.write_in(by, move |tx, by| {
            by.must_manage(&superusers.fellow(tx, by, owner)?)?;
            let old = view(tx, &owner, &id, now)?;
            if !expected(&old) {
                return Err(Conflict::Changed.into());
            }
            let before = old.token.name.as_str();
            let name = change.name.as_ref().map_or(before, ItemName::as_str);
            api_tokens::change(tx, &id, name, now, &by.by().principal.id)?;
            if let Some(given) = &change.labels {
                labels::set(tx, &id.text(), given)?;
            }
            let shown = |name: &str| serde_json::json!({ "name": name }).to_string();
            let (before, after) = (shown(before), shown(name));
            let act = Act::done("change_api_token", "token", name);
            record(tx, now, &actor, act.change(Some(&before), Some(&after)), &id, &namespace)
        })
        .await
    }

    /// Deletes a token of `of`. From the answer on it opens nothing.
    ///
    /// # Errors
    /// As [`App::api_token`], to all but himself and who manages him.
    pub async fn delete_api_token(
        &self,
        by: &Resident,
        of: &Fellow,
        id: TokenId,
        origin: &Origin,
    ) -> Result<(), Error> {
        by.must_manage(of)?;
        let (owner, namespace, now) = (of.user.id, of.user.name.clone(), self.now());
        let (actor, superusers) = (by.by().actor(origin), self.superusers());
        self.write_in(by, move |tx, by| {
            by.must_manage(&superusers.fellow(tx, by, owner)?)?;
            let old = api_tokens::find(tx, &owner, &id, now)?;
            let old = old.ok_or(Error::NotFound("token"))?;
            let ending = Ending { now, by: &actor.name, reason: "deleted" };
            tokens::revoke(tx, &id, &ending)?;
            let act = Act::done("delete_api_token", "token", &old.name);
            record(tx, now, &actor, act, &id, &namespace)
        })
        .await
    }
}

fn view(
    q: &mut dyn Query,
    owner: &PrincipalId,
    id: &TokenId,
    now: UnixMillis,
) -> Result<ApiTokenView, Error> {
    let token = api_tokens::find(q, owner, id, now)?.ok_or(Error::NotFound("token"))?;
    Ok(ApiTokenView { token, labels: labels::of(q, &id.text())? })
}

/// When the token that makes `token` ends, which must live.
fn minters_end(
    q: &mut dyn Query,
    token: &NewToken,
    now: UnixMillis,
) -> Result<Option<UnixMillis>, Error> {
    let Some(minter) = &token.minted_by else { return Ok(None) };
    let life = tokens::life(q, minter)?.ok_or(Error::Unauthenticated)?;
    let over = life.revoked_at.is_some() || life.expires_at.is_some_and(|end| end <= now);
    if over { Err(Error::Unauthenticated) } else { Ok(life.expires_at) }
}

fn record(
    tx: &mut Tx<'_>,
    now: UnixMillis,
    actor: &Actor,
    act: Act<'_>,
    id: &TokenId,
    namespace: &str,
) -> Result<(), Error> {
    Ok(audit::append(tx, now, actor, &act.id(id).namespace(namespace))?)
}
