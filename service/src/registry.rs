//! Registry tokens: what somebody may do in a registry, said in a signed JWT.
//!
//! Each thing that is asked for is answered by what may be done with it, which can be nothing: the
//! registry does the refusing. A push to a repository that does not exist makes it, when the
//! caller may.
//!
//! Source: `contract/quay.md` 6.3 and 6.4, `contract/registry.md` sections 2 to 4.
//! Not here: keys and signatures ([`crate::signing`]).

mod actions;
mod config;
mod login;
mod push;
mod refresh;

use std::{sync::Arc, time::Duration};

use claviger_domain::{Error, UnixMillis, name::RepoName};

use self::push::Push;
pub(crate) use self::refresh::LIFE_MS as REFRESH_LIFE_MS;
pub use self::{
    actions::{Actions, RegistryAction},
    config::{RegistryKind, config},
};

use crate::{
    app::App,
    caller::{Caller, Origin},
    decisions::Decision,
    facts::Gathered,
    signing::{Access, Claims},
};

/// A token is good this long before it is made, for registries whose clock is behind.
const BACKDATED_SECONDS: i64 = 30;
/// For how long a registry takes a token that has ended, for the sake of clocks that differ.
///
/// Source: distribution `registry/auth/token/token.go`, `Leeway`.
const REGISTRY_LEEWAY: Duration = Duration::from_secs(60);
/// The name of nobody.
const ANONYMOUS: &str = "(anonymous)";

/// What is asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A repository; `None` when there can be no such namespace.
    Repository(Option<RepoName>),
    /// The list of all repositories of the registry.
    Catalog,
}

/// One thing that a registry token is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// What it is.
    pub subject: Subject,
    /// Its name as it was asked.
    pub name: String,
    /// What is to be done with it.
    pub actions: Actions,
}

/// A registry token, ready to be sent.
#[derive(Clone, Debug)]
pub struct RegistryToken {
    /// The JWT.
    pub token: String,
    /// When it was made.
    pub issued_at: UnixMillis,
    /// How long it lives, in seconds.
    pub expires_in: i64,
    /// What it says may be done.
    pub access: Vec<Access>,
}

impl App {
    /// The token with which `caller` (nobody: the world) may do what he may of what is asked.
    /// `service` is the registry that it is for; a service that is not ours makes a token without
    /// access. With `may_create`, a push makes the repository that is not there.
    ///
    /// # Errors
    /// [`Error::Denied`] about the namespace of a disabled user; [`Error::Unavailable`].
    pub async fn registry_token(
        &self,
        caller: Option<&Caller>,
        asks: Vec<Ask>,
        service: Option<&str>,
        may_create: bool,
        origin: &Origin,
    ) -> Result<RegistryToken, Error> {
        let ours = self.registry_service(service);
        let mut access = Vec::with_capacity(asks.len());
        if ours.is_some() {
            for ask in merged(asks) {
                access.push(self.access(caller, ask, may_create, origin).await?);
            }
        }
        let audience = ours.or(self.registry_service(None)).unwrap_or_default();
        self.signed(caller, audience, access, origin)
    }

    /// Until when registries still take the registry tokens that were given out so far: revoking what
    /// they were given for does not reach them.
    pub fn registry_tokens_until(&self) -> UnixMillis {
        self.now().plus(self.settings.registry.token_ttl).plus(REGISTRY_LEEWAY)
    }

    /// The document of `/.well-known/jwks.json`.
    ///
    /// # Errors
    /// [`Error::Internal`] when there are no keys yet.
    pub fn jwks(&self) -> Result<Arc<str>, Error> {
        self.signer.jwks()
    }

