//! V3: lists and checks at the same time. What a list reads is remembered for nobody, so that no
//! check is ever answered from what a list saw; while facts are forgotten and read again all along.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
};

use claviger_service::{
    Settings,
    passwords::Password,
    program::{Mint, ProgramToken, ProgramUser},
};
use claviger_store::{Memory, Touched, audit::Actor};
use claviger_tests::{
    app::TestApp,
    both,
    case::jwt,
    visitor::{Credential, Visitor},
};
use serde_json::json;
use tokio::task::JoinSet;

const REPOSITORIES: usize = 8;
const CHECKS: usize = 1_500;

fn program() -> Actor {
    Actor::program("tests".to_owned())
}

async fn user(app: &TestApp, name: &str) -> String {
    let user = ProgramUser {
        name: name.parse().expect("a name"),
        email: None,
        password: Password::given("password"),
        superuser: false,
        account: None,
    };
    app.app.program_create_user(user, program()).await.expect("a user");
    let wish = ProgramToken {
        user: name.to_owned(),
        mint: Mint::App,
        name: "tests".parse().expect("a title"),
        life: None,
    };
    let token = app.app.program_create_token(wish, program()).await.expect("a token");
    token.expose().to_owned()
}

/// `bob` may pull every second repository of `alice`.
fn may(number: usize) -> bool {
    number.is_multiple_of(2)
}

async fn world(app: &TestApp) -> String {
    user(app, "alice").await;
    let token = user(app, "bob").await;
    let alice = Visitor::sign_in(app, "alice", "password").await;
    for number in 0..REPOSITORIES {
        let new = json!({
            "namespace": "alice", "repository": format!("r{number}"), "visibility": "private",
            "description": "",
        });
        assert_eq!(alice.post("/api/v1/repository", new).await.status, 201);
        if may(number) {
            let path = format!("/api/v1/repository/alice/r{number}/permissions/user/bob");
            assert_eq!(alice.put(&path, json!({"role": "read"})).await.status, 200);
        }
    }
    token
}

/// Everything that can be listed, over and over.
async fn list(
    app: Arc<TestApp>,
    admin: Credential,
    alice: Credential,
    over: Arc<AtomicBool>,
) -> usize {
    let (admin, alice) = (Visitor::again(&*app, &admin), Visitor::again(&*app, &alice));
    let mut lists = 0;
    while !over.load(Relaxed) {
        for path in [
            "/claviger/v1/tokens",
            "/api/v1/superuser/users/",
            "/api/v1/entities/bo",
            "/api/v1/user/logs",
        ] {
            assert_eq!(admin.get(path).await.status, 200, "{path}");
        }
        for path in ["/api/v1/repository?namespace=alice", "/api/v1/user/apptoken"] {
            assert_eq!(alice.get(path).await.status, 200, "{path}");
        }
        for number in 0..REPOSITORIES {
            let path = format!("/api/v1/repository/alice/r{number}/permissions/user/");
            let answer = alice.get(&path).await;
            assert_eq!(answer.status, 200, "{path}");
            assert_eq!(answer.json()["permissions"].get("bob").is_some(), may(number), "{path}");
        }
        lists += 1;
    }
    lists
}

/// Checks at the registry and the decisions door; every answer is known.
async fn check(app: Arc<TestApp>, token: String, left: Arc<AtomicUsize>) {
    let docker = Visitor::basic(&*app, "$app", &token);
    let asks = Visitor::bearer(&*app, &token);
    while let Ok(number) = left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)) {
        let (number, name) = (number % REPOSITORIES, format!("alice/r{}", number % REPOSITORIES));
        let path = format!("/v2/auth?service=registry&scope=repository:{name}:pull");
        let answer = docker.get(&path).await;
        let claims = jwt::claims(answer.json()["token"].as_str().expect("a token"));
        let actions = &claims["access"][0]["actions"];
        assert_eq!(*actions == json!(["pull"]), may(number), "{name}: {claims}");
        let question = json!({
            "subject": { "type": "user", "id": "bob" },
            "action": { "name": "pull" },
            "resource": { "type": "repository", "id": name },
        });
        let answer = asks.post("/access/v1/evaluation", question).await;
        assert_eq!(answer.json()["decision"], may(number), "{name}: {}", answer.text());
    }
}

both! {
    async fn lists_beside_checks_change_no_answer_of_a_check(engine: Engine) {
        let app = Arc::new(TestApp::empty(engine, Settings::default()).await);
        let token = world(&app).await;
        let admin = Visitor::sign_in(&*app, "admin", "password").await.kept();
        let alice = Visitor::sign_in(&*app, "alice", "password").await.kept();
        let (over, left) = (Arc::<AtomicBool>::default(), Arc::new(AtomicUsize::new(CHECKS)));
        let (mut listing, mut checking) = (JoinSet::new(), JoinSet::new());
        for _ in 0..4 {
            listing.spawn(list(Arc::clone(&app), admin.clone(), alice.clone(), Arc::clone(&over)));
            checking.spawn(check(Arc::clone(&app), token.clone(), Arc::clone(&left)));
        }
        let forgetting = tokio::spawn({
            let (app, over) = (Arc::clone(&app), Arc::clone(&over));
            async move {
                while !over.load(Relaxed) {
                    app.app.facts().evict(&[Touched::All]);
                    tokio::time::sleep(std::time::Duration::from_millis(1)).await;
                }
            }
        });
        while let Some(checked) = checking.join_next().await {
            checked.expect("every check is answered as it should be");
        }
        over.store(true, Relaxed);
        forgetting.await.expect("it forgets");
        let lists: usize = listing.join_all().await.into_iter().sum();
        assert!(lists > 0, "no list was read beside {CHECKS} checks");
    }
}
