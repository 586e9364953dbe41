//! Authorizations: list, create, show, update, delete.
//!
//! Source: `contract/openshift.md` sections 2, 3, 6 and 7.

use claviger_domain::{
    Error,
    name::{Description, TextError},
    scope::openshift::{AskedScopes, Reach},
};
use claviger_service::authorizations::{Life, NewAuthorization, Shown, lives};
use http::StatusCode;
use serde_json::Value;

use super::{
    date,
    envelope::{Message, Reply},
    error::{Came, Refusal},
    gate::Call,
    links,
    node::Node,
    params::Params,
    user,
    version::Version,
};

const KIND: &str = "authorization";

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::of(&error, Came::Basic)
    }
}

/// `GET /user/authorizations`.
pub(super) async fn list(call: &Call<'_>) -> Result<Reply, Refusal> {
    let all = if call.reach == Reach::All {
        call.door.app.live_authorizations(call.caller, call.origin).await?
    } else {
        Vec::new()
    };
    let data = Node::List(KIND, all.into_iter().map(|shown| node(call, shown)).collect());
    let reply =
        Reply { status: StatusCode::OK, kind: Some("authorizations"), data, messages: Vec::new() };
    Ok(reply.saying("List authorizations"))
}

/// `POST /user/authorizations`.
pub(super) async fn create(call: &Call<'_>) -> Result<Reply, Refusal> {
    let params = call.params;
    let scopes = match params.get("scope").or_else(|| params.get("scopes")) {
        None => Ok(AskedScopes::default()),
        Some(Value::String(text)) => text.parse().map_err(|_| Refusal::scopes()),
        Some(_) => Err(Refusal::scopes()),
    }?;
    let new = NewAuthorization {
        scopes,
        note: note(params)?,
        life: params.get("expires_in").map_or(Life::Usual, life),
        reuse: params.get("reuse").is_some_and(is_yes),
    };
    let (shown, is_new) = call.door.app.create_authorization(call.caller, new, call.origin).await?;
    let reply = Reply::one(KIND, node(call, shown));
    Ok(if is_new {
        Reply { status: StatusCode::CREATED, ..reply }.saying("Create authorization")
    } else {
        reply.saying("Reused existing")
    })
}

/// `GET /user/authorization/{id}`.
pub(super) async fn show(call: &Call<'_>) -> Result<Reply, Refusal> {
    let wanted = call.door.app.wanted_authorization(call.id).filter(|_| call.reach == Reach::All);
    let wanted = wanted.ok_or_else(not_found)?;
    let shown = call.door.app.find_authorization(call.caller, wanted, call.origin).await?;
    Ok(Reply::one(KIND, node(call, shown)).saying("Display authorization"))
}

/// `PUT /user/authorization/{id}`: only the note changes.
pub(super) async fn update(call: &Call<'_>) -> Result<Reply, Refusal> {
    let app = &call.door.app;
    let wanted = app.wanted_authorization(call.id).ok_or_else(not_found)?;
    let shown = if call.params.has("note") {
        let note = note(call.params)?;
        app.note_authorization(call.caller, wanted, note, call.origin).await?
    } else {
        app.find_authorization(call.caller, wanted, call.origin).await?
    };
    Ok(Reply::one(KIND, node(call, shown)).saying("Change authorization"))
}

/// `DELETE /user/authorization/{id}`; there may be none.
pub(super) async fn delete(call: &Call<'_>) -> Result<Reply, Refusal> {
    if let Some(wanted) = call.door.app.wanted_authorization(call.id) {
        call.door.app.end_authorization(call.caller, wanted, call.origin).await?;
    }
    Ok(deleted(call, format!("Authorization {} is revoked.", call.id)))
}

/// `DELETE /user/authorizations`: all, or those with one scope.
pub(super) async fn delete_all(call: &Call<'_>) -> Result<Reply, Refusal> {
    let scope = match call.params.get("scope") {
        None => None,
        Some(Value::String(scope)) => Some(scope.clone()).filter(|s| !s.trim().is_empty()),
        Some(_) => return Err(Refusal::scopes()),
    };
    let user = user::id(call.caller);
    let text = match &scope {
        None => format!("All authorizations for {user} are revoked."),
        Some(scope) => format!("All authorizations for {user} with scope {scope} are revoked."),
    };
    call.door.app.end_authorizations(call.caller, scope, call.origin).await?;
    Ok(deleted(call, text))
}

fn deleted(call: &Call<'_>, text: String) -> Reply {
    let empty = call.style.version <= Version::EMPTY_DELETION;
    let status = if empty { StatusCode::NO_CONTENT } else { StatusCode::OK };
    Reply::none(status, Message::info(text))
}

