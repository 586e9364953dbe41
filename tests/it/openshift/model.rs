//! Whatever two users do to their authorizations, those that live are those of a model, and nobody
//! sees or changes another's.

use claviger_service::Settings;
use claviger_tests::{
    app::TestApp,
    openshift::{ALL, USERS, person, world},
    scratch::Engine,
    visitor::Visitor,
};
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use serde_json::{Value, json};

const SCOPES: [&str; 4] = ["session", "read", "read userinfo", "userinfo,read"];
const NOTES: [Option<&str>; 3] = [None, Some(""), Some("n")];
const LIVES: [i64; 4] = [0, 30, 500, 100_000];

/// What somebody does. The first number is who; `Nth` counts all authorizations ever made, also
/// another's and those that are gone.
#[derive(Clone, Debug)]
enum Step {
    Create { who: usize, scope: usize, note: usize, life: Option<usize>, reuse: bool },
    Update { who: usize, nth: usize, note: usize, by_token: bool },
    Delete { who: usize, nth: usize, by_token: bool },
    DeleteAll { who: usize, scope: Option<&'static str> },
    Wait { ms: i64 },
}

fn step() -> impl Strategy<Value = Step> {
    let life = proptest::option::of(0..LIVES.len());
    let create = (0..2_usize, 0..SCOPES.len(), 0..NOTES.len(), life, any::<bool>())
        .prop_map(|(who, scope, note, life, reuse)| Step::Create { who, scope, note, life, reuse });
    let update = (0..2_usize, 0..64_usize, 0..NOTES.len(), any::<bool>())
        .prop_map(|(who, nth, note, by_token)| Step::Update { who, nth, note, by_token });
    let delete = (0..2_usize, 0..64_usize, any::<bool>())
        .prop_map(|(who, nth, by_token)| Step::Delete { who, nth, by_token });
    let scope = prop_oneof![
        Just(None),
        Just(Some("read")),
        Just(Some("session")),
        Just(Some("READ")),
        Just(Some("bogus"))
    ];
    let delete_all = (0..2_usize, scope).prop_map(|(who, scope)| Step::DeleteAll { who, scope });
    let wait = prop_oneof![Just(400), Just(15_000), Just(470_000), Just(40_000_000)]
        .prop_map(|ms| Step::Wait { ms });
    prop_oneof![6 => create, 2 => update, 2 => delete, 1 => delete_all, 3 => wait]
}

#[derive(Clone, Debug)]
struct One {
    who: usize,
    id: String,
    token: String,
    scopes: String,
    note: Option<&'static str>,
    ends_ms: i64,
    gone: bool,
}

/// What should be.
#[derive(Default)]
struct Model {
    now_ms: i64,
    all: Vec<One>,
}

impl Model {
    fn left_s(&self, one: &One) -> i64 {
        ((one.ends_ms - self.now_ms).max(0) + 500) / 1000
    }

    fn lives(&self, one: &One) -> bool {
        !one.gone && self.now_ms < one.ends_ms
    }

    /// The one that will do; the newest are at the end.
    fn usable(&self, who: usize, scopes: &str, note: Option<&str>, life_s: i64) -> Option<&One> {
        let fits = |one: &&One| {
            !one.gone
                && one.who == who
                && one.scopes == scopes
                && (note.is_none() || one.note == note)
        };
        let newest = self.all.iter().rev().filter(fits).take(10);
        newest.into_iter().find(|one| self.left_s(one) > (life_s / 4).min(600))
    }

