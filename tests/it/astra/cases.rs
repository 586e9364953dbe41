//! The cases of the Astra door.

use claviger_tests::astra::{all, world};

/// Cases that do not hold, and why.
const DIFFERENT: &[(&str, &str)] = &[];

claviger_tests::both! {
    async fn every_case_holds(engine: Engine) {
        let (fixture, cases) = all();
        let (app, known) = world(engine, &fixture).await;
        let mut wrong = Vec::new();
        for case in &cases {
            let faults = case.run(&app, &known).await;
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
    let (_, cases) = all();
    assert_eq!(cases.len(), 180);
    for (id, _) in DIFFERENT {
        assert!(cases.iter().any(|case| case.id() == *id), "{id}");
    }
}
