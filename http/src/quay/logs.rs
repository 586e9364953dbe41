//! The logs of users, organisations and repositories.
//!
//! Source: quay `endpoints/api/logs.py`.

use std::{sync::Arc, time::Duration};

use claviger_domain::{UnixMillis, principal::PrincipalKind};
use claviger_service::{
    App,
    logs::{Log, LogCount, LogRow, Span},
    organisations::Face,
    settings::AvatarKind,
};
use serde::Serialize;
use serde_json::{Map, Value};
use time::{Date as CalendarDate, Month};

use super::{
    avatar::Avatar,
    date::Date,
    error::QuayError,
    gate::Call,
    json::Json,
    organisations::permit,
    path::{Path, RepoPath},
    query::Query,
    repositories::{read_place, show_place},
};
use crate::Routes;

const DAY: Duration = Duration::from_secs(86_400);

/// The routes of this file.
pub(crate) fn routes() -> Routes<Arc<App>> {
    Routes::new("quay", &["/api/v1"])
        .get("/api/v1/organization/{orgname}/logs", of_organisation)
        .get("/api/v1/organization/{orgname}/aggregatelogs", counts_of_organisation)
        .get("/api/v1/user/logs", own)
        .get("/api/v1/user/aggregatelogs", own_counts)
        .get("/api/v1/repository/{repository*}/logs", of_repository)
        .get("/api/v1/repository/{repository*}/aggregatelogs", counts_of_repository)
        .get("/api/v1/superuser/logs", of_all)
        .get("/api/v1/superuser/aggregatelogs", counts_of_all)
}

#[derive(Serialize)]
struct Found {
    start_time: Date,
    end_time: Date,
    logs: Vec<Entry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page: Option<String>,
}

#[derive(Serialize)]
struct Entry {
    kind: String,
    metadata: Map<String, Value>,
    ip: Option<String>,
    datetime: Date,
    #[serde(skip_serializing_if = "Option::is_none")]
    performer: Option<Performer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<Owner>,
}

#[derive(Serialize)]
struct Performer {
    kind: &'static str,
    name: String,
    is_robot: bool,
    avatar: Avatar,
}

#[derive(Serialize)]
struct Owner {
    kind: &'static str,
    name: String,
    avatar: Avatar,
}

impl Owner {
    fn new(face: Face, style: AvatarKind) -> Self {
        let (kind, avatar) = match face.kind {
            PrincipalKind::Org => ("org", Avatar::of_org(style, &face)),
            PrincipalKind::User | PrincipalKind::Robot => ("user", Avatar::of(style, &face)),
        };
        Self { kind, avatar, name: face.name }
    }
}

#[derive(Serialize)]
struct Aggregated {
    aggregated: Vec<Counted>,
}

#[derive(Serialize)]
struct Counted {
    kind: String,
    count: i64,
    datetime: Date,
}

impl Entry {
    fn new(row: LogRow, style: AvatarKind) -> Self {
        let performer = row.performer.as_ref().map(|face| Performer {
            kind: "user",
            avatar: Avatar::of(style, face),
            name: face.name.clone(),
            is_robot: face.kind == PrincipalKind::Robot,
        });
        Self {
            metadata: metadata(&row),
            kind: row.act,
            ip: row.address,
            datetime: Date(row.at),
            performer,
            namespace: row.owner.map(|face| Owner::new(face, style)),
        }
    }
}

/// What was done to what: what the audit says of it, and the object under Quay's name for its kind.
fn metadata(row: &LogRow) -> Map<String, Value> {
    let detail = row.detail.as_deref().and_then(|detail| serde_json::from_str(detail).ok());
    let mut metadata: Map<String, Value> = detail.unwrap_or_default();
    let (key, name) = match row.object_kind.as_str() {
        "repository" => ("repo", row.object_name.split_once('/').map_or("", |(_, name)| name)),
        "user" => ("username", row.object_name.as_str()),
        "application" => ("application_name", row.object_name.as_str()),
        "token" => ("app_specific_token_title", row.object_name.as_str()),
        kind => (kind, row.object_name.as_str()),
    };
    metadata.insert(key.to_owned(), name.into());
    if let Some(namespace) = &row.namespace {
        metadata.insert("namespace".to_owned(), namespace.as_str().into());
    }
    metadata
}

