//! Bodies that could be good.

use serde_json::{Value, json};

/// A question, with all that any route of the decisions door reads.
pub(super) fn decisions() -> Value {
    json!({
        "subject": {"type": "user", "id": "devtable", "properties": {}},
        "action": {"name": "pull"}, "context": {"token": "token", "explain": true},
        "resource": {"type": "repository", "id": "devtable/simple"},
        "evaluations": [{"action": {"name": "push"}}], "page": {"limit": 5},
        "options": {"evaluations_semantic": "execute_all"},
    })
}
