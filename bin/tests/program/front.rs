//! Listening beyond this machine, and TLS.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    sync::Arc,
};

use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, pki_types::CertificateDer,
};

use crate::harness::{Folder, wait_until};

#[test]
fn beyond_this_machine_needs_a_public_url_and_tls() {
    let folder = Folder::new();
    let serve = ["serve", "--listen", "0.0.0.0:0"];
    for command in [&serve[..], &["config", "check", "--listen", "0.0.0.0:0"]] {
        let refusal = folder.run(command).refusal();
        assert!(refusal.contains("--public-url"), "{refusal}");
    }
    let url = ["--public-url", "https://keys.example.com"];
    let refusal = folder.run(&[&serve[..], &url].concat()).refusal();
    assert!(refusal.contains("--insecure"), "{refusal}");
    assert!(!folder.data().exists());
    let exposed = [&url[..], &["--listen", "0.0.0.0:0", "--insecure"]].concat();
    let exposed = folder.run(&[&["config", "check"], &exposed[..]].concat());
    assert_eq!(exposed.code, 0, "{}", exposed.err);
}

/// A certificate for `localhost`, in two files.
fn certificate(folder: &Folder) -> (String, String, CertificateDer<'static>) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let chain = folder.write("cert.pem", &made.cert.pem());
    let key = folder.write("key.pem", &made.signing_key.serialize_pem());
    (chain, key, made.cert.der().clone())
}

/// What a client that trusts `certificate` alone is answered; empty when it does not trust.
fn over_tls(address: &str, certificate: &CertificateDer<'static>, request: &str) -> String {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = "localhost".try_into().unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    asked(StreamOwned::new(connection, TcpStream::connect(address).unwrap()), request)
}

/// Sends a request, a line a header; the answer.
fn asked(mut stream: impl Read + Write, request: &str) -> String {
    let (head, body) = request.split_once("\n\n").unwrap_or((request, ""));
    let (head, length) = (head.replace('\n', "\r\n"), body.len());
    let usual = "Host: localhost\r\nConnection: close\r\nContent-Type: application/json";
    let request = format!("{head}\r\n{usual}\r\nContent-Length: {length}\r\n\r\n{body}");
    let mut answer = String::new();
    if stream.write_all(request.as_bytes()).is_err() || stream.read_to_string(&mut answer).is_err()
    {
        return String::new();
    }
    answer
}

/// Whether a client that trusts `certificate` alone is answered.
fn trusts(address: &str, certificate: &CertificateDer<'static>) -> bool {
    over_tls(address, certificate, "GET /readyz HTTP/1.1").contains(" 200 ")
}

/// The cookie that an answer sets: its name, its value and its attributes.
fn cookie(answer: &str) -> (&str, &str, Vec<&str>) {
    let line = |line: &str| line.to_ascii_lowercase().starts_with("set-cookie: ");
    let mut lines = answer.lines().filter(|one| line(one));
    let (_, cookie) = lines.next().unwrap_or_else(|| panic!("{answer}")).split_once(": ").unwrap();
    assert_eq!(lines.next(), None, "one cookie");
    let mut parts = cookie.split("; ");
    let (name, value) = parts.next().unwrap().split_once('=').unwrap();
    (name, value, parts.filter(|part| !part.starts_with("Expires=")).collect())
}

/// Signs in with what `ask` is answered: the name, the value and the attributes of both cookies.
fn sign_in(ask: &dyn Fn(&str) -> String) -> [(String, String, String); 2] {
    let owned = |(name, value, attributes): (&str, &str, Vec<&str>)| {
        (name.to_owned(), value.to_owned(), attributes.join("; "))
    };
    let first = ask("GET /csrf_token HTTP/1.1");
    let csrf = first.split_once("\"csrf_token\": \"").unwrap().1.split_once('"').unwrap().0;
    let (name, value, _) = cookie(&first);
    let body = r#"{"username": "admin", "password": "correct-horse"}"#;
    let head = format!("Cookie: {name}={value}\nX-CSRF-Token: {csrf}");
    let second = ask(&format!("POST /api/v1/signin HTTP/1.1\n{head}\n\n{body}"));
    assert!(second.starts_with("HTTP/1.1 200 "), "{second}");
    [owned(cookie(&first)), owned(cookie(&second))]
}

