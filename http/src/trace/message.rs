//! Spans in the protocol's JSON: ids in hexadecimal, whole numbers of 64 bits as text.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::Span;

/// A server's span; an error.
const KIND_SERVER: u8 = 2;
const STATUS_ERROR: u8 = 2;

/// The request that hands `spans` over.
pub(super) fn of(spans: &[Span], instance: &str) -> String {
    let spans: Vec<Value> = spans.iter().map(one).collect();
    let scope = json!({"name": "claviger", "version": env!("CARGO_PKG_VERSION")});
    let resource = [
        text("service.name", "claviger"),
        text("service.version", env!("CARGO_PKG_VERSION")),
        text("service.instance.id", instance),
    ];
    json!({
        "resourceSpans": [{
            "resource": {"attributes": resource},
            "scopeSpans": [{"scope": scope, "spans": spans}],
        }],
    })
    .to_string()
}

fn one(span: &Span) -> Value {
    let context = &span.context;
    let mut attributes = vec![
        text("http.request.method", span.method),
        number("http.response.status_code", span.status.into()),
        text("claviger.door", span.door),
        text("claviger.request_id", &span.request),
    ];
    let mut name = span.method.to_owned();
    if !span.route.is_empty() {
        attributes.push(text("http.route", &span.route));
        name = format!("{name} {}", span.route);
    }
    let failed = span.status >= 500;
    if failed {
        attributes.push(text("error.type", &span.status.to_string()));
    }
    let mut value = json!({
        "traceId": hex(&context.trace),
        "spanId": hex(&context.id),
        "name": name,
        "kind": KIND_SERVER,
        "startTimeUnixNano": span.ended_ns.saturating_sub(span.took.as_nanos()).to_string(),
        "endTimeUnixNano": span.ended_ns.to_string(),
        "attributes": attributes,
        "status": if failed { json!({"code": STATUS_ERROR}) } else { json!({}) },
    });
    if let (Some(parent), Some(members)) = (context.parent, value.as_object_mut()) {
        members.insert("parentSpanId".to_owned(), hex(&parent).into());
    }
    value
}

fn text(key: &str, value: &str) -> Value {
    json!({"key": key, "value": {"stringValue": value}})
}

fn number(key: &str, value: u64) -> Value {
    json!({"key": key, "value": {"intValue": value.to_string()}})
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}"); // writing to a string cannot fail
        text
    })
}
