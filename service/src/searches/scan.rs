//! Going through candidates in the order of a key, each once, with bounded effort.
//!
//! Several sources may name the same one. Each gives a few behind a key and says how far it has
//! looked; the union counts as far as the one that has looked least.

use std::collections::BTreeMap;

use claviger_domain::Error;

use super::snapshot::Snapshot;

/// How many decisions a page costs at the most.
const DECISIONS: usize = 1_000;
/// How often candidates are read for a page at the most.
const ROUNDS: usize = 5;
/// How many candidates are read at once, if more are not wanted.
const FEW: usize = 64;
/// How many rows are read at once where most are passed over.
pub(super) const PASSED_OVER: i64 = 2_000;

/// Candidates behind a key, in the order of theirs.
pub(super) struct Batch<T> {
    pub(super) rows: Vec<(String, T)>,
    /// How far it was looked; `None`: there are no more.
    pub(super) seen_to: Option<String>,
}

impl<T> Batch<T> {
    /// What a read of at most `limit` rows found, of which those are kept that `pick` picks.
    pub(super) fn of<R>(
        read: Vec<R>,
        limit: i64,
        key: impl Fn(&R) -> String,
        pick: impl Fn(R) -> Option<T>,
    ) -> Self {
        let full = i64::try_from(read.len()).is_ok_and(|len| len >= limit);
        let seen_to = read.last().filter(|_| full).map(&key);
        let pair = |row| {
            let key = key(&row);
            pick(row).map(|kept| (key, kept))
        };
        Self { rows: read.into_iter().filter_map(pair).collect(), seen_to }
    }

    /// The union of several.
    pub(super) fn merged(batches: Vec<Self>) -> Self {
        let seen_to = batches.iter().filter_map(|batch| batch.seen_to.clone()).min();
        let rows = batches.into_iter().flat_map(|batch| batch.rows);
        let seen = |key: &String| seen_to.as_ref().is_none_or(|to| key <= to);
        let rows: BTreeMap<String, T> = rows.filter(|(key, _)| seen(key)).collect();
        Self { rows: rows.into_iter().collect(), seen_to }
    }
}

/// A page while it is filled.
pub(crate) struct Filling<R> {
    pub(crate) found: Vec<R>,
    limit: usize,
    decisions: usize,
    rounds: usize,
}

impl<R> Filling<R> {
    /// An empty page of at most `limit`.
    pub(crate) fn new(limit: usize) -> Self {
        Self { found: Vec::new(), limit, decisions: DECISIONS, rounds: ROUNDS }
    }

    /// Whether something may still be looked at for this page; if so, that counts.
    pub(super) fn takes_one(&mut self) -> bool {
        let takes = self.found.len() < self.limit && self.decisions > 0;
        self.decisions = self.decisions.saturating_sub(usize::from(takes));
        takes
    }

    /// Whether candidates may be read once more for this page; if so, that counts.
    pub(super) fn reads_once_more(&mut self) -> bool {
        let reads = self.rounds > 0;
        self.rounds = self.rounds.saturating_sub(1);
        reads
    }

    /// How many candidates are read at once.
    pub(super) fn at_once(&self) -> i64 {
        i64::try_from(self.limit.saturating_add(1).max(FEW)).unwrap_or(i64::MAX)
    }

    /// Looks at what `fetch` gives, from behind `after`, and keeps what `judge` makes of it. The key
    /// behind which it goes on on the next page; `None` when it is through.
    pub(super) fn scan<'a, T>(
        &mut self,
        snapshot: &mut Snapshot<'a>,
        mut after: String,
        fetch: impl Fn(&mut Snapshot<'a>, &str, i64) -> Result<Batch<T>, Error>,
        mut judge: impl FnMut(&mut Snapshot<'a>, &str, T) -> Result<Option<R>, Error>,
    ) -> Result<Option<String>, Error> {
        while self.reads_once_more() {
            let batch = fetch(snapshot, &after, self.at_once())?;
            for (key, candidate) in batch.rows {
                if !self.takes_one() {
                    return Ok(Some(after));
                }
                self.found.extend(judge(snapshot, &key, candidate)?);
                after = key;
            }
            match batch.seen_to {
                Some(to) => after = to,
                None => return Ok(None),
            }
        }
        Ok(Some(after))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(keys: &[&str], seen_to: Option<&str>) -> Batch<()> {
        let rows = keys.iter().map(|key| ((*key).to_owned(), ())).collect();
        Batch { rows, seen_to: seen_to.map(str::to_owned) }
    }

    #[test]
    fn union_counts_as_far_as_the_source_that_looked_least() {
        let union = Batch::merged(vec![
            batch(&["a", "c", "e"], Some("e")),
            batch(&["b", "c"], None),
            batch(&[], Some("d")),
        ]);
        let keys: Vec<_> = union.rows.iter().map(|(key, ())| key.as_str()).collect();
        assert_eq!(keys, ["a", "b", "c"]);
        assert_eq!(union.seen_to.as_deref(), Some("d"));
        let all = Batch::merged(vec![batch(&["a"], None), batch(&["b"], None)]);
        assert_eq!((all.rows.len(), all.seen_to), (2, None));
    }

    #[test]
    fn source_that_gave_less_than_it_could_has_no_more() {
        let of = |read: Vec<&str>| {
            Batch::of(read, 2, |row| (*row).to_owned(), |row| (row != "x").then_some(()))
        };
        assert_eq!(of(vec!["a"]).seen_to, None);
        let full = of(vec!["a", "x"]);
        assert_eq!((full.rows.len(), full.seen_to.as_deref()), (1, Some("x")));
    }
}