/// The beginning of a day such as `12/31/2025`; `None` where there is no such day.
fn read_day(text: &str) -> Option<UnixMillis> {
    let mut parts = text.splitn(3, '/');
    let month = Month::try_from(parts.next()?.parse::<u8>().ok()?).ok()?;
    let (day, year) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    let date = CalendarDate::from_calendar_date(year, month, day).ok()?;
    let shown = (1970..9999).contains(&year);
    shown.then(|| UnixMillis(date.midnight().assume_utc().unix_timestamp().saturating_mul(1_000)))
}

/// The days from `starttime` to `endtime`, such as `12/31/2025`; without them, since yesterday.
fn span(query: &Query, now: UnixMillis) -> Span {
    let day = |name| read_day(query.text(name)?);
    let performer = query.text("performer").filter(|name| !name.is_empty());
    Span {
        from: day("starttime").unwrap_or_else(|| now.minus(DAY)),
        until: day("endtime").unwrap_or(now).plus(DAY),
        // PostgreSQL takes no NUL; no name has this character either
        performer: performer.map(|name| name.replace('\0', "?")),
    }
}

async fn page(call: &Call, log: Log, query: &Query) -> Result<Json<Found>, QuayError> {
    let span = span(query, call.app.now());
    let (start_time, end_time) = (Date(span.from), Date(span.until));
    let before = query.text("next_page").and_then(read_place);
    let found = call.app.log(log, span, before).await?;
    let logs = found.rows.into_iter().map(|row| Entry::new(row, call.avatars())).collect();
    Ok(Json(Found { start_time, end_time, logs, next_page: found.next.map(show_place) }))
}

async fn counts(call: &Call, log: Log, query: &Query) -> Result<Json<Aggregated>, QuayError> {
    let found = call.app.log_counts(log, span(query, call.app.now())).await?;
    let count =
        |LogCount { act, day, count }: LogCount| Counted { kind: act, count, datetime: Date(day) };
    Ok(Json(Aggregated { aggregated: found.into_iter().map(count).collect() }))
}

/// `GET /api/v1/organization/{orgname}/logs`.
async fn of_organisation(
    Path(org): Path<String>,
    query: Query,
    call: Call,
) -> Result<Json<Found>, QuayError> {
    page(&call, Log::Organisation(permit(&call, &org).await?), &query).await
}

/// `GET /api/v1/organization/{orgname}/aggregatelogs`.
async fn counts_of_organisation(
    Path(org): Path<String>,
    query: Query,
    call: Call,
) -> Result<Json<Aggregated>, QuayError> {
    counts(&call, Log::Organisation(permit(&call, &org).await?), &query).await
}

/// `GET /api/v1/user/logs`.
async fn own(query: Query, call: Call) -> Result<Json<Found>, QuayError> {
    page(&call, Log::Own(call.user_admin()?.clone()), &query).await
}

/// `GET /api/v1/user/aggregatelogs`.
async fn own_counts(query: Query, call: Call) -> Result<Json<Aggregated>, QuayError> {
    counts(&call, Log::Own(call.user_admin()?.clone()), &query).await
}

/// `GET /api/v1/repository/{repository}/logs`.
async fn of_repository(
    Path(repository): Path<RepoPath>,
    query: Query,
    call: Call,
) -> Result<Json<Found>, QuayError> {
    let on = call.app.reach(call.caller(), repository.as_str()).await?;
    page(&call, Log::Repository(on), &query).await
}

/// `GET /api/v1/repository/{repository}/aggregatelogs`.
async fn counts_of_repository(
    Path(repository): Path<RepoPath>,
    query: Query,
    call: Call,
) -> Result<Json<Aggregated>, QuayError> {
    let on = call.app.reach(call.caller(), repository.as_str()).await?;
    counts(&call, Log::Repository(on), &query).await
}

/// `GET /api/v1/superuser/logs`: of every namespace, each entry with its own.
async fn of_all(query: Query, call: Call) -> Result<Json<Found>, QuayError> {
    page(&call, Log::All(call.app.permit_overseer(call.caller())?), &query).await
}

/// `GET /api/v1/superuser/aggregatelogs`.
async fn counts_of_all(query: Query, call: Call) -> Result<Json<Aggregated>, QuayError> {
    counts(&call, Log::All(call.app.permit_overseer(call.caller())?), &query).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn day_is_month_day_and_year() {
        assert_eq!(read_day("01/08/2025"), Some(UnixMillis(1_736_294_400_000)));
        assert_eq!(read_day("1/8/2025"), read_day("01/08/2025"));
        for other in ["", "x", "13/01/2025", "02/30/2025", "1/1/9999", "1/1/-5", "1/1/2025/1"] {
            assert_eq!(read_day(other), None, "{other}");
        }
    }
}
