//! The operators' door in front of the whole application.

use claviger_service::{Settings, decisions::DOORS};
use claviger_tests::{
    app::TestApp,
    case::{seed, settings},
    scratch::Engine,
    visitor::Visitor,
};
use serde_json::Map;

fn test_settings() -> Settings {
    settings::of(&Map::new(), &seed::read())
}

/// The value of a line of the metrics.
fn value(text: &str, line: &str) -> u64 {
    let value = text.lines().find_map(|l| l.strip_prefix(line)?.strip_prefix(' '));
    value.unwrap_or_else(|| panic!("no `{line}` in {text}")).parse().expect("a number")
}

claviger_tests::both! {
    async fn decisions_facts_and_requests_are_counted(engine: Engine) {
        let (app, _) = TestApp::seeded(engine, test_settings()).await;
        let nobody = Visitor::anonymous(&app);
        assert_eq!(nobody.get("/healthz").await.status, 200);
        assert_eq!(nobody.get("/readyz").await.status, 200);
        let reader = Visitor::sign_in(&app, "reader", "password").await;
        let owner = Visitor::sign_in(&app, "devtable", "password").await;
        let path = "/api/v1/repository/buynlarge/orgrepo/permissions/user/";
        assert_eq!(reader.get(path).await.status, 403);
        assert_eq!(owner.get(path).await.status, 200);
        let text = nobody.get("/metrics").await.text();
        for outcome in ["allowed", "denied"] {
            let labels = format!("door=\"quay\",outcome=\"{outcome}\"");
            assert_eq!(value(&text, &format!("claviger_decisions_total{{{labels}}}")), 1);
        }
        assert_eq!(value(&text, "claviger_cache_entries{fact=\"repository\"}"), 1);
        assert_eq!(value(&text, "claviger_cache_fills_total{fact=\"repository\"}"), 1);
        let lookups = "claviger_cache_lookups_total{fact=\"repository\",outcome=\"hit\"}";
        assert!(value(&text, lookups) > 0, "the second question was answered from memory");
        let route = "door=\"quay\",route=\"/api/v1/repository/{repository*}/permissions/user/\"";
        for status in ["2xx", "4xx"] {
            let line = format!("claviger_http_requests_total{{{route},status=\"{status}\"}}");
            assert_eq!(value(&text, &line), 1);
        }
        assert!(!text.contains("buynlarge") && !text.contains("reader"), "{text}");
    }
}

#[tokio::test]
async fn every_metric_is_explained_and_every_door_counts_for_itself() {
    let (app, _) = TestApp::seeded(Engine::Sqlite, test_settings()).await;
    let page = include_str!("../../docs/metrics.md");
    let text = Visitor::anonymous(&app).get("/metrics").await.text();
    for name in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let name = name.split(' ').next().expect("a name");
        assert!(page.contains(&format!("`{name}`")), "docs/metrics.md does not tell of {name}");
    }
    for line in app.site.lines().filter(|line| line.door != "operators") {
        assert!(DOORS.contains(&line.door), "decisions of the door {} are lumped", line.door);
    }
}
