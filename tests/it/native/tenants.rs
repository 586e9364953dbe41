//! Another account: what is there answers as what does not exist.

use claviger_domain::id::AccountId;
use claviger_service::{
    passwords::Password,
    program::{Mint, ProgramToken, ProgramUser},
};
use claviger_store::audit::Actor;
use claviger_tests::{answer::Answer, app::TestApp, server::Server, visitor::Visitor};
use http::Method;
use serde_json::{Value, json};

use super::{
    test_settings,
    tokens::{TOKENS, filtered, raise},
};

fn program() -> Actor {
    Actor::program("tests".to_owned())
}

async fn user(app: &TestApp, name: &str, account: Option<AccountId>) {
    let user = ProgramUser {
        name: name.parse().expect("a name"),
        email: Some(format!("{name}@example.com").parse().expect("an address")),
        password: Password::given("password"),
        superuser: false,
        account,
    };
    app.app.program_create_user(user, program()).await.expect("a user");
}

pub(super) async fn bearer<'a>(app: &'a TestApp, user: &str) -> Visitor<'a, TestApp> {
    let wish = ProgramToken {
        user: user.to_owned(),
        mint: Mint::Api,
        name: "tenants".parse().expect("a name"),
        life: None,
    };
    let token = app.app.program_create_token(wish, program()).await.expect("a token");
    Visitor::bearer(app, token.expose())
}

/// What an answer says, apart from the names that were asked about.
fn said(answer: &Answer, names: &[&str]) -> (u16, String) {
    let text = names.iter().fold(answer.text(), |text, name| text.replace(name, "NAME"));
    (answer.status.as_u16(), text)
}

claviger_tests::both! {
    async fn every_id_of_another_account_answers_as_one_that_does_not_exist(engine: Engine) {
        const NOBODY: &str = "11111111-1111-4111-8111-111111111111";
        let (app, _) = TestApp::seeded(engine, test_settings()).await;
        let other = app.app.program_create_account("Other".parse().expect("a name"), program()).await;
        let other = other.expect("an account");
        user(&app, "zed", Some(other)).await;
        bearer(&app, "zed").await;
        let zed = bearer(&app, "zed").await;
        assert_eq!(zed.get(TOKENS).await.json()["items"].as_array().map(Vec::len), Some(2));
        let superuser = Visitor::sign_in(&app, "devtable", "password").await;
        let policy = format!("/claviger/v1/lifetimes/{other}/app");
        assert_eq!(superuser.put(&policy, json!({"maximumLifetime": "30d"})).await.status, 200);
        let state = async || {
            let tokens = superuser.get(&filtered("principal.name in 'zed'")).await.json()["items"].clone();
            (tokens, superuser.get(&policy).await.json())
        };
        let before = state().await;
        let items = before.0.as_array().expect("items").clone();
        assert_eq!(items.len(), 2);

        // whoever is highest in his own account, and somebody who is nobody
        let owner = Visitor::sign_in(&app, "reader", "password").await;
        raise(&app, &owner, "owner").await;
        let plain = Visitor::sign_in(&app, "freshuser", "password").await;
        for who in [owner, bearer(&app, "reader").await, plain, bearer(&app, "freshuser").await] {
            for id in items.iter().map(|token| token["id"].as_str().expect("an id")) {
                let one = |id: &str| format!("{TOKENS}/{id}");
                let ask = async |method: Method, path: String, body: Option<Value>| {
                    let request = who.request(&method, &path, body.as_ref());
                    said(&app.send(request).await, &[id, NOBODY])
                };
                for (method, after, body) in [
                    (Method::GET, "", None),
                    (Method::PATCH, "", Some(json!({"name": "x"}))),
                    (Method::PATCH, "", Some(json!({"nope": "x"}))),
                    (Method::DELETE, "", None),
                    (Method::DELETE, "?descendants=maybe", None),
                    (Method::POST, ":rotate", Some(json!({}))),
                    (Method::POST, ":cut", Some(json!({}))),
                ] {
                    let foreign = ask(method.clone(), one(id) + after, body.clone()).await;
                    assert_eq!(foreign.0, 404, "{method} {after}: {}", foreign.1);
                    assert_eq!(foreign, ask(method, one(NOBODY) + after, body).await);
                }
                let question = "&action=pull&resource=repository:zed/secret";
                let asks = |id: &str| format!("/claviger/v1/decisions:explain?subject=token:{id}{question}");
                let foreign = ask(Method::GET, asks(id), None).await;
                assert_eq!(foreign, ask(Method::GET, asks(NOBODY), None).await);
                for filter in ["id eq", "id in", "parent eq"] {
                    let found = who.get(&filtered(&format!("{filter} '{id}'"))).await.json();
                    assert_eq!(found["items"], json!([]));
                }
                let body = json!({"filter": format!("id eq '{id}'")});
                assert_eq!(who.post("/claviger/v1/tokens:revoke", body).await.json()["matched"], 0);
            }
            for (method, body) in [
                (Method::GET, None),
                (Method::PUT, Some(json!({"maximumLifetime": "1d"}))),
                (Method::DELETE, None),
            ] {
                let mut answers = Vec::new();
                for account in [&other.text(), NOBODY] {
                    let path = format!("/claviger/v1/lifetimes/{account}/app");
                    let request = who.request(&method, &path, body.as_ref());
                    let answer = app.send(request).await;
                    answers.push(said(&answer, &[&other.text(), NOBODY]));
                }
                assert_eq!(answers[0].0, 404, "{method}: {}", answers[0].1);
                assert_eq!(answers[0], answers[1], "{method}");
            }
            for (subject, resource) in [("user:zed", "zed/secret"), ("user:nope", "zed/secret")] {
                let path = format!(
                    "/claviger/v1/decisions:explain?subject={subject}&action=pull&resource=repository:{resource}"
                );
                assert_eq!(who.get(&path).await.status, 403);
            }
            let own = async |repository: &str| {
                let asked = format!("action=pull&resource=repository:{repository}");
                let answer = who.get(&format!("/claviger/v1/decisions:explain?{asked}")).await;
                said(&answer, &[repository])
            };
            assert_eq!(own("zed/secret").await, own("zed/nothing").await);
            let listed = who.get(&filtered("principal.name in 'zed'")).await.json();
            assert_eq!(listed["items"], json!([]));
            let policies = who.get("/claviger/v1/lifetimes").await.text();
            assert!(!policies.contains(&*other.text()), "{policies}");
        }
        assert_eq!(state().await, before, "nothing has happened there");
    }
}
