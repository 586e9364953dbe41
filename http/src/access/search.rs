//! Searches: who may do something, with what, and what. The id of what is looked for is passed over,
//! whatever it is; so is the action where actions are looked for.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    response::{IntoResponse as _, Response},
};
use claviger_service::{
    cursor::{Paging, Part},
    questions::{Object, Question, Subject},
    searches::{ObjectKind, SubjectKind, Subjects},
};
use http::header::CONTENT_TYPE;
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use serde_json::Number;

use super::{
    Access, JSON,
    body::{
        Action, Context, Entity, Properties, Strict, Text, missing, object_of, read, subject_of,
        text,
    },
    gate,
    refusal::Refusal,
};
use crate::Visit;

/// What is looked for, by its type.
#[derive(Deserialize)]
struct Sought<'a> {
    #[serde(rename = "type", borrow)]
    kind: Option<Text<'a>>,
    #[serde(rename = "properties")]
    _properties: Properties,
}

/// Which page.
#[derive(Deserialize)]
struct Page<'a> {
    #[serde(borrow)]
    token: Option<Text<'a>>,
    #[serde(default, deserialize_with = "whole")]
    limit: Option<u64>,
}

/// A whole number, not negative, which JSON may write as `5`, `5.0` or `5e0`; however large.
fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let Some(number) = Option::<Number>::deserialize(deserializer)? else { return Ok(None) };
    let float = || number.as_f64().filter(|n| n.fract() == 0.0 && *n >= 0.0);
    let large = || float().map(|n| format!("{:.0}", n.abs()).parse().unwrap_or(u64::MAX));
    let found = number.as_u64().or_else(large);
    found.map(Some).ok_or_else(|| D::Error::custom("not a whole number"))
}

#[derive(Deserialize)]
struct SubjectSearch<'a> {
    #[serde(borrow)]
    subject: Option<Strict<Sought<'a>>>,
    #[serde(borrow)]
    action: Option<Strict<Action<'a>>>,
    #[serde(borrow)]
    resource: Option<Strict<Entity<'a>>>,
    #[serde(borrow)]
    context: Option<Strict<Context<'a>>>,
    #[serde(borrow)]
    page: Option<Strict<Page<'a>>>,
}

#[derive(Deserialize)]
struct ResourceSearch<'a> {
    #[serde(borrow)]
    subject: Option<Strict<Entity<'a>>>,
    #[serde(borrow)]
    action: Option<Strict<Action<'a>>>,
    #[serde(borrow)]
    resource: Option<Strict<Sought<'a>>>,
    #[serde(borrow)]
    context: Option<Strict<Context<'a>>>,
    #[serde(borrow)]
    page: Option<Strict<Page<'a>>>,
}

#[derive(Deserialize)]
struct ActionSearch<'a> {
    #[serde(borrow)]
    subject: Option<Strict<Entity<'a>>>,
    #[serde(borrow)]
    resource: Option<Strict<Entity<'a>>>,
    #[serde(borrow)]
    context: Option<Strict<Context<'a>>>,
    #[serde(borrow)]
    page: Option<Strict<Page<'a>>>,
}

/// What must be there.
fn need<'a, T>(field: Option<&'a Strict<T>>, name: &'static str) -> Result<&'a T, Refusal> {
    field.map(|Strict(inside)| inside).ok_or_else(|| missing(name))
}

fn secret<'a>(context: Option<&'a Strict<Context<'_>>>) -> Option<&'a str> {
    context.and_then(|Strict(context)| context.secret())
}

fn paging<'a>(page: Option<&'a Strict<Page<'_>>>) -> Paging<'a> {
    let page = page.map(|Strict(page)| page);
    let token = page.and_then(|page| page.token.as_ref());
    Paging { limit: page.and_then(|page| page.limit), token: token.map(Text::as_str) }
}

