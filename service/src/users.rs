//! Making users, and their passwords: by themselves, by the first call of an empty store, by
//! superusers and by the program.
//!
//! A new password ends what was born of the former: sessions, codes, and refresh tokens that stand
//! for no other token. Other tokens live on; they have lives of their own.
//!
//! Source: `contract/quay.md` section 7; `SECURITY.md` sections 2 to 4.
//! Not here: what a user sees and changes of himself (`crate::own_user`).

use claviger_domain::{
    BadCredential, Conflict, Error, TokenKind, UnixMillis,
    id::{AccountId, ApplicationId, PrincipalId, TokenId},
    name::{Email, Namespace},
    principal::PrincipalKind,
    role::AccountRole,
    scope::{Caps, QuayScope, Scopes},
    secret::TokenSecret,
};
use claviger_store::{
    Query, Tx,
    applications::{self, Application, ClientSecret},
    audit::{self, Act, Actor},
    endings::Ending,
    installation,
    principals::{self, Principal},
    role_bindings,
    tokens::{NewSecret, NewToken},
    users,
};

use crate::{
    app::App,
    caller::{Caller, Credential, Origin},
    facts::AsOf,
    names::Claim,
    oauth_token::{TOKEN_MS, issue},
    passwords::Password,
    sessions::SignedIn,
};

/// What somebody may be made of.
#[derive(Debug)]
pub struct NewUser {
    /// The e-mail address.
    pub email: Option<Email>,
    /// The password; without one nobody can sign in.
    pub password: Option<Password>,
    /// Whether the address counts as confirmed.
    pub verified: bool,
    /// Whether he is a superuser.
    pub superuser: bool,
}

/// A user who is ready to be written: his password is hashed.
pub(crate) struct ReadyUser {
    id: PrincipalId,
    /// The names that he may have; the first that is free is his.
    claims: Vec<Claim>,
    role: Option<AccountRole>,
    profile: Option<String>,
    email: Option<Email>,
    password_hash: Option<String>,
    verified: bool,
    superuser: bool,
}

impl ReadyUser {
    /// The same, without a role in his account, and with something said of him.
    pub(crate) fn without_role(self, profile: String) -> Self {
        Self { role: None, profile: Some(profile), ..self }
    }

    /// Takes the first of the names that may be had.
    fn take_name(&self, tx: &mut Tx<'_>) -> Result<&str, Error> {
        let mut refused = Error::internal("a user without a name");
        for claim in &self.claims {
            match claim.take(tx, &self.id) {
                Ok(()) => return Ok(claim.name()),
                Err(error @ Error::Conflict(_)) => refused = error,
                Err(error) => return Err(error),
            }
        }
        Err(refused)
    }

    /// Writes him.
    ///
    /// # Errors
    /// [`Conflict::NameTaken`], [`Conflict::NameReserved`], [`Conflict::EmailTaken`].
    pub(crate) fn insert(
        self,
        tx: &mut Tx<'_>,
        account: AccountId,
        actor: &Actor,
        now: UnixMillis,
    ) -> Result<Principal, Error> {
        let name = self.take_name(tx)?.to_owned();
        if let Some(email) = &self.email
            && principals::find_by_email(tx, &email.key())?.is_some()
        {
            return Err(Conflict::EmailTaken.into());
        }
        let new = Principal::new(self.id, account, PrincipalKind::User, &name, now);
        let user = Principal {
            email: self.email.map(|email| email.as_str().to_owned()),
            password_changed_at: self.password_hash.as_ref().map(|_| now),
            password_hash: self.password_hash,
            verified_at: self.verified.then_some(now),
            superuser_at: self.superuser.then_some(now),
            metadata: self.profile,
            created_by: actor.id,
            ..new
        };
        principals::insert(tx, &user)?;
        if let Some(role) = self.role {
            role_bindings::insert_first(tx, &user.id, &account, role, now, actor.id.as_ref())?;
        }
        let after = serde_json::json!({ "email": user.email, "superuser": self.superuser });
        let after = after.to_string();
        let act = Act::done("user_create", "user", &user.name).id(&user.id);
        let act = act.namespace(&user.name).change(None, Some(&after));
        audit::append(tx, now, actor, &act)?;
        Ok(user)
    }
}

