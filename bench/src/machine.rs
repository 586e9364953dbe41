//! What the figures were measured on.

use std::{fs, path::Path, time::Instant};

use rusqlite::Connection;

use crate::{Outcome, seed, stats::median, world::Size};

/// The cost of one commit that is synced to disk.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CommitCost {
    pub(crate) micros: f64,
}

/// Single rows, committed one after another, in a new database in `folder`.
pub(crate) struct Commits(Connection);

impl Commits {
    pub(crate) fn open(folder: &Path) -> Outcome<Self> {
        seed::remove(&folder.join(COMMITS))?;
        fs::create_dir_all(folder.join(COMMITS))?;
        let store = Connection::open(folder.join(COMMITS).join("commits.db"))?;
        store.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
             CREATE TABLE row (id INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT;",
        )?;
        Ok(Self(store))
    }

    /// Commits `count` rows; the seconds that each took.
    pub(crate) fn run(&self, count: usize) -> Outcome<Vec<f64>> {
        let mut insert = self.0.prepare("INSERT INTO row (text) VALUES (?1)")?;
        let text = "x".repeat(100);
        let mut times = Vec::with_capacity(count);
        for _ in 0..count {
            let started = Instant::now();
            insert.execute([&text])?;
            times.push(started.elapsed().as_secs_f64());
        }
        Ok(times)
    }
}

const COMMITS: &str = "commits";

/// What one commit costs on the disk of `folder`.
pub(crate) fn commit_cost(folder: &Path) -> Outcome<CommitCost> {
    let times = Commits::open(folder)?.run(1000)?;
    seed::remove(&folder.join(COMMITS))?;
    Ok(CommitCost { micros: median(times) * 1e6 })
}

/// The head of the table.
pub(crate) fn head(commit: &str, date: &str, size: Size, cost: CommitCost) -> Outcome<String> {
    let cpu = fs::read_to_string("/proc/cpuinfo")?;
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    let model = model.map_or("unknown", |(_, model)| model.trim());
    let cores = std::thread::available_parallelism()?;
    let load = fs::read_to_string("/proc/loadavg")?;
    let load = load.split(' ').next().unwrap_or_default().to_owned();
    Ok(format!(
        "{cores} cores ({model}), load average {load} at the start; commit {commit}, {date}\n\
         data set: {} users, {} tokens, {} repositories, {} permissions, {} teams\n\
         one synced commit costs {:.0} µs (median of 1000)",
        size.users,
        size.tokens(),
        size.repositories(),
        size.permissions(),
        size.teams(),
        cost.micros,
    ))
}
