//! Who may search, and what a page leads on to.

use claviger_domain::{
    Error, UnixMillis,
    access::Grantee,
    id::RepoId,
    role::{RepoState, Role, Visibility},
    scope::QuayScope,
};
use claviger_service::program::Mint;
use claviger_store::{
    Tx, permissions, principals,
    repositories::{self, Repository},
};
use claviger_tests::{both, visitor::Visitor};
use serde_json::{Value, json};

use super::{
    World,
    searches::{ACTS, RESOURCES, SUBJECTS},
    token, user,
    who::oauth,
};

fn who_pulls(repository: &str) -> Value {
    json!({
        "subject": { "type": "user" }, "action": { "name": "pull" },
        "resource": { "type": "repository", "id": repository },
    })
}

fn what_pulls(subject: &str) -> Value {
    json!({
        "subject": { "type": "user", "id": subject }, "action": { "name": "pull" },
        "resource": { "type": "repository" },
    })
}

/// The ids of a page.
fn ids(body: &Value) -> Vec<String> {
    let results = body["results"].as_array().expect("results").iter();
    results.map(|one| one["id"].as_str().expect("an id").to_owned()).collect()
}

both! {
    async fn searches_are_for_whoever_may_ask_the_single_questions(engine: Engine) {
        let world = World::new(engine).await;
        let may = |subject: &str, repository: &str| json!({
            "subject": { "type": "user", "id": subject },
            "resource": { "type": "repository", "id": repository },
        });
        let tokens = json!({
            "subject": { "type": "token" }, "action": { "name": "pull" },
            "resource": { "type": "repository", "id": "alice/record-1" },
        });
        for (asker, path, search, status) in [
            (&world.alice, SUBJECTS, who_pulls("alice/record-1"), 200),
            (&world.bob, SUBJECTS, who_pulls("alice/record-1"), 403),
            // nobody learns from it whether there is one
            (&world.bob, SUBJECTS, who_pulls("alice/none"), 403),
            (&world.alice, SUBJECTS, who_pulls("bob/none"), 403),
            (&world.admin, SUBJECTS, who_pulls("alice/none"), 200),
            // others' tokens are for those who may ask about anyone
            (&world.alice, SUBJECTS, tokens.clone(), 403),
            (&world.admin, SUBJECTS, tokens, 200),
            (&world.bob, RESOURCES, what_pulls("bob"), 200),
            (&world.bob, RESOURCES, what_pulls("alice"), 403),
            (&world.bob, RESOURCES, what_pulls("ghost"), 403),
            (&world.alice, RESOURCES, what_pulls("bob"), 403),
            (&world.admin, RESOURCES, what_pulls("bob"), 200),
            (&world.bob, ACTS, may("bob", "alice/record-1"), 200),
            (&world.bob, ACTS, may("bob", "alice/none"), 200),
            (&world.bob, ACTS, may("alice", "alice/record-1"), 403),
            (&world.alice, ACTS, may("bob", "alice/record-1"), 200),
        ] {
            let answer = world.ask_as(asker, path, &search).await;
            assert_eq!(answer.status, status, "{path} {search}: {}", answer.text());
        }
        let own = world.ask_as(&world.bob, RESOURCES, &what_pulls("bob")).await;
        assert_eq!(ids(&own.json()), ["alice/record-1"]);
    }
}

both! {
    async fn search_tells_a_scoped_token_no_more_than_lists_do(engine: Engine) {
        let world = World::new(engine).await;
        let organisations = json!({
            "subject": { "type": "user", "id": "bob" }, "action": { "name": "create" },
            "resource": { "type": "organization" },
        });
        for (scope, repositories, orgs) in [
            (QuayScope::RepoRead, 200, 403),
            (QuayScope::OrgAdmin, 403, 200),
            (QuayScope::UserRead, 403, 403),
        ] {
            let token = oauth(&world, "bob", scope).await;
            let answer = world.ask_as(&token, RESOURCES, &what_pulls("bob")).await;
            assert_eq!(answer.status, repositories, "{scope}");
            assert_eq!(world.ask_as(&token, RESOURCES, &organisations).await.status, orgs, "{scope}");
        }
    }
}

both! {
    async fn who_administers_a_public_repository_does_not_learn_who_there_is(engine: Engine) {
        let world = World::new(engine).await;
        let visibility = "/api/v1/repository/alice/record-1/changevisibility";
        let alice = Visitor::sign_in(&world.app, "alice", "password").await;
        assert_eq!(alice.post(visibility, json!({ "visibility": "public" })).await.status, 200);
        let own = world.ask_as(&world.alice, SUBJECTS, &who_pulls("alice/record-1")).await.json();
        assert_eq!((ids(&own), &own["context"]), (vec!["alice".into(), "bob".into()], &json!({ "everybody": true })));
        let full = world.ask(SUBJECTS, &who_pulls("alice/record-1")).await.json();
        assert_eq!((ids(&full), full.get("context")), (vec!["admin".into(), "alice".into(), "bob".into()], None));
    }
}

