//! P1, P2 and P3: what comes over HTTP while everything is remembered, each beside a bare server
//! that takes the same requests.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{
    HeaderValue, Request,
    header::{AUTHORIZATION, CONTENT_TYPE, HOST},
};
use http_body_util::Full;

use super::{
    Bench,
    hot::{Ask, Compared, Hot, compare},
    thousands,
};
use crate::{
    Outcome,
    stats::{median, ratio},
    table::{Goal, Row},
    yardstick::Kind,
};

/// A door that is asked, and beside whom.
#[derive(Clone, Copy)]
pub(crate) struct Asked {
    pub(crate) id: &'static str,
    pub(crate) what: &'static str,
    pub(crate) request: fn(&Ask) -> Outcome<Request<Full<Bytes>>>,
    bare: Kind,
    rate: Goal,
    p99: Option<Goal>,
}

/// P1: a proxy asks whether somebody may pull.
pub(crate) const FORWARD: Asked = Asked {
    id: "P1",
    what: "forward-auth, allowed",
    request: forward,
    bare: Kind::Headers,
    rate: Goal::AtLeast(0.80),
    p99: Some(Goal::AtMost(1.5)),
};

/// P2: somebody asks by AuthZEN whether he may pull.
pub(crate) const EVALUATION: Asked = Asked {
    id: "P2",
    what: "evaluation",
    request: evaluation,
    bare: Kind::Parse,
    rate: Goal::AtLeast(0.85),
    p99: None,
};

/// P3: a registry's client logs in with an app token and asks for one scope.
pub(crate) const REGISTRY: Asked = Asked {
    id: "P3",
    what: "registry token",
    request: registry,
    bare: Kind::Sign,
    rate: Goal::AtLeast(0.75),
    p99: None,
};

/// P2 against a server that does not even parse.
const OVER_CONSTANT: Goal = Goal::AtLeast(0.60);

fn header(text: String) -> Outcome<HeaderValue> {
    let mut value = HeaderValue::try_from(text)?;
    value.set_sensitive(true);
    Ok(value)
}

fn bearer(ask: &Ask) -> Outcome<HeaderValue> {
    header(format!("Bearer {}", ask.token()))
}

fn forward(ask: &Ask) -> Outcome<Request<Full<Bytes>>> {
    let original = format!("http://127.0.0.1/v2/{}/manifests/latest", ask.repository());
    let request = Request::get("/forward/nginx")
        .header(HOST, "127.0.0.1")
        .header("x-original-method", "GET")
        .header("x-original-url", original)
        .header(AUTHORIZATION, bearer(ask)?);
    Ok(request.body(Full::default())?)
}

fn evaluation(ask: &Ask) -> Outcome<Request<Full<Bytes>>> {
    let body = format!(
        concat!(
            r#"{{"subject":{{"type":"user","id":"{}"}},"action":{{"name":"pull"}},"#,
            r#""resource":{{"type":"repository","id":"{}"}}}}"#
        ),
        ask.user(),
        ask.repository()
    );
    let request = Request::post("/access/v1/evaluation")
        .header(HOST, "127.0.0.1")
        .header(CONTENT_TYPE, "application/json")
        .header(AUTHORIZATION, bearer(ask)?);
    Ok(request.body(Full::from(body))?)
}

fn registry(ask: &Ask) -> Outcome<Request<Full<Bytes>>> {
    let login = STANDARD.encode(format!("$app:{}", ask.token()));
    let scope = format!("repository%3A{}%3Apull", ask.repository().replace('/', "%2F"));
    let request = Request::get(format!("/v2/auth?service=registry&scope={scope}"))
        .header(HOST, "127.0.0.1")
        .header(AUTHORIZATION, header(format!("Basic {login}"))?);
    Ok(request.body(Full::default())?)
}

/// The rows of one door; `cold` is how many a second a server answers that reads every fact.
pub(crate) fn measure(bench: &Bench, hot: &Hot, asked: Asked, cold: f64) -> Outcome<Vec<Row>> {
    if asked.id != FORWARD.id {
        hot.ask_everything(asked)?; // at this one it was asked when it started
    }
    let compared = compare(bench, hot, asked, asked.bare)?;
    let Compared { figures, yardsticks, time, bare_time } = &compared;
    let (rates, bare_rates) = (figures.rates(), yardsticks.rates());
    let over_bare = ratio(&rates, &bare_rates);
    let per_second = |rate: f64| format!("{} req/s", thousands(rate));
    let row = |what: &str, figure: String, yardstick: String, ratio: f64, goal: Option<Goal>| Row {
        id: asked.id,
        what: format!("{}, {what}", asked.what),
        figure,
        yardstick,
        ratio: format!("{ratio:.2}"),
        goal: goal.map(|goal| goal.judge(ratio)),
    };
    let (rate, bare_rate) = (median(rates), median(bare_rates));
    let millis = |time: f64| format!("{time:.2} ms");
    let p99 = (figures.p99_ms(), yardsticks.p99_ms());
    let mut rows = vec![
        row(
            "facts remembered",
            per_second(rate),
            per_second(bare_rate),
            over_bare,
            Some(asked.rate),
        ),
        row("p99", millis(p99.0), millis(p99.1), p99.0 / p99.1, asked.p99),
        row(
            "processor time of the server",
            format!("{time:.1} µs"),
            format!("{bare_time:.1} µs"),
            time / bare_time,
            None,
        ),
        row("facts read first", per_second(cold), per_second(bare_rate), cold / bare_rate, None),
    ];
    if asked.bare == Kind::Parse {
        let compared = compare(bench, hot, asked, Kind::Constant)?;
        let (rates, bare_rates) = (compared.figures.rates(), compared.yardsticks.rates());
        let over_constant = ratio(&rates, &bare_rates);
        rows.insert(
            1,
            row(
                "over a server that does not parse",
                per_second(median(rates)),
                per_second(median(bare_rates)),
                over_constant,
                Some(OVER_CONSTANT),
            ),
        );
    }
    Ok(rows)
}
