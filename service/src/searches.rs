//! Searches: who may do something, with what somebody may do it, and what he may do. What is found
//! is what the decision says yes to, one question after the other.
//!
//! A search for subjects is a question about everybody, so it is for who may ask about anyone, and
//! for who administers the object. To the latter a public repository does not tell who there is at
//! all: he is told whom something else lets in, and that it is public. A search for objects is
//! about one subject.
//!
//! A page is read in one snapshot of the store. What does not change while the pages are read is
//! found, once.
//!
//! Source: `OpenID` AuthZEN, "Authorization API 1.0", section 8; `PRODUCT.md`, "Decisions".
//! Not here: single questions ([`crate::questions`]), the reasons ([`crate::reaching`]).

mod objects;
mod scan;
mod snapshot;
mod subjects;

use std::sync::Arc;

use claviger_domain::{
    Error,
    access::RepoAcl,
    role::{Action, OrgAction, Visibility},
    scope::UserCap,
};

use self::subjects::{Source, of_organisation};
pub(crate) use self::{
    objects::{ORGANISATIONS, Reachable},
    scan::Filling,
    snapshot::{Person, Snapshot, Thing},
    subjects::of_repository,
};
use crate::{
    app::App,
    caller::{Caller, Origin},
    cursor::{Paging, Part, Place, Turn, Wrong},
    questions::{Insight, Object, Question, Subject, Whom},
};

/// Which subjects are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubjectKind {
    /// Users and robots.
    User,
    /// Robots.
    Robot,
    /// Tokens.
    Token,
    /// Something that there is not here.
    Unknown,
}

/// Which objects are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectKind {
    /// Repositories.
    Repository,
    /// Organisations.
    Organisation,
    /// Something that there is not here.
    Unknown,
}

/// Subjects that were found: names, of tokens ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subjects {
    /// A page of them.
    pub part: Part<String>,
    /// Whether everybody else may, too, because the repository is public.
    pub everybody: bool,
}

impl SubjectKind {
    /// The subject of this kind with this name or id.
    pub fn called(self, id: &str) -> Subject<'_> {
        match self {
            Self::User => Subject::User(id),
            Self::Robot => Subject::Robot(id),
            Self::Token => Subject::Token(id),
            Self::Unknown => Subject::Unknown,
        }
    }
}

/// A question without what it borrows, but for its subject and secret.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    action: String,
    kind: ObjectKind,
    name: String,
}

impl Kept {
    pub(crate) fn of(question: &Question<'_>) -> Self {
        let (kind, name) = match question.object {
            Object::Repository(name) => (ObjectKind::Repository, name),
            Object::Organisation(name) => (ObjectKind::Organisation, name),
            Object::Unknown => (ObjectKind::Unknown, ""),
        };
        Self { action: question.action.to_owned(), kind, name: name.to_owned() }
    }

    /// The same of somebody.
    pub(crate) fn about<'a>(&'a self, subject: Subject<'a>) -> Question<'a> {
        let object = match self.kind {
            ObjectKind::Repository => Object::Repository(&self.name),
            ObjectKind::Organisation => Object::Organisation(&self.name),
            ObjectKind::Unknown => Object::Unknown,
        };
        Question { subject, secret: None, action: &self.action, object }
    }
}

/// A page of what there is none of.
fn nothing<T>() -> Part<T> {
    Part { items: Vec::new(), next: None }
}

/// What is said of a page that cannot be given.
fn refused(wrong: Wrong) -> Error {
    match wrong {
        Wrong::Token => Error::invalid("page.token", "is not one that this search gave"),
        Wrong::Limit => Error::invalid("page.limit", "must be at least 1"),
        Wrong::OtherLimit => {
            Error::invalid("page.limit", "is another one than that of the page before")
        }
    }
}

