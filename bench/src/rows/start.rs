//! P10: how long a start takes until the server is ready; with it, idle memory and the size of the
//! program.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use super::{Bench, thousands};
use crate::{
    Outcome,
    process::{Binary, Server},
    seed,
    stats::median,
    table::{Goal, Row},
};

const STARTS: usize = 15;
const EMPTY_GOAL: Goal = Goal::AtMost(50.0);
const FULL_GOAL: Goal = Goal::AtMost(500.0);
const MIB: f64 = 1024.0 * 1024.0;

pub(crate) fn measure(bench: &Bench) -> Outcome<Vec<Row>> {
    let empty = bench.folder.join("empty");
    seed::remove(&empty)?;
    // the first start makes the store
    drop(Server::start(bench.program.serve(&empty), &bench.log("first"))?);
    let (mut bare, mut with_empty, mut with_set) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..STARTS {
        bare.push(version(&bench.program)?);
        with_empty.push(ready(&bench.program, &empty)?);
        with_set.push(ready(&bench.program, &bench.set)?);
    }
    seed::remove(&empty)?;
    let bare = median(bare);
    let row = |what: &str, times: Vec<f64>, goal: Goal| {
        let time = median(times);
        let (text, met) = goal.judge(time - bare);
        Row {
            id: "P10",
            what: what.to_owned(),
            figure: format!("{time:.1} ms"),
            yardstick: format!("{bare:.1} ms"),
            ratio: format!("+{:.1} ms", time - bare),
            goal: Some((text.replace(".00", " ms"), met)),
        }
    };
    Ok(vec![
        row("start until ready, an empty store", with_empty, EMPTY_GOAL),
        row("start until ready, the data set", with_set, FULL_GOAL),
        idle(bench)?,
        size(bench)?,
    ])
}

/// A process that is killed when its value goes.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Milliseconds that `--version` takes.
fn version(program: &Binary) -> Outcome<f64> {
    let mut command = program.command();
    command.arg("--version").stdout(Stdio::null());
    let started = Instant::now();
    if !command.status()?.success() {
        return Err("--version fails".into());
    }
    Ok(millis(started))
}

/// Milliseconds from the start of a server on `data` to its first 200 of `/readyz`.
fn ready(program: &Binary, data: &Path) -> Outcome<f64> {
    let mut command: Command = program.serve(data);
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    let started = Instant::now();
    let mut server = Running(command.spawn()?);
    let lines = BufReader::new(server.0.stderr.take().ok_or("no standard error")?).lines();
    let mut heard = String::new();
    for line in lines {
        let line = line?;
        if let Some(address) = line.strip_prefix("listening on http://") {
            let address = address.parse()?;
            while !is_ready(address)? {
                sleep(Duration::from_micros(500));
            }
            return Ok(millis(started));
        }
        heard.push_str(&line);
    }
    Err(format!("the server ended: {heard}").into())
}

fn is_ready(address: SocketAddr) -> Outcome<bool> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer.starts_with("HTTP/1.1 200"))
}

fn millis(started: Instant) -> f64 {
    started.elapsed().as_secs_f64() * 1000.0
}

fn idle(bench: &Bench) -> Outcome<Row> {
    let server = Server::start(bench.program.serve(&bench.set), &bench.log("idle"))?;
    sleep(Duration::from_secs(2));
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let resident = server.resident()? as f64 / MIB;
    let (_, met) = Goal::AtMost(25.0).judge(resident);
    Ok(Row {
        id: "P9",
        what: "resident memory, idle after a start on the data set".to_owned(),
        figure: format!("{resident:.1} MiB"),
        yardstick: "–".to_owned(),
        ratio: "–".to_owned(),
        goal: Some(("≤ 25 MiB".to_owned(), met)),
    })
}

fn size(bench: &Bench) -> Outcome<Row> {
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let bytes = std::fs::metadata(bench.program.path())?.len() as f64;
    let (_, met) = Goal::AtMost(20.0).judge(bytes / MIB);
    Ok(Row {
        id: "–",
        what: "the program, one file".to_owned(),
        figure: format!("{} KiB", thousands(bytes / 1024.0)),
        yardstick: "–".to_owned(),
        ratio: "–".to_owned(),
        goal: Some(("≤ 20 MiB".to_owned(), met)),
    })
}
