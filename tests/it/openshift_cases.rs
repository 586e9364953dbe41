//! The cases of the OpenShift door.

use claviger_service::Settings;
use claviger_tests::{
    openshift::{case::Case, world},
    scratch::Engine,
};

/// Upstream's accidents that are answered otherwise here, and why.
const DIFFERENT: &[(&str, &str)] = &[];

claviger_tests::both! {
    async fn every_case_holds(engine: Engine) {
        let app = world(engine, Settings::default()).await;
        let mut wrong = Vec::new();
        for case in Case::all() {
            let faults = case.run(&app).await;
            let excused = DIFFERENT.iter().any(|(id, _)| *id == case.id());
            assert!(!excused || case.is_quirk(), "{} cannot be excused", case.id());
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
