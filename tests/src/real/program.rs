//! The program, run as its users run it.

use std::{
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::{Arc, Mutex, OnceLock},
    time::SystemTime,
};

use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};

use super::wait_until;
use crate::{answer::Answer, server::Server};

/// The program. Cargo builds it with the tests of the whole workspace; where it is older than its
/// sources, because only these tests were built, it is built here.
pub fn binary() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let tests = std::env::current_exe().expect("this program");
        let folder = tests.ancestors().nth(2).expect("target/debug/deps").to_owned();
        let program = folder.join("claviger");
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
        let rooms = ["domain", "store", "service", "http", "bin"];
        let sources = rooms.iter().filter_map(|room| newest(&root.join(room).join("src"))).max();
        let age = program.metadata().and_then(|data| data.modified()).ok();
        if age.is_none() || age < sources {
            let mut build = Command::new(option_env!("CARGO").unwrap_or("cargo"));
            build.args(["build", "--quiet", "--package", "claviger", "--target-dir"]);
            build.arg(folder.parent().expect("the target folder")).current_dir(root);
            if !cfg!(debug_assertions) {
                build.arg("--release");
            }
            assert!(build.status().expect("cargo runs").success(), "the program does not build");
        }
        program
    })
}

/// When a file below `folder` was changed last.
fn newest(folder: &Path) -> Option<SystemTime> {
    let entries = std::fs::read_dir(folder).ok()?.flatten();
    let times = entries.filter_map(|entry| {
        let path = entry.path();
        if path.is_dir() { newest(&path) } else { entry.metadata().ok()?.modified().ok() }
    });
    times.max()
}

/// A command of the program that ends by itself.
pub fn run(folder: &Path, arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(binary())
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut stdin = child.stdin.take().expect("an input");
    // a program that does not read its input is free to
    let _ = std::io::Write::write_all(&mut stdin, input.as_bytes());
    drop(stdin);
    child.wait_with_output().expect("it ends")
}

/// `claviger serve`, running.
#[derive(Debug)]
pub struct Program {
    child: Child,
    url: String,
    lines: Arc<Mutex<Vec<String>>>,
    client: Client<HttpConnector, Full<bytes::Bytes>>,
}

impl Program {
    /// Starts `claviger serve` in `folder` and waits until it listens.
    pub fn serve(folder: &Path, arguments: &[&str]) -> Self {
        Self::serve_with(folder, arguments, &[])
    }

    /// The same, with environment variables.
    pub fn serve_with(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut child = Command::new(binary())
            .arg("serve")
            .args(arguments)
            .current_dir(folder)
            .env_clear()
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let lines = Arc::<Mutex<Vec<String>>>::default();
        gather(child.stdout.take().expect("an output"), Arc::clone(&lines));
        gather(child.stderr.take().expect("an output"), Arc::clone(&lines));
        let mut url = None;
        wait_until("the program listens", || {
            let heard = lines.lock().expect("whole");
            url = heard.iter().find_map(|l| l.strip_prefix("listening on ").map(str::to_owned));
            let ended = child.try_wait().expect("a state");
            assert!(ended.is_none(), "it ended: {ended:?}\n{}", heard.join("\n"));
            url.is_some()
        });
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self { child, url: url.unwrap_or_default(), lines, client }
    }

    /// Where it listens, such as `http://127.0.0.1:8080`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Everything that it has said so far, on both outputs.
    pub fn said(&self) -> Vec<String> {
        self.lines.lock().expect("whole").clone()
    }

    /// The superuser's name and password, as the first start prints them.
    pub fn superuser(&self) -> (String, String) {
        let said = self.said();
        let line = said.iter().find_map(|line| line.strip_prefix("superuser ")).expect("the line");
        let (name, password) = line.split_once(" password ").expect("a name and a password");
        (name.to_owned(), password.to_owned())
    }

    /// `kill -9`, and waits until it has ended.
    pub fn kill(mut self) {
        self.kill_now();
        self.child.wait().expect("it ended");
    }

    /// `kill -9`.
    pub fn kill_now(&self) {
        let killed = Command::new("kill").args(["-KILL", &self.pid().to_string()]).status();
        assert!(killed.expect("kill runs").success());
    }

    /// SIGTERM, and how it ended.
    pub fn stop(mut self) -> ExitStatus {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &pid]).status().expect("kill runs");
        assert!(sent.success());
        let mut ended = None;
        wait_until("the program stops", || {
            ended = self.child.try_wait().expect("a state");
            ended.is_some()
        });
        ended.expect("it ended")
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends one request; `None` when there is no answer.
    pub async fn try_send(&self, request: Request<Vec<u8>>) -> Option<Answer> {
        let (mut head, body) = request.into_parts();
        head.headers.remove("host");
        head.uri = format!("{}{}", self.url, head.uri).parse().expect("an address");
        let request = Request::from_parts(head, Full::from(body));
        let (head, body) = self.client.request(request).await.ok()?.into_parts();
        let body = body.collect().await.ok()?.to_bytes();
        Some(Answer { status: head.status, headers: head.headers, body })
    }
}

impl Server for Program {
    async fn send(&self, request: Request<Vec<u8>>) -> Answer {
        self.try_send(request).await.expect("an answer")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // it may have ended already
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn gather(output: impl Read + Send + 'static, lines: Arc<Mutex<Vec<String>>>) {
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            lines.lock().expect("whole").push(line);
        }
    });
}
