//! `/claviger/v1/tokens`: every token of every kind, in one shape and one list. Never a secret.

use std::sync::Arc;

use axum::{
    extract::RawQuery,
    response::{IntoResponse, Response},
};
use claviger_domain::{
    Error, UnixMillis,
    account::Label,
    collection::{Field, Instant, Parameter, QueryError, nothing},
    id::TokenId,
    lifetime::Asked,
    token::TokenState,
};
use claviger_service::{
    App,
    collection::Shape,
    rotation::USUAL_GRACE,
    tokens::{Listed, Sweep, SweepOutcome, TokenChange, opens_registry, token_tag},
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::{
    body::{Body, Members},
    decisions::Unread,
    etag,
    gate::{Call, EndingCall},
    json::{Json, Listed as Page, Once, instant},
    lifetimes::read_duration,
    path::Named,
    problem::{Flaw, Problem},
};
use crate::{Routes, told::scope};

const ALL: &str = "/claviger/v1/tokens";
const ONE: &str = "/claviger/v1/tokens/{id}";

pub(super) fn routes() -> Routes<Arc<App>> {
    super::none()
        .get(ALL, list)
        .post("/claviger/v1/tokens:revoke", revoke)
        .get(ONE, show)
        .patch(ONE, change)
        .delete(ONE, end)
        .post("/claviger/v1/tokens/{id}:rotate", rotate)
        .post("/claviger/v1/tokens/{id}:cut", cut)
}

/// What the list can be asked for.
pub(super) static TOKENS: Shape = Shape {
    name: "native/tokens",
    takes: Parameter::ALL,
    wide_values: true,
    fields: &[
        Field::text("id", "id"),
        Field::text("kind", "kind"),
        Field::text("name", "name"),
        Field::text("state", "state"),
        Field::object("principal"),
        Field::text("principal.id", "principal_id"),
        Field::text("principal.name", "principal_name"),
        Field::text("account", "account"),
        Field::text("application", "application"),
        Field::text("service", "service"),
        Field::object("scopes"),
        Field::text("scopes[*]", "scope"),
        Field::instant("created", "created_at"),
        Field::object("createdBy"),
        Field::text("createdBy.id", "created_by_id"),
        Field::text("createdBy.name", "created_by"),
        Field::instant("expires", "expires_at"),
        Field::instant("modified", "modified_at"),
        Field::instant("lastUsed", "last_used_at"),
        Field::text("lastUsedAddress", "last_used_address"),
        Field::instant("idleSince", "idle_since"),
        Field::instant("revoked", "revoked_at"),
        Field::text("revokedBy", "revoked_by"),
        Field::text("revokeReason", "revoke_reason"),
        Field::text("parent", "parent"),
        Field::text("mintedBy", "minted_by"),
        Field::object("labels"),
        Field::text("labels[*].name", "label_name"),
        Field::text("labels[*].value", "label_value"),
        Field::object("secrets"),
    ],
};

/// A token as it is shown at `now`.
pub(super) fn shown(token: &Listed, now: UnixMillis) -> Value {
    let at = |at: Option<UnixMillis>| at.map(instant);
    let state = match token.state(now) {
        TokenState::Live => "live",
        TokenState::Expired => "expired",
        TokenState::Revoked => "revoked",
    };
    let labels = token.labels.iter().map(|l| json!({ "name": l.name(), "value": l.value() }));
    let secrets =
        token.secrets.iter().filter(|secret| secret.valid_until.is_none_or(|end| now < end));
    let secrets = secrets.map(|secret| {
        json!({
            "created": instant(secret.created_at),
            "validUntil": at(secret.valid_until),
            "lastUsed": at(secret.last_used_at),
            "lastUsedAddress": secret.last_used_address,
        })
    });
    json!({
        "id": token.id.to_string(),
        "kind": token.kind.as_str(),
        "name": token.name,
        "state": state,
        "principal": { "id": token.principal.to_string(), "name": token.principal_name },
        "account": token.account.to_string(),
        "application": token.application.as_ref().map(ToString::to_string),
        "service": token.service,
        "scopes": token.scopes.iter().map(scope).collect::<Vec<_>>(),
        "created": instant(token.created_at),
        "createdBy": {
            "id": token.created_by_id.as_ref().map(ToString::to_string),
            "name": token.created_by,
        },
        "expires": at(token.expires_at),
        "modified": instant(token.modified_at.unwrap_or(token.created_at)),
        "lastUsed": at(token.last_used_at),
        "lastUsedAddress": token.last_used_address,
        "idleSince": instant(token.last_used_at.unwrap_or(token.created_at)),
        "revoked": at(token.revoked_at),
        "revokedBy": token.revoked_by,
        "revokeReason": token.revoke_reason,
        "parent": token.parent.as_ref().map(ToString::to_string),
        "mintedBy": token.minted_by.as_ref().map(ToString::to_string),
        "labels": labels.collect::<Vec<_>>(),
        "secrets": secrets.collect::<Vec<_>>(),
    })
}

/// A token with the tag of its state.
pub(super) fn answer(token: &Listed, now: UnixMillis) -> Response {
    etag::with(Json(shown(token, now)), &token_tag(token))
}

impl From<QueryError> for Problem {
    fn from(error: QueryError) -> Self {
        let bad = error.unknown.into_iter().chain(error.invalid);
        Self::query(bad.map(|bad| Flaw::parameter(bad.name, bad.reason)).collect())
    }
}

/// The id in the path; what can be none is one that there is not.
pub(super) fn id(text: &str) -> Result<TokenId, Problem> {
    text.parse().map_err(|_| Error::NotFound("token").into())
}

/// `GET /claviger/v1/tokens`.
async fn list(call: Call, RawQuery(query): RawQuery) -> Result<Response, Problem> {
    let sight = call.app.tokens_in_sight(&call.caller).await?;
    let raw = query.unwrap_or_default();
    let listing = call.app.listing(&TOKENS, format!("{sight:?}"), &raw)?;
    let include = listing.asked.include.clone();
    let now = call.app.now();
    let page = call.app.tokens(sight, listing).await?;
    let items = page.items.iter().map(|token| shown(token, now));
    let items = match include {
        None => items.collect(),
        Some(fields) => items.map(|item| row(&item, &fields)).collect(),
    };
    Ok(Page::page(items, page.count, page.next).into_response())
}

/// The columns of one item.
fn row(item: &Value, fields: &[&Field]) -> Value {
    fields.iter().map(|field| item.get(field.path).cloned().unwrap_or_default()).collect()
}

/// `GET /claviger/v1/tokens/{id}`.
async fn show(
    call: Call,
    Named(name): Named<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let token = call.app.token(&call.caller, id(&name)?).await?;
    nothing(&query.unwrap_or_default())?;
    Ok(answer(&token, call.app.now()))
}

/// `PATCH /claviger/v1/tokens/{id}`.
async fn change(
    call: Call,
    Named(name): Named<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let permit = call.app.permit_token(&call.caller, id(&name)?).await?;
    nothing(&query.unwrap_or_default())?;
    let seen = etag::seen(&headers)?;
    let mut members = body.members()?;
    let change = TokenChange {
        name: members.text("name"),
        labels: labels(&mut members),
        expires: end_of(&mut members),
    };
    members.done()?;
    let token = call.app.change_token(&permit, change, seen, &call.origin).await?;
    Ok(answer(&token, call.app.now()))
}

/// Labels: an array of objects with a name and a value.
pub(super) fn labels(members: &mut Members) -> Option<Vec<Label>> {
    let value = members.take("labels")?;
    let label = |value: &Value| {
        let fields = value.as_object().filter(|fields| fields.len() == 2)?;
        Some(Label::new(fields.get("name")?.as_str()?, fields.get("value")?.as_str()?))
    };
    let Some(all) =
        value.as_array().and_then(|all| all.iter().map(label).collect::<Option<Vec<_>>>())
    else {
        members.flaw("labels", "must be objects of a `name` and a `value`");
        return None;
    };
    let checked = all.into_iter().collect::<Result<Vec<_>, _>>();
    match checked.and_then(|all| Label::check_all(&all).map(|()| all)) {
        Ok(all) => Some(all),
        Err(problem) => {
            members.flaw("labels", problem.to_string());
            None
        }
    }
}

/// `expires`: an instant, or null for never.
pub(super) fn end_of(members: &mut Members) -> Asked {
    let wrong = "must be an instant such as 2026-11-22T10:00:00Z, or null";
    let read = |value: &Value| match value {
        Value::Null => Some(Asked::Never),
        Value::String(text) => {
            let (millis, _) = text.parse::<Instant>().ok()?.millis();
            Some(Asked::Until(UnixMillis(millis)))
        }
        _ => None,
    };
    members.parse("expires", wrong, read).unwrap_or_default()
}

/// `DELETE /claviger/v1/tokens/{id}`.
async fn end(
    EndingCall(call): EndingCall,
    Named(name): Named<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let permit = call.app.permit_token(&call.caller, id(&name)?).await?;
    let mut query = Unread::read(query.as_deref().unwrap_or_default());
    let alone = query.flag("descendants") == Some(false);
    query.done()?;
    let seen = etag::seen(&headers)?;
    let ended = call.app.end_token(&permit, alone, seen, &call.origin).await?;
    Ok(saying(StatusCode::NO_CONTENT.into_response(), until(&call, &ended)))
}

/// Until when registries take what they were given for tokens of which these have just ended; `None`
/// when none of them opened a registry.
fn until<'a>(call: &Call, ended: impl IntoIterator<Item = &'a Listed>) -> Option<String> {
    let any = ended.into_iter().any(opens_registry);
    any.then(|| instant(call.app.registry_tokens_until()))
}

