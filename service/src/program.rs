//! What the program does on the store, beside a running server: it stands above every right,
//! because whoever runs it holds the store and the master key. The audit names the system's user.
//!
//! Not here: keys ([`crate::install`], [`crate::signing`]).

use std::time::Duration;

use claviger_domain::{
    Error, TokenKind, UnixMillis,
    id::{AccountId, PrincipalId},
    lifetime::{Beyond, Wish},
    name::{Email, Namespace, TokenTitle},
    principal::PrincipalKind,
    scope::{QuayScope, Scopes, openshift::AskedScopes},
    secret::TokenSecret,
};
use claviger_store::{
    Query, Tx,
    accounts::{self, Account},
    applications,
    audit::{self, Act, Actor},
    installation,
    principals::{self, Principal},
    tokens::{self, NewSecret, NewToken},
};

use crate::{
    app::App,
    authorizations::{self, Life},
    deciders, lifetimes,
    names::Claim,
    oauth_token,
    passwords::Password,
    registry::REFRESH_LIFE_MS,
    users::NewUser,
};

/// Which token, with what only this kind has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mint {
    /// An app token of a user.
    App,
    /// A token that an application acts with for a user.
    Oauth {
        /// The application, as clients know it.
        client_id: String,
        /// What it may do at most.
        scopes: Vec<QuayScope>,
    },
    /// An authorization of the OpenShift door; what it may do at most.
    Authorization(AskedScopes),
    /// A token of the Astra door, which opens the registry too.
    Api,
    /// A further token of a robot; those that it has stay good.
    Robot,
    /// An app token of a user, with which decisions about anyone are asked and nothing else is done.
    /// It makes him a decider, and is not shown again.
    Decider,
    /// The same of a robot.
    RobotDecider,
    /// A token that `docker` keeps in the place of a password, for the first registry service.
    Refresh,
}

impl Mint {
    /// What the token is.
    pub const fn kind(&self) -> TokenKind {
        match self {
            Self::App | Self::Decider => TokenKind::App,
            Self::Oauth { .. } => TokenKind::Oauth,
            Self::Authorization(_) => TokenKind::Authorization,
            Self::Api => TokenKind::Api,
            Self::Robot | Self::RobotDecider => TokenKind::Robot,
            Self::Refresh => TokenKind::Refresh,
        }
    }
}

/// A user to be made by the program.
#[derive(Debug)]
pub struct ProgramUser {
    /// His name; one that the settings give to superusers is free for the program.
    pub name: Namespace,
    /// The e-mail address, which counts as confirmed.
    pub email: Option<Email>,
    /// The password.
    pub password: Password,
    /// Whether he is a superuser.
    pub superuser: bool,
    /// His home account; the first one if none is given.
    pub account: Option<AccountId>,
}

/// A token to be made by the program.
#[derive(Clone, Debug)]
pub struct ProgramToken {
    /// Whom it acts for.
    pub user: String,
    /// Which token.
    pub mint: Mint,
    /// What it is called.
    pub name: TokenTitle,
    /// How long it lives; if it is not said, as long as one that is made through its door.
    pub life: Option<Duration>,
}

impl App {
    /// Makes a user.
    ///
    /// # Errors
    /// [`claviger_domain::Conflict`] for a name or an address that is taken; [`Error::NotFound`]
    /// for an unknown account; [`Error::Unavailable`] (so for all of this file).
    pub async fn program_create_user(
        &self,
        user: ProgramUser,
        actor: Actor,
    ) -> Result<PrincipalId, Error> {
        let ProgramUser { name, email, password, superuser, account } = user;
        let new = NewUser { email, password: Some(password), verified: true, superuser };
        let ready = self.ready_user(Claim::of_program(name), new).await?;
        let now = self.now();
        self.db
            .write(move |tx| {
                let known = match account {
                    Some(id) => installation::has_account(tx, &id)?.then_some(id),
                    None => installation::first_account(tx)?,
                };
                let account = known.ok_or(Error::NotFound("account"))?;
                Ok(ready.insert(tx, account, &actor, now)?.id)
            })
            .await
    }

    /// Gives a user another password; what was born of the former one ends.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an unknown user.
    pub async fn program_set_password(
        &self,
        name: Namespace,
        password: Password,
        actor: Actor,
    ) -> Result<PrincipalId, Error> {
        let user = self
            .db
            .peek(move |q: &mut dyn Query| Ok(principals::find_by_name(q, name.as_str())?))
            .await?;
        let user = user.filter(|user| user.kind == PrincipalKind::User);
        let id = user.ok_or(Error::NotFound("user"))?.id;
        self.change_password(id, password, actor).await?;
        Ok(id)
    }

