//! The accept loop: connections in, answers out, and a graceful end.
//!
//! HTTP/1.1 only: it is what registries, proxies and command-line clients speak to a server of
//! this kind. A connection costs a task and a small buffer, so that thousands may idle; whoever
//! is slow (with the handshake, the head, the body, or with taking the answer) is closed.

mod heads;
mod seldom;
mod stall;

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use axum::body::Body;
use hyper::{
    body::{Body as _, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use rustix::net::{listen, sockopt::set_socket_send_buffer_size};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;

use self::{heads::Heads, seldom::Seldom, stall::Stall};
use crate::{Site, metrics::Metrics, origin::Peer};

/// Gives the acceptor for the next connection, so that certificates can be swapped while running.
pub type Tls = Arc<dyn Fn() -> TlsAcceptor + Send + Sync>;

/// How much of everything a server takes.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Open connections; further ones wait in the system's queue.
    pub connections: usize,
    /// The length of that queue, if the system allows it (`net.core.somaxconn`).
    pub waiting: i32,
    /// The TLS handshake.
    pub handshake: Duration,
    /// From the opening of a connection, or the last answer, to the end of the next head. A
    /// connection that idles longer is closed.
    pub head: Duration,
    /// How long a client may take no byte of an answer.
    pub stall: Duration,
    /// How long requests in flight may take when the server stops.
    pub drain: Duration,
    /// The size of a head, in bytes. (It has at most 100 headers.)
    pub head_bytes: usize,
    /// What of an answer may wait in the system for a client that does not take it, in bytes.
    pub send_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 16_384,
            waiting: 4096,
            handshake: Duration::from_secs(10),
            head: Duration::from_secs(60),
            stall: Duration::from_secs(30),
            drain: Duration::from_secs(30),
            head_bytes: 64 << 10,
            send_bytes: 256 << 10,
        }
    }
}

/// How long to wait after the system refused a connection (mostly: too many open files).
const REFUSED_PAUSE: Duration = Duration::from_millis(50);

/// How far the server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Open,
    /// Requests in flight may finish.
    Closing,
    /// Whatever is left is cut off.
    Over,
}

struct Server {
    site: Arc<Site>,
    metrics: Arc<Metrics>,
    tls: Option<Tls>,
    limits: Limits,
}

/// Serves `site` on `listener` until `shutdown`, then lets requests in flight finish.
pub async fn serve(
    listener: TcpListener,
    site: Arc<Site>,
    metrics: Arc<Metrics>,
    tls: Option<Tls>,
    limits: Limits,
    shutdown: impl Future<Output = ()>,
) {
    // thousands who come back at once would otherwise be let wait for seconds by the system
    if let Err(error) = listen(&listener, limits.waiting) {
        tracing::warn!(%error, "the queue of new connections stays as short as it is");
    }
    let server = Arc::new(Server { site, metrics, tls, limits });
    let room = Arc::new(Semaphore::new(limits.connections));
    let (phase, phases) = watch::channel(Phase::Open);
    tokio::pin!(shutdown);
    loop {
        let admitted = async {
            let place = Arc::clone(&room).acquire_owned().await;
            (place, accept(&listener).await)
        };
        let (place, (stream, peer)) = tokio::select! {
            () = &mut shutdown => break,
            admitted = admitted => admitted,
        };
        let (server, phases) = (Arc::clone(&server), phases.clone());
        tokio::spawn(async move {
            server.metrics.connections().fetch_add(1, Relaxed);
            server.connection(stream, peer, phases).await;
            server.metrics.connections().fetch_sub(1, Relaxed);
            drop(place);
        });
    }
    drop(listener);
    phase.send_replace(Phase::Closing);
    let everyone = u32::try_from(limits.connections).unwrap_or(u32::MAX);
    if timeout(limits.drain, room.acquire_many(everyone)).await.is_err() {
        tracing::warn!("some requests did not finish in time and were cut off");
    }
    phase.send_replace(Phase::Over);
}

/// Waits until the server is as far as `phase`, or gone.
async fn reached(phases: &mut watch::Receiver<Phase>, phase: Phase) {
    let _ = phases.wait_for(|now| *now >= phase).await;
}

async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                sleep(REFUSED_PAUSE).await;
            }
        }
    }
}

impl Server {
    async fn connection(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        mut phases: watch::Receiver<Phase>,
    ) {
        let _ = stream.set_nodelay(true); // only costs latency if refused
        // left alone, the system keeps megabytes for a client that takes nothing
        let _ = set_socket_send_buffer_size(&stream, self.limits.send_bytes);
        let Some(tls) = &self.tls else { return self.talk(stream, peer, phases).await };
        let shaken = tokio::select! {
            () = reached(&mut phases, Phase::Over) => return,
            shaken = timeout(self.limits.handshake, tls().accept(stream)) => shaken,
        };
        match shaken {
            Ok(Ok(stream)) => self.talk(stream, peer, phases).await,
            Ok(Err(error)) => tracing::debug!(%error, "TLS handshake failed"),
            Err(_) => tracing::debug!("TLS handshake took too long"),
        }
    }

    async fn talk<T>(&self, stream: T, peer: SocketAddr, mut phases: watch::Receiver<Phase>)
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let peer = Some(Peer(peer));
        let service = service_fn(|request: http::Request<Incoming>| {
            let request = request.map(|body| {
                // most have none, and no body costs nothing
                if body.is_end_stream() { Body::empty() } else { Body::new(body) }
            });
            self.site.serve(peer, request)
        });
        let heads = Heads::new(self.limits.head);
        let connection = http1::Builder::new()
            .timer(heads.timer())
            .header_read_timeout(self.limits.head)
            // a request whose client has said all is answered; to look for the end of the stream
            // while it is, would take another buffer for each request
            .half_close(true)
            .max_header_size(self.limits.head_bytes)
            .max_buf_size(self.limits.head_bytes * 2)
            .serve_connection(TokioIo::new(Stall::new(stream, self.limits.stall)), service);
        tokio::pin!(connection);
        for phase in [Phase::Closing, Phase::Over] {
            let event = Seldom::new(async {
                tokio::select! {
                    () = heads.watch() => {}
                    () = reached(&mut phases, phase) => {}
                }
            });
            let ended = tokio::select! {
                biased; // an event is something that the connection is to see
                () = event => None,
                ended = &mut connection => Some(ended),
            };
            match ended {
                None => connection.as_mut().graceful_shutdown(),
                Some(Ok(())) => return,
                Some(Err(error)) => return tracing::debug!(%error, "connection ended early"),
            }
        }
    }
}

/// Raises the number of files that this process may open to what the system allows, so that
/// thousands of connections do not run into the default of 1024.
///
/// # Errors
/// When the system refuses.
pub fn raise_open_files() -> io::Result<()> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })?;
    Ok(())
}
