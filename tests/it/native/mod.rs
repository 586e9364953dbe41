//! The native door.

mod explain;
mod gate;
mod kinds;
mod lifetimes;
mod openapi;
mod overtaken;
mod queries;
mod rotation;
mod tenants;
mod tokens;

use claviger_service::Settings;
use claviger_tests::{
    answer::Answer,
    case::{seed, settings},
};
use serde_json::Map;

fn test_settings() -> Settings {
    settings::of(&Map::new(), &seed::read())
}

/// The code of a refusal, which must be a problem in every respect.
fn code(answer: &Answer) -> String {
    let body = answer.json();
    assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{body}");
    assert_eq!(answer.header("cache-control"), Some("no-store"), "{body}");
    assert_eq!(answer.header("access-control-allow-origin"), None, "{body}");
    assert_eq!(body["status"], answer.status.as_u16(), "{body}");
    assert_eq!(answer.status == 401, answer.header("www-authenticate").is_some(), "{body}");
    for member in ["type", "title", "detail", "code"] {
        assert!(body[member].is_string(), "{body}");
    }
    body["code"].as_str().expect("a code").to_owned()
}
