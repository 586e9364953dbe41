//! Questions about what somebody may do, asked by somebody else or by himself.
//!
//! Everybody may ask about himself and his tokens; who administers a repository or an organisation,
//! about that; a superuser with an unscoped token, or with a token that has the scope `decide`, and
//! a decider with such a token, about anyone. What is asked is answered by the same decision that
//! guards every door, over the same remembered facts.
//!
//! Source: `PRODUCT.md`, "Decisions". Not here: the reasons in words ([`crate::explain`]), lists
//! ([`crate::searches`]).

use std::sync::Arc;

use claviger_domain::{
    Error, TokenKind,
    access::{Bar, Case, NamespaceFacts, may_act, namespace_role},
    id::{PrincipalId, TokenId},
    name::{Namespace, RepoName, RobotName},
    principal::{PrincipalFacts, PrincipalKind},
    role::{Action, OrgAction, OrgRole},
    scope::Caps,
    token::TokenState,
};
use claviger_store::{Query, principals, tokens};

use crate::{
    activity::NotedToken,
    app::App,
    caller::{Caller, Credential, Origin},
    decisions::Decision,
    facts::{About, AsOf, Credentials, Gathered, Known, Seen},
    settings::Quay,
};

/// The kinds of tokens with which decisions may be asked for.
pub const ASKING: [TokenKind; 5] =
    [TokenKind::App, TokenKind::Oauth, TokenKind::Authorization, TokenKind::Api, TokenKind::Robot];

/// About whom a question is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject<'a> {
    /// A user or a robot, by name.
    User(&'a str),
    /// A robot, by name.
    Robot(&'a str),
    /// A token, by id.
    Token(&'a str),
    /// Something that there is not here.
    Unknown,
}

/// About what a question is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Object<'a> {
    /// A repository, by its full name.
    Repository(&'a str),
    /// An organisation, by name.
    Organisation(&'a str),
    /// Something that there is not here.
    Unknown,
}

/// A question.
#[derive(Clone, Copy)]
pub struct Question<'a> {
    /// About whom.
    pub subject: Subject<'a>,
    /// The secret of the token that he comes with.
    pub secret: Option<&'a str>,
    /// What he wants to do.
    pub action: &'a str,
    /// With what.
    pub object: Object<'a>,
}

/// Whose question it is, and so how much of the answer he may know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Insight {
    /// Somebody who may ask about anyone.
    Anyone,
    /// He asks about himself.
    Own,
    /// He administers the object.
    Administers,
}

/// About whom a question is, once it is known.
#[derive(Clone, Debug, Default)]
pub(crate) struct Whom {
    pub(crate) principal: Option<(Arc<PrincipalFacts>, AsOf)>,
    pub(crate) token: Option<Arc<NotedToken>>,
}

impl Whom {
    fn of(found: Credentials) -> Self {
        let Credentials { token, principal, as_of, .. } = found;
        Self { principal: principal.map(|facts| (facts, as_of)), token: Some(token) }
    }

    /// The id of the principal.
    pub(crate) fn id(&self) -> Option<PrincipalId> {
        self.principal.as_ref().map(|(facts, _)| facts.id)
    }
}

/// A question with all that is looked at to answer it.
pub(crate) struct Matter {
    pub(crate) insight: Insight,
    pub(crate) token: Option<Arc<NotedToken>>,
    pub(crate) bar: Option<Bar>,
    pub(crate) gathered: Gathered<'static>,
}

impl Matter {
    /// The question about a repository.
    pub(crate) fn case(&self) -> Case<'_> {
        self.gathered.case(self.bar)
    }

    /// The organisation, if it is one.
    pub(crate) fn organisation(&self) -> Option<NamespaceFacts> {
        self.gathered.namespace.filter(|namespace| namespace.kind == PrincipalKind::Org)
    }

    /// The answer.
    pub(crate) fn decide(&self, question: &Question<'_>) -> bool {
        match question.object {
            Object::Repository(_) => {
                question.action.parse::<Action>().is_ok_and(|action| self.case().decide(action))
            }
            Object::Organisation(_) => question.action.parse::<OrgAction>().is_ok_and(|action| {
                let role = self
                    .organisation()
                    .filter(|_| self.bar.is_none())
                    .and_then(|org| namespace_role(&self.gathered.asker(), org));
                role >= Some(action.needs())
            }),
            Object::Unknown => false,
        }
    }
}

