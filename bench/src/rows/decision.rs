//! P4 and P6: decisions in this process. One decision is: who comes with this token, and may he
//! pull this repository?
//!
//! *Cold*, nothing is remembered and every fact is read; the yardstick is the same reads through
//! rusqlite, on one connection in one thread. *Cached*, everything is remembered; the yardstick is
//! one HMAC and three look-ups in hash maps of the same sizes.

use std::{collections::HashMap, hint::black_box, time::Instant};

use claviger_domain::{
    TokenKind,
    access::decide,
    id::{PrincipalId, RepoId},
    name::RepoName,
    role::Action,
    secret::{Lookup, TokenSecret},
};
use claviger_service::{App, Origin, Settings, facts::Facts};
use claviger_store::{Memory, Touched};
use ring::hmac;
use rusqlite::{Connection, OpenFlags, Row as StoreRow, Statement};
use tokio::runtime::Runtime;

use super::{Bench, spread};
use crate::{
    Outcome, inside,
    stats::{median, ratio},
    table::{Goal, Row},
    world::{Drawn, World, database},
};

const COLD_GOAL: Goal = Goal::AtMost(3.0);
const CACHED_GOAL: Goal = Goal::AtMost(2.0);
/// Room for the facts of every user.
const MEMORY_BYTES: usize = 2 << 30;

/// One question.
struct Question {
    secret: TokenSecret,
    lookup: Lookup,
    repository: RepoName,
}

impl Question {
    fn of(world: &World, user: u64) -> Outcome<Self> {
        let drawn = Drawn::new("question", user);
        let repository = world.repository_name(world.repository_for(user, &drawn)).parse()?;
        let (secret, minted) = world.app_token(user, &drawn)?;
        Ok(Self { secret, lookup: minted.lookup, repository })
    }

    async fn ask(&self, app: &App, origin: &Origin) -> Outcome<()> {
        let opens = [TokenKind::App];
        let caller = app.authenticate_token(self.secret.expose(), &opens, origin).await?;
        let gathered = app.about_repo(Some(&caller), &self.repository).await?;
        let acl = gathered.acl.as_deref().ok_or("no such repository")?;
        let may = decide(&gathered.asker(), acl, Action::Pull);
        may.then_some(()).ok_or_else(|| format!("{} is refused", self.repository).into())
    }
}

/// The questions of all users, in an order without a pattern.
fn questions(world: &World) -> Outcome<Vec<Question>> {
    let users = world.size.users;
    (0..users).map(|number| Question::of(world, number * 7_919 % users)).collect()
}

pub(crate) fn measure(bench: &Bench) -> Outcome<Vec<Row>> {
    let questions = questions(&bench.world)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut settings = Settings::default();
    settings.cache.memory_bytes = MEMORY_BYTES;
    let app = runtime.block_on(inside::open(&bench.set, settings))?;
    let rows = cold(bench, &runtime, &app, &questions)
        .and_then(|cold| Ok(vec![cached(bench, &runtime, &app, &questions)?, cold]));
    app.close();
    rows
}

/// Asks `questions`; the seconds that one took.
fn asked(runtime: &Runtime, app: &App, questions: &[&Question]) -> Outcome<f64> {
    let origin = inside::origin();
    let started = Instant::now();
    runtime.block_on(async {
        for question in questions {
            question.ask(app, &origin).await?;
        }
        Outcome::Ok(())
    })?;
    Ok(each(started, questions.len()))
}

fn each(started: Instant, count: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let count = count.max(1) as f64;
    started.elapsed().as_secs_f64() / count
}

