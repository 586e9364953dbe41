//! The accept loop, met over real sockets: slow clients, many idle ones, stopping, TLS.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{body::Body, response::Response};
use claviger_domain::time::Chance;
use claviger_http::{
    Face, Porch, Routes, Site, limit,
    server::{Limits, Tls, serve},
};
use http::{Method, StatusCode, request::Parts};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinHandle,
    time::{sleep, timeout},
};
use tokio_rustls::{TlsAcceptor, TlsConnector, rustls};

struct Zeros;

impl Chance for Zeros {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(0);
    }
}

struct Words;

fn status(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

impl Face for Words {
    fn no_such_path(&self, _: &Parts) -> Response {
        status(StatusCode::NOT_FOUND)
    }
    fn no_such_method(&self, _: &Parts, _: &[Method]) -> Response {
        status(StatusCode::METHOD_NOT_ALLOWED)
    }
    fn too_large(&self) -> Response {
        status(StatusCode::PAYLOAD_TOO_LARGE)
    }
    fn internal(&self) -> Response {
        status(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

async fn echo(body: Body) -> Response {
    match limit::read(body).await {
        Ok(body) => Response::new(Body::from(body)),
        Err(_) => Words.too_large(),
    }
}

async fn slow() -> &'static str {
    sleep(Duration::from_millis(300)).await;
    "done"
}

fn site() -> (Arc<Site>, Arc<Porch>) {
    let porch = Arc::new(Porch {
        body_limit: 1 << 20,
        trusted_proxies: Vec::new(),
        chance: Arc::new(Zeros),
        metrics: Arc::default(),
    });
    let door = Routes::new("test", &["/"])
        .get("/", async || "hello")
        .get("/slow", slow)
        .get("/large", async || vec![b'x'; 64 << 20])
        .post("/unread", async || StatusCode::UNAUTHORIZED)
        .post("/echo", echo)
        .open(&porch, (), Words);
    (Arc::new(Site::new(vec![door])), porch)
}

struct Running {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<()>,
}

async fn start(limits: Limits, tls: Option<Tls>) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let (site, porch) = site();
    let metrics = Arc::clone(&porch.metrics);
    let ended = tokio::spawn(async move {
        serve(listener, site, metrics, tls, limits, async { drop(stopped.await) }).await;
    });
    Running { address, stop, ended }
}

async fn connect(running: &Running) -> TcpStream {
    TcpStream::connect(running.address).await.unwrap()
}

/// The head of the answer, and what came of the body with it.
async fn answer(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut text = Vec::new();
    while !text.windows(4).any(|four| four == b"\r\n\r\n") {
        let mut buffer = [0; 4096];
        match stream.read(&mut buffer).await {
            Ok(0) => break,
            Ok(n) => text.extend_from_slice(buffer.get(..n).unwrap()),
            Err(error) => panic!("{error} after {text:?}"),
        }
    }
    String::from_utf8(text).unwrap()
}

async fn ask<T: AsyncRead + AsyncWrite + Unpin>(stream: &mut T, target: &str) -> String {
    let request = format!("GET {target} HTTP/1.1\r\nhost: x\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    answer(stream).await
}

async fn is_closed(stream: &mut TcpStream) -> bool {
    let mut buffer = Vec::new();
    let read = timeout(Duration::from_secs(5), stream.read_to_end(&mut buffer)).await;
    read.is_ok_and(|read| read.is_err() || buffer.is_empty() || buffer.starts_with(b"HTTP/1.1 408"))
}

#[tokio::test]
async fn connection_answers_one_request_after_another() {
    let running = start(Limits::default(), None).await;
    let mut stream = connect(&running).await;
    for _ in 0..3 {
        let text = ask(&mut stream, "/").await;
        assert!(text.starts_with("HTTP/1.1 200") && text.ends_with("hello"), "{text}");
    }
}

#[tokio::test]
async fn slow_head_and_idle_connection_are_closed() {
    let head = Duration::from_millis(200);
    let running = start(Limits { head, ..Limits::default() }, None).await;
    let mut silent = connect(&running).await;
    let mut slow = connect(&running).await;
    slow.write_all(b"GET / HTTP/1.1\r\nhost:").await.unwrap();
    let mut idle = connect(&running).await;
    ask(&mut idle, "/").await;
    for stream in [&mut silent, &mut slow, &mut idle] {
        assert!(is_closed(stream).await);
    }
}

#[tokio::test]
async fn time_for_a_head_begins_with_the_last_answer() {
    let head = Duration::from_millis(200);
    let running = start(Limits { head, ..Limits::default() }, None).await;
    let mut stream = connect(&running).await;
    for _ in 0..3 {
        sleep(Duration::from_millis(100)).await;
        // takes longer to answer than a head may take
        assert!(ask(&mut stream, "/slow").await.ends_with("done"));
    }
    let answered = Instant::now();
    assert!(is_closed(&mut stream).await);
    let waited = answered.elapsed();
    assert!(waited + Duration::from_millis(20) >= head, "closed after {waited:?}");
}

#[tokio::test]
async fn client_that_has_said_all_is_answered() {
    let running = start(Limits::default(), None).await;
    let mut stream = connect(&running).await;
    stream.write_all(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    stream.shutdown().await.unwrap();
    let text = answer(&mut stream).await;
    assert!(text.starts_with("HTTP/1.1 200") && text.ends_with("done"), "{text}");
    assert!(is_closed(&mut stream).await);
}

#[tokio::test]
async fn client_that_takes_no_byte_of_its_answer_is_closed() {
    let stall = Duration::from_millis(200);
    let running = start(Limits { stall, ..Limits::default() }, None).await;
    let mut stream = connect(&running).await;
    stream.write_all(b"GET /large HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    sleep(Duration::from_millis(600)).await;
    let mut read = Vec::new();
    // what is on its way still comes, at the system's pace
    let _ = timeout(Duration::from_secs(30), stream.read_to_end(&mut read)).await.unwrap();
    assert!(read.len() < 64 << 20, "everything came");
}

#[tokio::test]
async fn heads_too_large_are_refused() {
    let running = start(Limits::default(), None).await;
    let many = "a: b\r\n".repeat(101);
    let long = format!("a: {}\r\n", "b".repeat(70_000));
    for headers in [many, long] {
        let mut stream = connect(&running).await;
        let request = format!("GET / HTTP/1.1\r\nhost: x\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let text = answer(&mut stream).await;
        assert!(text.starts_with("HTTP/1.1 431"), "{} bytes: {text}", headers.len());
    }
}

#[tokio::test]
async fn client_still_sending_sees_the_refusal_of_its_body() {
    let running = start(Limits::default(), None).await;
    let body = vec![b'x'; 10 << 20];
    for (target, head, status) in [
        ("/echo", format!("content-length: {}", body.len()), "413"),
        ("/echo", "transfer-encoding: chunked".to_owned(), "413"),
        ("/unread", "transfer-encoding: chunked".to_owned(), "401"),
    ] {
        let mut stream = connect(&running).await;
        let request = format!("POST {target} HTTP/1.1\r\nhost: x\r\n{head}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        if head.ends_with("chunked") {
            stream.write_all(format!("{:x}\r\n", body.len()).as_bytes()).await.unwrap();
            stream.write_all(&body).await.unwrap();
            stream.write_all(b"\r\n0\r\n\r\n").await.unwrap();
        } else {
            stream.write_all(&body).await.unwrap();
        }
        let text = answer(&mut stream).await;
        assert!(text.starts_with(&format!("HTTP/1.1 {status}")), "{target} {head}: {text}");
        // and the connection goes on
        assert!(ask(&mut stream, "/").await.starts_with("HTTP/1.1 200"));
    }
}

#[tokio::test]
async fn client_that_waits_to_be_asked_for_a_large_body_is_not_asked() {
    let running = start(Limits::default(), None).await;
    let mut stream = connect(&running).await;
    let request = "POST /echo HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\n\
                   content-length: 99999999\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    assert!(answer(&mut stream).await.starts_with("HTTP/1.1 413"));
}

#[tokio::test]
async fn stopping_finishes_what_is_in_flight_and_closes_the_idle() {
    let running = start(Limits::default(), None).await;
    let mut idle = connect(&running).await;
    ask(&mut idle, "/").await;
    let mut silent = connect(&running).await;
    let mut busy = connect(&running).await;
    busy.write_all(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    sleep(Duration::from_millis(100)).await;
    running.stop.send(()).unwrap();
    let text = answer(&mut busy).await;
    assert!(text.starts_with("HTTP/1.1 200") && text.ends_with("done"), "{text}");
    assert!(is_closed(&mut idle).await && is_closed(&mut silent).await);
    timeout(Duration::from_secs(5), running.ended).await.unwrap().unwrap();
    assert!(TcpStream::connect(running.address).await.is_err());
}

#[tokio::test]
async fn stopping_waits_no_longer_than_it_may() {
    let limits = Limits { drain: Duration::from_millis(100), ..Limits::default() };
    let running = start(limits, None).await;
    let mut busy = connect(&running).await;
    busy.write_all(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    sleep(Duration::from_millis(50)).await;
    let started = Instant::now();
    running.stop.send(()).unwrap();
    running.ended.await.unwrap();
    assert!(started.elapsed() < Duration::from_millis(250));
    assert!(is_closed(&mut busy).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_idle_connections_leave_room_for_the_others() {
    let running = start(Limits::default(), None).await;
    let mut idle = Vec::new();
    for _ in 0..4_000 {
        idle.push(connect(&running).await);
    }
    let started = Instant::now();
    for _ in 0..100 {
        let mut stream = connect(&running).await;
        assert!(ask(&mut stream, "/").await.starts_with("HTTP/1.1 200"));
    }
    assert!(started.elapsed() < Duration::from_secs(5));
    let last = idle.last_mut().unwrap();
    assert!(ask(last, "/").await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn connections_above_the_limit_wait_for_a_place() {
    let running = start(Limits { connections: 1, ..Limits::default() }, None).await;
    let first = connect(&running).await;
    let mut second = connect(&running).await;
    let early = timeout(Duration::from_millis(200), ask(&mut second, "/")).await;
    assert!(early.is_err());
    drop(first);
    assert!(answer(&mut second).await.starts_with("HTTP/1.1 200"));
}

fn certificate(name: &str) -> (TlsAcceptor, rustls::pki_types::CertificateDer<'static>) {
    let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    let der = made.cert.der().clone();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![der.clone()], key)
        .unwrap();
    (TlsAcceptor::from(Arc::new(config)), der)
}

async fn ask_over_tls(
    running: &Running,
    name: &'static str,
    trusted: &rustls::pki_types::CertificateDer<'static>,
) -> Option<String> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let config =
        rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let connector = TlsConnector::from(Arc::new(config));
    let name = rustls::pki_types::ServerName::try_from(name).unwrap();
    let mut stream = connector.connect(name, connect(running).await).await.ok()?;
    Some(ask(&mut stream, "/").await)
}

#[tokio::test]
async fn certificate_is_swapped_without_a_restart() {
    let (first, first_der) = certificate("first.test");
    let (second, second_der) = certificate("second.test");
    let current = Arc::new(Mutex::new(first));
    let asked = Arc::new(AtomicUsize::new(0));
    let (handle, count) = (Arc::clone(&current), Arc::clone(&asked));
    let tls: Tls = Arc::new(move || {
        count.fetch_add(1, Ordering::Relaxed);
        handle.lock().unwrap().clone()
    });
    let running = start(Limits::default(), Some(tls)).await;
    let text = ask_over_tls(&running, "first.test", &first_der).await.unwrap();
    assert!(text.starts_with("HTTP/1.1 200"));
    *current.lock().unwrap() = second;
    assert!(ask_over_tls(&running, "first.test", &first_der).await.is_none());
    assert!(ask_over_tls(&running, "second.test", &second_der).await.is_some());
    assert_eq!(asked.load(Ordering::Relaxed), 3);
    // plain text to a TLS port ends quickly and hurts nobody
    let mut plain = connect(&running).await;
    plain.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut read = Vec::new();
    let _ = timeout(Duration::from_secs(5), plain.read_to_end(&mut read)).await.unwrap();
    assert!(!read.starts_with(b"HTTP"));
    assert!(ask_over_tls(&running, "second.test", &second_der).await.is_some());
}