/// The first superuser of an empty store, who has made himself.
pub struct FirstSuperuser {
    /// His session.
    pub signed_in: SignedIn,
    /// A token of his with every scope, if he wanted one.
    pub token: Option<TokenSecret>,
}

impl App {
    /// The hash of a password that somebody is given.
    ///
    /// # Errors
    /// [`Error::Invalid`] for one that looks like a token, with which nobody could sign in.
    pub(crate) async fn hash_new_password(&self, password: Password) -> Result<String, Error> {
        if self.keys.looks_like_token(password.expose()) {
            return Err(Error::invalid("password", "must not be a token"));
        }
        self.passwords.hash(password, self.chance()).await
    }

    /// Makes `new` ready to be written, under the name that `claim` wants.
    ///
    /// # Errors
    /// As [`App::hash_new_password`].
    pub(crate) async fn ready_user(&self, claim: Claim, new: NewUser) -> Result<ReadyUser, Error> {
        self.ready_user_of(vec![claim], new).await
    }

    /// The same, under the first name of `claims` that may be had.
    ///
    /// # Errors
    /// As [`App::hash_new_password`].
    pub(crate) async fn ready_user_of(
        &self,
        claims: Vec<Claim>,
        new: NewUser,
    ) -> Result<ReadyUser, Error> {
        let password_hash = match new.password {
            Some(password) => Some(self.hash_new_password(password).await?),
            None => None,
        };
        Ok(ReadyUser {
            id: PrincipalId::random(self.chance()),
            claims,
            role: Some(AccountRole::Member),
            profile: None,
            email: new.email,
            password_hash,
            verified: new.verified,
            superuser: new.superuser,
        })
    }

    /// Somebody makes himself a user. He is signed in at once, unless he must confirm his address.
    ///
    /// # Errors
    /// [`Error::NotFound`] where that is not allowed; as `ReadyUser::insert`; [`Error::Busy`].
    pub async fn sign_up(
        &self,
        name: Namespace,
        email: Option<Email>,
        password: Password,
        origin: &Origin,
    ) -> Result<Option<SignedIn>, Error> {
        if !self.settings.quay.feature_user_creation {
            return Err(Error::NotFound("page"));
        }
        let verified = !self.settings.quay.feature_mailing;
        let password = Some(password);
        let new = NewUser { email, password, verified, superuser: false };
        let ready = self.ready_user(self.claim(name, None), new).await?;
        let (now, actor) = (self.now(), origin.nobody());
        let user = self
            .db
            .write(move |tx| {
                let account = first_account(tx)?;
                ready.insert(tx, account, &actor, now)
            })
            .await?;
        if verified { Ok(Some(self.begin_session_of(user.id, origin).await?)) } else { Ok(None) }
    }

