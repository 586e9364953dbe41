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

/// Whether a client that trusts `certificate` alone is answered.
fn trusts(address: &str, certificate: &CertificateDer<'static>) -> bool {
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
    let mut stream = StreamOwned::new(connection, TcpStream::connect(address).unwrap());
    let request = "GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let mut answer = String::new();
    let asked = stream.write_all(request.as_bytes());
    asked.is_ok() && stream.read_to_string(&mut answer).is_ok() && answer.contains(" 200 ")
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