both! {
    async fn page_token_leads_on_with_the_same_question_of_the_same_asker_alone(engine: Engine) {
        let world = World::new(engine).await;
        for name in ["carol", "dave", "erin"] {
            user(&world.app, name).await;
            let alice = Visitor::sign_in(&world.app, "alice", "password").await;
            let path = format!("/api/v1/repository/alice/record-1/permissions/user/{name}");
            assert_eq!(alice.put(&path, json!({ "role": "read" })).await.status, 200);
        }
        let first = || {
            let mut search = who_pulls("alice/record-1");
            search["page"] = json!({ "limit": 2 });
            search
        };
        let body = world.ask_as(&world.alice, SUBJECTS, &first()).await.json();
        let next = body["page"]["next_token"].as_str().expect("text").to_owned();
        assert_eq!(ids(&body).len(), 2);
        let with = |token: &str, change: &dyn Fn(&mut Value)| {
            let mut search = first();
            search["page"] = json!({ "limit": 2, "token": token });
            change(&mut search);
            search
        };
        let same: &dyn Fn(&mut Value) = &|_| {};
        let ask = async |asker: &str, search: Value| world.ask_as(asker, SUBJECTS, &search).await;
        // again and again, and with properties that nobody looks at
        for _ in 0..2 {
            let second = ask(&world.alice, with(&next, same)).await;
            assert_eq!((second.status.as_u16(), ids(&second.json()).len()), (200, 2));
        }
        assert_eq!(ask(&world.alice, with(&next, &|s| s["page"] = json!({ "token": next }))).await.status, 200);
        assert_eq!(ask(&world.alice, with(&next, &|s| s["subject"]["id"] = json!("x"))).await.status, 200);
        let changes: [&dyn Fn(&mut Value); 6] = [
            &|s| s["page"]["limit"] = json!(3),
            &|s| s["action"]["name"] = json!("push"),
            &|s| s["subject"]["type"] = json!("robot"),
            &|s| s["resource"]["id"] = json!("alice/record-2"),
            &|s| s["resource"]["type"] = json!("organization"),
            &|s| s["context"] = json!({ "token": "other" }),
        ];
        for change in changes {
            let search = with(&next, change);
            let answer = ask(&world.admin, search.clone()).await;
            assert_eq!(answer.status, 400, "{search}");
            let answer = ask(&world.alice, search.clone()).await;
            assert!(answer.status == 400 || answer.status == 403, "{search}");
        }
        assert_eq!(ask(&world.admin, with(&next, same)).await.status, 400, "somebody else's");
        let other = token(&world.app, "alice", Mint::Api).await;
        assert_eq!(ask(&other, with(&next, same)).await.status, 200, "another token of his");
        for at in 0..next.len() {
            let mut changed = next.clone();
            let other = if &next[at..=at] == "A" { "B" } else { "A" };
            changed.replace_range(at..=at, other);
            assert_eq!(ask(&world.alice, with(&changed, same)).await.status, 400, "{at}");
        }
        for bad in ["x", &next[1..], &format!("{next}="), "e30"] {
            assert_eq!(ask(&world.alice, with(bad, same)).await.status, 400, "{bad}");
        }
    }
}

/// Adds repositories of alice's that bob may pull, the last of which he may push to.
fn many(tx: &mut Tx<'_>) -> Result<(), Error> {
    let [alice, bob] =
        ["alice", "bob"].map(|name| principals::find_by_name(tx, name).expect("an answer"));
    let (alice, bob) = (alice.expect("alice").id, bob.expect("bob").id);
    for n in 0..MANY {
        let repository = Repository {
            id: RepoId::random(tx.chance()),
            namespace: alice,
            name: format!("alice/many-{n}"),
            visibility: Visibility::Private,
            state: RepoState::Normal,
            description: String::new(),
            created_by: None,
            created_at: UnixMillis(0),
        };
        repositories::insert(tx, &repository)?;
        let role = if n + 1 == MANY { Role::Write } else { Role::Read };
        permissions::give(tx, &repository, &Grantee::Principal(bob), role, UnixMillis(0))?;
    }
    Ok(())
}

const MANY: usize = 1_500;

both! {
    async fn page_that_looked_at_enough_is_short_and_leads_on(engine: Engine) {
        let world = World::new(engine).await;
        world.app.db.write(many).await.expect("it is written");
        let mut search = what_pulls("bob");
        search["action"] = json!({ "name": "push" });
        let (mut found, mut short) = (Vec::new(), 0);
        for _ in 0..100 {
            let body = world.ask(RESOURCES, &search).await.json();
            found.extend(ids(&body));
            match body["page"]["next_token"].as_str().expect("text") {
                "" => break,
                next => search["page"] = json!({ "token": next }),
            }
            short += usize::from(body["page"]["count"] == 0);
        }
        assert_eq!(found, [format!("alice/many-{}", MANY - 1)]);
        assert!(short > 0, "no page looks at all of them");
        // and a page is never larger than the largest
        let mut search = what_pulls("bob");
        search["page"] = json!({ "limit": 1_000_000 });
        let body = world.ask(RESOURCES, &search).await.json();
        assert_eq!(ids(&body).len(), 1_000);
        assert_ne!(body["page"]["next_token"], "");
    }
}

both! {
    async fn presented_secret_is_searched_for_as_it_is_asked_about(engine: Engine) {
        let world = World::new(engine).await;
        let reads = token(&world.app, "alice", Mint::Authorization("read".parse().expect("scopes"))).await;
        let presented = |mut search: Value, secret: &str, action: &str| {
            search["context"] = json!({ "token": secret });
            search["action"] = json!({ "name": action });
            search
        };
        let subjects = async |secret: &str, action: &str| {
            ids(&world.ask(SUBJECTS, &presented(who_pulls("alice/record-1"), secret, action)).await.json())
        };
        assert_eq!(subjects(&reads, "pull").await, ["alice"]);
        assert!(subjects(&reads, "push").await.is_empty());
        assert_eq!(subjects(&world.alice, "push").await, ["alice"]);
        assert!(subjects("nothing", "pull").await.is_empty());
        let resources = async |secret: &str, action: &str| {
            ids(&world.ask(RESOURCES, &presented(what_pulls("alice"), secret, action)).await.json())
        };
        assert_eq!(resources(&reads, "pull").await, ["alice/record-1", "alice/record-2"]);
        assert!(resources(&reads, "push").await.is_empty());
        assert!(resources(&world.bob, "pull").await.is_empty(), "it is not alice's");
    }
}
