//! Measures Claviger against yardsticks that run in turn with it, on the same machine, in the same
//! minutes, and prints one table. `scripts/bench` builds and starts it.
//!
//! ```text
//! world    what the data set is: every name, id and secret follows from its number
//! seed     writes it into a store, once, in bulk
//! load     requests over connections that stay open
//! process  the program and the yardstick's server, each in a process of its own
//! inside   the application in this process, without HTTP
//! rows     one file for each kind of row
//! ```
//! Absolute times differ from machine to machine; what counts is the ratio inside one run. Nothing
//! here is a test, and everything stays on the loopback address.

mod inside;
mod load;
mod machine;
mod process;
mod rows;
mod seed;
mod stats;
mod table;
mod world;
mod yardstick;

use std::{alloc::System, path::PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

use crate::{
    process::Binary,
    rows::{
        Bench,
        doors::{EVALUATION, FORWARD, REGISTRY, measure},
        growth,
        hot::Hot,
        memory,
    },
    table::{Row, Table},
    world::{Size, World},
};

/// The system's allocator, counting.
#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[derive(Parser)]
#[command(name = "claviger-bench")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the rows and print the table
    Run(RunArgs),
    /// A bare server that does one thing for each request, until it is killed
    Yardstick {
        /// What it does
        kind: yardstick::Kind,
    },
}

#[derive(Args)]
struct RunArgs {
    /// 1/100 of the data set, and short rounds
    #[arg(long)]
    quick: bool,
    /// 1/10 of the data set, so that ten times the data is the whole of it
    #[arg(long, conflicts_with = "quick")]
    tenth: bool,
    /// Only these rows
    #[arg(long, value_name = "ROW")]
    only: Vec<Group>,
    /// The program to measure
    #[arg(long, value_name = "FILE")]
    program: PathBuf,
    /// Where data sets are kept
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// What the head of the table calls the sources
    #[arg(long, default_value = "unknown")]
    commit: String,
    /// When this is, for the head of the table
    #[arg(long, default_value = "")]
    date: String,
}

/// Rows that are measured together.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Group {
    /// P1: forward-auth
    Forward,
    /// P2: AuthZEN evaluations
    Evaluation,
    /// P3: registry tokens
    RegistryToken,
    /// P9: memory after a million decisions
    Memory,
    /// P5: durable creation of tokens
    CreateToken,
    /// P4 and P6: decisions in this process
    Decision,
    /// P7 and P8: pages of lists
    List,
    /// P13: ten times the data
    Growth,
    /// P10: cold start; idle memory; the size of the program
    Start,
}

fn main() -> Outcome<()> {
    match Cli::parse().command {
        Command::Yardstick { kind } => yardstick::serve(kind),
        Command::Run(args) => run(&args),
    }
}

fn run(args: &RunArgs) -> Outcome<()> {
    let size = match (args.quick, args.tenth) {
        (true, _) => Size::QUICK,
        (_, true) => Size::TENTH,
        (false, false) => Size::FULL,
    };
    std::fs::create_dir_all(&args.data)?;
    let set = seed::data_set(&args.data, size)?;
    let world = World::open(&set, size)?;
    let bench = Bench {
        program: Binary::new(&args.program),
        folder: args.data.clone(),
        set,
        world,
        quick: args.quick,
    };
    let commit_cost = machine::commit_cost(&bench.folder)?;
    let mut table = Table::new(machine::head(&args.commit, &args.date, size, commit_cost)?);
    let wanted = |group| args.only.is_empty() || args.only.contains(&group);
    let of_doors =
        [Group::Forward, Group::Evaluation, Group::RegistryToken, Group::Memory, Group::Growth];
    if of_doors.into_iter().any(wanted) {
        table.add(doors(&bench, wanted)?);
    }
    if wanted(Group::Decision) {
        table.add(rows::decision::measure(&bench)?);
    }
    if wanted(Group::CreateToken) {
        table.add(rows::create_token::measure(&bench)?);
    }
    if wanted(Group::List) {
        table.add(rows::list::measure(&bench)?);
    }
    if wanted(Group::Start) {
        table.add(rows::start::measure(&bench)?);
    }
    println!("{table}");
    Ok(())
}

/// The rows that are asked of one server, which remembers the whole data set.
fn doors(bench: &Bench, wanted: impl Fn(Group) -> bool) -> Outcome<Vec<Row>> {
    let asked = [
        (Group::Forward, FORWARD),
        (Group::Evaluation, EVALUATION),
        (Group::RegistryToken, REGISTRY),
    ];
    let asked = asked.into_iter().filter(|(group, _)| wanted(*group));
    // before there is another server on the same store
    let asked: Vec<_> =
        asked.map(|(_, asked)| Ok((asked, Hot::cold(bench, asked)?))).collect::<Outcome<_>>()?;
    let hot = Hot::start(bench, &bench.set, &bench.world, "hot")?;
    let mut all = Vec::new();
    if wanted(Group::Memory) {
        hot.complete()?;
        all.push(memory::measure(&hot)?);
    }
    for (asked, cold) in asked {
        all.extend(measure(bench, &hot, asked, cold)?);
    }
    if wanted(Group::Growth) {
        all.extend(growth::measure(bench, &hot)?);
    }
    Ok(all)
}