/// The same, said with an answer.
fn saying(mut answer: Response, until: Option<String>) -> Response {
    let value = until.and_then(|until| HeaderValue::from_str(&until).ok());
    answer.headers_mut().extend(value.map(|value| (REGISTRY_TOKENS_UNTIL, value)));
    answer
}

fn add_until(body: &mut Value, until: Option<&String>) {
    if let (Value::Object(members), Some(until)) = (body, until) {
        members.insert("registryTokensUntil".to_owned(), json!(until));
    }
}

const REGISTRY_TOKENS_UNTIL: HeaderName = HeaderName::from_static("claviger-registry-tokens-until");

/// How many tokens are ended at once without saying so.
const USUAL_CAP: u64 = 100;
/// The most characters of a reason.
const MAX_REASON: usize = 255;

/// `POST /claviger/v1/tokens:revoke`.
async fn revoke(
    EndingCall(call): EndingCall,
    RawQuery(query): RawQuery,
    body: Body,
) -> Result<Response, Problem> {
    let sight = call.app.tokens_in_sight(&call.caller).await?;
    nothing(&query.unwrap_or_default())?;
    let mut members = body.members()?;
    let filter = members.text("filter");
    if filter.as_ref().is_none_or(String::is_empty) {
        members.flaw("filter", "must say which; `state eq 'live'` means all");
    }
    let filter = filter.unwrap_or_default();
    let dry_run = members.flag("dryRun").unwrap_or_default();
    let cap = members.number("cap").unwrap_or(USUAL_CAP);
    let reason = members.text("reason").unwrap_or_else(|| "revoked".to_owned());
    if reason.contains('\0') || reason.chars().count() > MAX_REASON {
        members.flaw("reason", "must be at most 255 characters, none of them NUL");
    }
    members.done()?;
    let raw = format!("filter={}", utf8_percent_encode(&filter, NON_ALPHANUMERIC));
    let listing = call.app.listing(&TOKENS, "", &raw).map_err(|error| {
        let bad = error.unknown.into_iter().chain(error.invalid);
        Problem::invalid(bad.map(|bad| Flaw::member(bad.name, bad.reason)).collect())
    })?;
    let sweep = Sweep { listing, cap, dry_run, reason };
    let outcome = call.app.end_tokens(&call.caller, sight, sweep, &call.origin).await?;
    let SweepOutcome { matched, ended } = outcome;
    let now = call.app.now();
    let items: Vec<_> = ended.iter().map(|token| shown(token, now)).collect();
    let until = until(&call, ended.iter().filter(|_| !dry_run));
    let mut body = json!({ "dryRun": dry_run, "matched": matched, "items": items });
    add_until(&mut body, until.as_ref());
    Ok(saying(Once(body).into_response(), until))
}