    fn nth(&mut self, nth: usize) -> Option<&mut One> {
        let count = self.all.len();
        self.all.get_mut(nth.checked_rem(count)?)
    }
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

async fn take(app: &TestApp, model: &mut Model, step: Step) {
    match step {
        Step::Wait { ms } => {
            app.clock.advance_ms(ms);
            model.now_ms += ms;
        }
        Step::Create { who, scope, note, life, reuse } => {
            let (scopes, note) = (SCOPES[scope].replace(',', " "), NOTES[note]);
            let usual_s = if scopes == "session" { 86_400 } else { 2_592_000 };
            let life_s = life.map_or(usual_s, |life| LIVES[life]);
            let mut body = json!({"scope": SCOPES[scope], "note": note, "reuse": reuse});
            if life.is_some() {
                body["expires_in"] = life_s.into();
            }
            let answer = person(app, USERS[who]).post(ALL, body).await;
            let data = answer.json()["data"].clone();
            let usable = model.usable(who, &scopes, note, life_s).filter(|_| reuse);
            if let Some(usable) = usable {
                assert_eq!(answer.status, 200, "{}", answer.text());
                assert_eq!(
                    (text(&data["id"]), text(&data["token"])),
                    (usable.id.clone(), usable.token.clone())
                );
                return;
            }
            assert_eq!(answer.status, 201, "{}", answer.text());
            let ends_ms = model.now_ms + life_s * 1000;
            let (id, token) = (text(&data["id"]), text(&data["token"]));
            model.all.push(One { who, id, token, scopes, note, ends_ms, gone: false });
        }
        Step::Update { who, nth, note, by_token } => {
            let Some(one) = model.nth(nth) else { return };
            let path = format!("{ALL}/{}", if by_token { &one.token } else { &one.id });
            let body = json!({"note": NOTES[note]});
            let answer = person(app, USERS[who]).put(&path, body).await;
            if one.who == who && !one.gone {
                assert_eq!(answer.status, 200, "{}", answer.text());
                one.note = NOTES[note];
            } else {
                assert_eq!(answer.status, 404, "{}", answer.text());
            }
        }
        Step::Delete { who, nth, by_token } => {
            let Some(one) = model.nth(nth) else { return };
            let path = format!("{ALL}/{}", if by_token { &one.token } else { &one.id });
            assert_eq!(person(app, USERS[who]).delete(&path).await.status, 200);
            one.gone |= one.who == who;
        }
        Step::DeleteAll { who, scope } => {
            let query = scope.map_or_else(String::new, |scope| format!("?scope={scope}"));
            let answer = person(app, USERS[who]).delete(&format!("{ALL}{query}")).await;
            assert_eq!(answer.status, 200);
            for one in model.all.iter_mut().filter(|one| one.who == who) {
                one.gone |= scope.is_none_or(|scope| one.scopes.split(' ').any(|s| s == scope));
            }
        }
    }
}

/// What the lists and the tokens say.
async fn compare(app: &TestApp, model: &Model) {
    for (who, user) in USERS.iter().enumerate() {
        let list = person(app, user).get(ALL).await.json()["data"].clone();
        let shown: Vec<_> = list
            .as_array()
            .expect("a list")
            .iter()
            .map(|one| (text(&one["id"]), text(&one["token"]), one["note"].clone()))
            .collect();
        let newest_first = model.all.iter().rev();
        let expected: Vec<_> = newest_first
            .filter(|one| one.who == who && model.lives(one))
            .map(|one| (one.id.clone(), one.token.clone(), json!(one.note)))
            .collect();
        assert_eq!(shown, expected, "{user}");
    }
    for one in &model.all {
        let answer = Visitor::bearer(app, &one.token).get("/broker/rest/user").await;
        assert_eq!(answer.status == 200, model.lives(one), "{one:?}");
        if model.lives(one) {
            assert_eq!(answer.json()["data"]["login"], USERS[one.who]);
        }
    }
}

fn lives_as_the_model_says(engine: Engine, cases: u32) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let app = runtime.block_on(world(engine, Settings::default()));
    let mut runner = TestRunner::new(Config { cases, ..Config::default() });
    let outcome = runner.run(&proptest::collection::vec(step(), 1..20), |steps| {
        runtime.block_on(async {
            // what the run before has left is not this one's
            let mut model = Model::default();
            for who in 0..USERS.len() {
                take(&app, &mut model, Step::DeleteAll { who, scope: None }).await;
            }
            for step in steps {
                take(&app, &mut model, step).await;
            }
            compare(&app, &model).await;
        });
        Ok(())
    });
    outcome.expect("it lives as the model says");
}

#[test]
fn what_lives_is_what_the_model_says_sqlite() {
    lives_as_the_model_says(Engine::Sqlite, 24);
}

#[test]
fn what_lives_is_what_the_model_says_postgres() {
    lives_as_the_model_says(Engine::Postgres, 8);
}
