//! What is no token of ours looks the same whatever is wrong with it: same answer, and in the same
//! time (V9). The suite compares the answers; `scripts/soak` compares the times of many, by Welch's
//! t-test.

use std::{collections::BTreeSet, time::Instant};

use bytes::Bytes;
use claviger_domain::{
    Chance,
    secret::{ParsedSecret, Prefix, Selector},
};
use claviger_tests::{
    real::{
        people::make_app_token,
        program::{Program, run},
    },
    stands::SeededChance,
    visitor::Visitor,
};
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Above this, two times are told apart.
const TOLD_APART: f64 = 4.5;
/// How many strings of each sort there are.
const STRINGS: usize = 64;
const SORTS: [&str; 4] =
    ["first byte of the MAC wrong", "last byte of the MAC wrong", "nobody's", "damaged"];

fn parsed(text: &str) -> ParsedSecret {
    ParsedSecret::parse(text, &[Prefix::default()]).expect("a token")
}

/// A live token, made into one of each sort.
fn strings(token: &str) -> Vec<Vec<String>> {
    let chance = SeededChance::new(9);
    let wrong = |at: usize| {
        let mut secret = parsed(token);
        // any other byte will do
        secret.mac[at] ^= u8::try_from(chance.below(255) + 1).expect("a byte");
        secret.print().expose().to_owned()
    };
    let nobodys = || {
        let mut secret = parsed(token);
        secret.selector = Selector::random(&chance);
        chance.fill(&mut secret.mac[..]);
        secret.print().expose().to_owned()
    };
    let damaged = || {
        let (body, check) = token.split_at(token.len() - 1);
        let other = ["0", "1"].into_iter().find(|other| *other != check).expect("one of two");
        format!("{body}{other}")
    };
    let sort: [&dyn Fn() -> String; 4] = [&|| wrong(0), &|| wrong(15), &nobodys, &damaged];
    sort.iter().map(|make| (0..STRINGS).map(|_| make()).collect()).collect()
}

/// Asks with a string; the answer without what differs each time, and how long it took.
async fn ask(
    client: &mut SendRequest<Full<Bytes>>,
    request: Request<Full<Bytes>>,
) -> (String, f64) {
    client.ready().await.expect("the connection is kept");
    let started = Instant::now();
    let answer = client.send_request(request).await.expect("an answer");
    let (head, body) = answer.into_parts();
    let body = body.collect().await.expect("a body").to_bytes();
    let took = started.elapsed().as_secs_f64();
    let mut headers = head.headers;
    for changing in ["x-request-id", "date"] {
        headers.remove(changing);
    }
    (format!("{} {headers:?} {}", head.status, String::from_utf8_lossy(&body)), took)
}

/// Welch's t of two samples.
fn welch(a: &[f64], b: &[f64]) -> f64 {
    let moments = |times: &[f64]| {
        let count = f64::from(u32::try_from(times.len()).expect("not so many"));
        let mean = times.iter().sum::<f64>() / count;
        let variance = times.iter().map(|time| (time - mean).powi(2)).sum::<f64>() / (count - 1.0);
        (mean, variance / count)
    };
    let ((mean_a, error_a), (mean_b, error_b)) = (moments(a), moments(b));
    (mean_a - mean_b) / (error_a + error_b).sqrt()
}

/// How many of each sort: a few, or as many as `scripts/soak` asks for.
fn tries() -> Option<usize> {
    #[expect(clippy::disallowed_methods, reason = "the tests' own variable")]
    let asked = std::env::var("SOAK_TRIES");
    asked.ok().map(|tries| tries.parse().expect("a number"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strings_without_a_valid_mac_are_not_told_apart() {
    let folder = tempfile::tempdir().expect("a folder");
    let listen = ["--listen", "127.0.0.1:0", "--log-level", "warn"];
    let program = Program::serve(folder.path(), &listen);
    let made =
        run(folder.path(), &["admin", "create-token", "--user", "admin", "--kind", "api"], "");
    let token = String::from_utf8(made.stdout).expect("text").trim().to_owned();
    let (name, password) = program.superuser();
    let admin = Visitor::sign_in(&program, &name, &password).await;
    let (_, app_token) = make_app_token(&admin, "laptop").await;
    let address = program.url().strip_prefix("http://").expect("http");
    let stream = TcpStream::connect(address).await.expect("a connection");
    let (mut client, connection) = handshake(TokioIo::new(stream)).await.expect("HTTP");
    tokio::spawn(connection);

    let asked = tries();
    let chance = SeededChance::new(3);
    for (path, token) in [("/claviger/v1/whoami", &token), ("/access/v1/evaluation", &app_token)] {
        let strings = strings(token);
        let (mut answers, mut times) = (BTreeSet::new(), vec![Vec::new(); SORTS.len()]);
        for _ in 0..asked.unwrap_or(50) * SORTS.len() {
            let sort = chance.below(SORTS.len());
            let request = Request::get(path)
                .header("host", "localhost")
                .header("authorization", format!("Bearer {}", chance.pick(&strings[sort])))
                .body(Full::default())
                .expect("a request");
            let (answer, took) = ask(&mut client, request).await;
            answers.insert(answer);
            times[sort].push(took);
        }
        assert_eq!(answers.len(), 1, "{path}: {answers:?}");
        if asked.is_none() {
            continue;
        }
        // the slowest tenth tells of the machine
        let mut all: Vec<f64> = times.iter().flatten().copied().collect();
        all.sort_unstable_by(f64::total_cmp);
        let slow = all[all.len() * 9 / 10];
        for sort in &mut times {
            sort.retain(|took| *took < slow);
        }
        for (a, first) in SORTS.iter().enumerate() {
            for (b, second) in SORTS.iter().enumerate().skip(a + 1) {
                let t = welch(&times[a], &times[b]);
                println!("{path}: {first} and {second}: t = {t:.2} of {}", times[a].len());
                assert!(t.abs() < TOLD_APART, "told apart");
            }
        }
    }
}
