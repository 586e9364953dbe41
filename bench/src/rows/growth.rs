//! P13: the same questions and the same writes with ten times the data. Both servers remember the
//! facts that are asked about, which are drawn from all that there is.

use super::{
    Bench,
    create_token::{self, CLIENTS},
    doors::{Asked, EVALUATION, FORWARD},
    hot::{Hot, beside},
    in_turn,
    stores::{copy_store, warm},
    thousands,
};
use crate::{
    Outcome,
    load::{Load, Rounds, Target},
    process::Server,
    seed,
    stats::{median, ratio},
    table::{Goal, Row},
    world::{Size, World},
};

const GOAL: Goal = Goal::AtLeast(0.9);

pub(crate) fn measure(bench: &Bench, hot: &Hot) -> Outcome<Vec<Row>> {
    let size = Size { users: bench.world.size.users * 10 };
    let set = seed::data_set(&bench.folder, size)?;
    let world = World::open(&set, size)?;
    let large = Hot::start(bench, &set, &world, "large")?;
    let asked = |asked: Asked| {
        for server in [&large, hot] {
            server.ask_everything(asked)?;
        }
        let (figures, yardsticks) = beside(bench, &large, hot, asked)?;
        Outcome::Ok(row(&format!("{} ({})", asked.what, asked.id), &figures, &yardsticks))
    };
    let mut rows = vec![asked(FORWARD)?, asked(EVALUATION)?];
    drop(large);
    let copies = ["durable", "durable-large"].map(|name| bench.folder.join(name));
    let [copy, large_copy] = &copies;
    let written =
        copy_store(&bench.set, copy).and_then(|()| copy_store(&set, large_copy)).and_then(|()| {
            warm(&copies)?;
            let start = |copy, log| Server::start(bench.program.serve(copy), &bench.log(log));
            let (server, large) = (start(copy, "durable")?, start(large_copy, "durable-large")?);
            let target = |server: &Server| Target { address: server.address, connections: CLIENTS };
            let (load, span) = (Load::new()?, bench.span());
            let requests = create_token::requests(&bench.world)?;
            let large_requests = create_token::requests(&world)?;
            load.run(target(&server), span / 4, &requests)?;
            load.run(target(&large), span / 4, &large_requests)?;
            let (mut figures, mut yardsticks) = (Rounds::default(), Rounds::default());
            for round in 0..bench.rounds() {
                let (figure, yardstick) = in_turn(
                    round,
                    || load.run(target(&large), span, &large_requests),
                    || load.run(target(&server), span, &requests),
                )?;
                figures.0.push(figure);
                yardsticks.0.push(yardstick);
            }
            Ok(row("durable token (P5)", &figures, &yardsticks))
        });
    for copy in &copies {
        seed::remove(copy)?;
    }
    rows.push(written?);
    Ok(rows)
}

fn row(what: &str, figures: &Rounds, yardsticks: &Rounds) -> Row {
    let (large, usual) = (figures.rates(), yardsticks.rates());
    let ratio = ratio(&large, &usual);
    Row {
        id: "P13",
        what: format!("ten times the data: {what}"),
        figure: format!("{} req/s", thousands(median(large))),
        yardstick: format!("{} req/s", thousands(median(usual))),
        ratio: format!("{ratio:.2}"),
        goal: Some(GOAL.judge(ratio)),
    }
}
