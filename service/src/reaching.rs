//! Reach: who can get at a repository, and what somebody can get at; each with the ways by which.
//!
//! Asked by whoever may ask the single questions. That something is public is said once: it is no
//! way of his own by which somebody reaches it.
//!
//! Source: `PRODUCT.md`, "Decisions". Not here: whether one action is allowed ([`crate::questions`]),
//! and for whom ([`crate::searches`]).

use std::{collections::BTreeSet, sync::Arc};

use claviger_domain::{
    Error,
    access::{Grantee, RepoAcl, Standing},
    id::TeamId,
    principal::{PrincipalFacts, PrincipalKind, TeamFacts, TeamOf},
    role::{OrgRole, Visibility},
};
use claviger_store::candidates;
use serde::Serialize;

use crate::{
    app::App,
    caller::{Caller, Origin},
    cursor::{Paging, Part, Place, Turn, Wrong},
    explain::{Told, ways},
    questions::{Insight, Matter, Object, Question, Subject},
    searches::{
        Filling, ORGANISATIONS, ObjectKind, Person, Reachable, Snapshot, Thing, insight_into,
        must_see, of_repository, owned, unseen,
    },
};

/// Somebody who reaches a repository, or something that is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// `everybody`, `team`, `user`, `robot`; `public`, `repository`, `organization`.
    pub kind: &'static str,
    /// The name; there is none for `everybody` and `public`.
    pub name: Option<String>,
    /// The role after all.
    pub role: Option<&'static str>,
    /// What is allowed.
    pub actions: Vec<&'static str>,
    /// Every way by which a right comes.
    pub paths: Vec<Told>,
}

/// The teams that reach a repository.
const TEAMS: u8 = 1;
/// Then the people and robots.
const PRINCIPALS: u8 = 2;

impl App {
    /// Who reaches the repository `name`.
    ///
    /// # Errors
    /// [`Error::Denied`] for whoever neither administers it nor may ask about anyone; then
    /// [`Error::NotFound`]; [`Error::Invalid`] for a page that there is not;
    /// [`Error::Unavailable`].
    pub async fn who_reaches(
        &self,
        caller: &Caller,
        name: &str,
        paging: Paging<'_>,
        origin: &Origin,
    ) -> Result<Part<Line>, Error> {
        let object = Object::Repository(name);
        let insight = self.insight_into_all(caller, object).await?;
        let turn = self.reach_turn(caller, ("repository", name), paging)?;
        let subject = Subject::User("*");
        let question = Question { subject, secret: None, action: "*", object };
        self.record_search(caller, &question, origin);
        let (now, settings, name) = (self.now(), Arc::clone(&self.settings), name.to_owned());
        let (items, end, turn) = self
            .db
            .read(move |q| {
                let mut snapshot = Snapshot::new(q, &settings, now);
                let (items, end) = who_reaches(&mut snapshot, &name, insight, &turn)?;
                Ok((items, end, turn))
            })
            .await?;
        self.part(&turn, items, end)
    }

    /// What a user, a robot or a token reaches.
    ///
    /// # Errors
    /// [`Error::Denied`] for whoever asks about another and may not; then [`Error::NotFound`];
    /// [`Error::Invalid`] for a page that there is not; [`Error::Unavailable`].
    pub async fn what_reaches(
        &self,
        caller: &Caller,
        subject: Subject<'_>,
        paging: Paging<'_>,
        origin: &Origin,
    ) -> Result<Part<Line>, Error> {
        let object = Object::Repository("*");
        let question = Question { subject, secret: None, action: "*", object };
        let whom = self.subject_of(caller, &question).await?;
        let insight = insight_into(caller, &whom)?;
        if insight == Insight::Own {
            must_see(caller, ObjectKind::Repository)?;
        }
        let (kind, name) = owned(subject);
        let what = if matches!(subject, Subject::Token(_)) { "token" } else { "user or robot" };
        let turn = self.reach_turn(caller, (what, &name), paging)?;
        self.record_search(caller, &question, origin);
        let id = whom.id().ok_or(Error::NotFound(what))?;
        let (now, settings) = (self.now(), Arc::clone(&self.settings));
        let (items, end, turn) = self
            .db
            .read(move |q| {
                let mut snapshot = Snapshot::new(q, &settings, now);
                let facts = snapshot.principal(&id)?;
                let facts = facts.filter(|facts| facts.kind != PrincipalKind::Org);
                let facts = facts.ok_or(Error::NotFound(what))?;
                let subject = kind.called(&name);
                let person = snapshot.person(Some(facts), whom.token, subject)?;
                let (items, end) = what_reaches(&mut snapshot, &person, insight, &turn)?;
                Ok((items, end, turn))
            })
            .await?;
        self.part(&turn, items, end)
    }

