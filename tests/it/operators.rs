//! The operators' door in front of the whole application.

use std::collections::{BTreeMap, BTreeSet};

use claviger_service::{Settings, decisions::DOORS};
use claviger_tests::{
    app::TestApp,
    case::{seed, settings},
    real::{free_port, people::make_app_token, program::Program},
    scratch::Engine,
    visitor::Visitor,
};
use regex_lite::Regex;
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

/// What a text in Prometheus' format shows: each metric with the labels of its samples.
fn shown(text: &str) -> BTreeMap<String, BTreeSet<String>> {
    let names = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let names = names.map(|line| line.split(' ').next().expect("a name").to_owned());
    let mut shown: BTreeMap<_, _> = names.map(|name| (name, BTreeSet::new())).collect();
    let label = Regex::new("([a-z_]+)=\"").expect("a pattern");
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (sample, labels) = line.split_once(['{', ' ']).expect("a name and more");
        let of_histogram = ["_bucket", "_sum", "_count"];
        let bare = of_histogram.iter().find_map(|end| sample.strip_suffix(end)).unwrap_or(sample);
        let name = if shown.contains_key(bare) { bare } else { sample };
        let of = shown.get_mut(name).unwrap_or_else(|| panic!("{name} has no type"));
        let labels = label.captures_iter(labels).filter_map(|found| found.get(1));
        of.extend(labels.map(|label| label.as_str().to_owned()).filter(|label| label != "le"));
    }
    shown
}

/// What the page says there is, in the rows of its tables.
fn explained(page: &str) -> BTreeMap<String, BTreeSet<String>> {
    let word = Regex::new("`([a-z_]+)`").expect("a pattern");
    let values = Regex::new(r"\([^)]*\)").expect("a pattern");
    let words = |text: &str| -> Vec<String> {
        let bare = values.replace_all(text, "").into_owned();
        word.captures_iter(&bare).map(|found| found[1].to_owned()).collect()
    };
    let rows = page.lines().filter(|line| line.starts_with("| `claviger_"));
    let cells = rows.map(|row| row.split('|').skip(1).collect::<Vec<_>>());
    let alerts = |cells: &Vec<&str>| cells.len() > 3;
    let each = cells.filter(alerts).flat_map(|cells| {
        let labels: BTreeSet<_> = words(cells[1]).into_iter().collect();
        words(cells[0]).into_iter().map(move |name| (name, labels.clone()))
    });
    each.collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_lists_exactly_what_is_shown() {
    let folder = tempfile::tempdir().expect("a folder");
    let nobody = format!("http://127.0.0.1:{}", free_port());
    let variables = [("CLAVIGER_TRACING_ENDPOINT", nobody.as_str())];
    let program = Program::serve_with(folder.path(), &["--listen", "127.0.0.1:0"], &variables);
    let (name, password) = program.superuser();
    let admin = Visitor::sign_in(&program, &name, &password).await;
    let (_, token) = make_app_token(&admin, "laptop").await;
    let path = "/v2/auth?service=registry&scope=repository:admin/app:pull";
    assert_eq!(Visitor::basic(&program, "$app", &token).get(path).await.status, 200);
    let shown = shown(&Visitor::anonymous(&program).get("/metrics").await.text());
    let explained = explained(include_str!("../../docs/metrics.md"));
    assert_eq!(explained, shown);
}

#[tokio::test]
async fn doors_and_routes_need_no_escapes_in_a_line_of_the_log() {
    let (app, _) = TestApp::seeded(Engine::Sqlite, test_settings()).await;
    let plain = |text: &str| text.bytes().all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\');
    for line in app.site.lines() {
        assert!(plain(line.door) && plain(line.template), "{line:?}");
    }
}

#[tokio::test]
async fn every_door_counts_its_decisions_for_itself() {
    let (app, _) = TestApp::seeded(Engine::Sqlite, test_settings()).await;
    for line in app.site.lines().filter(|line| line.door != "operators") {
        assert!(DOORS.contains(&line.door), "decisions of the door {} are lumped", line.door);
    }
}
