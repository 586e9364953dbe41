//! A server that has been asked about everything, so that it remembers it, and what asks it.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    path::Path,
    sync::Arc,
};

use super::{Bench, doors::Asked, in_turn, spread};
use crate::{
    Outcome,
    load::{Load, Requests, Rounds, Target},
    process::Server,
    rows::doors::FORWARD,
    world::{Drawn, Size, World},
    yardstick::Kind,
};

const CONNECTIONS: usize = 32;
/// Room for the facts of the whole data set.
const MEMORY: &str = "4GiB";
/// How many are asked of a server that remembers nothing.
const COLD: usize = 50_000;
/// As many as a server is asked before its memory is looked at.
pub(crate) const DECISIONS: usize = 1_000_000;

/// Who asks for what: his name, the repository and his token, one behind the other.
pub(crate) struct Ask {
    text: Box<str>,
    user: u16,
    repository: u16,
}

impl Ask {
    /// Somebody who comes with the app token `token`, and asks for what he may pull.
    fn of(world: &World, token: u64) -> Outcome<Self> {
        let user = token / Size::TOKENS_EACH;
        let repository = world.repository_for(user, &Drawn::new("ask", token));
        let (user, repository) = (World::user_name(user), world.repository_name(repository));
        let (_, secret, _) = world.token(token);
        let ends = (user.len().try_into()?, (user.len() + repository.len()).try_into()?);
        let text = [user.as_str(), repository.as_str(), secret.expose()].concat().into();
        Ok(Self { text, user: ends.0, repository: ends.1 })
    }

    fn part(&self, from: u16, to: usize) -> &str {
        self.text.get(usize::from(from)..to).unwrap_or_default()
    }

    pub(crate) fn user(&self) -> &str {
        self.part(0, self.user.into())
    }

    pub(crate) fn repository(&self) -> &str {
        self.part(self.user, self.repository.into())
    }

    pub(crate) fn token(&self) -> &str {
        self.part(self.repository, self.text.len())
    }
}

/// Somebody for each app token of the world, or for `most` of them, in an order without a pattern.
fn asks(world: &World, most: usize) -> Outcome<Arc<Vec<Ask>>> {
    let each = Size::TOKENS_EACH - 1;
    let all = world.size.users * each;
    // prime to all numbers of tokens that there are
    let place = |number: u64| number * 7_919 % all;
    let ask = |number| {
        let app = place(number);
        Ask::of(world, app / each * Size::TOKENS_EACH + app % each)
    };
    let most = u64::try_from(most).unwrap_or(u64::MAX);
    (0..all.min(most)).map(ask).collect::<Outcome<_>>().map(Arc::new)
}

/// Requests of `asked` in the order of the asks, or drawn from them.
fn requests(asks: &Arc<Vec<Ask>>, asked: Asked, drawn: bool) -> Arc<Requests> {
    let asks = Arc::clone(asks);
    Arc::new(move |number| {
        let number = if drawn { spread(number, asks.len()) } else { number };
        (asked.request)(asks.get(number).ok_or("there are fewer asks")?)
    })
}

/// A server that remembers the facts of all that it is asked.
pub(crate) struct Hot {
    pub(crate) server: Server,
    load: Load,
    asks: Arc<Vec<Ask>>,
}

impl Hot {
    /// Starts a server on the data set in `set`, and asks it everything once.
    pub(crate) fn start(bench: &Bench, set: &Path, world: &World, log: &str) -> Outcome<Self> {
        let server = serve(bench, set, log)?;
        let hot = Self { server, load: Load::new()?, asks: asks(world, DECISIONS)? };
        hot.ask_everything(FORWARD)?;
        Ok(hot)
    }

    /// Asks everything once at one door: each looks at facts that another does not.
    pub(crate) fn ask_everything(&self, asked: Asked) -> Outcome<()> {
        let all = requests(&self.asks, asked, false);
        self.load.once(self.target(), self.asks.len(), &all).map(drop)
    }

