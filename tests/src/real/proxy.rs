//! Real proxies, set up as `docs/doors/forward.md` says, and a service behind them.

use std::{
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
};

use axum::{Router, extract::Request};
use http_body_util::BodyExt;
use serde_json::json;
use tokio::{net::TcpListener, task::JoinHandle};

use super::{free_port, wait_until};

const GUIDE: &str = include_str!("../../../docs/doors/forward.md");

/// The example in the guide that is written in `language`, with other ports in it.
pub fn example(language: &str, ports: &[(u16, u16)]) -> String {
    let (_, rest) = GUIDE.split_once(&format!("```{language}\n")).expect("an example");
    let (text, _) = rest.split_once("```").expect("its end");
    let swap = |text: String, (from, to): &(u16, u16)| {
        text.replace(&format!(":{from}"), &format!(":{to}"))
    };
    ports.iter().fold(text.to_owned(), swap)
}

/// A proxy, running.
#[derive(Debug)]
pub struct Proxy {
    child: Child,
    port: u16,
}

impl Proxy {
    /// nginx in front of `service`, asking `claviger`.
    pub fn nginx(folder: &Path, claviger: u16, service: u16) -> Self {
        let port = free_port();
        let server = example("nginx", &[(8081, claviger), (9000, service), (8000, port)]);
        let at = folder.display();
        let config = format!(
            "daemon off;\nworker_processes 1;\npid {at}/nginx.pid;\nerror_log stderr warn;\n\
             events {{ worker_connections 256; }}\nhttp {{\naccess_log off;\n\
             client_body_temp_path {at}/nginx-body;\nproxy_temp_path {at}/nginx-proxy;\n\
             fastcgi_temp_path {at}/nginx-fastcgi;\nuwsgi_temp_path {at}/nginx-uwsgi;\n\
             scgi_temp_path {at}/nginx-scgi;\n{server}}}\n"
        );
        std::fs::write(folder.join("nginx.conf"), config).expect("the configuration");
        let mut nginx = Command::new("nginx");
        nginx.arg("-p").arg(folder).arg("-c").arg(folder.join("nginx.conf"));
        Self::start(nginx, folder, port)
    }

    /// Caddy in front of `service`, asking `claviger`.
    pub fn caddy(folder: &Path, claviger: u16, service: u16) -> Self {
        let port = free_port();
        let config = example("caddy", &[(8081, claviger), (9000, service), (8000, port)]);
        std::fs::write(folder.join("Caddyfile"), config).expect("the configuration");
        let mut caddy = Command::new("caddy");
        caddy.args(["run", "--adapter", "caddyfile", "--config"]).arg(folder.join("Caddyfile"));
        caddy.env("HOME", folder).env("XDG_DATA_HOME", folder).env("XDG_CONFIG_HOME", folder);
        Self::start(caddy, folder, port)
    }

    fn start(mut command: Command, folder: &Path, port: u16) -> Self {
        let path = folder.join(format!("proxy-{port}.log"));
        let log = std::fs::File::create(&path).expect("a log");
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("a log")).stderr(log);
        let mut child = command.spawn().expect("it is installed (scripts/test sees to it)");
        wait_until("the proxy listens", || {
            let ended = child.try_wait().expect("a state");
            let log = || std::fs::read_to_string(&path).unwrap_or_default();
            assert!(ended.is_none(), "the proxy ended: {}", log());
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        Self { child, port }
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // SIGTERM, so that nginx takes its workers along
        let _ = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        let _ = self.child.wait();
    }
}

/// A service that tells what it was asked.
#[derive(Debug)]
pub struct Service {
    port: u16,
    task: JoinHandle<()>,
}

impl Service {
    /// Starts one.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let router = Router::new().fallback(|request: Request| async {
            let (head, body) = request.into_parts();
            let body = body.collect().await.expect("a body").to_bytes();
            let headers: Vec<_> = head.headers.iter().collect();
            let headers: Vec<_> = headers
                .iter()
                .map(|(name, value)| [name.as_str(), value.to_str().unwrap_or("?")])
                .collect();
            json!({
                "method": head.method.as_str(),
                "target": head.uri.to_string(),
                "headers": headers,
                "body_bytes": body.len(),
            })
            .to_string()
        });
        let task = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("it serves");
        });
        Self { port, task }
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.task.abort();
    }
}
