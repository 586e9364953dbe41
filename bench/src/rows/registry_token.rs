//! P3: registry tokens for Basic logins with app tokens, against a bare server that signs.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{
    HeaderValue, Request,
    header::{AUTHORIZATION, HOST},
};
use http_body_util::Full;

use super::{Bench, spread, thousands};
use crate::{
    Outcome,
    load::{Load, Requests, Rounds, Target},
    process::Server,
    stats::{median, ratio},
    table::{Goal, Row},
    world::{Drawn, World},
};

const CONNECTIONS: usize = 32;
/// Users whose facts, and those of what they ask for, fit into the cache of a server as it comes.
const WARM: u64 = 50_000;
const GOAL: Goal = Goal::AtLeast(0.75);

/// Who asks for what: the address and the login of a request.
struct Ask {
    uri: String,
    login: HeaderValue,
}

impl Ask {
    fn of(world: &World, user: u64) -> Outcome<Self> {
        let drawn = Drawn::new("ask", user);
        let repository = world.repository_name(world.repository_for(user, &drawn));
        let (secret, _) = world.app_token(user, &drawn)?;
        let login = STANDARD.encode(format!("$app:{}", secret.expose()));
        let mut login = HeaderValue::try_from(format!("Basic {login}"))?;
        login.set_sensitive(true);
        let scope = format!("repository%3A{}%3Apull", repository.replace('/', "%2F"));
        Ok(Self { uri: format!("/v2/auth?service=registry&scope={scope}"), login })
    }

    fn request(&self) -> Outcome<Request<Full<Bytes>>> {
        let request = Request::get(&self.uri).header(HOST, "127.0.0.1");
        Ok(request.header(AUTHORIZATION, self.login.clone()).body(Full::default())?)
    }
}

/// The asks of a warm subset, in their order, or drawn from it.
fn requests(asks: &Arc<Vec<Ask>>, drawn: bool) -> Arc<Requests> {
    let asks = Arc::clone(asks);
    Arc::new(move |number| {
        let number = if drawn { spread(number, asks.len()) } else { number };
        asks.get(number).ok_or("there are fewer asks")?.request()
    })
}

pub(crate) fn measure(bench: &Bench) -> Outcome<Vec<Row>> {
    let users = bench.world.size.users.min(WARM);
    let asks = (0..users).map(|user| Ask::of(&bench.world, user)).collect::<Outcome<Vec<_>>>()?;
    let asks = Arc::new(asks);

    let server = Server::start(bench.program.serve(&bench.set), &bench.log("server"))?;
    let bare = Server::yardstick(&bench.log("yardstick"))?;
    let target = |server: &Server| Target { address: server.address, connections: CONNECTIONS };
    let (server_at, bare_at) = (target(&server), target(&bare));

    let load = Load::new()?;
    let cold = load.once(server_at, asks.len(), &requests(&asks, false))?;
    let drawn = requests(&asks, true);
    let before = (server.processor_seconds()?, bare.processor_seconds()?);
    let (mut figures, mut yardsticks) = (Rounds::default(), Rounds::default());
    for round in 0..bench.rounds() {
        // whoever goes first in one round goes last in the next
        if round % 2 == 0 {
            yardsticks.0.push(load.run(bare_at, bench.span(), &drawn)?);
            figures.0.push(load.run(server_at, bench.span(), &drawn)?);
        } else {
            figures.0.push(load.run(server_at, bench.span(), &drawn)?);
            yardsticks.0.push(load.run(bare_at, bench.span(), &drawn)?);
        }
    }
    let each = |server: &Server, before: f64, rounds: &Rounds| {
        Outcome::Ok((server.processor_seconds()? - before) / rounds.requests() * 1e6)
    };
    let time = each(&server, before.0, &figures)?;
    let bare_time = each(&bare, before.1, &yardsticks)?;
    let (rates, bare_rates) = (figures.rates(), yardsticks.rates());
    let ratio = ratio(&rates, &bare_rates);
    let yardstick = format!("{} req/s", thousands(median(bare_rates.iter().copied())));
    Ok(vec![
        Row {
            id: "P3",
            what: "registry token, facts cached".to_owned(),
            figure: format!("{} req/s", thousands(median(rates))),
            yardstick: yardstick.clone(),
            ratio: format!("{ratio:.2}"),
            goal: Some(GOAL.judge(ratio)),
        },
        Row {
            id: "P3",
            what: "registry token, p99".to_owned(),
            figure: format!("{:.2} ms", figures.p99_ms()),
            yardstick: format!("{:.2} ms", yardsticks.p99_ms()),
            ratio: format!("{:.2}", figures.p99_ms() / yardsticks.p99_ms()),
            goal: None,
        },
        Row {
            id: "P3",
            what: "registry token, processor time of the server".to_owned(),
            figure: format!("{time:.1} µs"),
            yardstick: format!("{bare_time:.1} µs"),
            ratio: format!("{:.2}", time / bare_time),
            goal: None,
        },
        Row {
            id: "P3",
            what: "registry token, facts read first".to_owned(),
            figure: format!("{} req/s", thousands(cold.rate)),
            ratio: format!("{:.2}", cold.rate / median(bare_rates)),
            yardstick,
            goal: None,
        },
    ])
}
