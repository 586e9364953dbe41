//! `/claviger/v1/lifetimes`: how long the tokens of a kind may live in an account.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::RawQuery,
    response::{IntoResponse, Response},
};
use claviger_domain::{collection::nothing, duration, lifetime::LifetimePolicy, time::millis};
use claviger_service::{
    App,
    policies::{Policy, PolicyFor, policy_tag},
};
use http::{HeaderMap, StatusCode};
use serde::Serialize;
use serde_json::Value;

use super::{
    body::{Body, Members, whole},
    etag,
    gate::Call,
    json::{Json, Listed, instant},
    path::Named,
    problem::Problem,
};
use crate::Routes;

const ONE: &str = "/claviger/v1/lifetimes/{account}/{kind}";

pub(super) fn routes() -> Routes<Arc<App>> {
    super::none()
        .get("/claviger/v1/lifetimes", list)
        .get(ONE, show)
        .put(ONE, set)
        .delete(ONE, remove)
}

/// Lives are in seconds.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    account: String,
    kind: &'static str,
    default_lifetime: Option<i64>,
    maximum_lifetime: Option<i64>,
    required: bool,
    maximum_idle: Option<i64>,
    modified: String,
    modified_by: Option<String>,
}

impl From<&Policy> for Shown {
    fn from(policy: &Policy) -> Self {
        let LifetimePolicy { default_ms, maximum_ms, required, maximum_idle_ms } = policy.rules;
        let seconds = |ms: Option<i64>| ms.map(|ms| ms / 1000);
        Self {
            account: policy.account.to_string(),
            kind: policy.kind.as_str(),
            default_lifetime: seconds(default_ms),
            maximum_lifetime: seconds(maximum_ms),
            required,
            maximum_idle: seconds(maximum_idle_ms),
            modified: instant(policy.modified_at),
            modified_by: policy.modified_by.map(|id| id.to_string()),
        }
    }
}

fn answer(policy: &Policy) -> Response {
    etag::with(Json(Shown::from(policy)), &policy_tag(policy))
}

/// What the path names; there is nothing at a path that can name none.
fn named((account, kind): &(String, String)) -> Result<PolicyFor, Problem> {
    let of = || Some(PolicyFor { account: account.parse().ok()?, kind: kind.parse().ok()? });
    of().ok_or_else(|| claviger_domain::Error::NotFound("lifetime policy").into())
}

async fn list(call: Call, RawQuery(query): RawQuery) -> Result<Response, Problem> {
    let policies = call.app.lifetime_policies(call.reader()?).await?;
    nothing(&query.unwrap_or_default())?;
    Ok(Listed::all(policies.iter().map(Shown::from).collect()).into_response())
}

async fn show(
    call: Call,
    Named(of): Named<(String, String)>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let caller = call.reader()?;
    let policy = call.app.lifetime_policy(caller, named(&of)?).await?;
    nothing(&query.unwrap_or_default())?;
    Ok(answer(&policy))
}

async fn set(
    call: Call,
    Named(of): Named<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let permit = call.app.permit_policy(call.fresh()?, named(&of)?).await?;
    nothing(&query.unwrap_or_default())?;
    let seen = etag::seen(&headers)?;
    let mut members = body.members()?;
    let rules = LifetimePolicy {
        default_ms: life(&mut members, "defaultLifetime"),
        maximum_ms: life(&mut members, "maximumLifetime"),
        required: members.flag("required").unwrap_or_default(),
        maximum_idle_ms: life(&mut members, "maximumIdle"),
    };
    members.done()?;
    let policy = call.app.set_lifetime_policy(&permit, rules, seen, &call.origin).await?;
    Ok(answer(&policy))
}

async fn remove(
    call: Call,
    Named(of): Named<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    let permit = call.app.permit_policy(call.fresh()?, named(&of)?).await?;
    nothing(&query.unwrap_or_default())?;
    let seen = etag::seen(&headers)?;
    call.app.remove_lifetime_policy(&permit, seen, &call.origin).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A life in milliseconds: a member that is a number of seconds, or a text such as `90d`. Null is
/// as if it were left out.
fn life(members: &mut Members, name: &'static str) -> Option<i64> {
    let value = members.take(name).filter(|value| !value.is_null())?;
    match read_duration(&value) {
        Ok(life) => Some(millis(life)),
        Err(problem) => {
            members.flaw(name, problem);
            None
        }
    }
}

/// A length of time: a whole number of seconds, or a text such as `24h`.
pub(super) fn read_duration(value: &Value) -> Result<Duration, String> {
    let found = match value {
        Value::Number(_) => whole(value).map(Duration::from_secs),
        Value::String(text) => {
            return duration::parse(text).map_err(|problem| problem.to_string());
        }
        _ => None,
    };
    let found = found.filter(|found| *found <= duration::LONGEST);
    found.ok_or_else(|| "must be a number of seconds, or a text such as `24h` or `90d`".to_owned())
}
