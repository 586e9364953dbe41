//! The accept loop: connections in, answers out, and a graceful end.
//!
//! HTTP/1.1 only: it is what registries, proxies and command-line clients speak to a server of
//! this kind. A connection costs a task and a small buffer, so that thousands may idle; whoever
//! is slow (with the handshake, the head, the body, or with taking the answer) is closed.

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
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::{GracefulShutdown, Watcher},
};
use rustix::net::{listen, sockopt::set_socket_send_buffer_size};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;

use self::stall::Stall;
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
    let graceful = GracefulShutdown::new();
    let (cut, uncut) = watch::channel(());
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
        let (server, watcher, mut uncut) = (Arc::clone(&server), graceful.watcher(), uncut.clone());
        tokio::spawn(async move {
            server.metrics.connections().fetch_add(1, Relaxed);
            tokio::select! {
                () = server.connection(stream, peer, watcher) => {}
                _ = uncut.changed() => {}
            }
            server.metrics.connections().fetch_sub(1, Relaxed);
            drop(place);
        });
    }
    drop(listener);
    if timeout(limits.drain, graceful.shutdown()).await.is_err() {
        tracing::warn!("some requests did not finish in time and were cut off");
    }
    drop(cut);
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
    async fn connection(&self, stream: TcpStream, peer: SocketAddr, watcher: Watcher) {
        let _ = stream.set_nodelay(true); // only costs latency if refused
        // left alone, the system keeps megabytes for a client that takes nothing
        let _ = set_socket_send_buffer_size(&stream, self.limits.send_bytes);
        match &self.tls {
            None => self.talk(stream, peer, watcher).await,
            Some(tls) => match timeout(self.limits.handshake, tls().accept(stream)).await {
                Ok(Ok(stream)) => self.talk(stream, peer, watcher).await,
                Ok(Err(error)) => tracing::debug!(%error, "TLS handshake failed"),
                Err(_) => tracing::debug!("TLS handshake took too long"),
            },
        }
    }

    async fn talk<T>(&self, stream: T, peer: SocketAddr, watcher: Watcher)
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
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.head)
            .max_header_size(self.limits.head_bytes)
            .max_buf_size(self.limits.head_bytes * 2)
            .serve_connection(TokioIo::new(Stall::new(stream, self.limits.stall)), service);
        if let Err(error) = watcher.watch(connection).await {
            tracing::debug!(%error, "connection ended early");
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
