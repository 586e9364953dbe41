//! A load of requests: so many connections that stay open, each with one request in flight. It has
//! as many threads as the server, so that the system shares the machine out between them.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, runtime::Runtime, task::JoinSet};

use crate::{Outcome, stats::median};

/// Where to and how many at a time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    pub(crate) connections: usize,
}

/// What one round has shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Round {
    /// Requests in all.
    pub(crate) requests: f64,
    /// Requests in a second.
    pub(crate) rate: f64,
    /// The time that 99 of 100 requests kept, in milliseconds.
    pub(crate) p99_ms: f64,
}

impl Round {
    fn of(mut times: Vec<Duration>, took: Duration) -> Self {
        times.sort_unstable();
        let place = times.len().saturating_sub(1) * 99 / 100;
        let p99 = times.get(place).copied().unwrap_or_default();
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        let requests = times.len() as f64;
        Self { requests, rate: requests / took.as_secs_f64(), p99_ms: p99.as_secs_f64() * 1000.0 }
    }
}

/// Several rounds.
#[derive(Debug, Default)]
pub(crate) struct Rounds(pub(crate) Vec<Round>);

impl Rounds {
    pub(crate) fn rates(&self) -> Vec<f64> {
        self.0.iter().map(|round| round.rate).collect()
    }

    pub(crate) fn requests(&self) -> f64 {
        self.0.iter().map(|round| round.requests).sum()
    }

    pub(crate) fn p99_ms(&self) -> f64 {
        median(self.0.iter().map(|round| round.p99_ms))
    }
}

/// Makes the request with a number.
pub(crate) type Requests = dyn Fn(usize) -> Outcome<Request<Full<Bytes>>> + Send + Sync;

/// Sends requests.
pub(crate) struct Load(Runtime);

impl Load {
    pub(crate) fn new() -> Outcome<Self> {
        Ok(Self(tokio::runtime::Builder::new_multi_thread().enable_all().build()?))
    }

    /// Sends as many requests as are answered within `span`. Every answer must be a success.
    pub(crate) fn run(
        &self,
        target: Target,
        span: Duration,
        requests: &Arc<Requests>,
    ) -> Outcome<Round> {
        let end = Instant::now() + span;
        self.send(target, requests, move |_| Instant::now() < end)
    }

    /// Sends the requests below `count`, each once.
    pub(crate) fn once(
        &self,
        target: Target,
        count: usize,
        requests: &Arc<Requests>,
    ) -> Outcome<Round> {
        self.send(target, requests, move |number| number < count)
    }

    /// Sends requests for as long as `more` allows.
    fn send(
        &self,
        target: Target,
        requests: &Arc<Requests>,
        more: impl Fn(usize) -> bool + Copy + Send + 'static,
    ) -> Outcome<Round> {
        let started = Instant::now();
        let times = Arc::<Mutex<Vec<Duration>>>::default();
        self.0.block_on(async {
            let mut clients = JoinSet::new();
            for first in 0..target.connections {
                let (requests, times) = (Arc::clone(requests), Arc::clone(&times));
                clients.spawn(async move {
                    let mut sender = connect(target.address).await?;
                    let mut own = Vec::new();
                    let mut number = first;
                    while more(number) {
                        let request = requests(number)?;
                        let sent = Instant::now();
                        answered(&mut sender, request).await?;
                        own.push(sent.elapsed());
                        number += target.connections;
                    }
                    times.lock().unwrap_or_else(PoisonError::into_inner).append(&mut own);
                    Ok(())
                });
            }
            while let Some(client) = clients.join_next().await {
                let outcome: Outcome<()> = client?;
                outcome?;
            }
            Outcome::Ok(())
        })?;
        let took = started.elapsed();
        let times = std::mem::take(&mut *times.lock().unwrap_or_else(PoisonError::into_inner));
        Ok(Round::of(times, took))
    }
}

async fn connect(address: SocketAddr) -> Outcome<SendRequest<Full<Bytes>>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

/// Sends one request and reads the whole answer.
async fn answered(
    sender: &mut SendRequest<Full<Bytes>>,
    request: Request<Full<Bytes>>,
) -> Outcome<()> {
    sender.ready().await?;
    let (head, mut body) = sender.send_request(request).await?.into_parts();
    if !head.status.is_success() {
        let text = body.collect().await?.to_bytes();
        return Err(format!("{}: {}", head.status, String::from_utf8_lossy(&text)).into());
    }
    while let Some(frame) = body.frame().await {
        frame?;
    }
    Ok(())
}
