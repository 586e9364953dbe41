//! The certification scenario of the AuthZEN Authorization API 1.0, with users and repositories in
//! the place of its records: `read` is `pull`, `write` is `push`, `record-1` is `alice/record-1`.
//! The sub-levels Core of Basic, Batch and Search, and Discovery; there are no rules about
//! attributes here, and so no level Properties.
//!
//! Source: `OpenID` AuthZEN, `certification/authorization-api-1_0-scenario.md`; the numbers are its.

use claviger_service::Settings;
use claviger_tests::{both, server::Server, visitor::Visitor};
use http::{Method, Request};
use serde_json::{Value, json};

use super::{
    EVALUATION, EVALUATIONS, World, decision, decisions, question,
    searches::{ACTS, RESOURCES, SUBJECTS},
};

const R1: &str = "alice/record-1";
const R2: &str = "alice/record-2";

both! {
    // 2.2.1 to 2.2.3, 2.2.8, 2.2.9, 2.6
    async fn basic_requests_are_accepted_and_answered(engine: Engine) {
        let world = World::new(engine).await;
        for (user, action, allowed) in
            [("alice", "pull", true), ("alice", "push", true), ("bob", "pull", true), ("bob", "push", false)]
        {
            for _ in 0..3 {
                let answer = world.ask(EVALUATION, &question(user, action, R1)).await;
                assert_eq!(decision(&answer), allowed, "{user} {action}");
                assert_eq!(answer.text(), format!("{{\"decision\":{allowed}}}"));
            }
        }
        let mut asked = question("alice", "pull", R1);
        asked["context"] = json!({ "time": "2025-06-27T18:03-07:00", "ip": "192.168.1.1" });
        assert!(decision(&world.ask(EVALUATION, &asked).await));
        asked["subject"]["properties"] = json!({ "department": "Sales", "role": "manager" });
        asked["action"]["properties"] = json!({ "method": "GET" });
        asked["resource"]["properties"] = json!({ "status": "active", "owner": "bob" });
        asked["foo"] = json!("bar");
        asked["futureField"] = json!({ "nested": true });
        assert!(decision(&world.ask(EVALUATION, &asked).await));
    }
}

/// Questions in which something is missing or of the wrong type.
fn malformed() -> Vec<Value> {
    let good = question("alice", "pull", R1);
    let without = |path: &[&str]| {
        let mut bad = good.clone();
        let (last, before) = path.split_last().expect("a path");
        let place = before.iter().fold(&mut bad, |value, key| &mut value[*key]);
        place.as_object_mut().expect("an object").remove(*last);
        bad
    };
    let with = |pointer: &str, value: Value| {
        let mut bad = good.clone();
        *bad.pointer_mut(pointer).expect("a place") = value;
        bad
    };
    let extra = |key: &str, value: Value| {
        let mut bad = good.clone();
        bad[key] = value;
        bad
    };
    vec![
        without(&["subject"]),
        without(&["action"]),
        without(&["resource"]),
        without(&["subject", "type"]),
        without(&["subject", "id"]),
        without(&["action", "name"]),
        without(&["resource", "type"]),
        without(&["resource", "id"]),
        with("/subject", json!("alice")),
        with("/subject", json!(["user", "alice"])),
        with("/subject", json!(null)),
        with("/subject/id", json!(5)),
        with("/subject/id", json!(null)),
        with("/action", json!("pull")),
        with("/action/name", json!(123)),
        with("/resource", json!([])),
        with("/resource/type", json!({})),
        extra("context", json!("now")),
        extra("context", json!({ "token": 5 })),
        extra("context", json!({ "explain": "yes" })),
        json!([]),
        json!(null),
        json!("x"),
        json!([good]),
    ]
}

