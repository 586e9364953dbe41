//! `GET /claviger/v1/decisions:explain`: what somebody may do, and why.
//!
//! `subject` is `user:NAME`, `robot:NAME` or `token:ID`, the caller himself when it is left out;
//! `resource` is `repository:NAMESPACE/NAME` or `organization:NAME`; `action` is what is to be done.

use std::sync::Arc;

use axum::{
    extract::RawQuery,
    response::{IntoResponse as _, Response},
};
use claviger_service::{
    App,
    questions::{Object, Question, Subject},
};
use serde::Serialize;

use super::{
    gate::Call,
    json::Json,
    problem::{Flaw, Problem},
};
use crate::{Routes, parameters, told::Told};

pub(super) fn routes() -> Routes<Arc<App>> {
    super::none().get("/claviger/v1/decisions:explain", explain)
}

#[derive(Serialize)]
struct Explained<'a> {
    subject: Entity<'a>,
    action: &'a str,
    resource: Entity<'a>,
    decision: bool,
    #[serde(flatten)]
    told: Told<'a>,
}

#[derive(Serialize)]
struct Entity<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    id: &'a str,
}

async fn explain(call: Call, RawQuery(query): RawQuery) -> Result<Response, Problem> {
    let caller = call.reader()?;
    let mut query = Unread::read(query.as_deref().unwrap_or_default());
    let own = format!("user:{}", caller.principal.name);
    let subject = query.take("subject").unwrap_or(own);
    let (action, resource) = (query.needed("action"), query.needed("resource"));
    let subject = query.entity("subject", &subject, &["user", "robot", "token"]);
    let resource = query.entity("resource", &resource, &["repository", "organization"]);
    query.done()?;
    let question = Question {
        subject: match subject.kind {
            "robot" => Subject::Robot(subject.id),
            "token" => Subject::Token(subject.id),
            _ => Subject::User(subject.id),
        },
        secret: None,
        action: &action,
        object: match resource.kind {
            "organization" => Object::Organisation(resource.id),
            _ => Object::Repository(resource.id),
        },
    };
    let why = call.app.explain(caller, &question, &call.origin).await?;
    let told = Told::of(&why);
    let explained = Explained { subject, action: &action, resource, decision: why.allowed, told };
    Ok(Json(explained).into_response())
}

/// The parameters of a query, while they are read. What nobody has read when all is done is unknown.
pub(super) struct Unread {
    left: Vec<(String, String)>,
    flaws: Vec<Flaw>,
}

impl Unread {
    /// Reads a query string.
    pub(super) fn read(query: &str) -> Self {
        Self { left: parameters::Parameters::read(query).into_pairs(), flaws: Vec::new() }
    }

    /// The value of a parameter, which may be there once.
    pub(super) fn take(&mut self, name: &'static str) -> Option<String> {
        let at = self.left.iter().position(|(known, _)| known == name)?;
        let value = self.left.remove(at).1;
        if self.left.iter().any(|(known, _)| known == name) {
            self.left.retain(|(known, _)| known != name);
            self.flaws.push(Flaw::parameter(name, "must be given only once"));
        }
        Some(value)
    }

    /// A number that is at least 1.
    pub(super) fn number(&mut self, name: &'static str) -> Option<u64> {
        let text = self.take(name)?;
        let number = text.parse().ok().filter(|number| *number > 0);
        if number.is_none() {
            self.flaws.push(Flaw::parameter(name, "must be a number, at least 1"));
        }
        number
    }

    /// A value that is not empty.
    pub(super) fn text(&mut self, name: &'static str) -> Option<String> {
        let text = self.take(name)?;
        if text.is_empty() {
            self.flaws.push(Flaw::parameter(name, "must not be empty"));
        }
        Some(text)
    }

    /// True or false.
    pub(super) fn flag(&mut self, name: &'static str) -> Option<bool> {
        let text = self.take(name)?;
        let flag = text.parse().ok();
        if flag.is_none() {
            self.flaws.push(Flaw::parameter(name, "must be true or false"));
        }
        flag
    }

    /// A value that must be there.
    fn needed(&mut self, name: &'static str) -> String {
        let value = self.take(name).filter(|value| !value.is_empty());
        if value.is_none() {
            self.flaws.push(Flaw::parameter(name, "is missing"));
        }
        value.unwrap_or_default()
    }

    /// A value of the form `TYPE:ID`.
    fn entity<'a>(&mut self, name: &'static str, value: &'a str, kinds: &[&str]) -> Entity<'a> {
        let (kind, id) = value.split_once(':').unwrap_or_default();
        if !kinds.contains(&kind) && !value.is_empty() {
            let forms = kinds.iter().map(|kind| format!("`{kind}:…`")).collect::<Vec<_>>();
            self.flaws.push(Flaw::parameter(name, format!("must be {}", forms.join(" or "))));
        }
        Entity { kind, id }
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// 400 with all that is wrong.
    pub(super) fn done(mut self) -> Result<(), Problem> {
        let unknown = self.left.iter().map(|(name, _)| Flaw::parameter(name, "is unknown"));
        self.flaws.extend(unknown);
        if self.flaws.is_empty() { Ok(()) } else { Err(Problem::query(self.flaws)) }
    }
}
