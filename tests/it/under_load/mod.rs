//! Under full load: what is taken away is refused by the very next request at each door, and by
//! every request that began after the answer (V8). `scripts/soak` does it to many people.

mod history;
mod person;
mod probe;

use std::{
    sync::{
        Arc, RwLock,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use claviger_tests::{
    real::{
        people::{Anybody, make_user},
        program::Program,
    },
    scratch::{Engine, Scratch},
    stands::SeededChance,
    visitor::Visitor,
};
use http::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use self::{
    history::Act,
    person::{Person, done},
    probe::Probe,
};

/// A repository on which people have a permission; one on which their team has one.
const DIRECT: &str = "acme/app";
const TEAM: &str = "acme/tools";
/// How many ask all the time.
const ASKING: u64 = 16;

type Probes = Vec<Arc<Probe>>;

/// Those who ask all the time, and what they ask.
struct Crowd {
    program: Arc<Program>,
    probes: RwLock<Probes>,
    asked: AtomicUsize,
    over: AtomicBool,
}

impl Crowd {
    /// Asks one question after another.
    async fn ask(self: Arc<Self>, chance: SeededChance) {
        while !self.over.load(Ordering::Relaxed) {
            let probe = {
                let probes = self.probes.read().expect("whole");
                (!probes.is_empty()).then(|| Arc::clone(chance.pick(&probes)))
            };
            let Some(probe) = probe else {
                // nobody is there yet
                tokio::time::sleep(Duration::from_millis(5)).await;
                continue;
            };
            probe.ask_beside(&self.program).await;
            self.asked.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Changes other people's rights on the same objects, so that the same facts are evicted and
    /// read again all the time.
    async fn meddle(self: Arc<Self>, by: claviger_tests::visitor::Credential) {
        let by = Visitor::again(&*self.program, &by);
        let member = "/api/v1/organization/acme/team/devs/members/carol";
        while !self.over.load(Ordering::Relaxed) {
            for repository in [DIRECT, TEAM] {
                let path = format!("/api/v1/repository/{repository}/permissions/user/carol");
                done(&by.put(&path, json!({"role": "write"})).await);
                done(&by.delete(&path).await);
            }
            done(&by.put(member, json!({})).await);
            done(&by.delete(member).await);
        }
    }

    /// Does something that closes or opens what is `concerned`; then asks for each of these.
    async fn act(
        &self,
        by: &Anybody<'_>,
        (method, path, body): (Method, &str, Option<Value>),
        open: bool,
        concerned: &[Arc<Probe>],
    ) {
        let request = by.request(&method, path, body.as_ref());
        let began = Instant::now();
        let answer = self.program.try_send(request).await.expect("an answer");
        let answered = Instant::now();
        assert!(answer.status.is_success(), "{method} {path}: {}", answer.text());
        for probe in concerned {
            probe.acted(Act { began, answered, open });
        }
        let mut next = JoinSet::new();
        for probe in concerned {
            let (probe, program) = (Arc::clone(probe), Arc::clone(&self.program));
            next.spawn(async move {
                let told = probe.ask(&program).await;
                assert_eq!(told, open, "{probe}, the very next request");
            });
        }
        while let Some(asked) = next.join_next().await {
            asked.unwrap_or_else(|error| panic!("after {method} {path}: {error}"));
        }
    }
}

/// What was counted.
#[derive(Debug, Default)]
struct Tally {
    taken: usize,
    refused_next: usize,
    reviewed: usize,
}

struct Scene<'a> {
    crowd: &'a Crowd,
    admin: &'a Anybody<'a>,
    tally: Tally,
}

impl Scene<'_> {
    async fn takes(&mut self, by: &Anybody<'_>, path: &str, body: Option<Value>, closes: &Probes) {
        let method = if body.is_some() { Method::PUT } else { Method::DELETE };
        self.crowd.act(by, (method, path, body), false, closes).await;
        self.tally.taken += 1;
        self.tally.refused_next += closes.len();
    }

    async fn gives(&self, path: &str, body: Value, opens: &Probes) {
        self.crowd.act(self.admin, (Method::PUT, path, Some(body)), true, opens).await;
    }

    /// Everything is taken from somebody, one thing after another.
    async fn ends(&mut self, person: &mut Person<'_>, natively: bool) {
        let (admin, name) = (self.admin, person.name.clone());
        let on = |repository: &'static str| -> Probes {
            let probes = person.probes.iter();
            probes.filter(|probe| probe.repository == repository).cloned().collect()
        };
        let (direct, team) = (on(DIRECT), on(TEAM));
        for probe in &person.probes {
            assert!(probe.ask(&self.crowd.program).await, "{probe}, before anything is taken");
        }
        let permission = format!("/api/v1/repository/{DIRECT}/permissions/user/{name}");
        let of_team = format!("/api/v1/repository/{TEAM}/permissions/team/devs");
        let member = format!("/api/v1/organization/acme/team/devs/members/{name}");
        let read = json!({"role": "read"});
        for _ in 0..3 {
            self.takes(admin, &permission, None, &direct).await;
            self.gives(&permission, read.clone(), &direct).await;
            self.takes(admin, &member, None, &team).await;
            self.gives(&member, json!({}), &team).await;
            self.takes(admin, &of_team, None, &team).await;
            self.gives(&of_team, read.clone(), &team).await;
        }
        let both = [&direct[..], &team].concat();
        self.takes(admin, &format!("/api/v1/organization/acme/members/{name}"), None, &both).await;
        self.gives(&permission, read, &direct).await;
        self.gives(&member, json!({}), &team).await;

        let user = format!("/api/v1/superuser/users/{name}");
        self.tokens(person, natively).await;
        let open = still_open(&person.probes);
        self.takes(admin, &user, Some(json!({"enabled": false})), &open).await;
        self.gives(&user, json!({"enabled": true}), &open).await;
        let more = person.sign_in().await;
        self.crowd.probes.write().expect("whole").extend(more);
        self.takes(admin, &user, None, &still_open(&person.probes)).await;
        self.tally.reviewed += person.probes.iter().map(|probe| probe.review()).sum::<usize>();
    }

    /// His tokens, one by one; then his session.
    async fn tokens(&mut self, person: &mut Person<'_>, natively: bool) {
        for (by, id, path) in &person.ends {
            let probes = person.probes.iter();
            let closes: Probes = probes.filter(|probe| probe.by == *by).cloned().collect();
            if natively && !id.is_empty() {
                let path = format!("/claviger/v1/tokens/{id}");
                self.takes(&person.visitor, &path, None, &closes).await;
            } else {
                self.takes(&person.at_its_own_door(by), path, None, &closes).await;
            }
        }
        let probes = person.probes.iter();
        let closes: Probes = probes.filter(|probe| probe.by == "session1").cloned().collect();
        let sign_out = (Method::POST, "/api/v1/signout", Some(json!({})));
        self.crowd.act(&person.visitor, sign_out, false, &closes).await;
        self.tally.taken += 1;
        self.tally.refused_next += closes.len();
    }
}

fn still_open(probes: &Probes) -> Probes {
    probes.iter().filter(|probe| probe.is_open()).cloned().collect()
}

/// An organisation with two repositories, and carol, with whom others meddle.
async fn place(program: &Program, admin: &Anybody<'_>) {
    make_user(program, admin, "carol").await;
    done(&admin.post("/api/v1/organization/", json!({"name": "acme"})).await);
    for name in ["app", "tools"] {
        let new = json!({
            "namespace": "acme", "repository": name, "visibility": "private", "description": "",
        });
        done(&admin.post("/api/v1/repository", new).await);
    }
    done(&admin.put("/api/v1/organization/acme/team/devs", json!({"role": "member"})).await);
    let of_team = format!("/api/v1/repository/{TEAM}/permissions/team/devs");
    done(&admin.put(&of_team, json!({"role": "read"})).await);
}

async fn people(engine: Engine, people: usize) {
    let scratch = Scratch::new(engine);
    let folder = tempfile::tempdir().expect("a folder");
    let store = match engine {
        Engine::Sqlite => Vec::new(),
        Engine::Postgres => vec!["--database", scratch.address()],
    };
    let serve = [&["--listen", "127.0.0.1:0", "--log-level", "warn"], store.as_slice()].concat();
    let variables = [("CLAVIGER_FORWARD_PRESET", "registry")];
    let program = Arc::new(Program::serve_with(folder.path(), &serve, &variables));
    let (name, password) = program.superuser();
    let admin = Visitor::sign_in(&*program, &name, &password).await;
    place(&program, &admin).await;

    let crowd = Arc::new(Crowd {
        program: Arc::clone(&program),
        probes: RwLock::default(),
        asked: AtomicUsize::default(),
        over: AtomicBool::default(),
    });
    let mut busy = JoinSet::new();
    for seed in 0..ASKING {
        busy.spawn(Arc::clone(&crowd).ask(SeededChance::new(seed)));
    }
    busy.spawn(Arc::clone(&crowd).meddle(admin.kept()));
    let mut scene = Scene { crowd: &crowd, admin: &admin, tally: Tally::default() };
    let started = Instant::now();
    for number in 0..people {
        let name = format!("bob{number}");
        let mut person = Person::new(&program, folder.path(), &store, &admin, name).await;
        crowd.probes.write().expect("whole").clone_from(&person.probes);
        scene.ends(&mut person, number % 2 == 1).await;
    }
    crowd.over.store(true, Ordering::Relaxed);
    while let Some(ended) = busy.join_next().await {
        ended.expect("nobody was told what he should not be");
    }
    let Tally { taken, refused_next, reviewed } = scene.tally;
    let asked = crowd.asked.load(Ordering::Relaxed);
    println!(
        "{people} people, {taken} acts, {refused_next} next requests refused; {asked} asked \
         beside them in {:?}, {reviewed} answers in order",
        started.elapsed()
    );
    assert!(asked > 100 * people, "that was no load");
}

/// How many people: two, or as many as `scripts/soak` asks for.
fn how_many() -> usize {
    #[expect(clippy::disallowed_methods, reason = "the tests' own variable")]
    let asked = std::env::var("SOAK_PEOPLE");
    asked.map_or(2, |people| people.parse().expect("a number of people"))
}

claviger_tests::both! {
    async fn what_is_taken_away_is_refused_by_the_very_next_request_at_every_door(engine: Engine) {
        people(engine, how_many()).await;
    }
}
