//! Debian's docker-registry, trusting a running Claviger.

use std::{
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
};

use super::{free_port, wait_until};

/// A registry, running.
#[derive(Debug)]
pub struct Registry {
    child: Child,
    port: u16,
}

impl Registry {
    /// Starts one that sends its clients to `claviger` for tokens and trusts the certificates in
    /// the PEM text.
    pub fn start(folder: &Path, claviger: &str, certificates: &str) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/registry");
        let certificate = folder.join("trusted.pem");
        std::fs::write(&certificate, certificates).expect("the certificates");
        let port = free_port();
        let log = std::fs::File::create(folder.join("registry.log")).expect("a log");
        let child = Command::new(script)
            .args([claviger, &port.to_string()])
            .arg(folder.join("registry"))
            .env("CERT", certificate)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a log"))
            .stderr(log)
            .spawn()
            .expect("scripts/registry starts");
        let mut registry = Self { child, port };
        wait_until("the registry listens", || {
            let ended = registry.child.try_wait().expect("a state");
            let log = || std::fs::read_to_string(folder.join("registry.log")).unwrap_or_default();
            assert!(ended.is_none(), "the registry ended: {}", log());
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        registry
    }

    /// What its images' names begin with, such as `127.0.0.1:5000`.
    pub fn name(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        // it may have ended already
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