fn cold(bench: &Bench, runtime: &Runtime, app: &App, questions: &[Question]) -> Outcome<Row> {
    // no question is asked twice, so that nobody has warmed a page of it
    let turn = questions.len() / (2 * bench.rounds());
    let mut turns = questions.chunks(turn.min(5_000));
    let reads = Reads::open(bench)?;
    let (mut figures, mut yardsticks) = (Vec::new(), Vec::new());
    for _ in 0..bench.rounds() {
        let (Some(ours), Some(theirs)) = (turns.next(), turns.next()) else { break };
        Facts::evict(app.facts(), &[Touched::All]);
        figures.push(asked(runtime, app, &ours.iter().collect::<Vec<_>>())?);
        yardsticks.push(reads.run(theirs)?);
    }
    let ratio = ratio(&figures, &yardsticks);
    Ok(Row {
        id: "P6",
        what: "decision in process, cold".to_owned(),
        figure: format!("{:.1} µs", median(figures) * 1e6),
        yardstick: format!("{:.1} µs", median(yardsticks) * 1e6),
        ratio: format!("{ratio:.2}"),
        goal: Some(COLD_GOAL.judge(ratio)),
    })
}

/// The reads of a decision, without anything around them.
struct Reads(Connection);

/// The statements of these reads.
struct Prepared<'a> {
    token: Statement<'a>,
    scopes: Statement<'a>,
    principal: Statement<'a>,
    teams: Statement<'a>,
    repository: Statement<'a>,
    grants: Statement<'a>,
    team: Statement<'a>,
}

type Text = Option<String>;

impl Reads {
    fn open(bench: &Bench) -> Outcome<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let store = Connection::open_with_flags(database(&bench.set), flags)?;
        // as much as a reader of the program has
        store.execute_batch("PRAGMA query_only = ON; PRAGMA cache_size = -4096;")?;
        Ok(Self(store))
    }

    fn prepare(&self) -> rusqlite::Result<Prepared<'_>> {
        let prepare = |sql| self.0.prepare(sql);
        Ok(Prepared {
            token: prepare(
                "SELECT t.id, t.kind, t.principal_id, t.account_id, t.application_id, t.parent_id,
                    t.service, s.key_generation, t.expires_at, s.valid_until, t.revoked_at
                 FROM secret s JOIN token t ON t.id = s.token_id WHERE s.lookup = ?1",
            )?,
            scopes: prepare("SELECT dialect, word FROM token_scope WHERE token_id = ?1")?,
            principal: prepare(
                "SELECT id, account_id, kind, name, owner_id, disabled_at, verified_at,
                    superuser_at, decider_at, session_epoch
                 FROM principal WHERE id = ?1",
            )?,
            teams: prepare(
                "SELECT m.team_id, t.org_id FROM team_member m JOIN team t ON t.id = m.team_id
                 WHERE m.principal_id = ?1",
            )?,
            repository: prepare(
                "SELECT r.id, r.namespace_id, p.kind, r.visibility, r.state
                 FROM repository r JOIN principal p ON p.id = r.namespace_id WHERE r.name = ?1",
            )?,
            grants: prepare(
                "SELECT principal_id, team_id, role FROM permission WHERE repo_id = ?1",
            )?,
            team: prepare("SELECT id, org_id, name, role FROM team WHERE id = ?1")?,
        })
    }

    fn run(&self, questions: &[Question]) -> Outcome<f64> {
        let mut prepared = self.prepare()?;
        let started = Instant::now();
        for question in questions {
            prepared.read(question)?;
        }
        Ok(each(started, questions.len()))
    }
}

impl Prepared<'_> {
    fn read(&mut self, question: &Question) -> rusqlite::Result<()> {
        let token = self.token.query_row([question.lookup.as_slice()], |row| {
            let ends: [Option<i64>; 3] = [row.get(8)?, row.get(9)?, row.get(10)?];
            Ok((texts::<7>(row)?, row.get::<_, i64>(7)?, ends))
        })?;
        let [id, _, principal, ..] = &token.0;
        black_box(all(&mut self.scopes, id.as_ref(), texts::<2>)?);
        black_box(self.principal.query_row([principal], |row| {
            let times: [Option<i64>; 5] =
                [row.get(5)?, row.get(6)?, row.get(7)?, row.get(8)?, row.get(9)?];
            Ok((texts::<5>(row)?, times))
        })?);
        let teams = all(&mut self.teams, principal.as_ref(), texts::<2>)?;
        let repository = self.repository.query_row([question.repository.as_str()], texts::<5>)?;
        let [id, namespace, kind, ..] = &repository;
        black_box(all(&mut self.grants, id.as_ref(), texts::<3>)?);
        let organisation = kind.as_deref() == Some("organization");
        for [team, _] in teams.iter().filter(|[_, of]| organisation && of == namespace) {
            black_box(self.team.query_row([team], texts::<4>)?);
        }
        Ok(())
    }
}

