//! What a user grants to an application: consent, then a token at once (the implicit grant) or a
//! code that the application exchanges for one.
//!
//! Only who administers the application's organisation may consent, and a user to whom its token
//! was assigned; superusers are no exception. The answer goes only where the application
//! registered it to go.
//!
//! Source: Quay `endpoints/web.py`; `contract/quay.md` 4.3, 4.4; RFC 6749; `SECURITY.md` section 4.
//! Not here: the exchange of codes (`crate::oauth_token`), assigning (`crate::oauth_assign`), the
//! addresses that answers are written into (`http::oauth`).

use claviger_domain::{
    Error, TokenKind, UnixMillis,
    access::{NamespaceFacts, Standing, namespace_role},
    id::{AccountId, AssignmentId, PrincipalId, TokenId},
    lifetime::Beyond,
    redirect::{self, Match},
    role::OrgRole,
    scope::{Caps, QuayScope, Scopes},
};
use claviger_store::{
    Query, Tx,
    applications::{self, Application},
    audit::{self, Actor},
    faces::Face,
    grants::{self, Assignment, Code},
    oauth_tokens,
    tokens::{NewSecret, NewToken},
};

use crate::{
    app::App,
    applications::{PublicApplication, act},
    caller::{Caller, Origin},
    facts::About,
    keys::{OpaqueSecret, Purpose},
    lifetimes,
    oauth_token::{self, issue, life_s, usual},
    still::Right,
};

/// How long a code may wait for its exchange: ten minutes.
const CODE_MS: i64 = 600_000;

/// What is asked for, as it was sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// Which application asks.
    pub client_id: String,
    /// Where the answer shall go.
    pub redirect_uri: String,
    /// The scopes.
    pub scope: String,
    /// `token` or `code`.
    pub response_type: String,
    /// The assignment that the user takes up.
    pub assignment: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ResponseType {
    Token,
    Code,
}

impl Asked {
    fn response_type(&self) -> Option<ResponseType> {
        match self.response_type.as_str() {
            "token" => Some(ResponseType::Token),
            "code" => Some(ResponseType::Code),
            _ => None,
        }
    }

    /// Whether the answer may go where it shall: where the application registered, or to the
    /// built-in application at `local`. Codes match exactly; tokens by Quay's rule.
    pub(crate) fn may_go_to(&self, registered: &str, local: &str) -> bool {
        let rule = match self.response_type() {
            Some(ResponseType::Code) => Match::Exact,
            Some(ResponseType::Token) | None => Match::Below,
        };
        self.redirect_uri == local || redirect::is_allowed(&self.redirect_uri, registered, rule)
    }
}

/// What comes of a question before the user is asked.
#[derive(Debug)]
pub enum Weighed {
    /// There is no such application.
    NoClient,
    /// The user may not consent.
    NotAllowed,
    /// He has consented before; nobody has to ask him again.
    Covered,
    /// The answer may not go where it shall; that can be said at the registered address.
    OtherRedirect(String),
    /// No answer can go anywhere.
    NoRedirect,
    /// There is no scope to consent to.
    NoScope,
    /// The user is to be asked.
    Ask {
        /// Who asks him.
        application: Box<PublicApplication>,
        /// For what.
        scopes: Vec<QuayScope>,
    },
}

/// What an application gets.
#[derive(Debug)]
pub enum Granted {
    /// A token.
    Token(oauth_token::Granted),
    /// A code to exchange.
    Code(OpaqueSecret),
}

/// Why an application gets nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is told so with this word, where the answer should have gone.
    Told(&'static str),
    /// No answer may go there: only the user is told.
    BadRedirect,
}

/// The application of a question, and the assignment that the user takes up.
pub(crate) struct Known {
    pub(crate) application: Application,
    pub(crate) org: Face,
    assignment: Option<Assignment>,
}

fn known(q: &mut dyn Query, asked: &Asked, user: &PrincipalId) -> Result<Option<Known>, Error> {
    let Some((application, org)) = applications::find(q, &asked.client_id)? else {
        return Ok(None);
    };
    let id = asked.assignment.as_deref().and_then(|id| id.parse::<AssignmentId>().ok());
    let assignment = match id {
        Some(id) => grants::assignment(q, &id)?,
        None => None,
    };
    let assignment = assignment.filter(|a| a.principal == *user && a.application == application.id);
    Ok(Some(Known { application, org, assignment }))
}