both! {
    // 2.4
    async fn bad_requests_are_400(engine: Engine) {
        let world = World::new(engine).await;
        for bad in malformed() {
            for path in [EVALUATION, EVALUATIONS] {
                let answer = world.ask(path, &bad).await;
                assert_eq!(answer.status, 400, "{path} {bad}: {}", answer.text());
                assert_eq!(answer.json()["error"]["status"], 400, "{bad}");
            }
        }
        let asker = Visitor::bearer(&world.app, &world.admin);
        let good = question("alice", "pull", R1).to_string();
        let doubled = good.replacen('{', "{\"action\":{\"name\":\"push\"},", 1);
        for (kind, body) in [
            (Some("text/plain"), good.as_str()),
            (Some("application/x-www-form-urlencoded"), &good),
            (None, &good),
            (Some("application/json"), ""),
            (Some("application/json"), "{\"subject\":"),
            (Some("application/json"), "nope"),
            (Some("application/json"), &format!("{good}x")),
            (Some("application/json"), &doubled),
        ] {
            for path in [EVALUATION, EVALUATIONS] {
                let answer = asker.send(Method::POST, path, kind, body.as_bytes().to_vec()).await;
                assert_eq!(answer.status, 400, "{kind:?} {body}: {}", answer.text());
            }
        }
    }
}

both! {
    // 2.5
    async fn request_id_is_echoed_whatever_the_answer(engine: Engine) {
        let world = World::new(engine).await;
        let asker = Visitor::bearer(&world.app, &world.admin);
        let bodies = [Some(question("alice", "pull", R1)), Some(json!({})), None];
        for body in &bodies {
            for (path, method) in [(EVALUATION, Method::POST), ("/access/v1/nope", Method::POST), (EVALUATIONS, Method::DELETE)] {
                let mut request = asker.request(&method, path, body.as_ref());
                request.headers_mut().insert("x-request-id", "bfe9eb29-ab87".parse().expect("text"));
                let answer = world.app.send(request).await;
                assert_eq!(answer.header("x-request-id"), Some("bfe9eb29-ab87"), "{path}");
            }
        }
        let without = world.ask(EVALUATION, &question("alice", "pull", R1)).await;
        assert!(without.header("x-request-id").is_some_and(|id| !id.is_empty()));
    }
}

both! {
    // 3.2.1, 3.2.2, 3.2.5, 3.2.6, 3.3
    async fn batches_are_answered_in_their_order(engine: Engine) {
        let world = World::new(engine).await;
        let resource = |id: &str| json!({ "type": "repository", "id": id });
        let (alice, bob) = (json!({ "type": "user", "id": "alice" }), json!({ "type": "user", "id": "bob" }));
        let (pull, push) = (json!({ "name": "pull" }), json!({ "name": "push" }));
        for (body, expected) in [
            (
                json!({ "subject": alice, "action": pull, "evaluations": [
                    { "resource": resource(R1) }, { "resource": resource(R2) },
                ] }),
                vec![true, true],
            ),
            (
                json!({ "subject": bob, "resource": resource(R1), "evaluations": [
                    { "action": pull }, { "action": push },
                ] }),
                vec![true, false],
            ),
            (
                json!({ "evaluations": [
                    question("alice", "pull", R1), question("bob", "push", R1),
                ] }),
                vec![true, false],
            ),
            (
                json!({ "subject": alice, "action": pull,
                    "context": { "time": "2025-06-27T18:03-07:00" },
                    "evaluations": [
                        { "resource": resource(R1) },
                        { "resource": resource(R2), "context": { "source": "batch-override" } },
                    ] }),
                vec![true, true],
            ),
        ] {
            assert_eq!(decisions(&world.ask(EVALUATIONS, &body).await), expected, "{body}");
        }
    }
}

both! {
    // 3.4
    async fn bad_evaluation_spoils_itself_alone_and_none_is_one(engine: Engine) {
        let world = World::new(engine).await;
        let body = json!({
            "subject": { "type": "user", "id": "alice" }, "action": { "name": "pull" },
            "evaluations": [{ "resource": { "type": "repository", "id": R1 } }, {}],
        });
        let answer = world.ask(EVALUATIONS, &body).await;
        assert_eq!(decisions(&answer), [true, false]);
        let error = &answer.json()["evaluations"][1]["context"]["error"];
        assert_eq!(*error, json!({ "status": 400, "message": "`resource` is missing" }));
        let mut single = question("alice", "pull", R1);
        for evaluations in [None, Some(json!([])), Some(json!(null))] {
            if let Some(evaluations) = evaluations {
                single["evaluations"] = evaluations;
            }
            assert!(decision(&world.ask(EVALUATIONS, &single).await));
        }
    }
}

