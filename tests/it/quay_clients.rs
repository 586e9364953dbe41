//! What the real configuration clients send, in their order, twice: the second run finds nothing to
//! change, with a session as with a bearer token of exactly the scopes that the work needs.
//!
//! Source: `contract/quay-clients.md`.

mod ansible;
mod drift;
mod edges;
mod go;
mod task;
mod terraform;

use claviger_service::Settings;
use claviger_tests::{
    app::TestApp,
    case::{seed, settings},
    visitor::Visitor,
};
use serde_json::{Map, json};

/// The two pictures of section 7: nobody is invited and superusers are as others; or users outside
/// are invited and superusers may everything.
fn pictures() -> [Settings; 2] {
    [false, true].map(|on| {
        let mut settings = settings::of(&Map::new(), &seed::read());
        settings.quay.feature_mailing = on;
        settings.quay.feature_superusers_full_access = on;
        settings
    })
}

/// `reader` makes the organisation acme with a team, a robot and a repository, `devtable` one of his
/// own; each has an application. Returns their client ids.
async fn stage(app: &TestApp) -> [String; 2] {
    let mut clients = Vec::new();
    for (owner, org) in [("reader", "acme"), ("devtable", "ops")] {
        let owner = Visitor::sign_in(app, owner, "password").await;
        let body = json!({"name": org, "email": format!("all@{org}.example")});
        assert_eq!(owner.post("/api/v1/organization/", body).await.status, 201);
        let org = format!("/api/v1/organization/{org}");
        let team = owner.put(&format!("{org}/team/devs"), json!({"role": "member"})).await;
        assert_eq!(team.status, 200);
        assert_eq!(owner.put(&format!("{org}/robots/ci"), json!({})).await.status, 201);
        let application = json!({
            "name": "automation", "redirect_uri": "http://localhost:5000/oauth/localapp",
        });
        let made = owner.post(&format!("{org}/applications"), application).await.json();
        clients.push(made["client_id"].as_str().expect("a client id").to_owned());
    }
    clients.try_into().expect("two")
}
