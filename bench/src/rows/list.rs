//! P7 and P8: pages of the Astra door's token lists through HTTP. A page far behind against the first
//! one; a filtered and sorted page of a user with many tokens against the same question asked of the
//! database itself.

use std::{path::Path, sync::Arc};

use bytes::Bytes;
use claviger_domain::{
    collection::{Field, Parameter},
    id::{AccountId, PrincipalId, TokenId},
};
use claviger_service::{
    App, Settings,
    collection::Shape,
    passwords::Password,
    program::{Mint, ProgramToken, ProgramUser},
};
use http::{
    HeaderValue, Request,
    header::{AUTHORIZATION, HOST},
};
use http_body_util::Full;
use rusqlite::{Connection, params};

use super::{Bench, in_turn};
use crate::{
    Outcome, inside,
    load::{Load, Requests, Target},
    process::Server,
    seed,
    stats::{median, ratio},
    table::{Goal, Row},
    world::{Drawn, database},
};

const AS_THE_FIRST: Goal = Goal::AtMost(1.2);
const AS_THE_DATABASE: Goal = Goal::AtMost(1.5);
const LIMIT: u64 = 100;

/// The users, and how many tokens they have.
#[derive(Clone, Copy)]
struct Sizes {
    deep: u64,
    wide: u64,
}

impl Sizes {
    fn of(bench: &Bench) -> Self {
        if bench.quick {
            Self { deep: 10_000, wide: 1_000 }
        } else {
            Self { deep: 1_000_000, wide: 100_000 }
        }
    }
}

const DEEP: &str = "deep";
const WIDE: &str = "wide";

pub(crate) fn measure(bench: &Bench) -> Outcome<Vec<Row>> {
    let sizes = Sizes::of(bench);
    let folder = bench.folder.join("lists");
    seed::remove(&folder)?;
    std::fs::create_dir_all(&folder)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let account = runtime.block_on(users(&folder))?;
    fill(&folder, &account, sizes)?;
    let lists = runtime.block_on(Lists::open(&folder, account, sizes.deep))?;
    let server = Server::start(bench.program.serve(&folder), &bench.log("lists"))?;
    let measured = compared(bench, &folder, &lists, &server, sizes);
    drop(server);
    seed::remove(&folder)?;
    measured
}

/// Makes a store with the two users; its first account.
async fn users(folder: &Path) -> Outcome<AccountId> {
    let app = inside::open(folder, Settings::default()).await?;
    for name in [DEEP, WIDE] {
        let user = ProgramUser {
            name: name.parse()?,
            email: None,
            password: Password::given("not used"),
            superuser: false,
            account: None,
        };
        app.program_create_user(user, inside::origin().nobody()).await?;
    }
    app.close();
    let store = Connection::open(database(folder))?;
    let first = "SELECT id FROM account ORDER BY seq LIMIT 1";
    Ok(store.query_row(first, [], |row| row.get::<_, String>(0))?.parse()?)
}

fn user_id(folder: &Path, name: &str) -> Outcome<PrincipalId> {
    let store = Connection::open(database(folder))?;
    let find = "SELECT id FROM principal WHERE name = ?1";
    Ok(store.query_row(find, [name], |row| row.get::<_, String>(0))?.parse()?)
}

/// Gives them their tokens: nobody comes with these, so they need no secrets.
fn fill(folder: &Path, account: &AccountId, sizes: Sizes) -> Outcome<()> {
    let mut store = Connection::open(database(folder))?;
    store.execute_batch("PRAGMA synchronous = OFF; PRAGMA cache_size = -1048576;")?;
    let tx = store.transaction()?;
    {
        let mut token = tx.prepare(
            "INSERT INTO token (id, kind, account_id, principal_id, principal_name, name, created_by,
                created_at)
             VALUES (?1, 'api', ?2, ?3, ?4, ?5, ?4, ?6)",
        )?;
        for (user, count) in [(DEEP, sizes.deep + LIMIT), (WIDE, sizes.wide)] {
            let id = user_id(folder, user)?;
            for number in 0..count {
                let drawn = Drawn::new(user, number);
                let name = format!("ci-runner-{:06}", drawn.below(1_000_000));
                let at = inside::START.plus_ms(i64::try_from(number)?).0;
                let token_id = TokenId::random(&drawn);
                let [id, of, account] = [token_id.text(), id.text(), account.text()];
                let row = params![id.as_str(), account.as_str(), of.as_str(), user, name, at];
                token.execute(row)?;
            }
        }
    }
    tx.commit()?;
    store.execute_batch("PRAGMA wal_checkpoint(TRUNCATE);")?;
    Ok(())
}

/// What the door asks, as far as it is measured here.
static SHAPE: Shape = Shape {
    name: "astra/tokens",
    fields: &[Field::text("id", "id"), Field::text("name", "name")],
    takes: Parameter::ALL,
    wide_values: false,
};

/// Where the lists are, and what opens them.
struct Lists {
    deep: (String, HeaderValue),
    wide: (String, HeaderValue),
    wide_id: PrincipalId,
    /// Leads behind as many tokens as the depth is.
    far: String,
}

impl Lists {
    async fn open(folder: &Path, account: AccountId, depth: u64) -> Outcome<Self> {
        let app = inside::open(folder, Settings::default()).await?;
        let list = async |name: &'static str| {
            let id = user_id(folder, name)?;
            let wish = ProgramToken {
                user: name.to_owned(),
                mint: Mint::Api,
                name: "bench".parse()?,
                life: None,
            };
            let secret = app.program_create_token(wish, inside::origin().nobody()).await?;
            let mut bearer = HeaderValue::try_from(format!("Bearer {}", secret.expose()))?;
            bearer.set_sensitive(true);
            let path = format!("/accounts/{account}/core/v1/users/{id}/tokens");
            Outcome::Ok((id, path, bearer, secret))
        };
        let (deep_id, path, bearer, secret) = list(DEEP).await?;
        let far = far(&app, account, deep_id, secret.expose(), depth).await?;
        let deep = (path, bearer);
        let (wide_id, path, bearer, _) = list(WIDE).await?;
        app.close();
        Ok(Self { deep, wide: (path, bearer), wide_id, far })
    }
}

