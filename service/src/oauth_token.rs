//! Tokens of applications: exchanged for a code, made by the application's owners, listed and
//! revoked by their users.
//!
//! Source: `contract/quay.md` 4.2, 4.5; RFC 6749 sections 4.1.3 and 5.

use claviger_domain::{
    Error, TokenKind, UnixMillis,
    id::TokenId,
    lifetime::{Beyond, Wish},
    scope::{QuayScope, Scopes},
    secret::TokenSecret,
};
use claviger_store::{
    Tx,
    applications::{self, Application},
    audit::{self, Act, Actor},
    endings::Ending,
    grants::{self, Code},
    oauth_tokens::{self, OauthToken},
    principals,
    tokens::{self, NewSecret, NewToken},
};

use crate::{
    NamespaceAdmin,
    app::App,
    applications::{ApplicationText, PublicApplication, owned},
    caller::{Caller, Credential, Origin},
    keys::{KeyedHash, Purpose},
    lifetimes,
    still::Right,
};

/// How long a token lives unless its maker says otherwise: ten years of 365.25 days, in seconds.
pub const TOKEN_SECONDS: i64 = 315_576_000;
pub(crate) const TOKEN_MS: i64 = TOKEN_SECONDS * 1000;

/// What an application sends to have a token for its code.
#[derive(Debug, Default)]
pub struct CodeExchange {
    /// Which application it is.
    pub client_id: String,
    /// The secret that proves it.
    pub client_secret: String,
    /// Where the code was sent.
    pub redirect_uri: String,
    /// The code.
    pub code: String,
    /// The scopes that were asked for.
    pub scope: String,
}

/// A token that the owners of an application want for themselves.
#[derive(Clone, Debug)]
pub struct NewApplicationToken {
    /// What it is called.
    pub name: ApplicationText,
    /// What it may do at most; not empty.
    pub scopes: Vec<QuayScope>,
    /// How many seconds it lives; `None`: [`TOKEN_SECONDS`].
    pub seconds: Option<i64>,
}

/// A token of an application, without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApplicationToken {
    /// Its id.
    pub id: TokenId,
    /// What it is called.
    pub name: String,
    /// What it may do at most.
    pub scopes: Vec<QuayScope>,
    /// When it ends.
    pub expires_at: Option<UnixMillis>,
    /// When it was made.
    pub created_at: UnixMillis,
    /// The name of who made it.
    pub created_by: String,
    /// When it was last used.
    pub last_used_at: Option<UnixMillis>,
}

/// What a user has granted to an application: one of its tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorization {
    /// The token's id.
    pub id: TokenId,
    /// Whose token it is.
    pub application: PublicApplication,
    /// What it may do at most.
    pub scopes: Vec<QuayScope>,
}

/// A token that an application gets.
#[derive(Debug)]
pub struct Granted {
    /// Its secret.
    pub secret: TokenSecret,
    /// How long it lives, in seconds.
    pub life_s: i64,
}

/// A token of an application lives for [`TOKEN_SECONDS`], where nothing else is asked.
pub(crate) fn usual(now: UnixMillis) -> Wish {
    Wish::usual(Some(now.plus_ms(TOKEN_MS)))
}

/// How long a new token lives, in seconds.
pub(crate) fn life_s(token: &NewToken) -> i64 {
    token.expires_at.map_or(TOKEN_SECONDS, |end| end.since(token.created_at) / 1000)
}

/// Adds a token of an application, and says so in the audit.
pub(crate) fn issue(
    tx: &mut Tx<'_>,
    actor: &Actor,
    application: &Application,
    org: &str,
    token: &NewToken,
    secret: &NewSecret,
) -> Result<(), Error> {
    tokens::insert(tx, token, secret)?;
    let scopes: Vec<_> = token.scopes.iter().map(|scope| &*scope.word).collect();
    let after = serde_json::json!({
        "application": application.client_id,
        "user": token.principal_name,
        "scope": scopes.join(" "),
        "expires_at": token.expires_at.map(|at| at.0),
    })
    .to_string();
    let act = Act::done("create_oauth_token", "token", &token.name)
        .id(&token.id)
        .namespace(org)
        .change(None, Some(&after));
    Ok(audit::append(tx, token.created_at, actor, &act)?)
}

fn revoke(
    tx: &mut Tx<'_>,
    actor: &Actor,
    token: &OauthToken,
    org: &str,
    now: UnixMillis,
) -> Result<(), Error> {
    let ending = Ending { now, by: &actor.name, reason: "revoked" };
    tokens::revoke(tx, &token.id, &ending)?;
    let act = Act::done("revoke_oauth_token", "token", &token.name).id(&token.id).namespace(org);
    Ok(audit::append(tx, now, actor, &act)?)
}