impl Matter {
    /// Each action that is allowed; `question.action` does not matter.
    pub(crate) fn actions(&self, question: &Question<'_>) -> Vec<&'static str> {
        let may = |action: &&'static str| self.decide(&Question { action, ..*question });
        question.object.actions().into_iter().filter(may).collect()
    }
}

impl Object<'_> {
    /// Every action that there is on things like this, in their order.
    pub(crate) fn actions(self) -> Vec<&'static str> {
        match self {
            Object::Repository(_) => Action::ALL.iter().map(|action| action.as_str()).collect(),
            Object::Organisation(_) => {
                OrgAction::ALL.iter().map(|action| action.as_str()).collect()
            }
            Object::Unknown => Vec::new(),
        }
    }
}

/// An action by its own word.
fn known(word: &str) -> Option<&'static str> {
    let repo = word.parse::<Action>().map(Action::as_str).ok();
    repo.or_else(|| word.parse::<OrgAction>().map(OrgAction::as_str).ok())
}

/// What bars a subject from acting at all.
pub(crate) fn bar_of(
    quay: &Quay,
    state: Option<TokenState>,
    principal: Option<&PrincipalFacts>,
    owner: Option<&PrincipalFacts>,
    subject: Subject<'_>,
) -> Option<Bar> {
    let fits = |found: &&PrincipalFacts| match subject {
        Subject::User(name) => found.name == *name && found.kind != PrincipalKind::Org,
        Subject::Robot(name) => found.name == *name && found.kind == PrincipalKind::Robot,
        Subject::Token(_) => true,
        Subject::Unknown => false,
    };
    may_act(state, principal.filter(fits), owner, |robot| quay.admits_robot(robot)).err()
}

impl Caller {
    /// Whether he may ask what anyone may do.
    pub fn asks_about_anyone(&self) -> bool {
        // a token that lowers nothing: OAuth's are scoped, whatever their words
        let unscoped = match &self.credential {
            Credential::Token(token) if token.kind == TokenKind::Oauth => false,
            _ => self.caps.meet(Caps::REGISTRY) == Caps::REGISTRY,
        };
        // what may be asked about others is a matter of the token: a session of a decider is his own
        let token = matches!(self.credential, Credential::Token(_));
        let decides = token && self.caps.decide;
        self.standing.superuser && (unscoped || decides) || self.principal.decider && decides
    }

    /// Checks that the credential may ask for decisions at all.
    ///
    /// # Errors
    /// [`Error::Denied`].
    pub fn must_ask(&self) -> Result<(), Error> {
        let Caps { repo, org, decide, .. } = self.caps;
        if repo.is_some() || org.is_some() || decide {
            Ok(())
        } else {
            Err(Error::denied("ask about", "decisions"))
        }
    }
}

impl App {
    /// Whether the answer to `question` is yes. It is counted, and noted for the audit.
    ///
    /// # Errors
    /// [`Error::Denied`] when `caller` may not ask this; [`Error::Unavailable`] (so for all of this
    /// file).
    pub async fn ask(
        &self,
        caller: &Caller,
        question: &Question<'_>,
        origin: &Origin,
    ) -> Result<bool, Error> {
        let matter = self.matter(caller, question).await?;
        let allowed = matter.decide(question);
        self.record(caller, question, allowed, origin);
        Ok(allowed)
    }

