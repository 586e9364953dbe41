//! What the tests of the OpenShift door share: its two users, XML, the cases of
//! `cases/openshift.jsonl` and how they are run.

pub mod case;
pub mod check;
pub mod xml;

use claviger_service::{Settings, passwords::Password, program::ProgramUser};
use claviger_store::audit::Actor;
use http::{Method, Request};

use crate::{answer::Answer, app::TestApp, scratch::Engine, server::Server, visitor::Visitor};

/// The password of both users.
pub const PASSWORD: &str = "password";
/// The users.
pub const USERS: [&str; 2] = ["alice", "bob"];
/// All authorizations of the caller.
pub const ALL: &str = "/broker/rest/user/authorizations";

/// An application with alice and bob in it.
pub async fn world(engine: Engine, settings: Settings) -> TestApp {
    let app = TestApp::empty(engine, settings).await;
    for name in USERS {
        let user = ProgramUser {
            name: name.parse().expect("a name"),
            email: Some(format!("{name}@example.com").parse().expect("an address")),
            password: Password::given(PASSWORD),
            superuser: false,
            account: None,
        };
        let program = Actor::program("tests".to_owned());
        app.app.program_create_user(user, program).await.expect("a user");
    }
    app
}

/// Somebody with his password.
pub fn person<'a>(app: &'a TestApp, name: &str) -> Visitor<'a, TestApp> {
    Visitor::basic(app, name, PASSWORD)
}

/// A request with the headers in `headers`, in place of those that it has.
pub async fn with(app: &TestApp, request: Request<Vec<u8>>, headers: &[(&str, &str)]) -> Answer {
    let mut request = request;
    for (name, value) in headers {
        let name: http::HeaderName = name.parse().expect("a name");
        request.headers_mut().insert(name, value.parse().expect("a value"));
    }
    app.send(request).await
}

/// A request without a body.
pub fn bare(visitor: &Visitor<'_, TestApp>, method: &Method, path: &str) -> Request<Vec<u8>> {
    visitor.request(method, path, None)
}
