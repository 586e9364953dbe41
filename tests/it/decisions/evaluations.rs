//! Several questions at once are answered as each alone.

use claviger_tests::{both, stands::SeededChance};
use serde_json::{Value, json};

use super::{EVALUATION, EVALUATIONS, World, decision, decisions, question};

/// A question at random; some are none.
fn any(chance: &SeededChance, secrets: &[String]) -> Value {
    let user = *chance.pick(&["alice", "bob", "admin", "ghost", "alice+ci"]);
    let action = *chance.pick(&["pull", "push", "delete", "administer", "create", "read"]);
    let resource = *chance.pick(&["alice/record-1", "alice/record-2", "alice/none", "no name"]);
    let mut asked = question(user, action, resource);
    match chance.below(8) {
        0 => asked["subject"] = json!("alice"),
        1 => asked["resource"]["type"] = json!("organization"),
        2 => asked["subject"]["type"] = json!("spaceship"),
        3 => asked["context"] = json!({ "token": chance.pick(secrets) }),
        4 => asked["context"] = json!({ "explain": true }),
        _ => {}
    }
    asked
}

both! {
    /// V2: a batch does not take two questions for one, whatever they have in common.
    async fn batch_answers_what_each_question_alone_is_answered(engine: Engine) {
        let world = World::new(engine).await;
        let chance = SeededChance::new(2);
        let secrets = [world.alice.clone(), world.bob.clone(), "nothing".to_owned()];
        for round in 0..30 {
            let asker = [&world.admin, &world.alice, &world.bob][round % 3];
            let mut items: Vec<Value> = (0..=chance.below(12)).map(|_| any(&chance, &secrets)).collect();
            for _ in 0..chance.below(6) {
                let again = chance.pick(&items).clone();
                items.insert(chance.below(items.len()), again);
            }
            let mut alone = Vec::new();
            for item in &items {
                let answer = world.ask_as(asker, EVALUATION, item).await;
                let mut body = answer.json();
                if answer.status != 200 {
                    body = json!({ "decision": false, "context": body });
                }
                alone.push(body);
            }
            let together = world.ask_as(asker, EVALUATIONS, &json!({ "evaluations": items })).await;
            assert_eq!(together.json()["evaluations"], json!(alone), "{items:?}");
        }
    }
}

both! {
    async fn semantics_end_where_they_say(engine: Engine) {
        let world = World::new(engine).await;
        let ask = |semantic: Option<&str>, actions: &[&str]| {
            let items: Vec<_> = actions.iter().map(|action| json!({ "action": { "name": action } })).collect();
            let mut body = question("bob", "pull", "alice/record-1");
            body["evaluations"] = json!(items);
            if let Some(semantic) = semantic {
                body["options"] = json!({ "evaluations_semantic": semantic, "another": 5 });
            }
            body
        };
        for (semantic, actions, expected) in [
            (None, &["pull", "push", "pull"][..], &[true, false, true][..]),
            (Some("execute_all"), &["push", "pull"], &[false, true]),
            (Some("deny_on_first_deny"), &["pull", "push", "pull"], &[true, false]),
            (Some("deny_on_first_deny"), &["pull", "pull"], &[true, true]),
            (Some("permit_on_first_permit"), &["push", "pull", "push"], &[false, true]),
            (Some("permit_on_first_permit"), &["push", "delete"], &[false, false]),
        ] {
            let answer = world.ask(EVALUATIONS, &ask(semantic, actions)).await;
            assert_eq!(decisions(&answer), expected, "{semantic:?} {actions:?}");
        }
        assert_eq!(world.ask(EVALUATIONS, &ask(Some("whatever"), &["pull"])).await.status, 400);
        // a question that cannot be answered is a refusal
        let mut body = ask(Some("deny_on_first_deny"), &["pull", "pull"]);
        body["evaluations"][0] = json!({ "subject": 5 });
        assert_eq!(decisions(&world.ask(EVALUATIONS, &body).await), [false]);
    }
}

both! {
    async fn what_an_evaluation_says_takes_the_place_of_a_default_as_a_whole(engine: Engine) {
        let world = World::new(engine).await;
        let mut body = question("bob", "pull", "alice/record-1");
        body["context"] = json!({ "token": world.alice });
        body["evaluations"] = json!([
            {},
            { "context": {} },
            { "subject": { "type": "user", "id": "alice" } },
            { "resource": { "id": "alice/record-2" } },
        ]);
        let answer = world.ask(EVALUATIONS, &body).await;
        // alice's token is not bob's; without it, bob's own right counts
        assert_eq!(decisions(&answer), [false, true, true, false]);
        let error = &answer.json()["evaluations"][3]["context"]["error"];
        assert_eq!(error["message"], "`resource.type` is missing");
    }
}

both! {
    async fn batch_has_a_bound(engine: Engine) {
        let world = World::new(engine).await;
        let mut body = question("bob", "pull", "alice/record-1");
        body["evaluations"] = json!(vec![json!({}); 1_000]);
        assert_eq!(decisions(&world.ask(EVALUATIONS, &body).await), [true; 1_000]);
        body["evaluations"] = json!(vec![json!({}); 1_001]);
        let answer = world.ask(EVALUATIONS, &body).await;
        assert_eq!(answer.status, 400);
        assert_eq!(answer.json()["error"]["message"], "at most 1000 evaluations at once");
        assert!(decision(&world.ask(EVALUATION, &question("bob", "pull", "alice/record-1")).await));
    }
}
