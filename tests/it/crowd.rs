//! R8: many who only keep a connection open, and some who are slow, beside a normal load: the load
//! goes on as before, memory stays bounded, and who is slow is closed. `scripts/soak` does it with
//! thousands and prints what it measured; here it is seen to be answered at all.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use claviger_tests::{
    real::{people::make_app_token, program::Program},
    visitor::Visitor,
};
use http::Request;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    task::JoinSet,
    time::{sleep, timeout},
};

const SECOND: Duration = Duration::from_secs(1);
/// What an open connection may cost the program, in bytes.
const EACH_BYTES: u64 = 24 << 10;
/// What a slow one may cost more: what it has sent and is not answered yet, what it does not take.
const SLOW_BYTES: u64 = 64 << 10;
/// No limit of time is longer.
const LONGEST: Duration = Duration::from_secs(60);

/// How somebody is slow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slow {
    /// A byte of the head in a second.
    Head,
    /// A byte of the body in a second.
    Body,
    /// Asks for much and takes a byte of it in a second.
    Reader,
}

impl Slow {
    const ALL: [Self; 3] = [Self::Head, Self::Body, Self::Reader];

    /// How the one with this number is slow. Few are readers: each asks for hundreds of answers
    /// before it is a slow one.
    const fn of(number: usize) -> Self {
        match number % 20 {
            0 => Self::Reader,
            1..=9 => Self::Body,
            _ => Self::Head,
        }
    }

    const fn begins(self) -> &'static [u8] {
        match self {
            Self::Head => b"GET /healthz HTTP/1.1\r\nhost: x\r\nx-long: ",
            Self::Body => {
                b"POST /v2/auth HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\
                  content-type: application/x-www-form-urlencoded\r\n\r\n"
            }
            Self::Reader => b"GET /.well-known/jwks.json HTTP/1.1\r\nhost: x\r\n\r\n",
        }
    }

    /// Is slow until the server has had enough; how long that took.
    async fn wait(self, address: SocketAddr, settled: Arc<AtomicUsize>) -> Duration {
        let mut stream = connect(address, self == Self::Reader).await;
        let started = Instant::now();
        stream.write_all(self.begins()).await.expect("it is taken");
        if self == Self::Reader {
            // asks until the server takes no more, because nobody takes its answers
            let many = self.begins().repeat(16);
            while timeout(SECOND, stream.write_all(&many)).await.is_ok_and(|sent| sent.is_ok()) {}
        }
        settled.fetch_add(1, Relaxed);
        let mut byte = [0];
        loop {
            let read = match self {
                Self::Reader => {
                    sleep(SECOND).await;
                    let _ = stream.try_read(&mut byte);
                    // what has come may still be read when the connection is gone
                    match stream.try_write(b"G") {
                        Err(error) if error.kind() != std::io::ErrorKind::WouldBlock => Ok(Ok(0)),
                        _ => continue,
                    }
                }
                _ => timeout(SECOND, stream.read(&mut byte)).await,
            };
            match read {
                Ok(Ok(0) | Err(_)) => return started.elapsed(),
                // it is told why
                Ok(Ok(_)) => {}
                Err(_) => drop(stream.write_all(b"a").await),
            }
        }
    }
}

async fn connect(address: SocketAddr, small: bool) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    if small {
        socket.set_recv_buffer_size(4096).expect("a small buffer");
        socket.set_send_buffer_size(4096).expect("a small buffer");
    }
    socket.connect(address).await.expect("a connection")
}

/// Keeps a connection open, another one when it is closed for being idle.
async fn idle(address: SocketAddr, open: Arc<AtomicUsize>) {
    let mut byte = [0];
    loop {
        let mut stream = connect(address, false).await;
        open.fetch_add(1, Relaxed);
        let _ = stream.read(&mut byte).await;
        open.fetch_sub(1, Relaxed);
    }
}

/// What the system says of the program's process.
struct Process(u32);

impl Process {
    fn resident_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0)).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a line");
        let kib: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
        kib * 1024
    }

    /// Waits until it has nothing to do but to wait.
    async fn rest(&self) {
        let mut calm = 0;
        for _ in 0..200 {
            let before = self.ticks();
            sleep(SECOND / 4).await;
            calm = if self.ticks() - before < 5 { calm + 1 } else { 0 };
            if calm == 3 {
                return;
            }
        }
        panic!("the program does not come to rest");
    }

    /// Processor time, in hundredths of a second.
    fn ticks(&self) -> u64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.0)).expect("it runs");
        let (_, fields) = stat.rsplit_once(')').expect("fields");
        let mut times = fields.split_whitespace().skip(11).map(str::parse::<u64>);
        let mut next = || times.next().expect("a field").expect("a number");
        next() + next()
    }
}

/// The normal load: the hot path over connections that stay open.
#[derive(Clone)]
struct Load {
    program: Arc<Program>,
    token: String,
}

#[derive(Clone, Copy, Debug, Default)]
struct Measured {
    requests: f64,
    seconds: f64,
    /// Of the server.
    processor_seconds: f64,
}

impl Measured {
    fn rate(self) -> f64 {
        self.requests / self.seconds
    }

    fn microseconds_each(self) -> f64 {
        self.processor_seconds / self.requests * 1e6
    }
}

impl std::ops::AddAssign for Measured {
    fn add_assign(&mut self, other: Self) {
        self.requests += other.requests;
        self.seconds += other.seconds;
        self.processor_seconds += other.processor_seconds;
    }
}