/// `POST /access/v1/search/subject`.
pub(super) async fn subjects(
    State(access): State<Arc<Access>>,
    visit: Visit,
    request: Request,
) -> Result<Response, Refusal> {
    let call = gate::enter(&access.app, &visit, request).await?;
    let search: SubjectSearch<'_> = read(&call.body)?;
    let sought = need(search.subject.as_ref(), "subject")?;
    let word = text(sought.kind.as_ref(), "subject.type")?;
    let kind = match word {
        "user" => SubjectKind::User,
        "robot" => SubjectKind::Robot,
        "token" => SubjectKind::Token,
        _ => SubjectKind::Unknown,
    };
    let question = Question {
        subject: Subject::Unknown,
        secret: secret(search.context.as_ref()),
        action: need(search.action.as_ref(), "action")?.named()?,
        object: object_of(need(search.resource.as_ref(), "resource")?)?,
    };
    let paging = paging(search.page.as_ref());
    let found = access.app.search_subjects(&call.caller, kind, &question, paging, &call.origin);
    let Subjects { part, everybody } = found.await?;
    let context = everybody.then_some(Told { everybody });
    Ok(answer(&part, context, |id| Found { kind: word, id }))
}

/// `POST /access/v1/search/resource`.
pub(super) async fn resources(
    State(access): State<Arc<Access>>,
    visit: Visit,
    request: Request,
) -> Result<Response, Refusal> {
    let call = gate::enter(&access.app, &visit, request).await?;
    let search: ResourceSearch<'_> = read(&call.body)?;
    let sought = need(search.resource.as_ref(), "resource")?;
    let word = text(sought.kind.as_ref(), "resource.type")?;
    let kind = match word {
        "repository" => ObjectKind::Repository,
        "organization" => ObjectKind::Organisation,
        _ => ObjectKind::Unknown,
    };
    let question = Question {
        subject: subject_of(need(search.subject.as_ref(), "subject")?)?,
        secret: secret(search.context.as_ref()),
        action: need(search.action.as_ref(), "action")?.named()?,
        object: Object::Unknown,
    };
    let paging = paging(search.page.as_ref());
    let part = access.app.search_objects(&call.caller, kind, &question, paging, &call.origin);
    Ok(answer(&part.await?, None, |id| Found { kind: word, id }))
}

/// `POST /access/v1/search/action`.
pub(super) async fn actions(
    State(access): State<Arc<Access>>,
    visit: Visit,
    request: Request,
) -> Result<Response, Refusal> {
    let call = gate::enter(&access.app, &visit, request).await?;
    let search: ActionSearch<'_> = read(&call.body)?;
    let question = Question {
        subject: subject_of(need(search.subject.as_ref(), "subject")?)?,
        secret: secret(search.context.as_ref()),
        action: "",
        object: object_of(need(search.resource.as_ref(), "resource")?)?,
    };
    let paging = paging(search.page.as_ref());
    let part = access.app.search_actions(&call.caller, &question, paging, &call.origin);
    Ok(answer(&part.await?, None, |name| Act { name }))
}

/// An answer; the page comes first, for those who read as it comes.
#[derive(Serialize)]
struct Answer<'a, T> {
    page: Shown<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<Told>,
    results: Vec<T>,
}

#[derive(Serialize)]
struct Shown<'a> {
    /// Empty: this was the last page.
    next_token: &'a str,
    count: usize,
}

/// What the results do not say.
#[derive(Serialize)]
struct Told {
    /// Everybody else may, too.
    everybody: bool,
}

#[derive(Serialize)]
struct Found<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    id: &'a str,
}

#[derive(Serialize)]
struct Act<'a> {
    name: &'a str,
}

fn answer<'a, T: AsRef<str>, R: Serialize>(
    part: &'a Part<T>,
    context: Option<Told>,
    show: impl Fn(&'a str) -> R,
) -> Response {
    let next_token = part.next.as_deref().unwrap_or_default();
    let page = Shown { next_token, count: part.items.len() };
    let results = part.items.iter().map(|item| show(item.as_ref())).collect();
    let body = serde_json::to_vec(&Answer { page, context, results }).unwrap_or_default();
    ([(CONTENT_TYPE, JSON)], body).into_response()
}
