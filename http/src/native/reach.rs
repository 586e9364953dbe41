//! Reach: who gets at a repository, and what a user, a robot or a token gets at; by which ways.

use std::sync::Arc;

use axum::{
    extract::RawQuery,
    response::{IntoResponse as _, Response},
};
use claviger_domain::Error;
use claviger_service::{
    App,
    cursor::{Paging, Part},
    questions::Subject,
    reaching::Line,
};
use serde::Serialize;

use super::{
    decisions::Unread,
    gate::Call,
    json::Listed,
    path::Named,
    problem::{Flaw, Problem},
    tokens,
};
use crate::Routes;

pub(super) fn routes() -> Routes<Arc<App>> {
    super::none()
        .get("/claviger/v1/repositories/{repository*}/reach", repository)
        .get("/claviger/v1/principals/{name}/reach", principal)
        .get("/claviger/v1/tokens/{id}/reach", token)
}

/// Which page a query asks for.
struct Asked {
    limit: Option<u64>,
    token: Option<String>,
}

impl Asked {
    fn read(query: Option<&str>) -> Result<Self, Problem> {
        let mut query = Unread::read(query.unwrap_or_default());
        let limit = query.number("limit");
        let token = query.text("continue");
        query.done()?;
        Ok(Self { limit, token })
    }

    fn paging(&self) -> Paging<'_> {
        Paging { limit: self.limit, token: self.token.as_deref() }
    }
}

/// What is said of a page that there is not.
fn problem(error: Error) -> Problem {
    match error {
        Error::Invalid { field, problem } => Problem::query(vec![Flaw::parameter(field, problem)]),
        error => error.into(),
    }
}

#[derive(Serialize)]
struct Item {
    #[serde(rename = "type")]
    kind: &'static str,
    name: Option<String>,
    role: Option<&'static str>,
    actions: Vec<&'static str>,
    paths: Vec<Path>,
}

#[derive(Serialize)]
struct Path {
    by: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    team: Option<String>,
    role: &'static str,
}

fn answer(part: Part<Line>) -> Response {
    let items = part.items.into_iter().map(|line| {
        let paths = line.paths.into_iter();
        let paths = paths.map(|path| Path { by: path.by, team: path.team, role: path.role });
        let Line { kind, name, role, actions, .. } = line;
        Item { kind, name, role, actions, paths: paths.collect() }
    });
    Listed::page(items.collect(), None, part.next).into_response()
}

/// `GET /claviger/v1/repositories/{repository}/reach`.
async fn repository(
    call: Call,
    Named(name): Named<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let caller = call.reader()?;
    let asked = Asked::read(query.as_deref())?;
    let part = call.app.who_reaches(caller, &name, asked.paging(), &call.origin).await;
    part.map(answer).map_err(problem)
}

/// `GET /claviger/v1/principals/{name}/reach`.
async fn principal(
    call: Call,
    Named(name): Named<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    reached(&call, Subject::User(&name), query.as_deref()).await
}

/// `GET /claviger/v1/tokens/{id}/reach`.
async fn token(
    call: Call,
    Named(name): Named<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let id = tokens::id(&name)?;
    reached(&call, Subject::Token(&id.text()), query.as_deref()).await
}

async fn reached(
    call: &Call,
    subject: Subject<'_>,
    query: Option<&str>,
) -> Result<Response, Problem> {
    let caller = call.reader()?;
    let asked = Asked::read(query)?;
    let part = call.app.what_reaches(caller, subject, asked.paging(), &call.origin).await;
    part.map(answer).map_err(problem)
}