#[test]
fn session_cookie_is_for_https_alone_where_the_server_is_reached_by_it() {
    const PASSWORD: &[(&str, &str)] = &[("CLAVIGER_ADMIN_PASSWORD", "correct-horse")];
    const PLAIN: &str = "HttpOnly; Path=/; SameSite=Lax";
    const SECURE: &str = "HttpOnly; Path=/; SameSite=Lax; Secure";
    let folder = Folder::new();
    let (chain, key, certificate) = certificate(&folder);
    let tls = ["--tls-cert", chain.as_str(), "--tls-key", key.as_str()];
    // a proxy may end TLS before us: what counts is where we are reached
    let proxied = ["--public-url", "https://keys.example.com"];
    for (arguments, name, attributes) in [
        (&tls[..], "__Host-claviger", SECURE),
        (&proxied, "__Host-claviger", SECURE),
        (&[], "claviger", PLAIN),
    ] {
        let folder = Folder::new();
        let server = folder.serve_with(arguments, PASSWORD);
        let ask = |request: &str| {
            if server.url().starts_with("https:") {
                over_tls(server.address(), &certificate, request)
            } else {
                asked(TcpStream::connect(server.address()).unwrap(), request)
            }
        };
        let [anonymous, session] = sign_in(&ask);
        for (found, _, said) in [&anonymous, &session] {
            assert_eq!((found.as_str(), said.as_str()), (name, attributes), "{arguments:?}");
        }
        let user = |cookie: &str| {
            let answer =
                ask(&format!("GET /api/v1/user/ HTTP/1.1\nCookie: {cookie}={}", session.1));
            answer.split(' ').nth(1).unwrap().to_owned()
        };
        let other = if name == "claviger" { "__Host-claviger" } else { "claviger" };
        assert_eq!((user(name).as_str(), user(other).as_str()), ("200", "401"), "{arguments:?}");
        server.stop();
    }
}

#[test]
fn certificate_is_read_again_when_it_changes() {
    let folder = Folder::new();
    let (chain, key, first) = certificate(&folder);
    let server = folder.serve_with(&["--tls-cert", &chain, "--tls-key", &key], &[]);
    assert!(server.url().starts_with("https://127.0.0.1:"), "{}", server.url());
    assert!(trusts(server.address(), &first));
    fs::write(&key, "half a key").unwrap();
    let (_, _, second) = certificate(&folder);
    wait_until("the new certificate is shown", || trusts(server.address(), &second));
    assert!(!trusts(server.address(), &first));
    server.stop();
}

#[test]
fn bad_certificates_are_refused_before_anything_is_made() {
    let folder = Folder::new();
    let (chain, key, _) = certificate(&folder);
    let other = folder.write("other.pem", &rcgen::KeyPair::generate().unwrap().serialize_pem());
    let text = folder.write("text.pem", "no certificate");
    for (chain, key, problem) in [
        (chain.as_str(), other.as_str(), "is not that of the certificate"),
        (text.as_str(), key.as_str(), "holds no certificate"),
        (chain.as_str(), text.as_str(), "holds no private key"),
        ("missing.pem", key.as_str(), "cannot read missing.pem"),
    ] {
        let serve = ["serve", "--listen", "127.0.0.1:0", "--tls-cert", chain, "--tls-key", key];
        let refusal = folder.run(&serve).refusal();
        assert!(refusal.contains(problem), "{refusal}");
    }
    assert!(!folder.data().exists());
}

#[test]
fn server_leaves_no_core_dump() {
    let folder = Folder::new();
    let server = folder.serve();
    let limits = fs::read_to_string(format!("/proc/{}/limits", server.pid())).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    let values: Vec<_> = core.split_whitespace().skip(4).take(2).collect();
    assert_eq!(values, ["0", "0"], "{core}");
}