impl App {
    /// Subjects of a kind that may do what `question` says; its subject does not matter.
    ///
    /// # Errors
    /// [`Error::Denied`] when `caller` may not ask this; [`Error::Invalid`] for a page that there is
    /// not; [`Error::Unavailable`] (so for all of this file).
    pub async fn search_subjects(
        &self,
        caller: &Caller,
        kind: SubjectKind,
        question: &Question<'_>,
        paging: Paging<'_>,
        origin: &Origin,
    ) -> Result<Subjects, Error> {
        let insight = self.insight_into_all(caller, question.object).await?;
        if kind == SubjectKind::Token && insight != Insight::Anyone {
            return Err(Error::denied("ask about", "the tokens of others"));
        }
        let turn =
            self.search_turn(caller, ("subjects", kind as u8, insight as u8), question, paging)?;
        let question = Question { subject: kind.called("*"), ..*question };
        self.record_search(caller, &question, origin);
        if let Some(secret) = question.secret {
            let found = self.search_presented(caller, kind, &question, secret).await?;
            return Ok(Subjects { part: found, everybody: false });
        }
        let (kept, now, settings) = (Kept::of(&question), self.now(), Arc::clone(&self.settings));
        let (found, turn) = self
            .db
            .read(move |q| {
                let mut snapshot = Snapshot::new(q, &settings, now);
                Ok((search_subjects(&mut snapshot, kind, &kept, insight, &turn)?, turn))
            })
            .await?;
        let Page { mut items, end, everybody } = found;
        items.sort_unstable();
        Ok(Subjects { part: self.part(&turn, items, end)?, everybody })
    }

    /// Names of objects of a kind with which the subject of `question` may do what it says; its
    /// object does not matter.
    ///
    /// # Errors
    /// As [`App::search_subjects`].
    pub async fn search_objects(
        &self,
        caller: &Caller,
        kind: ObjectKind,
        question: &Question<'_>,
        paging: Paging<'_>,
        origin: &Origin,
    ) -> Result<Part<String>, Error> {
        let whom = self.subject_of(caller, question).await?;
        let insight = insight_into(caller, &whom)?;
        if insight == Insight::Own {
            must_see(caller, kind)?;
        }
        let object = match kind {
            ObjectKind::Repository => Object::Repository("*"),
            ObjectKind::Organisation => Object::Organisation("*"),
            ObjectKind::Unknown => Object::Unknown,
        };
        let question = Question { object, ..*question };
        let turn =
            self.search_turn(caller, ("objects", kind as u8, insight as u8), &question, paging)?;
        self.record_search(caller, &question, origin);
        let Some(id) = whom.id() else { return Ok(nothing()) };
        let (kept, now, settings) = (Kept::of(&question), self.now(), Arc::clone(&self.settings));
        let (named, subject) = owned(question.subject);
        let (found, turn) = self
            .db
            .read(move |q| {
                let mut snapshot = Snapshot::new(q, &settings, now);
                let facts = snapshot.principal(&id)?;
                let subject = named.called(&subject);
                let person = snapshot.person(facts, whom.token, subject)?;
                let ask = Ask { person: &person, subject, insight, kept: &kept };
                Ok((ask.objects(&mut snapshot, &turn)?, turn))
            })
            .await?;
        let (mut items, end) = found;
        items.sort_unstable();
        self.part(&turn, items, end)
    }