impl Load {
    fn request(&self) -> Request<Vec<u8>> {
        Request::get("/forward/nginx")
            .header("authorization", format!("Bearer {}", self.token))
            .header("x-original-method", "GET")
            .header("x-original-url", "https://app.example.com/v2/admin/app/manifests/latest")
            .body(Vec::new())
            .expect("a request")
    }

    async fn measure(&self, time: Duration) -> Measured {
        let (over, process) = (Arc::new(AtomicBool::new(false)), Process(self.program.pid()));
        let mut asking = JoinSet::new();
        let (started, ticks) = (Instant::now(), process.ticks());
        for _ in 0..8 {
            let (load, over) = (self.clone(), Arc::clone(&over));
            asking.spawn(async move {
                let mut requests = 0_u32;
                while !over.load(Relaxed) {
                    let answer = load.program.try_send(load.request()).await.expect("an answer");
                    assert_eq!(answer.status, 200, "{}", answer.text());
                    requests += 1;
                }
                requests
            });
        }
        sleep(time).await;
        over.store(true, Relaxed);
        let requests = asking.join_all().await.into_iter().map(f64::from).sum();
        let ticks = u32::try_from(process.ticks() - ticks).expect("not so many");
        let processor_seconds = f64::from(ticks) / 100.0;
        Measured { requests, seconds: started.elapsed().as_secs_f64(), processor_seconds }
    }
}

/// What is done.
#[derive(Clone, Copy)]
struct Plan {
    idle: usize,
    slow: usize,
    turns: usize,
    turn: Duration,
    /// Whether to wait until everybody who is slow is closed.
    to_the_end: bool,
}

async fn crowded(plan: Plan) {
    claviger_http::server::raise_open_files().expect("the limit");
    let folder = tempfile::tempdir().expect("a folder");
    let serve = ["--listen", "127.0.0.1:0", "--log-level", "warn"];
    let variables = [("CLAVIGER_FORWARD_PRESET", "registry")];
    let program = Arc::new(Program::serve_with(folder.path(), &serve, &variables));
    let (name, password) = program.superuser();
    let admin = Visitor::sign_in(&*program, &name, &password).await;
    let repository = serde_json::json!({
        "namespace": name, "repository": "app", "visibility": "private", "description": "",
    });
    assert_eq!(admin.post("/api/v1/repository", repository).await.status, 201);
    let (_, token) = make_app_token(&admin, "load").await;
    let load = Load { program: Arc::clone(&program), token };
    let address: SocketAddr =
        program.url().strip_prefix("http://").expect("http").parse().expect("an address");
    load.measure(plan.turn / 2).await; // warm
    let process = Process(program.pid());
    let before = process.resident_bytes();

    let (mut alone, mut beside, mut most) = (Measured::default(), Measured::default(), before);
    let mut lives = Vec::new();
    for turn in 0..plan.turns {
        process.rest().await;
        alone += load.measure(plan.turn).await;
        let (open, settled) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let (mut idling, mut slow) = (JoinSet::new(), JoinSet::new());
        for _ in 0..plan.idle {
            idling.spawn(idle(address, Arc::clone(&open)));
        }
        for number in 0..plan.slow {
            let kind = Slow::of(number);
            let settled = Arc::clone(&settled);
            slow.spawn(async move { (kind, kind.wait(address, settled).await) });
        }
        while open.load(Relaxed) < plan.idle || settled.load(Relaxed) < plan.slow {
            sleep(Duration::from_millis(10)).await;
        }
        process.rest().await;
        beside += load.measure(plan.turn).await;
        most = most.max(process.resident_bytes());
        assert!(open.load(Relaxed) > plan.idle / 2, "idle ones were closed at once");
        if plan.to_the_end && turn + 1 == plan.turns {
            let ended = timeout(LONGEST * 2, slow.join_all()).await;
            lives = ended.expect("everybody who is slow is closed");
        }
    }
    let ratio = beside.rate() / alone.rate();
    let cost = alone.microseconds_each() / beside.microseconds_each();
    println!(
        "{} idle and {} slow connections: {:.0} requests/s beside them, {:.0} alone, ratio {ratio:.2}; \
         processor time of the server {:.1} and {:.1} µs, ratio {cost:.2}; resident memory {} KiB, \
         {} KiB before",
        plan.idle,
        plan.slow,
        beside.rate(),
        alone.rate(),
        beside.microseconds_each(),
        alone.microseconds_each(),
        most >> 10,
        before >> 10
    );
    let bytes = |count: usize, each| u64::try_from(count).expect("not so many") * each;
    let more = bytes(plan.idle + plan.slow, EACH_BYTES) + bytes(plan.slow, SLOW_BYTES);
    assert!(most - before <= (8 << 20) + more, "{before} bytes, then {most}");
    for kind in Slow::ALL {
        let of_kind = || lives.iter().filter(|(of, _)| *of == kind).map(|(_, life)| *life);
        if let (Some(least), Some(most)) = (of_kind().min(), of_kind().max()) {
            println!("slow {kind:?}: closed after {least:.1?} to {most:.1?}");
            assert!(most < LONGEST + Duration::from_secs(15), "{kind:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_and_slow_connections_leave_the_others_their_answers() {
    #[expect(clippy::disallowed_methods, reason = "the tests' own variable")]
    let asked = std::env::var("SOAK_IDLE");
    let short = Plan { idle: 300, slow: 30, turns: 1, turn: SECOND, to_the_end: false };
    let plan = asked.map_or(short, |idle| {
        let idle: usize = idle.parse().expect("a number of connections");
        Plan { idle, slow: idle / 10, turns: 3, turn: SECOND * 10, to_the_end: true }
    });
    crowded(plan).await;
}
