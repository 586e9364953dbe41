//! Spans on their way to the collector, in batches, one request each.

use std::{
    fmt,
    str::FromStr,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, StatusCode, Uri, header};
use http_body_util::Full;
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::mpsc::Receiver,
    time::{sleep, timeout},
};
use tokio_rustls::{
    TlsConnector,
    rustls::{ClientConfig, RootCertStore, pki_types::ServerName},
};

use super::{Span, Tracer, message};

/// How many spans go together at most, and how long the first of them waits for others.
const BATCH: usize = 512;
const GATHER: Duration = Duration::from_secs(1);
/// How long the collector may take for a batch.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long the last batches may take together when the program ends.
const FAREWELL: Duration = Duration::from_secs(2);

type Problem = Box<dyn std::error::Error + Send + Sync>;

/// Where a collector takes spans.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    https: bool,
    host: String,
    port: u16,
    path: String,
}

impl FromStr for Endpoint {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let problem = "must be the URL of a collector, such as `http://127.0.0.1:4318`";
        let uri: Uri = text.parse().map_err(|_| problem)?;
        let https = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(problem),
        };
        let authority = uri.authority().ok_or(problem)?;
        if authority.as_str().contains('@') || uri.query().is_some() {
            return Err(problem);
        }
        let port = authority.port_u16().unwrap_or(if https { 443 } else { 80 });
        let path = match uri.path() {
            "/" | "" => "/v1/traces",
            path => path,
        };
        Ok(Self { https, host: authority.host().to_owned(), port, path: path.to_owned() })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.https { "https" } else { "http" };
        write!(f, "{scheme}://{}:{}{}", self.host, self.port, self.path)
    }
}

/// Hands spans to the collector at `endpoint` until `end`, and then those that wait.
pub async fn export(
    endpoint: Endpoint,
    tracer: Arc<Tracer>,
    mut spans: Receiver<Span>,
    end: impl Future<Output = ()>,
) {
    let mut exporter = Exporter::new(endpoint, tracer);
    let mut batch = Vec::with_capacity(BATCH);
    tokio::pin!(end);
    loop {
        let next = async {
            gather(&mut spans, &mut batch).await;
            exporter.hand_over(&mut batch, PATIENCE).await;
        };
        tokio::select! {
            () = &mut end => break,
            () = next => {}
        }
    }
    spans.close();
    let last = async {
        while !batch.is_empty() || spans.recv_many(&mut batch, BATCH).await > 0 {
            exporter.hand_over(&mut batch, FAREWELL).await;
        }
    };
    let _ = timeout(FAREWELL, last).await; // what is left is lost with the program
}

/// Fills the batch; it may be left half full at any moment, and go on.
async fn gather(spans: &mut Receiver<Span>, batch: &mut Vec<Span>) {
    if batch.is_empty() {
        spans.recv_many(batch, BATCH).await;
    }
    let more = async {
        while batch.len() < BATCH {
            let room = BATCH - batch.len();
            spans.recv_many(batch, room).await;
        }
    };
    let _ = timeout(GATHER, more).await; // those that came are enough
}

struct Exporter {
    endpoint: Endpoint,
    tracer: Arc<Tracer>,
    tls: Option<TlsConnector>,
    instance: String,
    /// Whether the last batch was taken.
    well: bool,
}

impl Exporter {
    fn new(endpoint: Endpoint, tracer: Arc<Tracer>) -> Self {
        let tls = endpoint.https.then(|| {
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            let config = ClientConfig::builder().with_root_certificates(roots);
            TlsConnector::from(Arc::new(config.with_no_client_auth()))
        });
        let mut instance = [0; 8];
        tracer.chance.fill(&mut instance);
        Self { endpoint, tracer, tls, instance: message::hex(&instance), well: true }
    }

    /// Sends a batch, which is empty afterwards, whatever came of it.
    async fn hand_over(&mut self, batch: &mut Vec<Span>, patience: Duration) {
        let count = u64::try_from(batch.len()).unwrap_or_default();
        let body = message::of(batch, &self.instance);
        let outcome = match timeout(patience, self.send(body)).await {
            Ok(outcome) => outcome,
            Err(_) => Err("it took too long".into()),
        };
        batch.clear();
        match outcome {
            Ok(()) => {
                self.tracer.sent.fetch_add(count, Relaxed);
                if !self.well {
                    tracing::info!("the collector of traces takes spans again");
                }
                self.well = true;
            }
            Err(error) => {
                self.tracer.failed.fetch_add(count, Relaxed);
                // once, not once a second
                if self.well {
                    let endpoint = &self.endpoint;
                    tracing::warn!(%error, %endpoint, "the collector of traces takes no spans");
                }
                self.well = false;
                sleep(GATHER.min(patience)).await;
            }
        }
    }

    async fn send(&self, body: String) -> Result<(), Problem> {
        let Endpoint { host, port, .. } = &self.endpoint;
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let stream = TcpStream::connect((bare, *port)).await?;
        match &self.tls {
            None => self.post(stream, body).await,
            Some(tls) => {
                let name = ServerName::try_from(bare.to_owned())?;
                self.post(tls.connect(name, stream).await?, body).await
            }
        }
    }

    async fn post<T>(&self, stream: T, body: String) -> Result<(), Problem>
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (mut sender, connection) = handshake(TokioIo::new(stream)).await?;
        let Endpoint { host, port, path, .. } = &self.endpoint;
        let request = Request::post(path)
            .header(header::HOST, format!("{host}:{port}"))
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body)))?;
        let answer = async {
            let status = sender.send_request(request).await?.status();
            let taken = status == StatusCode::OK || status == StatusCode::ACCEPTED;
            taken.then_some(()).ok_or_else(|| Problem::from(format!("it answered {status}")))
        };
        // the connection ends when the answer is there
        tokio::select! {
            answer = answer => answer,
            ended = connection => Err(ended.err().map_or_else(|| "it hung up".into(), Into::into)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoint_is_a_url_with_a_path_of_its_own_or_the_usual_one() {
        for (given, shown) in [
            ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces"),
            ("http://collector/", "http://collector:80/v1/traces"),
            ("https://otel.example.com/x/traces", "https://otel.example.com:443/x/traces"),
            ("http://[::1]:4318", "http://[::1]:4318/v1/traces"),
        ] {
            let endpoint: Endpoint = given.parse().unwrap();
            assert_eq!(endpoint.to_string(), shown);
            assert_eq!(shown.parse(), Ok(endpoint));
        }
        for bad in ["", "collector:4318", "grpc://x:4317", "http://u:p@x", "http://x/?key=1", "/v1"]
        {
            assert!(bad.parse::<Endpoint>().is_err(), "{bad}");
        }
    }
}