    /// What the subject of `question` may do with its object; its action does not matter.
    ///
    /// # Errors
    /// As [`App::search_subjects`].
    pub async fn search_actions(
        &self,
        caller: &Caller,
        question: &Question<'_>,
        paging: Paging<'_>,
        origin: &Origin,
    ) -> Result<Part<&'static str>, Error> {
        let all = self.actions(caller, question).await?;
        let turn = self.search_turn(caller, ("actions", 0, 0), question, paging)?;
        self.record_search(caller, question, origin);
        let known = question.object.actions();
        // the place among all, so that it stays when one is taken away
        let place = |word: &str| known.iter().position(|known| *known == word);
        let before = place(&turn.at.after);
        let mut behind = all.into_iter().filter(|word| before.is_none() || place(word) > before);
        let items: Vec<_> = behind.by_ref().take(turn.limit()).collect();
        let end = behind.next().and_then(|_| items.last());
        let end = end.map(|last| Place::behind(0, (*last).to_owned()));
        self.part(&turn, items, end)
    }

    /// Whether `caller` may ask about everybody and this object.
    pub(crate) async fn insight_into_all(
        &self,
        caller: &Caller,
        object: Object<'_>,
    ) -> Result<Insight, Error> {
        if caller.asks_about_anyone() {
            Ok(Insight::Anyone)
        } else if self.administers_object(caller, object).await? {
            Ok(Insight::Administers)
        } else {
            Err(Error::denied("ask about", "everybody"))
        }
    }

    /// The page that is asked for; bound to all that was asked, and to who asks.
    fn search_turn(
        &self,
        caller: &Caller,
        search: (&str, u8, u8),
        question: &Question<'_>,
        paging: Paging<'_>,
    ) -> Result<Turn, Error> {
        let (named, subject) = match search.0 {
            "subjects" => (SubjectKind::Unknown, String::new()),
            _ => owned(question.subject),
        };
        let Kept { action, kind, name } = Kept::of(question);
        let whose = caller.principal.id.to_string();
        let asked = (subject, named as u8, action, name, kind as u8, question.secret);
        self.turn(&(search, whose, asked), paging, true).map_err(refused)
    }

    /// The one subject to whom a secret that was presented belongs, if he may.
    async fn search_presented(
        &self,
        caller: &Caller,
        kind: SubjectKind,
        question: &Question<'_>,
        secret: &str,
    ) -> Result<Part<String>, Error> {
        // an id that is none says nothing: the secret does
        let any = Question { subject: Subject::Token("presented"), ..*question };
        let whom = self.subject_of(caller, &any).await?;
        let id = match (kind, &whom) {
            (SubjectKind::Token, Whom { token: Some(token), .. }) => token.id.to_string(),
            (SubjectKind::User | SubjectKind::Robot, Whom { principal: Some((facts, _)), .. }) => {
                facts.name.to_string()
            }
            _ => return Ok(nothing()),
        };
        let asked = Question { subject: kind.called(&id), secret: Some(secret), ..*question };
        let may = self.matter(caller, &asked).await?.decide(&asked);
        Ok(Part { items: may.then_some(id).into_iter().collect(), next: None })
    }
}

/// Whose question about one subject and everything this is.
pub(crate) fn insight_into(caller: &Caller, whom: &Whom) -> Result<Insight, Error> {
    if caller.asks_about_anyone() {
        Ok(Insight::Anyone)
    } else if whom.id() == Some(caller.principal.id) {
        Ok(Insight::Own)
    } else {
        Err(Error::denied("ask about", "somebody else"))
    }
}

/// Checks that the credential may see which of them there are: a search must tell a scoped token
/// nothing that a list does not.
pub(crate) fn must_see(caller: &Caller, kind: ObjectKind) -> Result<(), Error> {
    let sees = match kind {
        ObjectKind::Repository => caller.caps.repo.is_some(),
        ObjectKind::Organisation => caller.caps.org.is_some() || caller.caps.user >= UserCap::Read,
        ObjectKind::Unknown => true,
    };
    if sees { Ok(()) } else { Err(Error::denied("ask for a list of", "what is out of reach")) }
}

/// A subject without what it borrows.
pub(crate) fn owned(subject: Subject<'_>) -> (SubjectKind, String) {
    match subject {
        Subject::User(name) => (SubjectKind::User, name.to_owned()),
        Subject::Robot(name) => (SubjectKind::Robot, name.to_owned()),
        Subject::Token(id) => (SubjectKind::Token, id.to_owned()),
        Subject::Unknown => (SubjectKind::Unknown, String::new()),
    }
}

/// What was found, and where it goes on.
struct Page {
    items: Vec<String>,
    end: Option<Place>,
    everybody: bool,
}

/// The repository as it would be if it were private.
pub(crate) fn unseen(acl: &RepoAcl) -> RepoAcl {
    RepoAcl { visibility: Visibility::Private, ..acl.clone() }
}