    /// Which actions somebody may do with something, in their order; `question.action` does not
    /// matter.
    ///
    /// # Errors
    /// As [`App::ask`].
    pub async fn actions(
        &self,
        caller: &Caller,
        question: &Question<'_>,
    ) -> Result<Vec<&'static str>, Error> {
        Ok(self.matter(caller, question).await?.actions(question))
    }

    /// Counts a decision, and notes it as the settings want.
    pub(crate) fn record(
        &self,
        caller: &Caller,
        question: &Question<'_>,
        allowed: bool,
        origin: &Origin,
    ) {
        self.decisions.count(allowed);
        self.note_decision(!allowed, || {
            let asked = vec![known(question.action).unwrap_or("unknown")];
            Decision {
                granted: if allowed { asked.clone() } else { Vec::new() },
                asked,
                refused: !allowed,
                ..self.noted(caller, question, origin)
            }
        });
    }

    /// Notes a search, if the settings want all; `*` stands for what is looked for.
    pub(crate) fn record_search(&self, caller: &Caller, question: &Question<'_>, origin: &Origin) {
        self.note_decision(false, || Decision {
            asked: vec![known(question.action).unwrap_or("*")],
            ..self.noted(caller, question, origin)
        });
    }

    /// Who asked whom about what.
    fn noted(&self, caller: &Caller, question: &Question<'_>, origin: &Origin) -> Decision {
        let (object_kind, object_name) = match question.object {
            Object::Repository(name) => ("repository", name),
            Object::Organisation(name) => ("organization", name),
            Object::Unknown => ("unknown", ""),
        };
        Decision {
            at: self.now(),
            actor: caller.actor(origin),
            object_kind,
            object_name: object_name.to_owned(),
            subject: Some(match question.subject {
                Subject::User(name) | Subject::Robot(name) => name.to_owned(),
                Subject::Token(id) => format!("token {id}"),
                Subject::Unknown => String::new(),
            }),
            asked: Vec::new(),
            granted: Vec::new(),
            refused: false,
        }
    }

    /// Checks that `caller` may ask, and gathers what the answer looks at.
    pub(crate) async fn matter(
        &self,
        caller: &Caller,
        question: &Question<'_>,
    ) -> Result<Matter, Error> {
        let whom = self.subject_of(caller, question).await?;
        let insight = self.insight(caller, &whom, question.object).await?;
        let caps = whom.token.as_ref().map_or(Caps::DIRECT, |token| token.scopes.caps());
        let ahead = caller.ahead.as_ref();
        let repo = match question.object {
            // a name that was found need not be read once more
            Object::Repository(name) => match ahead.map(|ahead| &ahead.repo.name) {
                Some(known) if *known == *name => Some(known.clone()),
                _ => name.parse().ok(),
            },
            Object::Organisation(_) | Object::Unknown => None,
        };
        let about = match (&repo, question.object) {
            (Some(name), _) => About::Repo(name),
            (None, Object::Organisation(name)) if name.parse::<Namespace>().is_ok() => {
                About::Namespace(name)
            }
            // nothing has no name
            _ => About::Namespace(""),
        };
        // what is known of one epoch goes together; the repository, whoever it was looked at for
        let known = whom.principal.as_ref().map(|(facts, as_of)| {
            let seen = match ahead.filter(|_| *as_of == caller.as_of) {
                Some(ahead) if facts.id == caller.principal.id => Seen::All(ahead),
                Some(ahead) => Seen::Repo(&ahead.repo),
                None => Seen::Nothing,
            };
            Known { facts, as_of: *as_of, seen }
        });
        let gathered =
            self.facts.gather(&self.db, known, about, caps, |facts| self.standing(facts)).await?;
        let gathered = gathered.into_owned();
        let state = whom.token.as_ref().map(|token| token.state(self.now()));
        let bar = self.bar(state, gathered.principal(), question.subject).await?;
        Ok(Matter { insight, token: whom.token, bar, gathered })
    }

    /// What bars the subject from acting at all.
    async fn bar(
        &self,
        state: Option<TokenState>,
        principal: Option<&PrincipalFacts>,
        subject: Subject<'_>,
    ) -> Result<Option<Bar>, Error> {
        let owner = match principal.and_then(|robot| robot.owner) {
            Some(owner) => self.facts.principal(&self.db, owner).await?,
            None => None,
        };
        Ok(bar_of(&self.settings.quay, state, principal, owner.as_deref(), subject))
    }

    /// Whose question this is.
    async fn insight(
        &self,
        caller: &Caller,
        whom: &Whom,
        object: Object<'_>,
    ) -> Result<Insight, Error> {
        if caller.asks_about_anyone() {
            Ok(Insight::Anyone)
        } else if whom.id() == Some(caller.principal.id) {
            Ok(Insight::Own)
        } else if self.administers_object(caller, object).await? {
            Ok(Insight::Administers)
        } else {
            Err(Error::denied("ask about", "somebody else"))
        }
    }

    /// Whether `caller` administers what a question is about.
    pub(crate) async fn administers_object(
        &self,
        caller: &Caller,
        object: Object<'_>,
    ) -> Result<bool, Error> {
        match object {
            Object::Repository(name) => {
                let Ok(name) = name.parse::<RepoName>() else { return Ok(false) };
                let gathered = self.about_repo(Some(caller), &name).await?;
                let may = |acl| {
                    claviger_domain::access::decide(&gathered.asker(), acl, Action::Administer)
                };
                Ok(gathered.acl().is_some_and(may))
            }
            Object::Organisation(name) if name.parse::<Namespace>().is_ok() => {
                let gathered = self.about_namespace(Some(caller), name).await?;
                let role =
                    gathered.namespace.and_then(|org| namespace_role(&gathered.asker(), org));
                Ok(role == Some(OrgRole::Admin))
            }
            Object::Organisation(_) | Object::Unknown => Ok(false),
        }
    }

    /// About whom a question is. A secret that is presented must be the subject's.
    pub(crate) async fn subject_of(
        &self,
        caller: &Caller,
        question: &Question<'_>,
    ) -> Result<Whom, Error> {
        let found = match (question.secret, question.subject) {
            (Some(secret), subject) => {
                let found = self.presented(secret).await?;
                found.filter(|found| match subject {
                    // an id that is none says nothing: the secret does
                    Subject::Token(id) => {
                        id.parse().map_or(true, |id: TokenId| id == found.token.id)
                    }
                    Subject::User(_) | Subject::Robot(_) => true,
                    Subject::Unknown => false,
                })
            }
            (None, Subject::User(name) | Subject::Robot(name)) => {
                let principal = self.named(caller, name).await?;
                return Ok(Whom { principal, token: None });
            }
            (None, Subject::Token(id)) => match id.parse() {
                Ok(id) => self.token_by_id(id).await?,
                Err(_) => None,
            },
            (None, Subject::Unknown) => None,
        };
        Ok(found.map_or_else(Whom::default, Whom::of))
    }

    /// The token that a presented secret reaches.
    async fn presented(&self, secret: &str) -> Result<Option<Credentials>, Error> {
        let Some(verified) = self.keys.verify(secret) else { return Ok(None) };
        let found = self.facts.credentials(&self.db, &verified.lookup).await?;
        Ok(found.filter(|Credentials { token, .. }| {
            token.kind == verified.kind && token.key_generation == verified.generation
        }))
    }

    /// The token with this id, as its best secret reaches it.
    async fn token_by_id(&self, id: TokenId) -> Result<Option<Credentials>, Error> {
        let lookups = self.db.peek(move |q: &mut dyn Query| Ok(tokens::lookups(q, &id)?)).await?;
        let mut known = None;
        for lookup in lookups {
            let Some(found) = self.facts.credentials(&self.db, &lookup).await? else { continue };
            if found.token.state(self.now()) == TokenState::Live {
                return Ok(Some(found));
            }
            known.get_or_insert(found);
        }
        Ok(known)
    }

    /// Whom a name names. What is remembered of names is a hint, and checked: the facts under the
    /// id say the name.
    async fn named(
        &self,
        caller: &Caller,
        name: &str,
    ) -> Result<Option<(Arc<PrincipalFacts>, AsOf)>, Error> {
        if caller.principal.name == *name {
            return Ok(Some((Arc::clone(&caller.principal), caller.as_of)));
        }
        if let Some(id) = self.hints.get(name)
            && let Some(facts) = self.facts.principal(&self.db, id).await?
            && facts.name == *name
        {
            return Ok(Some((facts, AsOf::default())));
        }
        // what can be no name is not handed to the store
        if name.parse::<Namespace>().is_err() && name.parse::<RobotName>().is_err() {
            return Ok(None);
        }
        let text = name.to_owned();
        let id = self.db.peek(move |q: &mut dyn Query| Ok(principals::id_of(q, &text)?)).await?;
        let Some(id) = id else { return Ok(None) };
        self.hints.keep(name, id);
        let facts = self.facts.principal(&self.db, id).await?;
        Ok(facts.map(|facts| (facts, AsOf::default())))
    }
}