    /// Whether there is any user.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn has_users(&self) -> Result<bool, Error> {
        self.db.peek(|q: &mut dyn Query| Ok(principals::any_user(q)?)).await
    }

    /// Makes the first user of a store that has none, a superuser. Of several who try, the first
    /// wins.
    ///
    /// # Errors
    /// [`Conflict::NotEmpty`], as `ReadyUser::insert`, [`Error::Busy`].
    pub async fn initialize_users(
        &self,
        name: Namespace,
        email: Option<Email>,
        password: Password,
        wants_token: bool,
        origin: &Origin,
    ) -> Result<FirstSuperuser, Error> {
        if self.has_users().await? {
            return Err(Conflict::NotEmpty.into());
        }
        let password = Some(password);
        let new = NewUser { email, password, verified: true, superuser: true };
        let ready = self.ready_user(Claim::of_program(name), new).await?;
        let token = if wants_token { Some(self.first_token()?) } else { None };
        let (secret, token) = token.unzip();
        let (now, actor) = (self.now(), origin.nobody());
        let user = self
            .db
            .write(move |tx| {
                if principals::any_user(tx)? {
                    return Err(Conflict::NotEmpty.into());
                }
                let account = first_account(tx)?;
                let user = ready.insert(tx, account, &actor, now)?;
                if let Some(token) = token {
                    token.insert(tx, &user, &actor, now)?;
                }
                Ok(user)
            })
            .await?;
        let signed_in = self.begin_session_of(user.id, origin).await?;
        Ok(FirstSuperuser { signed_in, token: secret })
    }

    /// Another password for a user; what was born of the former one ends.
    ///
    /// # Errors
    /// As [`App::hash_new_password`]; [`Error::NotFound`] when he has gone.
    pub(crate) async fn change_password(
        &self,
        user: PrincipalId,
        password: Password,
        actor: Actor,
    ) -> Result<(), Error> {
        let hash = self.hash_new_password(password).await?;
        let now = self.now();
        self.db.write(move |tx| give_password(tx, &user, &hash, &actor, now)).await
    }

    /// Begins a session of a user who has just proved who he is.
    pub(crate) async fn begin_session_of(
        &self,
        user: PrincipalId,
        origin: &Origin,
    ) -> Result<SignedIn, Error> {
        let principal = self.facts.principal(&self.db, user).await?;
        let principal = principal.filter(|user| user.enabled).ok_or(BadCredential::Unknown)?;
        let standing = self.standing(&principal);
        let (credential, caps) = (Credential::Password, Caps::DIRECT);
        let as_of = AsOf::default();
        let caller = Caller { principal, credential, caps, standing, ahead: None, as_of };
        self.begin_session(caller, origin).await
    }

    /// A token with every scope for the first user. It is given to an application of his own, so
    /// that he finds it among what he has granted.
    fn first_token(&self) -> Result<(TokenSecret, FirstToken), Error> {
        let application = ApplicationId::random(self.chance());
        let (_, client_secret) = self.new_client_secret(&application)?;
        let (secret, minted) = self.keys.mint(TokenKind::Oauth, self.chance());
        let token = self.new_token_id();
        let kept = NewSecret::from(minted);
        Ok((secret, FirstToken { application, client_secret, token, kept }))
    }
}

struct FirstToken {
    application: ApplicationId,
    client_secret: ClientSecret,
    token: TokenId,
    kept: NewSecret,
}

impl FirstToken {
    fn insert(
        self,
        tx: &mut Tx<'_>,
        user: &Principal,
        actor: &Actor,
        now: UnixMillis,
    ) -> Result<(), Error> {
        let application = Application {
            id: self.application,
            client_id: user.name.clone(),
            org: user.id,
            name: "automation".to_owned(),
            redirect_uri: String::new(),
            application_uri: String::new(),
            description: "The token of the first user".to_owned(),
            avatar_email: None,
            secret: self.client_secret,
            created_at: now,
        };
        applications::insert(tx, &application)?;
        let token = NewToken {
            id: self.token,
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
            expires_at: Some(now.plus_ms(TOKEN_MS)),
            scopes: Scopes::quay(QuayScope::ALL.iter().copied()),
        };
        issue(tx, actor, &application, &user.name, &token, &self.kept)
    }
}

fn first_account(q: &mut dyn Query) -> Result<AccountId, Error> {
    let account = installation::first_account(q)?;
    account.ok_or_else(|| Error::internal("the store has no account"))
}

/// Gives a user another password; what was born of the former one ends.
pub(crate) fn give_password(
    tx: &mut Tx<'_>,
    user: &PrincipalId,
    hash: &str,
    actor: &Actor,
    now: UnixMillis,
) -> Result<(), Error> {
    let user = principals::find(tx, user)?.ok_or(Error::NotFound("user"))?;
    let ending = Ending { now, by: &actor.name, reason: "password changed" };
    users::set_password(tx, &user.id, hash, &ending)?;
    let act = Act::done("user_change_password", "user", &user.name);
    let act = act.id(&user.id).namespace(&user.name);
    Ok(audit::append(tx, now, actor, &act)?)
}