    fn reach_turn(
        &self,
        caller: &Caller,
        asked: impl Serialize,
        paging: Paging<'_>,
    ) -> Result<Turn, Error> {
        let whose = caller.principal.id.to_string();
        self.turn(&("reach", whose, asked), paging, false).map_err(|wrong| match wrong {
            Wrong::Token => Error::invalid("continue", "is not one that this list gave"),
            Wrong::Limit | Wrong::OtherLimit => Error::invalid("limit", "must be at least 1"),
        })
    }
}

/// A question about pulling, of which the subject does not matter.
const fn about(object: Object<'_>) -> Question<'_> {
    Question { subject: Subject::Unknown, secret: None, action: "pull", object }
}

/// The line of what `matter` is about; `None` where nothing is allowed.
fn line(
    matter: &Matter,
    question: &Question<'_>,
    kind: &'static str,
    name: Option<&str>,
) -> Option<Line> {
    let actions = matter.actions(question);
    if actions.is_empty() {
        return None;
    }
    let (role, paths) = ways(matter, question);
    Some(Line { kind, name: name.map(str::to_owned), role, actions, paths })
}

/// A repository as it is, and as it would be if it were private.
struct Repository {
    open: Thing,
    closed: Thing,
}

impl Repository {
    fn of(acl: &Arc<RepoAcl>) -> Self {
        let namespace = Some(acl.namespace);
        Self {
            open: Thing { acl: Some(Arc::clone(acl)), namespace },
            closed: Thing { acl: Some(Arc::new(unseen(acl))), namespace },
        }
    }

    /// The line of somebody who reaches it by more than that it is public.
    fn line(
        &self,
        snapshot: &mut Snapshot<'_>,
        insight: Insight,
        person: &Person,
        (object, kind, name): (&str, &'static str, &str),
    ) -> Result<Option<Line>, Error> {
        let question = about(Object::Repository(object));
        if snapshot.matter(insight, person, &self.closed)?.actions(&question).is_empty() {
            return Ok(None);
        }
        let matter = snapshot.matter(insight, person, &self.open)?;
        Ok(line(&matter, &question, kind, Some(name)))
    }
}

type Lines = (Vec<Line>, Option<Place>);

fn who_reaches(
    snapshot: &mut Snapshot<'_>,
    name: &str,
    insight: Insight,
    turn: &Turn,
) -> Result<Lines, Error> {
    let acl = snapshot.repository(name)?.acl.ok_or(Error::NotFound("repository"))?;
    let repository = Repository::of(&acl);
    let mut filling = Filling::new(turn.limit());
    let Place { set, mut after, .. } = turn.at.clone();
    if turn.at == Place::default() && acl.visibility == Visibility::Public {
        let matter = snapshot.matter(insight, &NOBODY, &repository.open)?;
        filling.found.extend(line(&matter, &about(Object::Repository(name)), "everybody", None));
    }
    if set < PRINCIPALS {
        let teams = teams_of(snapshot, &acl)?;
        let namespace = name.split('/').next().unwrap_or_default();
        let end = filling.teams(snapshot, &teams, after, |snapshot, id| {
            let Some(team) = snapshot.team(id)? else { return Ok(None) };
            let called = format!("{namespace}/{}", team.name);
            let Some(member) = member_of(snapshot, &team)? else { return Ok(None) };
            repository.line(snapshot, insight, &member, (name, "team", &called))
        })?;
        if let Some(end) = end {
            return Ok((filling.found, Some(Place::behind(TEAMS, end))));
        }
        after = String::new();
    }
    let sources = of_repository(snapshot, &unseen(&acl), true)?;
    let end = filling.principals(snapshot, &sources, after, |snapshot, id| {
        let Some(facts) = snapshot.principal(&id)? else { return Ok(None) };
        let (kind, called) = (facts.kind.as_str(), facts.name.to_string());
        let person = snapshot.person(Some(facts), None, Subject::User(&called))?;
        repository.line(snapshot, insight, &person, (name, kind, &called))
    })?;
    let mut items = filling.found;
    items.sort_by(|a, b| rank(a).cmp(&rank(b)));
    Ok((items, end.map(|end| Place::behind(PRINCIPALS, end))))
}

/// What is general comes first; then by name.
fn rank(line: &Line) -> (usize, Option<&str>) {
    let kinds = ["everybody", "public", "team"];
    let place = kinds.iter().position(|kind| *kind == line.kind);
    (place.unwrap_or(kinds.len()), line.name.as_deref())
}

fn what_reaches(
    snapshot: &mut Snapshot<'_>,
    person: &Person,
    insight: Insight,
    turn: &Turn,
) -> Result<Lines, Error> {
    let mut filling = Filling::new(turn.limit());
    if person.bar.is_some() {
        return Ok((filling.found, None));
    }
    if turn.at == Place::default() && person.caps().repo.is_some() {
        filling.found.push(Line {
            kind: "public",
            name: None,
            role: Some("read"),
            actions: vec!["pull"],
            paths: vec![Told { by: "public", team: None, role: "read", grants: true }],
        });
    }
    let from = Reachable::by(snapshot, person, true, false)?;
    let mut end = None;
    if turn.at.set != ORGANISATIONS {
        end = filling.repositories(snapshot, &from, turn.at.clone(), |snapshot, name, thing| {
            let Some(acl) = &thing.acl else { return Ok(None) };
            Repository::of(acl).line(snapshot, insight, person, (name, "repository", name))
        })?;
    }
    if end.is_none() {
        let resumed = turn.at.set == ORGANISATIONS;
        let after = if resumed { turn.at.after.clone() } else { String::new() };
        end = filling.organisations(snapshot, &from, after, |snapshot, org, thing| {
            let matter = snapshot.matter(insight, person, thing)?;
            let question = Question { action: "create", ..about(Object::Organisation(&org.name)) };
            let shown = matter.organisation().is_some();
            Ok(line(&matter, &question, "organization", Some(&org.name)).filter(|_| shown))
        })?;
    }
    Ok((filling.found, end))
}

/// Nobody who is known.
const NOBODY: Person = Person {
    facts: None,
    token: None,
    bar: None,
    standing: Standing { superuser: false, full_access: false, global_readonly: false },
};

/// The teams that have a permission on a repository, or the role that gives all of them.
fn teams_of(snapshot: &mut Snapshot<'_>, acl: &RepoAcl) -> Result<BTreeSet<TeamId>, Error> {
    let granted = acl.grants.iter().filter_map(|grant| match grant.to {
        Grantee::Team(team) => Some(team),
        Grantee::Principal(_) => None,
    });
    let mut teams: BTreeSet<_> = granted.collect();
    if acl.namespace.kind == PrincipalKind::Org {
        let all = candidates::teams(snapshot.q, &acl.namespace.id)?;
        teams.extend(all.iter().filter(|team| team.role == OrgRole::Admin).map(|team| team.id));
    }
    Ok(teams)
}

/// Somebody of whom nothing is known but that he is in `team`.
fn member_of(snapshot: &mut Snapshot<'_>, team: &TeamFacts) -> Result<Option<Person>, Error> {
    let Some(org) = snapshot.home(team.org)? else { return Ok(None) };
    // nothing is given to an organisation itself, so its id stands for nobody
    let facts = PrincipalFacts {
        kind: PrincipalKind::User,
        teams: [TeamOf { team: team.id, org: team.org }].into(),
        ..PrincipalFacts::clone(&org)
    };
    Ok(Some(Person { facts: Some(Arc::new(facts)), ..NOBODY }))
}