/// `POST /claviger/v1/tokens/{id}:rotate`: the new secret is shown here, once.
async fn rotate(
    call: Call,
    Named(name): Named<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let permit = call.app.permit_rotation(&call.fresh()?, id(&name)?).await?;
    nothing(&query.unwrap_or_default())?;
    let seen = etag::seen(&headers)?;
    let mut members = body.members_if_any()?;
    let grace = match members.take("grace").map(|value| read_duration(&value)).transpose() {
        Ok(grace) => grace.unwrap_or(USUAL_GRACE),
        Err(problem) => {
            members.flaw("grace", problem);
            USUAL_GRACE
        }
    };
    members.done()?;
    let (token, secret) = call.app.rotate_token(&permit, grace, seen, &call.origin).await?;
    let item = shown(&token, call.app.now());
    let until = until(&call, grace.is_zero().then_some(&token));
    let mut body = json!({ "token": item, "secret": secret.expose() });
    add_until(&mut body, until.as_ref());
    Ok(saying(etag::with(Once(body), &token_tag(&token)), until))
}

/// `POST /claviger/v1/tokens/{id}:cut`: the older secret ends at once.
async fn cut(
    EndingCall(call): EndingCall,
    Named(name): Named<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let permit = call.app.permit_token(&call.caller, id(&name)?).await?;
    nothing(&query.unwrap_or_default())?;
    let seen = etag::seen(&headers)?;
    body.members_if_any()?.done()?;
    let (token, cut) = call.app.cut_token(&permit, seen, &call.origin).await?;
    Ok(saying(answer(&token, call.app.now()), until(&call, cut.then_some(&token))))
}
