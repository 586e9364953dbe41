//! The decisions door, as somebody who asks meets it.

mod asking;
mod certification;
mod deciders;
mod evaluations;
mod reach;
mod searches;
mod who;

use claviger_domain::id::PrincipalId;
use claviger_service::{
    Settings,
    passwords::Password,
    program::{Mint, ProgramToken, ProgramUser},
};
use claviger_store::audit::Actor;
use claviger_tests::{answer::Answer, app::TestApp, scratch::Engine, visitor::Visitor};
use serde_json::{Value, json};

const EVALUATION: &str = "/access/v1/evaluation";
const EVALUATIONS: &str = "/access/v1/evaluations";

/// Two people with two repositories: `alice/record-1`, which bob may pull, and `alice/record-2`,
/// which he may not. `admin` is a superuser without full access.
struct World {
    app: TestApp,
    admin: String,
    alice: String,
    bob: String,
}

fn program() -> Actor {
    Actor::program("tests".to_owned())
}

/// Makes a user whose password is `password`.
async fn user(app: &TestApp, name: &str) -> PrincipalId {
    let user = ProgramUser {
        name: name.parse().expect("a name"),
        email: None,
        password: Password::given("password"),
        superuser: false,
        account: None,
    };
    app.app.program_create_user(user, program()).await.expect("a user")
}

/// Makes a token for `name`.
async fn token(app: &TestApp, name: &str, mint: Mint) -> String {
    let wish = ProgramToken {
        user: name.to_owned(),
        mint,
        name: "tests".parse().expect("a title"),
        life: None,
    };
    let made = app.app.program_create_token(wish, program()).await.expect("a token");
    made.expose().to_owned()
}

impl World {
    async fn new(engine: Engine) -> Self {
        Self::with(engine, Settings::default()).await
    }

    async fn with(engine: Engine, settings: Settings) -> Self {
        let app = TestApp::empty(engine, settings).await;
        for name in ["alice", "bob"] {
            user(&app, name).await;
        }
        let alice = Visitor::sign_in(&app, "alice", "password").await;
        for name in ["record-1", "record-2"] {
            let repository = json!({
                "namespace": "alice", "repository": name, "visibility": "private",
                "description": "",
            });
            assert_eq!(alice.post("/api/v1/repository", repository).await.status, 201);
        }
        let path = "/api/v1/repository/alice/record-1/permissions/user/bob";
        assert_eq!(alice.put(path, json!({ "role": "read" })).await.status, 200);
        let [admin, alice, bob] = [
            token(&app, "admin", Mint::App).await,
            token(&app, "alice", Mint::App).await,
            token(&app, "bob", Mint::App).await,
        ];
        Self { app, admin, alice, bob }
    }

    /// What the superuser is answered.
    async fn ask(&self, path: &str, body: &Value) -> Answer {
        self.ask_as(&self.admin, path, body).await
    }

    async fn ask_as(&self, token: &str, path: &str, body: &Value) -> Answer {
        Visitor::bearer(&self.app, token).post(path, body.clone()).await
    }
}

/// A question about a user and a repository.
fn question(user: &str, action: &str, repository: &str) -> Value {
    json!({
        "subject": { "type": "user", "id": user },
        "action": { "name": action },
        "resource": { "type": "repository", "id": repository },
    })
}

/// The decision of an answer that is one.
fn decision(answer: &Answer) -> bool {
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("content-type"), Some("application/json"));
    answer.json()["decision"].as_bool().expect("a decision")
}

/// The decisions of an answer that holds several.
fn decisions(answer: &Answer) -> Vec<bool> {
    assert_eq!(answer.status, 200, "{}", answer.text());
    let body = answer.json();
    assert!(body.get("decision").is_none(), "{body}");
    let each = body["evaluations"].as_array().expect("a list").iter();
    each.map(|item| item["decision"].as_bool().expect("a decision")).collect()
}