both! {
    // 4.2.1, 4.2.2, 4.3.1, 4.4.1, 4.4.2
    async fn searches_find_what_the_scenario_names(engine: Engine) {
        let world = World::new(engine).await;
        let (user, repository) = (json!({ "type": "user" }), json!({ "type": "repository" }));
        let (alice, r1) =
            (json!({ "type": "user", "id": "alice" }), json!({ "type": "repository", "id": R1 }));
        let pull = json!({ "name": "pull" });
        for (path, mut search, expected) in [
            (
                SUBJECTS,
                json!({ "subject": user, "action": pull, "resource": r1 }),
                json!([{ "type": "user", "id": "alice" }, { "type": "user", "id": "bob" }]),
            ),
            (
                SUBJECTS,
                // the id of what is looked for is passed over
                json!({ "subject": { "type": "user", "id": 5 }, "action": pull, "resource": r1 }),
                json!([{ "type": "user", "id": "alice" }, { "type": "user", "id": "bob" }]),
            ),
            (
                RESOURCES,
                json!({ "subject": alice, "action": pull, "resource": repository }),
                json!([{ "type": "repository", "id": R1 }, { "type": "repository", "id": R2 }]),
            ),
            (
                ACTS,
                json!({ "subject": alice, "resource": r1 }),
                json!([
                    { "name": "pull" }, { "name": "push" }, { "name": "delete" },
                    { "name": "administer" },
                ]),
            ),
        ] {
            for context in [None, Some(json!({ "time": "2025-06-27T18:03-07:00" }))] {
                if let Some(context) = context {
                    search["context"] = context;
                    search["futureField"] = json!({ "nested": true });
                }
                let answer = world.ask(path, &search).await;
                assert_eq!(answer.status, 200, "{search}: {}", answer.text());
                assert_eq!(answer.header("content-type"), Some("application/json"));
                let body = answer.json();
                assert_eq!(body["results"], expected, "{search}");
                let count = expected.as_array().map(Vec::len);
                assert_eq!(body["page"], json!({ "next_token": "", "count": count }));
            }
        }
    }
}

both! {
    // 4.5
    async fn search_is_given_in_pages(engine: Engine) {
        let world = World::new(engine).await;
        let mut search = json!({
            "subject": { "type": "user" }, "action": { "name": "pull" },
            "resource": { "type": "repository", "id": R1 }, "page": { "limit": 1 },
        });
        let mut found = Vec::new();
        for _ in 0..10 {
            let body = world.ask(SUBJECTS, &search).await.json();
            found.extend(body["results"].as_array().expect("results").iter().map(|one| one["id"].clone()));
            match body["page"]["next_token"].as_str().expect("text") {
                "" => break,
                next => search["page"] = json!({ "token": next }),
            }
        }
        found.sort_by_key(ToString::to_string);
        assert_eq!(found, ["alice", "bob"]);
    }
}

both! {
    // 4.6
    async fn what_is_unknown_is_found_nowhere(engine: Engine) {
        let world = World::new(engine).await;
        let (pull, r1) = (json!({ "name": "pull" }), json!({ "type": "repository", "id": R1 }));
        let ghost = json!({ "type": "user", "id": "nonexistent-user" });
        for (path, search) in [
            (ACTS, json!({ "subject": ghost, "resource": r1 })),
            (RESOURCES, json!({ "subject": ghost, "action": pull, "resource": { "type": "repository" } })),
            (SUBJECTS, json!({ "subject": { "type": "spaceship" }, "action": pull, "resource": r1 })),
            (SUBJECTS, json!({ "subject": { "type": "user" }, "action": { "name": "read" }, "resource": r1 })),
            (
                SUBJECTS,
                json!({ "subject": { "type": "user" }, "action": pull, "resource": { "type": "repository", "id": "a/b" } }),
            ),
            (
                RESOURCES,
                json!({ "subject": { "type": "user", "id": "alice" }, "action": pull, "resource": { "type": "record" } }),
            ),
        ] {
            let answer = world.ask(path, &search).await;
            assert_eq!(answer.status, 200, "{search}");
            assert_eq!(answer.json(), json!({ "page": { "next_token": "", "count": 0 }, "results": [] }), "{search}");
        }
    }
}