    /// Makes an account.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn program_create_account(
        &self,
        name: TokenTitle,
        actor: Actor,
    ) -> Result<AccountId, Error> {
        let (id, now) = (AccountId::random(self.chance()), self.now());
        self.db
            .write(move |tx| {
                accounts::insert(tx, &Account::new(id, name.as_str(), now, None))?;
                let act = Act::done("create_account", "account", name.as_str()).id(&id);
                Ok(audit::append(tx, now, &actor, &act)?)
            })
            .await?;
        Ok(id)
    }

    /// Makes a token for a user or a robot.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an unknown user, robot or application; [`Error::Denied`] for a
    /// disabled one.
    pub async fn program_create_token(
        &self,
        wish: ProgramToken,
        actor: Actor,
    ) -> Result<TokenSecret, Error> {
        let (secret, minted) = self.keys.mint(wish.mint.kind(), self.chance());
        let mut kept = NewSecret::from(minted);
        if matches!(wish.mint, Mint::Decider | Mint::RobotDecider) {
            // no door shows it again
            kept.selector = None;
        }
        let (id, now) = (self.new_token_id(), self.now());
        let end = self.program_token_end(&wish, now);
        let service = self.settings.registry.services.first().cloned().unwrap_or_default();
        self.db
            .write(move |tx| {
                let owner = owner(tx, &wish)?;
                if matches!(wish.mint, Mint::Decider | Mint::RobotDecider) {
                    deciders::made(tx, &owner, &actor, now)?;
                }
                let scopes = match &wish.mint {
                    Mint::Oauth { scopes, .. } => Scopes::quay(scopes.iter().copied()),
                    Mint::Authorization(scopes) => scopes.scopes(),
                    Mint::Api => Scopes::api(false),
                    Mint::App | Mint::Robot | Mint::Refresh => Scopes::registry(),
                    Mint::Decider | Mint::RobotDecider => Scopes::decide(),
                };
                let token = NewToken {
                    id,
                    kind: wish.mint.kind(),
                    account: owner.account,
                    principal: owner.id,
                    principal_name: owner.name,
                    application: None,
                    name: wish.name.as_str().to_owned(),
                    parent: None,
                    minted_by: None,
                    created_by: actor.name.clone(),
                    created_by_id: actor.id,
                    service: None,
                    created_at: now,
                    expires_at: None,
                    scopes,
                };
                let token = lifetimes::limited(tx, token, end, Beyond::Refuse)?;
                insert(tx, &wish.mint, token, &kept, service, &actor)
            })
            .await?;
        Ok(secret)
    }

    /// When the token is to end: as one that is made through its door, where nothing is asked.
    fn program_token_end(&self, wish: &ProgramToken, now: UnixMillis) -> Wish {
        let asked = wish.life.map(|life| now.plus(life));
        let usual = match &wish.mint {
            Mint::Authorization(scopes) => {
                let life = wish.life.map_or(Life::Usual, |life| Life::Seconds(life.as_secs()));
                return self.settings.openshift.scope_timeouts.wish(scopes, life, now);
            }
            Mint::App | Mint::Decider => {
                let life = self.settings.quay.app_specific_token_expiration;
                Wish::usual(life.map(|life| now.plus(life)))
            }
            Mint::Oauth { .. } => oauth_token::usual(now),
            Mint::Api | Mint::Robot | Mint::RobotDecider => Wish::default(),
            Mint::Refresh => {
                let longest = Some(now.plus_ms(REFRESH_LIFE_MS));
                Wish::usual(longest).within(longest)
            }
        };
        usual.asking(asked)
    }
}

/// Whom the token is for.
fn owner(q: &mut dyn Query, wish: &ProgramToken) -> Result<Principal, Error> {
    let (kind, what) = match wish.mint {
        Mint::Robot | Mint::RobotDecider => (PrincipalKind::Robot, "robot"),
        Mint::App
        | Mint::Oauth { .. }
        | Mint::Authorization(_)
        | Mint::Api
        | Mint::Decider
        | Mint::Refresh => (PrincipalKind::User, "user"),
    };
    let found = principals::find_by_name(q, &wish.user)?.filter(|found| found.kind == kind);
    let found = found.ok_or(Error::NotFound(what))?;
    if found.disabled_at.is_some() {
        return Err(Error::denied(
            "make a token for the disabled",
            format!("{what} {}", found.name),
        ));
    }
    Ok(found)
}

/// Adds the token, and says so in the audit in the words of its door.
fn insert(
    tx: &mut Tx<'_>,
    mint: &Mint,
    token: NewToken,
    kept: &NewSecret,
    service: String,
    actor: &Actor,
) -> Result<(), Error> {
    let (act, namespace) = match mint {
        Mint::Oauth { client_id, .. } => {
            let found = applications::find(tx, client_id)?;
            let (application, org) = found.ok_or(Error::NotFound("application"))?;
            let token = NewToken { application: Some(application.id), ..token };
            return oauth_token::issue(tx, actor, &application, &org.name, &token, kept);
        }
        Mint::Authorization(scopes) => {
            let note = Some(token.name.as_str()).filter(|name| !name.is_empty());
            return authorizations::issue(tx, actor, &token, kept, scopes, note);
        }
        Mint::App | Mint::Decider => ("create_app_specific_token", token.principal_name.clone()),
        Mint::Api => ("create_api_token", token.principal_name.clone()),
        Mint::Refresh => ("create_refresh_token", token.principal_name.clone()),
        Mint::Robot | Mint::RobotDecider => {
            let namespace = token.principal_name.split_once('+').map_or("", |(home, _)| home);
            ("create_robot_token", namespace.to_owned())
        }
    };
    let service = matches!(mint, Mint::Refresh).then_some(service);
    let token = NewToken { service, ..token };
    tokens::insert(tx, &token, kept)?;
    let act = Act::done(act, "token", &token.name).id(&token.id).namespace(&namespace);
    Ok(audit::append(tx, token.created_at, actor, &act)?)
}
