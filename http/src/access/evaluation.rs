//! Evaluations: one question, or several at once. Several are answered as if each had been asked
//! alone: nothing is shared between them but who asks.

use std::sync::{Arc, LazyLock};

use axum::{
    extract::{Request, State},
    response::Response,
};
use bytes::Bytes;
use claviger_service::App;
use http::header::CONTENT_TYPE;
use serde::Serialize;
use serde_json::value::RawValue;

use super::{
    Access, JSON,
    body::{Asked, Batch, Semantic, Tuple, read},
    gate::{self, Call},
    refusal::{Refusal, Shown},
};
use crate::{
    Visit,
    headers::{Layout, NOWHERE},
    told::Told,
};

/// The headers of a decision: what it is, and that nobody keeps it.
static DECIDED: LazyLock<Layout> = LazyLock::new(|| Layout::new([(CONTENT_TYPE, JSON), NOWHERE]));

/// `POST /access/v1/evaluation`: one question.
pub(super) async fn one(
    access: Arc<Access>,
    visit: Visit,
    request: Request,
) -> Result<Response, Refusal> {
    let knock = gate::knock(&access.app, request).await?;
    let early = knock.body();
    let tuple = early.as_deref().map(read::<Tuple<'_>>);
    let soon = tuple.as_ref().and_then(|tuple| tuple.as_ref().ok()?.repository());
    let call = knock.enter(&access.app, &visit, soon.as_ref()).await?;
    let tuple = tuple.unwrap_or_else(|| read(&call.body))?;
    Ok(answer(alone(&access.app, &call, &tuple).await?))
}

/// `POST /access/v1/evaluations`: several questions; without any, the one that the request is.
pub(super) async fn many(
    State(access): State<Arc<Access>>,
    visit: Visit,
    request: Request,
) -> Result<Response, Refusal> {
    let call = gate::enter(&access.app, &visit, request).await?;
    let (defaults, items, semantic) = read::<Batch<'_>>(&call.body)?.parts()?;
    if items.is_empty() {
        return Ok(answer(alone(&access.app, &call, &defaults).await?));
    }
    let mut body = Vec::with_capacity(32 + items.len() * 24);
    body.extend_from_slice(br#"{"evaluations":["#);
    for (at, item) in items.into_iter().enumerate() {
        let (allowed, text) = match within(&access.app, &call, item, &defaults).await {
            Ok(answered) => answered,
            Err(refusal) if refusal.is_of_the_client() => (false, refused(&refusal)),
            // trouble of our own is everybody's: nothing that was asked here can be relied on
            Err(refusal) => return Err(refusal),
        };
        if at > 0 {
            body.push(b',');
        }
        body.extend_from_slice(&text);
        match semantic {
            Semantic::DenyOnFirstDeny if !allowed => break,
            Semantic::PermitOnFirstPermit if allowed => break,
            _ => {}
        }
    }
    body.extend_from_slice(b"]}");
    Ok(answer((true, body.into())))
}

/// A decision, and the JSON that says it.
type Answered = (bool, Bytes);

async fn alone(app: &App, call: &Call, tuple: &Tuple<'_>) -> Result<Answered, Refusal> {
    decide(app, call, &tuple.question(None)?).await
}

async fn within(
    app: &App,
    call: &Call,
    item: &RawValue,
    defaults: &Tuple<'_>,
) -> Result<Answered, Refusal> {
    let item: Tuple<'_> = read(item.get().as_bytes())?;
    decide(app, call, &item.question(Some(defaults))?).await
}

async fn decide(app: &App, call: &Call, asked: &Asked<'_>) -> Result<Answered, Refusal> {
    if asked.explain {
        let why = app.explain(&call.caller, &asked.question, &call.origin).await?;
        let told = Explained { decision: why.allowed, context: Told::of(&why) };
        return Ok((why.allowed, serde_json::to_vec(&told).unwrap_or_default().into()));
    }
    let allowed = app.ask(&call.caller, &asked.question, &call.origin).await?;
    let text: &[u8] = if allowed { br#"{"decision":true}"# } else { br#"{"decision":false}"# };
    Ok((allowed, Bytes::from_static(text)))
}

fn answer((_, body): Answered) -> Response {
    DECIDED.answer(body)
}

#[derive(Serialize)]
struct Explained<'a> {
    decision: bool,
    context: Told<'a>,
}

#[derive(Serialize)]
struct Refused<'a> {
    decision: bool,
    context: Trouble<'a>,
}

#[derive(Serialize)]
struct Trouble<'a> {
    error: Shown<'a>,
}

/// A question among several that cannot be answered.
fn refused(refusal: &Refusal) -> Bytes {
    let refused = Refused { decision: false, context: Trouble { error: refusal.shown() } };
    serde_json::to_vec(&refused).unwrap_or_default().into()
}
