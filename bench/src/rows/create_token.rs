//! P5: tokens that are made durably through HTTP, against the same server with its store in memory
//! and against single commits on the same disk.

use std::{path::Path, sync::Arc};

use bytes::Bytes;
use http::{
    HeaderValue, Request,
    header::{AUTHORIZATION, CONTENT_TYPE, HOST},
};
use http_body_util::Full;

use super::{Bench, in_turn, stores::copy_store, thousands};
use crate::{
    Outcome,
    load::{Load, Requests, Rounds, Target},
    machine::Commits,
    process::Server,
    seed,
    stats::{median, ratio},
    table::{Goal, Row},
    world::World,
};

pub(crate) const CLIENTS: usize = 64;
/// From this cost of a commit on, group commit is what counts.
const DEAR_COMMIT_SECONDS: f64 = 1e-3;
const OVER_SINGLE_COMMITS: Goal = Goal::AtLeast(8.0);
const OVER_NO_COMMIT: Goal = Goal::AtLeast(0.5);
/// A file system in memory: a commit there costs nothing.
const MEMORY: &str = "/dev/shm";

/// Each client makes tokens of a user of its own.
pub(crate) fn requests(world: &World) -> Outcome<Arc<Requests>> {
    let bearer = |user| {
        let secret = world.oauth_token(user);
        let mut bearer = HeaderValue::try_from(format!("Bearer {}", secret.expose()))?;
        bearer.set_sensitive(true);
        Ok(bearer)
    };
    let bearers = (0..CLIENTS as u64).map(bearer).collect::<Outcome<Vec<_>>>()?;
    Ok(Arc::new(move |number| {
        let bearer = bearers.get(number % CLIENTS).ok_or("there is no such client")?;
        let request = Request::post("/api/v1/user/apptoken")
            .header(HOST, "127.0.0.1")
            .header(CONTENT_TYPE, "application/json")
            .header(AUTHORIZATION, bearer.clone());
        Ok(request.body(Full::new(Bytes::from_static(br#"{"title":"made by bench"}"#)))?)
    }))
}

pub(crate) fn measure(bench: &Bench) -> Outcome<Vec<Row>> {
    let on_disk = bench.folder.join("durable");
    let in_memory = Path::new(MEMORY).join(format!("claviger-bench-{}", std::process::id()));
    let measured = compared(bench, &on_disk, &in_memory);
    seed::remove(&on_disk)?;
    seed::remove(&in_memory)?;
    measured
}

fn compared(bench: &Bench, on_disk: &Path, in_memory: &Path) -> Outcome<Vec<Row>> {
    copy_store(&bench.set, on_disk)?;
    copy_store(&bench.set, in_memory)?;
    let durable = Server::start(bench.program.serve(on_disk), &bench.log("durable"))?;
    let fleeting = Server::start(bench.program.serve(in_memory), &bench.log("fleeting"))?;
    let target = |server: &Server| Target { address: server.address, connections: CLIENTS };
    let (durable_at, fleeting_at) = (target(&durable), target(&fleeting));

    let commits = Commits::open(&bench.folder)?;
    let (load, requests) = (Load::new()?, requests(&bench.world)?);
    for warm in [durable_at, fleeting_at] {
        load.run(warm, bench.span() / 4, &requests)?;
    }
    let (mut figures, mut without) = (Rounds::default(), Rounds::default());
    let (mut single, mut cost) = (Vec::new(), Vec::new());
    for round in 0..bench.rounds() {
        let yardsticks = || {
            let times = commits.run(500)?;
            Ok((times, load.run(fleeting_at, bench.span(), &requests)?))
        };
        let durable = || load.run(durable_at, bench.span(), &requests);
        let (figure, (times, no_commit)) = in_turn(round, durable, yardsticks)?;
        let whole: f64 = times.iter().sum();
        #[expect(clippy::cast_precision_loss, reason = "five hundred")]
        single.push(times.len() as f64 / whole);
        cost.push(median(times));
        figures.0.push(figure);
        without.0.push(no_commit);
    }
    let (rates, without) = (figures.rates(), without.rates());
    let (over_single, over_none) = (ratio(&rates, &single), ratio(&rates, &without));
    let dear = median(cost.iter().copied()) >= DEAR_COMMIT_SECONDS;
    let row = |what: &str, yardstick: f64, unit: &str, ratio: f64, goal: Option<Goal>| Row {
        id: "P5",
        what: what.to_owned(),
        figure: format!("{} req/s", thousands(median(rates.iter().copied()))),
        yardstick: format!("{} {unit}", thousands(yardstick)),
        ratio: format!("{ratio:.2}"),
        goal: goal.map(|goal| goal.judge(ratio)),
    };
    let p99 = figures.p99_ms();
    Ok(vec![
        row(
            "durable token, over the same without the commit",
            median(without),
            "req/s",
            over_none,
            (!dear).then_some(OVER_NO_COMMIT),
        ),
        row(
            "durable token, over single commits",
            median(single),
            "commits/s",
            over_single,
            dear.then_some(OVER_SINGLE_COMMITS),
        ),
        Row {
            id: "P5",
            what: "durable token, p99, over one commit".to_owned(),
            figure: format!("{p99:.2} ms"),
            yardstick: format!("{:.2} ms", median(cost.iter().copied()) * 1000.0),
            ratio: format!("{:.1}", p99 / 1000.0 / median(cost)),
            goal: None,
        },
    ])
}