/// Whether the user's live tokens of the application cover `scopes`. Having any covers no scope,
/// as upstream.
fn is_covered(
    q: &mut dyn Query,
    application: &Application,
    user: &PrincipalId,
    scopes: &[QuayScope],
    now: UnixMillis,
) -> Result<bool, Error> {
    let tokens = oauth_tokens::of_application(q, &application.id, now)?;
    let mine: Vec<_> = tokens.iter().filter(|token| token.principal == *user).collect();
    let covered = |asked: &QuayScope| {
        mine.iter().flat_map(|token| &token.scopes).any(|held| held.implies(*asked))
    };
    Ok(!mine.is_empty() && scopes.iter().all(covered))
}

/// Whether an answer may be sent at all: where the application registered, or, when it is unknown,
/// to an address that some application registered exactly.
fn may_hear(
    q: &mut dyn Query,
    asked: &Asked,
    application: Option<&Application>,
    local: &str,
) -> Result<bool, Error> {
    let uri = &asked.redirect_uri;
    match application {
        Some(application) => Ok(asked.may_go_to(&application.redirect_uri, local)),
        None if redirect::is_allowed(uri, uri, Match::Exact) => {
            Ok(applications::is_registered(q, uri)?)
        }
        None => Ok(false),
    }
}

impl App {
    /// The address of the built-in application, to which every answer may go.
    pub(crate) fn local_application(&self) -> String {
        format!("{}/oauth/localapp", self.settings.public_url)
    }

    /// Whether the user is in a team that administers the organisation. That he is a superuser
    /// does not count.
    pub(crate) async fn administers(&self, user: &Caller, org: &Face) -> Result<bool, Error> {
        let about = About::Namespace(&org.name);
        let (known, caps) = (Some(user.known()), Caps::DIRECT);
        let gathered =
            self.facts.gather(&self.db, known, about, caps, |_| Standing::default()).await?;
        let facts = NamespaceFacts { id: org.id, kind: org.kind };
        Ok(gathered.namespace == Some(facts)
            && namespace_role(&gathered.asker(), facts) == Some(OrgRole::Admin))
    }

    async fn known(&self, user: &Caller, asked: &Asked) -> Result<Option<Known>, Error> {
        let (asked, id) = (asked.clone(), user.principal.id);
        self.db.read(move |q| known(q, &asked, &id)).await
    }

    /// What comes of a question before the user is asked. With `ask_again` he is asked even if he
    /// has consented before.
    ///
    /// # Errors
    /// [`Error::Unavailable`] (so for all of this file).
    pub async fn weigh_authorization(
        &self,
        user: &Caller,
        asked: &Asked,
        ask_again: bool,
    ) -> Result<Weighed, Error> {
        let Some(Known { application, org, assignment }) = self.known(user, asked).await? else {
            return Ok(Weighed::NoClient);
        };
        if assignment.is_none() && !self.administers(user, &org).await? {
            return Ok(Weighed::NotAllowed);
        }
        let scopes = QuayScope::parse_set(&asked.scope);
        let (id, now) = (user.principal.id, self.now());
        let (of, wanted) = (application.clone(), scopes.clone());
        let covered = move |q: &mut dyn Query| is_covered(q, &of, &id, &wanted, now);
        if !ask_again && self.db.read(covered).await? {
            return Ok(Weighed::Covered);
        }
        let registered = &application.redirect_uri;
        if !asked.may_go_to(registered, &self.local_application()) {
            let usable = redirect::is_allowed(registered, registered, Match::Exact);
            return Ok(if usable {
                Weighed::OtherRedirect(application.redirect_uri)
            } else {
                Weighed::NoRedirect
            });
        }
        if scopes.is_empty() {
            return Ok(Weighed::NoScope);
        }
        let application = Box::new(PublicApplication::new(application, org));
        Ok(Weighed::Ask { application, scopes })
    }

    /// Whether an application may hear that the user said no.
    ///
    /// # Errors
    /// As [`App::weigh_authorization`].
    pub async fn may_hear(&self, asked: &Asked) -> Result<bool, Error> {
        let (asked, local) = (asked.clone(), self.local_application());
        self.db
            .read(move |q| {
                let found = applications::find(q, &asked.client_id)?;
                may_hear(q, &asked, found.as_ref().map(|(application, _)| application), &local)
            })
            .await
    }