fn search_subjects(
    snapshot: &mut Snapshot<'_>,
    kind: SubjectKind,
    kept: &Kept,
    insight: Insight,
    turn: &Turn,
) -> Result<Page, Error> {
    let mut everybody = false;
    let (thing, sources) = match kept.kind {
        ObjectKind::Repository => {
            let Ok(action) = kept.action.parse::<Action>() else { return Ok(Page::empty()) };
            let mut thing = snapshot.repository(&kept.name)?;
            let Some(acl) = thing.acl.clone() else { return Ok(Page::empty()) };
            let reads = action == Action::Pull;
            if insight == Insight::Administers && reads && acl.visibility == Visibility::Public {
                everybody = true;
                thing.acl = Some(Arc::new(unseen(&acl)));
            }
            let sources = match &thing.acl {
                Some(acl) => of_repository(snapshot, acl, reads)?,
                None => Vec::new(),
            };
            (thing, sources)
        }
        ObjectKind::Organisation => {
            let thing = snapshot.namespace(&kept.name)?;
            let sources = match thing.namespace {
                Some(org) => of_organisation(snapshot, org)?,
                None => Vec::new(),
            };
            (thing, sources)
        }
        ObjectKind::Unknown => return Ok(Page::empty()),
    };
    let robots = kind == SubjectKind::Robot;
    let sources = sources.into_iter().map(|source| match source {
        Source::Everybody if robots => Source::Robots,
        source => source,
    });
    let sources: Vec<_> = sources.collect();
    let mut filling = Filling::new(turn.limit());
    let end = match kind {
        SubjectKind::User | SubjectKind::Robot => {
            let after = turn.at.after.clone();
            let end = filling.principals(snapshot, &sources, after, |snapshot, id| {
                let Some(facts) = snapshot.principal(&id)? else { return Ok(None) };
                let name = facts.name.to_string();
                let subject = kind.called(&name);
                let person = snapshot.person(Some(facts), None, subject)?;
                let may = snapshot.matter(insight, &person, &thing)?.decide(&kept.about(subject));
                Ok(may.then_some(name))
            })?;
            end.map(|end| Place::behind(0, end))
        }
        SubjectKind::Token => {
            filling.tokens(snapshot, &sources, turn.at.clone(), |snapshot, person| {
                let Some(id) = person.token.as_ref().map(|token| token.id.to_string()) else {
                    return Ok(None);
                };
                let asked = kept.about(Subject::Token(&id));
                let may = snapshot.matter(insight, person, &thing)?.decide(&asked);
                Ok(may.then_some(id))
            })?
        }
        SubjectKind::Unknown => None,
    };
    Ok(Page { items: filling.found, end, everybody })
}

impl Page {
    const fn empty() -> Self {
        Self { items: Vec::new(), end: None, everybody: false }
    }
}

/// A search for objects.
struct Ask<'a> {
    person: &'a Person,
    subject: Subject<'a>,
    insight: Insight,
    kept: &'a Kept,
}

impl Ask<'_> {
    fn objects(
        &self,
        snapshot: &mut Snapshot<'_>,
        turn: &Turn,
    ) -> Result<(Vec<String>, Option<Place>), Error> {
        let mut filling = Filling::new(turn.limit());
        let action = self.kept.action.as_str();
        let known = match self.kept.kind {
            ObjectKind::Repository => action.parse::<Action>().is_ok(),
            ObjectKind::Organisation => action.parse::<OrgAction>().is_ok(),
            ObjectKind::Unknown => false,
        };
        if self.person.bar.is_some() || !known {
            return Ok((Vec::new(), None));
        }
        let reads = action == Action::Pull.as_str();
        let from = Reachable::by(snapshot, self.person, reads, reads)?;
        let may = |snapshot: &mut Snapshot<'_>, name: &str, thing: &Thing| {
            let kept = Kept { name: name.to_owned(), ..self.kept.clone() };
            let matter = snapshot.matter(self.insight, self.person, thing)?;
            let may = matter.decide(&kept.about(self.subject));
            Ok(may.then_some(kept.name))
        };
        let end = match self.kept.kind {
            ObjectKind::Repository => {
                filling.repositories(snapshot, &from, turn.at.clone(), may)?
            }
            _ => filling.organisations(
                snapshot,
                &from,
                turn.at.after.clone(),
                |snapshot, org, thing| may(snapshot, &org.name, thing),
            )?,
        };
        Ok((filling.found, end))
    }
}
