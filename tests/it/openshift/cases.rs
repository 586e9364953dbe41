//! The cases of the OpenShift door.

use claviger_service::Settings;
use claviger_tests::openshift::{case::Case, world};

/// Cases that do not hold, and why: upstream's accidents that are answered sanely here, and one
/// that the contract contradicts.
const DIFFERENT: &[(&str, &str)] = &[
    ("fmt-08", "a list of types with */* in it is answered in JSON"),
    ("fmt-13", "a bad nolinks is answered in the newest version"),
    ("reuse-16", "reuse=false is no"),
    ("create-24", "a life above the maximum is the maximum, with several scopes as with one"),
];

claviger_tests::both! {
    async fn every_case_holds(engine: Engine) {
        let app = world(engine, Settings::default()).await;
        let mut wrong = Vec::new();
        for case in Case::all() {
            let faults = case.run(&app).await;
            let excused = DIFFERENT.iter().any(|(id, _)| *id == case.id());
            if excused == faults.is_empty() {
                wrong.push(format!("{}: {}", case.id(), faults.join("\n    ")));
            }
        }
        assert!(wrong.is_empty(), "{} cases:\n{}", wrong.len(), wrong.join("\n"));
    }
}

#[test]
fn what_is_excused_exists() {
    let cases = Case::all();
    assert_eq!(cases.len(), 123);
    for (id, _) in DIFFERENT {
        assert!(cases.iter().any(|case| case.id() == *id), "{id}");
    }
}