/// The `continue` token behind the first `depth` tokens.
async fn far(
    app: &App,
    account: AccountId,
    user: PrincipalId,
    secret: &str,
    depth: u64,
) -> Outcome<String> {
    let caller = app.astra_login(secret, &inside::origin()).await?;
    let resident = app.resident(&caller, account).await?;
    let fellow = app.fellow(&resident, user).await?;
    let query = format!("limit={LIMIT}&skip={}", depth - LIMIT);
    let list = app.listing(&SHAPE, user.text(), &query).map_err(|bad| format!("{bad:?}"))?;
    let page = app.api_tokens(&resident, &fellow, list).await?;
    page.next.ok_or_else(|| "the list is too short".into())
}

fn page((path, bearer): &(String, HeaderValue), query: &str) -> Arc<Requests> {
    let (uri, bearer) = (format!("{path}?{query}"), bearer.clone());
    Arc::new(move |_| {
        let request = Request::get(&uri).header(HOST, "127.0.0.1");
        Ok(request.header(AUTHORIZATION, bearer.clone()).body(Full::new(Bytes::new()))?)
    })
}

fn compared(
    bench: &Bench,
    folder: &Path,
    lists: &Lists,
    server: &Server,
    sizes: Sizes,
) -> Outcome<Vec<Row>> {
    let load = Load::new()?;
    let target = Target { address: server.address, connections: 1 };
    // the mean time of a page, in milliseconds
    let time = |requests: &Arc<Requests>| {
        Outcome::Ok(1000.0 / load.run(target, bench.span() / 2, requests)?.rate)
    };
    let first = page(&lists.deep, &format!("limit={LIMIT}"));
    let far = page(&lists.deep, &format!("limit={LIMIT}&continue={}", lists.far));
    let mut rows = Vec::new();
    let (mut figures, mut yardsticks) = (Vec::new(), Vec::new());
    for round in 0..bench.rounds() {
        let (figure, yardstick) = in_turn(round, || time(&far), || time(&first))?;
        figures.push(figure);
        yardsticks.push(yardstick);
    }
    let what = format!("list page behind {} tokens, over the first page", sizes.deep);
    rows.push(row("P7", what, &figures, &yardsticks, AS_THE_FIRST));

    let store = Connection::open(database(folder))?;
    for question in &QUESTIONS {
        let asked = page(&lists.wide, question.query);
        let (mut figures, mut yardsticks) = (Vec::new(), Vec::new());
        for round in 0..bench.rounds() {
            let alone = || question.ask(&store, &lists.wide_id, bench.span() / 2);
            let (figure, yardstick) = in_turn(round, || time(&asked), alone)?;
            figures.push(figure);
            yardsticks.push(yardstick);
        }
        let what = format!("{} of {} tokens, over its SQL", question.what, sizes.wide);
        rows.push(row("P8", what, &figures, &yardsticks, AS_THE_DATABASE));
    }
    Ok(rows)
}

fn row(id: &'static str, what: String, figures: &[f64], yardsticks: &[f64], goal: Goal) -> Row {
    let ratio = ratio(figures, yardsticks);
    Row {
        id,
        what,
        figure: format!("{:.2} ms", median(figures.iter().copied())),
        yardstick: format!("{:.2} ms", median(yardsticks.iter().copied())),
        ratio: format!("{ratio:.2}"),
        goal: Some(goal.judge(ratio)),
    }
}

/// A filtered and sorted list, and the same in SQL.
struct Question {
    what: &'static str,
    query: &'static str,
    filter: &'static str,
    order: &'static str,
}

/// Both pass over many rows before they find a hundred.
const QUESTIONS: [Question; 2] = [
    Question {
        what: "filter=name in, orderBy=name",
        query: "filter=name+in+'777'&orderBy=name&limit=100",
        filter: "instr(name, '777') > 0",
        order: "name, id",
    },
    Question {
        what: "filter on a label, orderBy=name desc",
        query: "filter=metadata.labels[*].name+eq+'env'&orderBy=name+desc&limit=100",
        filter: "EXISTS (SELECT 1 FROM label WHERE object_id = token.id AND label.name = 'env')",
        order: "name DESC, id",
    },
];

impl Question {
    /// The mean time of the same question, asked of the database for `span`, in milliseconds.
    fn ask(
        &self,
        store: &Connection,
        user: &PrincipalId,
        span: std::time::Duration,
    ) -> Outcome<f64> {
        let sql = format!(
            "SELECT id, name, principal_id, created_at, created_by_id, modified_at, modified_by_id
             FROM token WHERE principal_id = ?1 AND kind = 'api' AND revoked_at IS NULL
                AND (expires_at IS NULL OR expires_at > ?2) AND {}
             ORDER BY {} LIMIT 101",
            self.filter, self.order
        );
        let started = std::time::Instant::now();
        let mut times = 0.0;
        while started.elapsed() < span {
            let mut statement = store.prepare(&sql)?;
            let mut rows = statement.query(params![user.text().as_str(), inside::START.0])?;
            while let Some(row) = rows.next()? {
                std::hint::black_box(row.get::<_, String>(1)?);
            }
            times += 1.0;
        }
        Ok(started.elapsed().as_secs_f64() * 1000.0 / times)
    }
}