    /// Gives the application what the user has consented to. An assignment that he takes up is
    /// used up.
    ///
    /// # Errors
    /// As [`App::weigh_authorization`].
    pub async fn authorize(
        &self,
        user: &Caller,
        asked: &Asked,
        origin: &Origin,
    ) -> Result<Result<Granted, Refusal>, Error> {
        let administers = match self.known(user, asked).await? {
            Some(known) => self.administers(user, &known.org).await?,
            None => false,
        };
        let question = Question {
            asked: asked.clone(),
            local: self.local_application(),
            administers,
            user: user.principal.id,
            account: user.principal.account,
            now: self.now(),
            actor: user.actor(origin),
        };
        if asked.response_type() == Some(ResponseType::Code) {
            let (code, lookup) = self.keys.mint_opaque(Purpose::Code, self.chance());
            let refused = self
                .write_as(user, Right::Himself, move |tx| question.grant_code(tx, &lookup))
                .await?;
            return Ok(refused.map_or(Ok(Granted::Code(code)), Err));
        }
        let (secret, minted) = self.keys.mint(TokenKind::Oauth, self.chance());
        let (id, kept) = (self.new_token_id(), NewSecret::from(minted));
        let granted = self
            .write_as(user, Right::Himself, move |tx| question.grant_token(tx, id, &kept))
            .await?;
        Ok(granted.map(|life_s| Granted::Token(oauth_token::Granted { secret, life_s })))
    }
}

/// A question on the writer's thread, with what was found out about its user before.
struct Question {
    asked: Asked,
    local: String,
    administers: bool,
    user: PrincipalId,
    account: AccountId,
    now: UnixMillis,
    actor: Actor,
}

impl Question {
    /// What the answer stands on, or why there is none.
    fn judge(&self, tx: &mut Tx<'_>) -> Result<Result<Known, Refusal>, Error> {
        let known = known(tx, &self.asked, &self.user)?;
        let application = known.as_ref().map(|known| &known.application);
        if !may_hear(tx, &self.asked, application, &self.local)? {
            return Ok(Err(Refusal::BadRedirect));
        }
        if self.asked.response_type().is_none() {
            return Ok(Err(Refusal::Told("unsupported_response_type")));
        }
        let Some(known) = known else { return Ok(Err(Refusal::Told("unauthorized_client"))) };
        if known.assignment.is_none() && !self.administers {
            let act = act("authorize_application", &known.application, &known.org.name);
            audit::append(tx, self.now, &self.actor, &act.denied("unauthorized_client"))?;
            return Ok(Err(Refusal::Told("unauthorized_client")));
        }
        if QuayScope::parse_set(&self.asked.scope).is_empty() {
            return Ok(Err(Refusal::Told("invalid_scope")));
        }
        if let Some(assignment) = &known.assignment {
            grants::remove_assignment(tx, &assignment.id)?;
        }
        Ok(Ok(known))
    }

    fn grant_token(
        &self,
        tx: &mut Tx<'_>,
        id: TokenId,
        secret: &NewSecret,
    ) -> Result<Result<i64, Refusal>, Error> {
        let Known { application, org, .. } = match self.judge(tx)? {
            Ok(known) => known,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let token = NewToken {
            id,
            kind: TokenKind::Oauth,
            account: self.account,
            principal: self.user,
            principal_name: self.actor.name.clone(),
            application: Some(application.id),
            name: application.name.clone(),
            parent: None,
            minted_by: None,
            created_by: self.actor.name.clone(),
            created_by_id: self.actor.id,
            service: None,
            created_at: self.now,
            expires_at: None,
            scopes: Scopes::quay(QuayScope::parse_set(&self.asked.scope)),
        };
        let token = lifetimes::limited(tx, token, usual(self.now), Beyond::Shorten)?;
        issue(tx, &self.actor, &application, &org.name, &token, secret)?;
        Ok(Ok(life_s(&token)))
    }

    fn grant_code(&self, tx: &mut Tx<'_>, lookup: &[u8; 32]) -> Result<Option<Refusal>, Error> {
        let Known { application, org, .. } = match self.judge(tx)? {
            Ok(known) => known,
            Err(refusal) => return Ok(Some(refusal)),
        };
        let code = Code {
            application: application.id,
            principal: self.user,
            redirect_uri: self.asked.redirect_uri.clone(),
            scope: self.asked.scope.clone(),
            created_at: self.now,
            expires_at: self.now.plus_ms(CODE_MS),
            used_at: None,
        };
        grants::insert_code(tx, lookup, &code)?;
        let act = act("create_oauth_code", &application, &org.name);
        audit::append(tx, self.now, &self.actor, &act)?;
        Ok(None)
    }
}