impl App {
    /// Gives an application a token for its code, which is good for nothing more then. What it
    /// is refused with is a word of RFC 6749.
    ///
    /// # Errors
    /// [`Error::Unavailable`] (so for all of this file).
    pub async fn exchange_code(
        &self,
        exchange: CodeExchange,
        origin: &Origin,
    ) -> Result<Result<Granted, &'static str>, Error> {
        let client_id = exchange.client_id.clone();
        let found = self.db.read(move |q| Ok(applications::find(q, &client_id)?)).await?;
        let is_proven = |application: &Application| {
            let secret = &application.secret;
            let hash = KeyedHash { generation: secret.key_generation, lookup: secret.lookup };
            self.keys.matches(Purpose::ClientSecret, &exchange.client_secret, &hash)
        };
        let Some((application, org)) = found.filter(|(application, _)| is_proven(application))
        else {
            return Ok(Err("invalid_client"));
        };
        let Some(lookup) = self.keys.verify_opaque(Purpose::Code, &exchange.code) else {
            return Ok(Err("invalid_grant"));
        };
        let (secret, minted) = self.keys.mint(TokenKind::Oauth, self.chance());
        let (id, kept) = (self.new_token_id(), NewSecret::from(minted));
        let (now, nobody) = (self.now(), origin.nobody());
        let outcome = self.db.write(move |tx| {
            // the secret may have been replaced meanwhile
            let now_there = applications::find(tx, &exchange.client_id)?;
            if now_there.is_none_or(|(now, _)| now.secret != application.secret) {
                return Ok(Err("invalid_client"));
            }
            let scopes = QuayScope::parse_set(&exchange.scope);
            let is_good = |code: &Code| {
                code.application == application.id
                    && code.used_at.is_none()
                    && now < code.expires_at
                    && code.redirect_uri == exchange.redirect_uri
                    && QuayScope::parse_set(&code.scope) == scopes
            };
            let Some(code) = grants::code(tx, &lookup)?.filter(is_good) else {
                return Ok(Err("invalid_grant"));
            };
            let user = principals::find(tx, &code.principal)?;
            let Some(user) = user.filter(|user| user.disabled_at.is_none()) else {
                return Ok(Err("invalid_grant"));
            };
            grants::use_code(tx, &lookup, now)?;
            let token = NewToken {
                id,
                kind: TokenKind::Oauth,
                account: user.account,
                principal: user.id,
                principal_name: user.name.clone(),
                application: Some(application.id),
                name: application.name.clone(),
                parent: None,
                minted_by: None,
                created_by: user.name.clone(),
                created_by_id: Some(user.id),
                service: None,
                created_at: now,
                expires_at: None,
                scopes: Scopes::quay(scopes),
            };
            let token = lifetimes::limited(tx, token, usual(now), Beyond::Shorten)?;
            let actor = Actor { id: Some(user.id), name: user.name, credential: "code", ..nobody };
            issue(tx, &actor, &application, &org.name, &token, &kept)?;
            Ok(Ok(life_s(&token)))
        });
        Ok(outcome.await?.map(|life_s| Granted { secret, life_s }))
    }

    fn last_used_at(&self, token: &OauthToken) -> Option<UnixMillis> {
        self.activity.pending(&token.id).map(|last| last.at).max(token.last_used_at)
    }

    fn application_token(&self, token: OauthToken) -> ApplicationToken {
        ApplicationToken {
            last_used_at: self.last_used_at(&token),
            id: token.id,
            name: token.name,
            scopes: token.scopes,
            expires_at: token.expires_at,
            created_at: token.created_at,
            created_by: token.created_by,
        }
    }

    /// Makes a token of an application that acts for the caller. One that is made with a token
    /// gives at most what that gives, and ends with it.
    ///
    /// # Errors
    /// [`Error::NotFound`] for another's application; [`Error::Invalid`] for a scope that the
    /// caller's token does not give.
    pub async fn create_application_token(
        &self,
        admin: &NamespaceAdmin,
        client_id: &str,
        new: NewApplicationToken,
        caller: &Caller,
        origin: &Origin,
    ) -> Result<(ApplicationToken, TokenSecret), Error> {
        let org = admin.on().id;
        if !gives(&caller.credential, &new.scopes) {
            return Err(Error::invalid("scope", "exceeds the scopes of the token that asks"));
        }
        let (secret, minted) = self.keys.mint(TokenKind::Oauth, self.chance());
        let (id, kept) = (self.new_token_id(), NewSecret::from(minted));
        let (now, actor, parent) = (self.now(), caller.actor(origin), caller.token());
        let user = caller.principal.clone();
        let (client_id, namespace) = (client_id.to_owned(), admin.name().to_owned());
        let asked = new.seconds.map(|seconds| now.plus_ms(seconds.saturating_mul(1000)));
        let scopes = new.scopes.clone();
        let token = self
            .write_as(caller, admin.right(), move |tx| {
                let application = owned(tx, &org, &client_id)?;
                let end = match &parent {
                    Some(parent) => oauth_tokens::end(tx, parent)?,
                    None => None,
                };
                let token = NewToken {
                    id,
                    kind: TokenKind::Oauth,
                    account: user.account,
                    principal: user.id,
                    principal_name: user.name.to_string(),
                    application: Some(application.id),
                    name: new.name.as_str().to_owned(),
                    parent,
                    minted_by: parent,
                    created_by: user.name.to_string(),
                    created_by_id: Some(user.id),
                    service: None,
                    created_at: now,
                    expires_at: None,
                    scopes: Scopes::quay(new.scopes),
                };
                let wish = usual(now).asking(asked).within(end);
                let token = lifetimes::limited(tx, token, wish, Beyond::Shorten)?;
                issue(tx, &actor, &application, &namespace, &token, &kept)?;
                Ok(token)
            })
            .await?;
        let view = ApplicationToken {
            id: token.id,
            name: token.name,
            scopes,
            expires_at: token.expires_at,
            created_at: token.created_at,
            created_by: token.created_by,
            last_used_at: None,
        };
        Ok((view, secret))
    }

    /// The live tokens of an application, the oldest first.
    ///
    /// # Errors
    /// [`Error::NotFound`] for another's application.
    pub async fn application_tokens(
        &self,
        admin: &NamespaceAdmin,
        client_id: &str,
    ) -> Result<Vec<ApplicationToken>, Error> {
        let (org, client_id) = (admin.on().id, client_id.to_owned());
        let now = self.now();
        let tokens = self.db.read(move |q| {
            let application = owned(q, &org, &client_id)?;
            Ok(oauth_tokens::of_application(q, &application.id, now)?)
        });
        Ok(tokens.await?.into_iter().map(|token| self.application_token(token)).collect())
    }

    /// Revokes a token of an application.
    ///
    /// # Errors
    /// [`Error::NotFound`] for another's application or token.
    pub async fn revoke_application_token(
        &self,
        admin: &NamespaceAdmin,
        client_id: &str,
        id: TokenId,
        caller: &Caller,
        origin: &Origin,
    ) -> Result<(), Error> {
        let (org, client_id) = (admin.on().id, client_id.to_owned());
        let (now, actor, namespace) = (self.now(), caller.actor(origin), admin.name().to_owned());
        self.write_as(caller, admin.right(), move |tx| {
            let application = owned(tx, &org, &client_id)?;
            let tokens = oauth_tokens::of_application(tx, &application.id, now)?;
            let token = tokens.iter().find(|token| token.id == id);
            let token = token.ok_or(Error::NotFound("token"))?;
            revoke(tx, &actor, token, &namespace, now)
        })
        .await
    }

    /// What the caller has granted to applications, the oldest first.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn authorizations(&self, caller: &Caller) -> Result<Vec<Authorization>, Error> {
        let (user, now) = (caller.principal.id, self.now());
        let granted = self.db.read(move |q| Ok(oauth_tokens::of_user(q, &user, now)?)).await?;
        let view = |(token, to): (OauthToken, oauth_tokens::GrantedTo)| Authorization {
            id: token.id,
            application: PublicApplication {
                client_id: to.client_id,
                name: to.name,
                application_uri: to.application_uri,
                description: to.description,
                avatar_email: to.avatar_email,
                org: to.org,
            },
            scopes: token.scopes,
        };
        Ok(granted.into_iter().map(view).collect())
    }

    /// Takes back what the caller has granted with one token.
    ///
    /// # Errors
    /// [`Error::NotFound`] when it is not his, or not live.
    pub async fn revoke_authorization(
        &self,
        caller: &Caller,
        id: TokenId,
        origin: &Origin,
    ) -> Result<(), Error> {
        let (user, now, actor) = (caller.principal.id, self.now(), caller.actor(origin));
        self.write_as(caller, Right::Himself, move |tx| {
            let granted = oauth_tokens::of_user(tx, &user, now)?;
            let found = granted.iter().find(|(token, _)| token.id == id);
            let (token, to) = found.ok_or(Error::NotFound("authorization"))?;
            revoke(tx, &actor, token, &to.org.name, now)
        })
        .await
    }
}

/// Whether a credential gives `scopes`: a token only those that it has or that they imply.
fn gives(credential: &Credential, scopes: &[QuayScope]) -> bool {
    match credential {
        Credential::Session { .. } | Credential::Password => true,
        Credential::Token(token) => scopes.iter().all(|asked| {
            let mut held =
                token.scopes.iter().filter_map(|scope| scope.word.parse::<QuayScope>().ok());
            held.any(|held| held.implies(*asked))
        }),
    }
}