    fn signed(
        &self,
        caller: Option<&Caller>,
        audience: &str,
        access: Vec<Access>,
        origin: &Origin,
    ) -> Result<RegistryToken, Error> {
        let now = self.now();
        let life = self.settings.registry.token_ttl.as_secs();
        let expires_in = i64::try_from(life).unwrap_or(i64::MAX / 2000);
        let token = self.signer.sign(&Claims {
            iss: self.settings.registry_issuer(),
            sub: caller.map_or(ANONYMOUS, |caller| &caller.principal.name),
            aud: audience,
            exp: now.seconds().saturating_add(expires_in),
            nbf: now.seconds() - BACKDATED_SECONDS,
            iat: now.seconds(),
            jti: origin.request_id,
            access: &access,
        })?;
        Ok(RegistryToken { token, issued_at: now, expires_in, access })
    }

    async fn access(
        &self,
        caller: Option<&Caller>,
        ask: Ask,
        may_create: bool,
        origin: &Origin,
    ) -> Result<Access, Error> {
        let (kind, granted) = match &ask.subject {
            Subject::Catalog => {
                let may = caller.is_some_and(|c| c.standing.superuser && c.caps.superuser);
                ("registry", if may { ask.actions } else { Actions::default() })
            }
            Subject::Repository(None) => ("repository", Actions::default()),
            Subject::Repository(Some(name)) => {
                let granted = self.granted(caller, name, ask.actions, may_create, origin).await?;
                ("repository", granted)
            }
        };
        for action in RegistryAction::ALL.iter().filter(|action| ask.actions.contains(**action)) {
            self.decisions.count(granted.contains(*action));
        }
        let refused = !granted.covers(ask.actions);
        self.note_decision(refused, || Decision {
            at: self.now(),
            actor: caller.map_or_else(|| origin.nobody(), |caller| caller.actor(origin)),
            object_kind: kind,
            object_name: ask.name.clone(),
            subject: None,
            asked: ask.actions.words(),
            granted: granted.words(),
            refused,
        });
        Ok(Access { kind, name: ask.name, actions: granted.words() })
    }

    async fn granted(
        &self,
        caller: Option<&Caller>,
        name: &RepoName,
        asked: Actions,
        may_create: bool,
        origin: &Origin,
    ) -> Result<Actions, Error> {
        let gathered = self.about_repo(caller, name).await?;
        if gathered.closed {
            return Err(Error::denied("use", name.namespace()));
        }
        if let Some(acl) = &gathered.acl {
            return Ok(actions::granted(&gathered.asker(), acl, asked));
        }
        let pushes = asked.contains(RegistryAction::Push);
        let Some(caller) = caller.filter(|_| pushes && may_create) else {
            return Ok(on_nothing(&gathered, asked));
        };
        // in a box, so that the way of nearly all requests stays small
        let push = Box::pin(self.make_for_push(caller, &gathered, name, origin)).await?;
        if push == Push::Refused {
            return Ok(on_nothing(&gathered, asked));
        }
        let gathered = self.about_repo(Some(caller), name).await?;
        let mut granted = match &gathered.acl {
            Some(acl) => actions::granted(&gathered.asker(), acl, asked),
            None => Actions::default(),
        };
        if push == Push::Made {
            // also for a credential that may make repositories and nothing else
            granted.insert(RegistryAction::Push);
        }
        Ok(granted)
    }
}

/// What may be done to a repository that does not exist.
fn on_nothing(gathered: &Gathered<'_>, asked: Actions) -> Actions {
    match gathered.namespace {
        Some(namespace) => actions::granted_on_nothing(&gathered.asker(), namespace, asked),
        None => Actions::default(),
    }
}

/// Each thing once, with all that is asked for it: clients repeat themselves.
fn merged(asks: Vec<Ask>) -> Vec<Ask> {
    let mut merged: Vec<Ask> = Vec::with_capacity(asks.len());
    for ask in asks {
        let same = |known: &&mut Ask| known.subject == ask.subject && known.name == ask.name;
        match merged.iter_mut().find(same) {
            Some(known) => known.actions.merge(ask.actions),
            None => merged.push(ask),
        }
    }
    merged
}