    fn target(&self) -> Target {
        Target { address: self.server.address, connections: CONNECTIONS }
    }

    /// Asks until there were [`DECISIONS`], counting those of the start.
    pub(crate) fn complete(&self) -> Outcome<()> {
        let drawn = requests(&self.asks, FORWARD, true);
        let missing = DECISIONS.saturating_sub(self.asks.len());
        self.load.once(self.target(), missing, &drawn).map(drop)
    }

    /// How many a second a server answers that has to read every fact.
    pub(crate) fn cold(bench: &Bench, asked: Asked) -> Outcome<f64> {
        let server = serve(bench, &bench.set, "cold")?;
        let asks = asks(&bench.world, COLD)?;
        let target = Target { address: server.address, connections: CONNECTIONS };
        let round = Load::new()?.once(target, asks.len(), &requests(&asks, asked, false))?;
        Ok(round.rate)
    }

    /// The numbers of `/metrics`.
    pub(crate) fn metrics(&self) -> Outcome<String> {
        let mut stream = TcpStream::connect(self.server.address)?;
        stream.write_all(b"GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }
}

/// A server with room for everything, and with the routes of a registry.
fn serve(bench: &Bench, set: &Path, log: &str) -> Outcome<Server> {
    let mut command = bench.program.serve(set);
    command.env("CLAVIGER_CACHE_MEMORY", MEMORY).env("CLAVIGER_FORWARD_PRESET", "registry");
    Server::start(command, &bench.log(log))
}

/// A server and a bare one, in turn under the same load.
pub(crate) struct Compared {
    pub(crate) figures: Rounds,
    pub(crate) yardsticks: Rounds,
    /// Microseconds of processor time that an answer took.
    pub(crate) time: f64,
    pub(crate) bare_time: f64,
}

/// Asks `hot` and a bare server of `kind` in turn, with keys drawn at random.
pub(crate) fn compare(bench: &Bench, hot: &Hot, asked: Asked, kind: Kind) -> Outcome<Compared> {
    let bare = Server::yardstick(kind, &bench.log("yardstick"))?;
    let bare_at = Target { address: bare.address, connections: CONNECTIONS };
    let drawn = requests(&hot.asks, asked, true);
    let (load, span) = (&hot.load, bench.span());
    // both are awake
    load.run(bare_at, span / 4, &drawn)?;
    load.run(hot.target(), span / 4, &drawn)?;
    let before = (hot.server.processor_seconds()?, bare.processor_seconds()?);
    let (mut figures, mut yardsticks) = (Rounds::default(), Rounds::default());
    for round in 0..bench.rounds() {
        let (figure, yardstick) = in_turn(
            round,
            || load.run(hot.target(), span, &drawn),
            || load.run(bare_at, span, &drawn),
        )?;
        figures.0.push(figure);
        yardsticks.0.push(yardstick);
    }
    let each = |server: &Server, before: f64, rounds: &Rounds| {
        Outcome::Ok((server.processor_seconds()? - before) / rounds.requests() * 1e6)
    };
    let time = each(&hot.server, before.0, &figures)?;
    let bare_time = each(&bare, before.1, &yardsticks)?;
    Ok(Compared { figures, yardsticks, time, bare_time })
}

/// Two servers that remember what they are asked, in turn under loads of their own.
pub(crate) fn beside(
    bench: &Bench,
    first: &Hot,
    second: &Hot,
    asked: Asked,
) -> Outcome<(Rounds, Rounds)> {
    let (mut firsts, mut seconds) = (Rounds::default(), Rounds::default());
    let run =
        |hot: &Hot| hot.load.run(hot.target(), bench.span(), &requests(&hot.asks, asked, true));
    for round in 0..bench.rounds() {
        let (one, other) = in_turn(round, || run(first), || run(second))?;
        firsts.0.push(one);
        seconds.0.push(other);
    }
    Ok((firsts, seconds))
}
