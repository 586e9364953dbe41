//! P9: what a server takes that has decided a million times over the data set, against what it
//! has to remember: the keys and values of the facts, and the pages that SQLite keeps.

use std::{mem::size_of, sync::Arc};

use claviger_domain::{
    access::RepoAcl,
    principal::{PrincipalFacts, TeamFacts},
    token::TokenFacts,
};

use super::hot::{DECISIONS, Hot};
use crate::{
    Outcome,
    table::{Goal, Row},
};

const GOAL: Goal = Goal::AtMost(1.5);
const MIB: f64 = 1024.0 * 1024.0;
/// What a connection of the program may keep of the file: the writer, and each reader.
const WRITER_PAGES: usize = 8 << 20;
const READER_PAGES: usize = 4 << 20;

/// Keys and values of one fact of each kind, on the average, in bytes; nothing around them.
fn sizes() -> [(&'static str, usize); 4] {
    // every fact holds its key
    let pointer = size_of::<Arc<()>>();
    [
        // the scope of app tokens is there once for all of them
        ("token", pointer + size_of::<TokenFacts>()),
        // names, teams and permissions lie in them
        ("principal", pointer + size_of::<PrincipalFacts>()),
        ("team", pointer + size_of::<TeamFacts>() + "team-00".len()),
        ("repository", pointer + size_of::<RepoAcl>()),
    ]
}

/// The row of a server that has decided [`DECISIONS`] times and done nothing else.
pub(crate) fn measure(hot: &Hot) -> Outcome<Row> {
    let metrics = hot.metrics()?;
    let entries = |kind: &str| {
        let name = format!("claviger_cache_entries{{fact=\"{kind}\"}} ");
        let line = metrics.lines().find_map(|line| line.strip_prefix(&name));
        line.and_then(|count| count.parse::<usize>().ok()).ok_or("the metrics have no such line")
    };
    let mut facts = 0;
    for (kind, each) in sizes() {
        facts += entries(kind)? * each;
    }
    // as the program has it: two to sixteen readers, one that follows the feed
    let readers = std::thread::available_parallelism().map_or(2, usize::from).clamp(2, 16) + 1;
    let pages = WRITER_PAGES + readers * READER_PAGES;
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let (resident, needed, decisions) =
        (hot.server.resident()? as f64, (facts + pages) as f64, DECISIONS as f64);
    Ok(Row {
        id: "P9",
        what: format!("resident memory after {} decisions", super::thousands(decisions)),
        figure: format!("{:.0} MiB", resident / MIB),
        yardstick: format!("{:.0} MiB", needed / MIB),
        ratio: format!("{:.2}", resident / needed),
        goal: Some(GOAL.judge(resident / needed)),
    })
}
