//! `kill -9` at random moments under a mixed write load: every write that was acknowledged is
//! there, and none is half there.
//!
//! Each writer keeps a ledger of what it was told. When the program dies, one write of each may be
//! on its way; that one may be there or not, the others must be. `scripts/soak` runs many rounds.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use claviger_domain::{Chance, Clock};
use claviger_store::{Db, audit};
use claviger_tests::{
    real::{free_port, program::Program},
    scratch::{Engine, Noted, Scratch},
    stands::{SeededChance, StillClock},
    visitor::Visitor,
};
use serde_json::{Value, json};

const WRITERS: usize = 8;
/// How long answers are waited for that a dead program may have sent.
const LAST_ANSWERS: Duration = Duration::from_secs(5);

/// What a writer was told, and what it was not told yet.
#[derive(Clone, Debug, Default)]
struct Ledger {
    /// Titles of live app tokens, with id and secret.
    tokens: BTreeMap<String, (String, String)>,
    /// Secrets of revoked ones.
    revoked: Vec<String>,
    /// The role that was given last.
    role: Option<&'static str>,
    /// What was asked and not answered.
    pending: Option<Pending>,
    acknowledged: usize,
}

#[derive(Clone, Debug)]
enum Pending {
    Create(String),
    Revoke(String),
    Role(Option<&'static str>),
}

/// One writer: repository `admin/rN`, and app tokens whose titles begin with `N-`.
#[derive(Debug)]
struct Writer {
    number: usize,
    ledger: Mutex<Ledger>,
}

impl Writer {
    fn permission(&self) -> String {
        format!("/api/v1/repository/admin/r{}/permissions/user/other", self.number)
    }

    /// Writes until there is no answer.
    async fn work(&self, program: &Program, admin: &Visitor<'_, Program>, chance: &SeededChance) {
        let mut serial = 0;
        loop {
            let next = self.next(chance, serial);
            serial += 1;
            let (method, path, body) = match &next {
                Pending::Create(title) => {
                    ("POST", "/api/v1/user/apptoken".to_owned(), Some(json!({"title": title})))
                }
                Pending::Revoke(title) => {
                    let (id, _) = self.ledger.lock().expect("whole").tokens[title].clone();
                    ("DELETE", format!("/api/v1/user/apptoken/{id}"), None)
                }
                Pending::Role(Some(role)) => {
                    ("PUT", self.permission(), Some(json!({"role": role})))
                }
                Pending::Role(None) => ("DELETE", self.permission(), None),
            };
            self.ledger.lock().expect("whole").pending = Some(next.clone());
            let request = admin.request(&method.parse().expect("a method"), &path, body.as_ref());
            let Some(answer) = program.try_send(request).await else { return };
            // the program may be asked to do what it has already done
            assert!(
                answer.status.is_success() || answer.status == 400,
                "{method} {path}: {} {}",
                answer.status,
                answer.text()
            );
            self.acknowledged(next, &answer.json());
        }
    }

    fn next(&self, chance: &SeededChance, serial: usize) -> Pending {
        let ledger = self.ledger.lock().expect("whole");
        let titles: Vec<&String> = ledger.tokens.keys().collect();
        match chance.below(5) {
            0 | 1 if !titles.is_empty() => Pending::Revoke((*chance.pick(&titles)).clone()),
            0..=2 => {
                let unique = chance.below(1_000_000_000);
                Pending::Create(format!("{}-{serial}-{unique}", self.number))
            }
            3 => Pending::Role(Some(*chance.pick(&["read", "write", "admin"]))),
            _ => Pending::Role(None),
        }
    }

    fn acknowledged(&self, done: Pending, body: &Value) {
        let mut ledger = self.ledger.lock().expect("whole");
        ledger.pending = None;
        ledger.acknowledged += 1;
        match done {
            Pending::Create(title) => {
                let text = |key: &str| body["token"][key].as_str().expect("a text").to_owned();
                ledger.tokens.insert(title, (text("uuid"), text("token_code")));
            }
            Pending::Revoke(title) => {
                let (_, secret) = ledger.tokens.remove(&title).expect("it was there");
                ledger.revoked.push(secret);
            }
            Pending::Role(role) => ledger.role = role,
        }
    }

