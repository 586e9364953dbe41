//! P4 and P6: decisions in this process. One decision is: who comes with this token, and may he
//! pull this repository?
//!
//! *Cold*, nothing is remembered and every fact is read; the yardstick is the same reads through
//! rusqlite, on one connection in one thread. *Cached*, everything is remembered; the yardstick is
//! one HMAC and three look-ups in hash maps of the same sizes: as many entries, which is the goal, and
//! beside it as large ones, which says what the memory costs.

use std::{collections::HashMap, hint::black_box, mem::size_of, time::Instant};

use claviger_domain::{
    TokenKind,
    access::{RepoAcl, decide},
    id::PrincipalId,
    name::RepoName,
    principal::PrincipalFacts,
    role::Action,
    secret::{Lookup, TokenSecret},
    token::TokenFacts,
};
use claviger_service::{App, Origin, Settings, facts::Facts};
use claviger_store::{Memory, Touched};
use ring::hmac;
use rusqlite::{Connection, OpenFlags, Row as StoreRow, Statement};
use tokio::runtime::Runtime;

use super::{Bench, in_turn, spread, thousands};
use crate::{
    ALLOCATOR, Outcome, inside,
    stats::{median, ratio},
    table::{Goal, Row},
    world::{Drawn, Size, World, database},
};

const COLD_GOAL: Goal = Goal::AtMost(3.0);
const CACHED_GOAL: Goal = Goal::AtMost(2.0);
/// Room for the facts of every token.
const MEMORY_BYTES: usize = 4 << 30;

/// One question, and what is right.
struct Question {
    secret: TokenSecret,
    lookup: Lookup,
    user: u64,
    repository: RepoName,
    may: bool,
}

impl Question {
    /// About a repository of the user, or one where `others` teams have a permission before his.
    fn of(world: &World, token: u64, others: u64) -> Outcome<Self> {
        let user = token / Size::TOKENS_EACH;
        let drawn = Drawn::new("question", token);
        let repository = world.repository_behind(user, others, &drawn);
        let repository = world.repository_name(repository).parse()?;
        let (_, secret, minted) = world.token(token);
        // the scopes of the others have nothing to do with repositories
        let may = World::token_kind(token) == TokenKind::App;
        Ok(Self { secret, lookup: minted.lookup, user, repository, may })
    }

    async fn ask(&self, app: &App, origin: &Origin) -> Outcome<()> {
        let opens = [TokenKind::App, TokenKind::Oauth];
        let soon = Some(&self.repository);
        let secret = self.secret.expose();
        let caller = app.authenticate_token_for(secret, &opens, soon, origin).await?;
        let gathered = app.about_repo(Some(&caller), &self.repository).await?;
        let acl = gathered.acl().ok_or("no such repository")?;
        let may = decide(&gathered.asker(), acl, Action::Pull);
        (may == self.may)
            .then_some(())
            .ok_or_else(|| format!("wrong on {}", self.repository).into())
    }
}

/// A question for each token, in an order without a pattern.
fn questions(world: &World) -> Outcome<Vec<Question>> {
    let tokens = world.size.tokens();
    (0..tokens).map(|number| Question::of(world, number * 7_919 % tokens, 0)).collect()
}

pub(crate) fn measure(bench: &Bench) -> Outcome<Vec<Row>> {
    let questions = questions(&bench.world)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut settings = Settings::default();
    settings.cache.memory_bytes = MEMORY_BYTES;
    let app = runtime.block_on(inside::open(&bench.set, settings))?;
    let rows = cold(bench, &runtime, &app, &questions)
        .and_then(|cold| Ok([cached(bench, &runtime, &app, &questions)?, vec![cold]].concat()));
    app.close();
    rows
}

