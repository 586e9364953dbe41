//! Forward-auth: a proxy asks whether a request may pass before it passes it on.
//!
//! ```text
//! method, target ──▶ the first route that fits ──▶ what it needs ──▶ who is asking ──▶ the decision
//!                        none: refused                                may be nobody
//! ```
//! The table is compiled once, when the settings are read; a request costs a comparison of segments
//! and the facts of one decision. Nothing is changed by it: a repository without a row is refused to
//! everybody.
//!
//! Source: `PRODUCT.md`, "Decisions"; `SECURITY.md` section 5.
//! Not here: which proxy says what in which header (`claviger_http::forward`).

mod pattern;
mod query;
mod table;
mod target;
mod template;

use claviger_domain::{BadCredential, Error, TokenKind, name::RepoName};
use ring::digest::{SHA256, digest};
use subtle::ConstantTimeEq as _;

pub use self::{
    table::{Challenge, QuerySpec, RouteSpec, Table},
    target::{Ambiguous, Target},
};
use self::{
    table::{Methods, Needs, Right, Route},
    template::Naming,
};
use crate::{
    app::App,
    caller::{Caller, Origin},
    decisions::Decision,
    facts::Soon,
    passwords::Password,
};

/// The kinds that open decisions.
const OPENS: &[TokenKind] =
    &[TokenKind::Oauth, TokenKind::Authorization, TokenKind::Api, TokenKind::Robot, TokenKind::App];

/// What a proxy asks about.
#[derive(Clone, Debug)]
pub struct Asked<'a> {
    /// The method of the original request.
    pub method: &'a [u8],
    /// Its path and query.
    pub target: Target<'a>,
    /// Whether its body is a form, which could say what we look for in the query.
    pub form: bool,
}

/// What the client shows.
#[derive(Debug)]
pub enum Login<'a> {
    /// Nothing.
    Nobody,
    /// `Bearer`.
    Bearer(&'a str),
    /// `Basic`.
    Basic {
        /// The user name.
        user: String,
        /// What came with it: a token, never a person's password.
        secret: Password,
    },
    /// Something that cannot be read.
    Unreadable,
}

/// Why a request may not pass.
#[derive(Debug)]
pub enum Refusal {
    /// No route fits, or there is no such method.
    NoRoute,
    /// It can be read in two ways.
    Ambiguous,
    /// A good credential is needed. So it is asked for, and why the one that came is not.
    Credential(Challenge, Error),
    /// Who is asking may not; the right that would do, such as `repository:acme/app:pull`.
    Right(String),
    /// It could not be decided.
    Undecided(Error),
}

/// The hash of the secret that proxies show.
#[derive(Clone, PartialEq, Eq)]
pub struct SharedSecret([u8; 32]);

impl std::fmt::Debug for SharedSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[secret]")
    }
}

impl SharedSecret {
    /// The shortest, in bytes.
    pub const MIN_BYTES: usize = 20;

    /// The hash of `secret`.
    pub fn of(secret: &[u8]) -> Self {
        let mut hash = [0; 32];
        for (to, from) in hash.iter_mut().zip(digest(&SHA256, secret).as_ref()) {
            *to = *from;
        }
        Self(hash)
    }

    /// Whether it is the hash of `given`.
    pub fn is(&self, given: &[u8]) -> bool {
        self.0.ct_eq(&Self::of(given).0).into()
    }
}