/// The first `N` columns.
fn texts<const N: usize>(row: &StoreRow<'_>) -> rusqlite::Result<[Text; N]> {
    let mut texts = [const { None }; N];
    for (column, text) in texts.iter_mut().enumerate() {
        *text = row.get(column)?;
    }
    Ok(texts)
}

fn all<const N: usize>(
    statement: &mut Statement<'_>,
    key: Option<&String>,
    read: fn(&StoreRow<'_>) -> rusqlite::Result<[Text; N]>,
) -> rusqlite::Result<Vec<[Text; N]>> {
    statement.query_map([key], read)?.collect()
}

fn cached(bench: &Bench, runtime: &Runtime, app: &App, questions: &[Question]) -> Outcome<Row> {
    asked(runtime, app, &questions.iter().collect::<Vec<_>>())?;
    let maps = Maps::of(&bench.world, questions);
    let count = if bench.quick { 20_000 } else { 200_000 };
    let (mut figures, mut yardsticks) = (Vec::new(), Vec::new());
    for round in 0..bench.rounds() {
        let draw = |number| questions.get(spread(round * count + number, questions.len()));
        let drawn: Vec<_> = (0..count).filter_map(draw).collect();
        figures.push(asked(runtime, app, &drawn)?);
        yardsticks.push(maps.run(round * count, count));
    }
    let ratio = ratio(&figures, &yardsticks);
    Ok(Row {
        id: "P4",
        what: format!("decision in process, facts of {} users cached", questions.len()),
        figure: format!("{:.2} µs", median(figures) * 1e6),
        yardstick: format!("{:.2} µs", median(yardsticks) * 1e6),
        ratio: format!("{ratio:.2}"),
        goal: Some(CACHED_GOAL.judge(ratio)),
    })
}

/// Hash maps with as many entries as there are remembered facts.
struct Maps {
    key: hmac::Key,
    lookups: Vec<Lookup>,
    tokens: HashMap<Lookup, usize>,
    principals: Vec<PrincipalId>,
    by_principal: HashMap<PrincipalId, usize>,
    repositories: Vec<RepoName>,
    by_repository: HashMap<RepoName, RepoId>,
}

impl Maps {
    fn of(world: &World, questions: &[Question]) -> Self {
        let lookups: Vec<_> = questions.iter().map(|question| question.lookup).collect();
        let principals: Vec<_> = (0..world.size.users).map(World::user_id).collect();
        let repositories: Vec<RepoName> =
            questions.iter().map(|question| question.repository.clone()).collect();
        let mut by_repository = HashMap::new();
        for (name, number) in repositories.iter().zip(0..) {
            by_repository.insert(name.clone(), World::repository_id(number));
        }
        Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, b"a key of the yardstick"),
            tokens: lookups.iter().copied().zip(0..).collect(),
            lookups,
            by_principal: principals.iter().copied().zip(0..).collect(),
            principals,
            repositories,
            by_repository,
        }
    }

    /// The seconds that one HMAC and three look-ups took.
    fn run(&self, first: usize, count: usize) -> f64 {
        let started = Instant::now();
        for number in first..first + count {
            let place = spread(number, self.lookups.len());
            let Some(lookup) = self.lookups.get(place) else { continue };
            black_box(hmac::sign(&self.key, lookup.get(..16).unwrap_or_default()));
            black_box(self.tokens.get(lookup));
            let principal = self.principals.get(place);
            black_box(principal.and_then(|principal| self.by_principal.get(principal)));
            let repository = self.repositories.get(place);
            black_box(repository.and_then(|repository| self.by_repository.get(repository)));
        }
        each(started, count)
    }
}
