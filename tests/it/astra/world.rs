//! Two accounts with users of every role in each, and somebody who is a superuser.

use claviger_domain::id::AccountId;
use claviger_service::{
    passwords::Password,
    program::{Mint, ProgramToken, ProgramUser},
};
use claviger_store::audit::Actor;
use claviger_tests::{app::TestApp, visitor::Visitor};

/// The program, as the audit names it.
pub(super) fn program() -> Actor {
    Actor::program("tests".to_owned())
}

/// Makes a user with the password `password`; his id.
pub(super) async fn user(app: &TestApp, name: &str, account: Option<AccountId>) -> String {
    let user = ProgramUser {
        name: name.parse().expect("a name"),
        email: Some(format!("{name}@example.com").parse().expect("an address")),
        password: Password::given("password"),
        superuser: false,
        account,
    };
    app.app.program_create_user(user, program()).await.expect("a user").to_string()
}

/// Makes an account; its id.
pub(super) async fn account(app: &TestApp, name: &str) -> AccountId {
    let name = name.parse().expect("a name");
    app.app.program_create_account(name, program()).await.expect("an account")
}

/// The account that was made first.
pub(super) async fn first_account(app: &TestApp) -> AccountId {
    let first = app.db.read(|q| Ok(claviger_store::installation::first_account(q)?)).await;
    first.expect("an answer").expect("an account")
}

/// An api token that the program makes for a user.
pub(super) async fn token(app: &TestApp, user: &str) -> String {
    let wish = ProgramToken {
        user: user.to_owned(),
        mint: Mint::Api,
        name: "tests".parse().expect("a name"),
        life: None,
    };
    let token = app.app.program_create_token(wish, program()).await.expect("a token");
    token.expose().to_owned()
}

/// A user with such a token.
pub(super) async fn bearer<'a>(app: &'a TestApp, user: &str) -> Visitor<'a, TestApp> {
    Visitor::bearer(app, &token(app, user).await)
}