impl App {
    /// Whether the request that a proxy asks about may pass, and as whose it is handed on.
    ///
    /// # Errors
    /// Why not.
    pub async fn forward(
        &self,
        asked: &Asked<'_>,
        login: Login<'_>,
        origin: &Origin,
    ) -> Result<Option<Caller>, Refusal> {
        let path = asked.target.path();
        let route = Methods::one(asked.method)
            .and_then(|method| self.settings.forward.routes.find(method, path))
            .ok_or(Refusal::NoRoute)?;
        if asked.form && !route.query.is_empty() {
            return Err(Refusal::Ambiguous);
        }
        let name = match &route.needs {
            Needs::Right(right) => self.forward_name(route, right, path, None),
            Needs::Nothing | Needs::Token => None,
        };
        let caller = self.forward_login(login, name.as_ref(), origin).await;
        let caller = match (caller, &route.needs) {
            // what everybody may, may also who comes with something that is no token of ours
            (Err(_), Needs::Nothing) => None,
            (Ok(None), Needs::Token) => {
                return Err(Refusal::Credential(route.challenge, Error::Unauthenticated));
            }
            (Err(error @ Error::BadCredential(_)), _) => {
                return Err(Refusal::Credential(route.challenge, error));
            }
            (caller, _) => caller.map_err(Refusal::Undecided)?,
        };
        if let Needs::Right(right) = &route.needs {
            self.forward_right(caller.as_ref(), route, right, name.as_ref(), origin).await?;
        }
        for check in &route.query {
            let value = query::parameter(asked.target.query(), &check.name)
                .map_err(|Ambiguous| Refusal::Ambiguous)?;
            if let Some(value) = value {
                let name = self.forward_name(route, &check.right, path, Some(&*value));
                let (right, name) = (&check.right, name.as_ref());
                self.forward_right(caller.as_ref(), route, right, name, origin).await?;
            }
        }
        if let (Needs::Token, Some(caller)) = (&route.needs, &caller) {
            self.decisions.count(true);
            self.note_decision(false, || Decision {
                at: self.now(),
                actor: caller.actor(origin),
                subject: None,
                object_kind: "route",
                object_name: route.template.to_string(),
                asked: vec!["pass"],
                granted: vec!["pass"],
                refused: false,
            });
        }
        Ok(caller)
    }

    /// Checks one right in the repository `name`, if the request names one that can be; nobody has
    /// what the world has.
    async fn forward_right(
        &self,
        caller: Option<&Caller>,
        route: &Route,
        right: &Right,
        name: Option<&RepoName>,
        origin: &Origin,
    ) -> Result<(), Refusal> {
        let quay = &self.settings.quay;
        if caller.is_none() && !quay.feature_anonymous_access {
            return Err(Refusal::Credential(route.challenge, Error::Unauthenticated));
        }
        let allowed = match name {
            None => false,
            Some(name) => {
                let gathered = self.about_repo(caller, name).await.map_err(Refusal::Undecided)?;
                gathered.case(None).decide(right.action)
            }
        };
        self.decisions.count(allowed);
        let action = right.action.as_str();
        self.note_decision(!allowed, || Decision {
            at: self.now(),
            actor: caller.map_or_else(|| origin.nobody(), |caller| caller.actor(origin)),
            subject: None,
            object_kind: "repository",
            object_name: name.map(ToString::to_string).unwrap_or_default(),
            asked: vec![action],
            granted: if allowed { vec![action] } else { Vec::new() },
            refused: !allowed,
        });
        match (allowed, caller) {
            (true, _) => Ok(()),
            (false, None) => Err(Refusal::Credential(route.challenge, Error::Unauthenticated)),
            (false, Some(_)) => {
                let name = name.map_or("", RepoName::as_str);
                Err(Refusal::Right(format!("repository:{name}:{action}")))
            }
        }
    }

    /// The repository that `right` is about.
    fn forward_name(
        &self,
        route: &Route,
        right: &Right,
        path: &str,
        parameter: Option<&str>,
    ) -> Option<RepoName> {
        let quay = &self.settings.quay;
        let naming = Naming {
            library: quay.feature_library_support.then_some(&*quay.library_namespace),
            nested: quay.feature_extended_repository_names,
        };
        right.repository.name(&route.pattern, path, parameter, naming)
    }

    /// Who comes with `login`; a forged token is refused before anything is looked up.
    async fn forward_login(
        &self,
        login: Login<'_>,
        soon: Soon<'_>,
        origin: &Origin,
    ) -> Result<Option<Caller>, Error> {
        let caller = match login {
            Login::Nobody => return Ok(None),
            Login::Unreadable => return Err(BadCredential::Unknown.into()),
            Login::Bearer(token) => {
                let opens = match OPENS.split_last() {
                    Some((_, rest)) if !self.settings.quay.feature_app_specific_tokens => rest,
                    _ => OPENS,
                };
                self.authenticate_token_for(token, opens, soon, origin).await?
            }
            // in a box, because it is large and the usual way, which is small, should stay so
            Login::Basic { user, secret } => {
                Box::pin(self.any_login(&user, secret, false, soon, origin)).await?
            }
        };
        self.must_be_of_this_house(&caller).await?;
        Ok(Some(caller))
    }
}
