//! The envelope around every answer.
//!
//! Source: `contract/openshift.md` sections 3 and 8.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header::CONTENT_TYPE};

use super::{
    node::Node,
    version::{Format, Version},
};

/// How an answer is written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Style {
    pub(super) format: Format,
    pub(super) version: Version,
    pub(super) links: bool,
}

/// A word to the client.
#[derive(Clone, Debug)]
pub(super) struct Message {
    pub(super) error: bool,
    pub(super) text: String,
    pub(super) exit_code: Option<i64>,
    pub(super) field: Option<&'static str>,
}

impl Message {
    /// That it was done.
    pub(super) fn info(text: impl Into<String>) -> Self {
        Self { error: false, text: text.into(), exit_code: Some(0), field: None }
    }

    fn node(self) -> Node {
        let severity = if self.error { "error" } else { "info" };
        Node::Object(vec![
            ("severity", severity.into()),
            ("text", self.text.into()),
            ("exit_code", self.exit_code.map_or(Node::Null, Node::Number)),
            ("field", self.field.into()),
            ("index", Node::Null),
        ])
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    /// What the data is, such as `authorization`.
    pub(super) kind: Option<&'static str>,
    pub(super) data: Node,
    pub(super) messages: Vec<Message>,
}

impl Reply {
    /// One thing.
    pub(super) fn one(kind: &'static str, thing: Node) -> Self {
        let data = Node::Wrapped(kind, Box::new(thing));
        Self { status: StatusCode::OK, kind: Some(kind), data, messages: Vec::new() }
    }

    /// Nothing but a message.
    pub(super) fn none(status: StatusCode, message: Message) -> Self {
        let data = Node::Wrapped("datum", Box::new(Node::Null));
        Self { status, kind: None, data, messages: vec![message] }
    }

    /// The same with a message.
    #[must_use]
    pub(super) fn saying(mut self, text: impl Into<String>) -> Self {
        self.messages.push(Message::info(text));
        self
    }

    /// The answer as it is sent.
    pub(super) fn write(self, style: Style) -> Response {
        if self.status == StatusCode::NO_CONTENT {
            return self.status.into_response();
        }
        let number = |version: Version| Node::Decimal(version.0);
        let messages = self.messages.into_iter().map(Message::node).collect();
        let envelope = Node::Object(vec![
            ("status", word(self.status).into()),
            ("type", self.kind.into()),
            ("data", self.data),
            ("messages", Node::List("message", messages)),
            ("version", style.version.to_string().into()),
            ("api_version", number(style.version)),
            (
                "supported_api_versions",
                Node::List("supported_api_version", Version::ALL.map(number).to_vec()),
            ),
        ]);
        let (kind, body) = match style.format {
            Format::Json => ("application/json; charset=utf-8", envelope.json()),
            Format::Xml => ("application/xml; charset=utf-8", envelope.xml("response")),
        };
        (self.status, [(CONTENT_TYPE, HeaderValue::from_static(kind))], body).into_response()
    }
}

/// What the status is called: its reason in lower case.
fn word(status: StatusCode) -> String {
    status.canonical_reason().unwrap_or_default().to_lowercase().replace([' ', '-'], "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_have_the_words_of_upstream() {
        for (status, expected) in [
            (200, "ok"),
            (201, "created"),
            (404, "not_found"),
            (406, "not_acceptable"),
            (422, "unprocessable_entity"),
            (500, "internal_server_error"),
            (503, "service_unavailable"),
        ] {
            assert_eq!(word(StatusCode::from_u16(status).unwrap()), expected);
        }
    }
}