    /// Compares the ledger with what is there, and takes over what was on its way.
    async fn check(&self, program: &Program, admin: &Visitor<'_, Program>) {
        let mut expected = self.ledger.lock().expect("whole").clone();
        let pending = expected.pending.take();
        let mine = format!("{}-", self.number);
        let list = admin.get("/api/v1/user/apptoken").await.json();
        let there = list["tokens"].as_array().expect("tokens").iter();
        let there: BTreeMap<String, String> = there
            .map(|token| {
                (
                    token["title"].as_str().unwrap_or_default().to_owned(),
                    token["uuid"].as_str().unwrap_or_default().to_owned(),
                )
            })
            .filter(|(title, _)| title.starts_with(&mine))
            .collect();
        for title in expected.tokens.keys() {
            let on_its_way = matches!(&pending, Some(Pending::Revoke(t)) if t == title);
            assert!(on_its_way || there.contains_key(title), "lost: token {title}");
        }
        for (title, id) in &there {
            if expected.tokens.contains_key(title) {
                continue;
            }
            let on_its_way = matches!(&pending, Some(Pending::Create(t)) if t == title);
            assert!(on_its_way, "token {title} came back");
            let one = admin.get(&format!("/api/v1/user/apptoken/{id}")).await.json();
            let secret = one["token"]["token_code"].as_str().expect("it is there as a whole");
            expected.tokens.insert(title.clone(), (id.clone(), secret.to_owned()));
        }
        if let Some(Pending::Revoke(title)) = &pending
            && !there.contains_key(title)
        {
            let (_, secret) = expected.tokens.remove(title).expect("it was there");
            expected.revoked.push(secret);
        }
        let answer = admin.get(&self.permission()).await;
        let body = answer.json();
        let role = body["role"].as_str();
        let on_its_way = matches!(&pending, Some(Pending::Role(asked)) if *asked == role);
        assert!(
            on_its_way || role == expected.role,
            "{}: {body} {:?} {pending:?}",
            self.permission(),
            expected.role
        );
        expected.role = ["read", "write", "admin"].into_iter().find(|word| role == Some(*word));
        // what lives opens, what was revoked does not
        let login = "/v2/auth?service=registry";
        if let Some((_, secret)) = expected.tokens.values().last() {
            let answer = Visitor::basic(program, "$app", secret).get(login).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
        }
        if let Some(secret) = expected.revoked.last() {
            let answer = Visitor::basic(program, "$app", secret).get(login).await;
            assert_eq!(answer.status, 401, "a revoked token opens again");
        }
        *self.ledger.lock().expect("whole") = expected;
    }
}

/// The audit's chain is whole.
async fn audit_is_whole(scratch: &Scratch, engine: Engine, folder: &Path) {
    let target = match engine {
        Engine::Sqlite => claviger_store::Target::Sqlite(folder.join("claviger-data/claviger.db")),
        Engine::Postgres => scratch.target(),
    };
    let chance: Arc<dyn Chance> = Arc::new(SeededChance::new(1));
    let clock: Arc<dyn Clock> = Arc::new(StillClock::default());
    let db = Db::open(target, 1, Arc::<Noted>::default(), chance, clock).expect("it opens");
    let broken = db.read(|q| Ok(audit::first_broken(q)?)).await.expect("an answer");
    assert_eq!(broken, None, "the audit is broken");
    db.close();
}

async fn rounds(engine: Engine, rounds: usize) {
    let scratch = Scratch::new(engine);
    let folder = tempfile::tempdir().expect("a folder");
    let listen = format!("127.0.0.1:{}", free_port());
    let mut arguments = vec!["--listen", &listen, "--log-level", "warn"];
    if engine == Engine::Postgres {
        arguments.extend(["--database", scratch.address()]);
    }
    let mut program = Program::serve(folder.path(), &arguments);
    let (name, password) = program.superuser();
    let admin = Visitor::sign_in(&program, &name, &password).await;
    let body = json!({"username": "other", "email": "other@example.com"});
    assert_eq!(admin.post("/api/v1/superuser/users/", body).await.status, 200);
    for number in 0..WRITERS {
        let body = json!({
            "namespace": name, "repository": format!("r{number}"), "visibility": "private",
            "description": "",
        });
        assert_eq!(admin.post("/api/v1/repository", body).await.status, 201);
    }
    let session = admin.kept();
    let writers: Vec<Writer> =
        (0..WRITERS).map(|number| Writer { number, ledger: Mutex::default() }).collect();
    let chance = SeededChance::new(0xdead);
    for _ in 0..rounds {
        let admin = Visitor::again(&program, &session);
        let working = writers.iter().map(|writer| writer.work(&program, &admin, &chance));
        let pause = Duration::from_millis(20 + chance.below(200) as u64);
        let before = acknowledged(&writers);
        let killing = async {
            // however slow the machine is, something was written in each round
            while acknowledged(&writers) < before + WRITERS {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            tokio::time::sleep(pause).await;
            program.kill_now();
        };
        let mut working = Box::pin(join_all(working));
        tokio::select! {
            () = killing => {}
            () = &mut working => panic!("nobody was answered any more, and it was not killed"),
        }
        // once in some hundred rounds the client waits on, without a connection, for the one that is dead
        let _ = tokio::time::timeout(LAST_ANSWERS, working).await;
        program = Program::serve(folder.path(), &arguments);
        let admin = Visitor::again(&program, &session);
        for writer in &writers {
            writer.check(&program, &admin).await;
        }
    }
    program.kill();
    audit_is_whole(&scratch, engine, folder.path()).await;
    println!("{rounds} rounds, {} writes acknowledged, none lost", acknowledged(&writers));
}

/// How many writes were acknowledged so far.
fn acknowledged(writers: &[Writer]) -> usize {
    writers.iter().map(|writer| writer.ledger.lock().expect("whole").acknowledged).sum()
}

/// Drives all of them in turn.
async fn join_all<F: Future<Output = ()>>(all: impl Iterator<Item = F>) {
    let mut all: Vec<_> = all.map(|one| Some(Box::pin(one))).collect();
    std::future::poll_fn(|context| {
        for slot in &mut all {
            if slot.as_mut().is_some_and(|one| one.as_mut().poll(context).is_ready()) {
                *slot = None;
            }
        }
        if all.iter().all(Option::is_none) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
}

/// How many rounds: a few, or as many as `scripts/soak` asks for.
fn asked() -> usize {
    #[expect(clippy::disallowed_methods, reason = "the tests' own variable")]
    let asked = std::env::var("SOAK_ROUNDS");
    asked.map_or(5, |rounds| rounds.parse().expect("a number of rounds"))
}

claviger_tests::both! {
    async fn nothing_acknowledged_is_lost_by_kill_9(engine: Engine) {
        rounds(engine, asked()).await;
    }
}