fn not_found() -> Refusal {
    Error::NotFound(KIND).into()
}

fn node(call: &Call<'_>, shown: Shown) -> Node {
    let Shown { authorization, secret } = shown;
    let (life_s, left_s) = lives(&authorization, call.door.app.now());
    let id = authorization.id.text().replace('-', "");
    let links = links::of_authorization(&call.door.base, &id);
    let mut fields = vec![
        ("token", secret.map(|secret| secret.expose().to_owned()).into()),
        ("created_at", date(authorization.created_at).into()),
        ("expires_in", Node::Number(life_s)),
        ("expires_in_seconds", Node::Number(left_s)),
        ("note", authorization.note.into()),
        ("id", id.into()),
        ("scopes", authorization.scopes.into()),
        ("identity", authorization.identity.into()),
    ];
    if call.style.links {
        fields.push(("links", links));
    }
    Node::Object(fields)
}

fn note(params: &Params) -> Result<Option<Description>, Refusal> {
    let text = match params.get("note") {
        None => return Ok(None),
        Some(Value::String(text)) => text.clone(),
        Some(plain @ (Value::Number(_) | Value::Bool(_))) => plain.to_string(),
        Some(_) => return Err(Refusal::note("is not a text")),
    };
    let note = text.parse::<Description>();
    note.map(Some).map_err(|problem| match problem {
        TextError::TooLong(most) => {
            Refusal::note(&format!("is too long (maximum is {most} characters)"))
        }
        TextError::Nul => Refusal::note(&problem.to_string()),
    })
}

/// Whether a `reuse` means yes.
fn is_yes(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(yes) => *yes,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => {
            !matches!(text.trim().to_ascii_lowercase().as_str(), "" | "false" | "0")
        }
        Value::Array(_) | Value::Object(_) => true,
    }
}

/// The life that is asked for; what is no number, or negative, is the usual one.
fn life(value: &Value) -> Life {
    let seconds = match value {
        Value::String(text) => whole_number(text.trim()),
        Value::Number(number) => number.as_u64().or_else(|| cut(number.as_f64()?)),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    seconds.map_or(Life::Usual, Life::Seconds)
}

/// A number without its fraction; `None` for a negative one.
fn cut(number: f64) -> Option<u64> {
    let text = format!("{:.0}", number.trunc());
    whole_number(&text)
}

/// A whole number as Ruby reads it: `0x`, `0o` and `0b` before it, `_` between its digits. Too
/// large a one is as large as can be; a negative one is none.
fn whole_number(text: &str) -> Option<u64> {
    let text = text.strip_prefix('+').unwrap_or(text);
    let (digits, radix) = match text.get(..2).map(str::to_ascii_lowercase).as_deref() {
        Some("0x") => (text.get(2..)?, 16),
        Some("0o") => (text.get(2..)?, 8),
        Some("0b") => (text.get(2..)?, 2),
        _ => (text, 10),
    };
    let between = !digits.starts_with('_') && !digits.ends_with('_') && !digits.contains("__");
    let digits = digits.replace('_', "");
    if !between || digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return None;
    }
    Some(u64::from_str_radix(&digits, radix).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lives_are_read_as_whole_numbers() {
        for (value, seconds) in [
            (json!("60"), 60),
            (json!(" +1_000 "), 1000),
            (json!("0x10"), 16),
            (json!("0b11"), 3),
            (json!("0o17"), 15),
            (json!("010"), 10),
            (json!(300), 300),
            (json!(60.9), 60),
            (json!("0"), 0),
            (json!("99999999999999999999999"), u64::MAX),
            (json!(1e30), u64::MAX),
        ] {
            assert_eq!(life(&value), Life::Seconds(seconds), "{value}");
        }
        for value in [
            json!("soon"),
            json!("-1"),
            json!(-1),
            json!("1e3"),
            json!("60.5"),
            json!(""),
            json!("_1"),
            json!("1__0"),
            json!("0x"),
            json!("\u{e4}"),
            json!(true),
            json!([]),
            json!("5 5"),
        ] {
            assert_eq!(life(&value), Life::Usual, "{value}");
        }
    }

    #[test]
    fn reuse_is_wanted_or_not() {
        for yes in [json!(true), json!("true"), json!("yes"), json!(1)] {
            assert!(is_yes(&yes), "{yes}");
        }
        for no in [json!(false), json!("false"), json!("False"), json!(""), json!("0"), json!(0)] {
            assert!(!is_yes(&no), "{no}");
        }
    }
}