both! {
    // 4.7
    async fn search_with_something_missing_is_400(engine: Engine) {
        let world = World::new(engine).await;
        let (user, alice) = (json!({ "type": "user" }), json!({ "type": "user", "id": "alice" }));
        let (repository, r1) = (json!({ "type": "repository" }), json!({ "type": "repository", "id": R1 }));
        let pull = json!({ "name": "pull" });
        for (path, search) in [
            (SUBJECTS, json!({ "subject": user, "resource": r1 })),
            (SUBJECTS, json!({ "subject": user, "action": pull })),
            (SUBJECTS, json!({ "action": pull, "resource": r1 })),
            (SUBJECTS, json!({ "subject": {}, "action": pull, "resource": r1 })),
            (SUBJECTS, json!({ "subject": user, "action": {}, "resource": r1 })),
            (SUBJECTS, json!({ "subject": user, "action": pull, "resource": repository })),
            (RESOURCES, json!({ "action": pull, "resource": repository })),
            (RESOURCES, json!({ "subject": alice, "resource": repository })),
            (RESOURCES, json!({ "subject": alice, "action": pull })),
            (RESOURCES, json!({ "subject": user, "action": pull, "resource": repository })),
            (RESOURCES, json!({ "subject": alice, "action": pull, "resource": {} })),
            (ACTS, json!({ "subject": alice })),
            (ACTS, json!({ "resource": r1 })),
            (ACTS, json!({ "subject": user, "resource": r1 })),
            (ACTS, json!({ "subject": alice, "resource": repository })),
            (ACTS, json!({ "subject": alice, "resource": r1, "page": 5 })),
            (ACTS, json!({ "subject": alice, "resource": r1, "page": { "limit": 0 } })),
            (ACTS, json!({ "subject": alice, "resource": r1, "page": { "limit": -1 } })),
            (ACTS, json!({ "subject": alice, "resource": r1, "page": { "limit": "5" } })),
            (ACTS, json!({ "subject": alice, "resource": r1, "page": { "token": 5 } })),
            (ACTS, json!({ "subject": alice, "resource": r1, "page": { "token": "x" } })),
            (ACTS, json!([])),
        ] {
            let answer = world.ask(path, &search).await;
            assert_eq!(answer.status, 400, "{path} {search}: {}", answer.text());
            assert_eq!(answer.json()["error"]["status"], 400);
        }
    }
}

both! {
    // 6; V7: nothing is built from what a client says of us
    async fn discovery_names_the_endpoints_by_the_public_url(engine: Engine) {
        let settings =
            Settings { public_url: "https://pdp.example.com".to_owned(), ..Settings::default() };
        let world = World::with(engine, settings).await;
        for host in ["pdp.example.com", "evil.test"] {
            let request = Request::get("/.well-known/authzen-configuration")
                .header("host", host)
                .header("x-forwarded-host", host)
                .header("forwarded", format!("host={host}"))
                .body(Vec::new())
                .expect("a request");
            let answer = world.app.send(request).await;
            assert_eq!(answer.status, 200);
            assert_eq!(answer.header("content-type"), Some("application/json"));
            let body = answer.json();
            assert_eq!(body["policy_decision_point"], "https://pdp.example.com");
            for (key, path) in [
                ("access_evaluation_endpoint", EVALUATION),
                ("access_evaluations_endpoint", EVALUATIONS),
                ("search_subject_endpoint", SUBJECTS),
                ("search_resource_endpoint", RESOURCES),
                ("search_action_endpoint", ACTS),
            ] {
                assert_eq!(body[key], format!("https://pdp.example.com{path}"));
            }
            assert!(!answer.text().contains("evil"));
        }
    }
}