/// Asks `questions`; the seconds that one took.
fn asked(runtime: &Runtime, app: &App, questions: &[Question]) -> Outcome<f64> {
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
    for round in 0..bench.rounds() {
        let (Some(ours), Some(theirs)) = (turns.next(), turns.next()) else { break };
        Facts::evict(app.facts(), &[Touched::All]);
        let (figure, yardstick) =
            in_turn(round, || asked(runtime, app, ours), || reads.run(theirs))?;
        figures.push(figure);
        yardsticks.push(yardstick);
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

fn cached(
    bench: &Bench,
    runtime: &Runtime,
    app: &App,
    questions: &[Question],
) -> Outcome<Vec<Row>> {
    asked(runtime, app, questions)?;
    let count = if bench.quick { 20_000 } else { 200_000 };
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let tokens = thousands(questions.len() as f64);
    let row = |what: &str, others, goal: Option<Goal>, run: &dyn Fn(&[Question]) -> f64| {
        let (mut figures, mut yardsticks) = (Vec::new(), Vec::new());
        for round in 0..bench.rounds() {
            // what is asked lies in memory in the order in which it is: a client sends it, nobody looks it up
            let draw = |number| spread(round * count + number, questions.len()) as u64;
            let drawn: Outcome<Vec<_>> =
                (0..count).map(|number| Question::of(&bench.world, draw(number), others)).collect();
            let drawn = drawn?;
            let (figure, yardstick) =
                in_turn(round, || asked(runtime, app, &drawn), || Ok(run(&drawn)))?;
            figures.push(figure);
            yardsticks.push(yardstick);
        }
        let ratio = ratio(&figures, &yardsticks);
        Outcome::Ok(Row {
            id: "P4",
            what: format!("decision in process, facts of {tokens} tokens cached{what}"),
            figure: format!("{:.2} µs", median(figures) * 1e6),
            yardstick: format!("{:.2} µs", median(yardsticks) * 1e6),
            ratio: format!("{ratio:.2}"),
            goal: goal.map(|goal| goal.judge(ratio)),
        })
    };
    let maps = Maps::<1, 1, 1>::of(&bench.world, questions)?;
    let beside_maps = row("", 0, Some(CACHED_GOAL), &|drawn| maps.run(drawn))?;
    // a repository leads to the team that was first let in, so the caller's is found later
    let behind = row(", of the team let in second", 1, None, &|drawn| maps.run(drawn))?;
    // not before: they would drive others out of the processor's caches
    let maps = LargeMaps::of(&bench.world, questions)?;
    let beside_large = row(", over maps as large as the facts", 0, None, &|drawn| maps.run(drawn))?;
    let counted = questions.get(..count).unwrap_or(questions);
    let before = ALLOCATOR.stats().allocations;
    asked(runtime, app, counted)?;
    let allocations = ALLOCATOR.stats().allocations - before;
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let each = allocations as f64 / counted.len() as f64;
    Ok(vec![
        beside_maps,
        behind,
        beside_large,
        Row {
            id: "P4",
            what: "allocations of such a decision".to_owned(),
            figure: format!("{each:.2}"),
            yardstick: "–".to_owned(),
            ratio: "–".to_owned(),
            goal: None,
        },
    ])
}

/// Hash maps with as many entries as there are tokens, users and repositories, whose values have so
/// many words.
struct Maps<const TOKEN: usize, const USER: usize, const REPOSITORY: usize> {
    key: hmac::Key,
    users: Vec<PrincipalId>,
    by_token: HashMap<Lookup, [u64; TOKEN]>,
    by_user: HashMap<PrincipalId, [u64; USER]>,
    by_repository: HashMap<RepoName, [u64; REPOSITORY]>,
}

/// The same with values as large as the facts, as far as those lie in one piece.
type LargeMaps =
    Maps<{ words::<TokenFacts>() }, { words::<PrincipalFacts>() }, { words::<RepoAcl>() }>;

const fn words<T>() -> usize {
    size_of::<T>() / size_of::<u64>()
}

impl<const TOKEN: usize, const USER: usize, const REPOSITORY: usize> Maps<TOKEN, USER, REPOSITORY> {
    fn of(world: &World, questions: &[Question]) -> Outcome<Self> {
        let users: Vec<_> = (0..world.size.users).map(World::user_id).collect();
        let mut by_repository = HashMap::new();
        for repository in 0..world.size.repositories() {
            by_repository.insert(world.repository_name(repository).parse()?, [0; _]);
        }
        Ok(Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, b"a key of the yardstick"),
            by_token: questions.iter().map(|question| (question.lookup, [0; _])).collect(),
            by_user: users.iter().map(|user| (*user, [0; _])).collect(),
            users,
            by_repository,
        })
    }

    /// The seconds that one HMAC and three look-ups took.
    fn run(&self, questions: &[Question]) -> f64 {
        let started = Instant::now();
        for question in questions {
            let lookup = &question.lookup;
            black_box(hmac::sign(&self.key, lookup.get(..16).unwrap_or_default()));
            black_box(self.by_token.get(lookup));
            let user = usize::try_from(question.user).ok().and_then(|user| self.users.get(user));
            black_box(user.and_then(|user| self.by_user.get(user)));
            black_box(self.by_repository.get(&question.repository));
        }
        each(started, questions.len())
    }
}
