//! Whether the answers that came are those of something that was opened and closed when we did it
//! (V8): an answer may be old or new while an act is under way, and only then; and once somebody
//! was given the new one, nobody who asked later is given the old one.

use std::time::Instant;

/// Something was opened, or closed, at some moment between the two.
#[derive(Clone, Copy, Debug)]
pub(super) struct Act {
    pub(super) began: Instant,
    pub(super) answered: Instant,
    pub(super) open: bool,
}

/// What somebody was told who asked at one moment and had his answer at the other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told {
    pub(super) asked: Instant,
    pub(super) answered: Instant,
    pub(super) open: bool,
}

/// The first act that cannot have happened at one moment, with the two answers that say so; the
/// acts followed one another.
pub(super) fn contradiction(acts: &[Act], told: &[Told]) -> Option<String> {
    // each act happened at one moment between these two
    let mut bounds: Vec<(Instant, Instant)> =
        acts.iter().map(|act| (act.began, act.answered)).collect();
    for answer in told {
        let fits = |at: &usize| {
            let next = acts.get(at + 1);
            acts[*at].open == answer.open
                && acts[*at].began <= answer.answered
                && next.is_none_or(|next| answer.asked <= next.answered)
        };
        let fitting: Vec<usize> = (0..acts.len()).filter(fits).collect();
        match fitting.as_slice() {
            [] => return Some(format!("{answer:?} was never true: {acts:?}")),
            [at] => {
                bounds[*at].1 = bounds[*at].1.min(answer.answered);
                if let Some(next) = bounds.get_mut(at + 1) {
                    next.0 = next.0.max(answer.asked);
                }
            }
            // it may tell of either: it contradicts nothing
            _ => {}
        }
    }
    let impossible = bounds.iter().position(|(from, until)| from > until)?;
    Some(format!("{:?} was old again after it was new: {told:?}", acts[impossible]))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn check(acts: &[(u64, u64, bool)], told: &[(u64, u64, bool)]) -> bool {
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        let acts: Vec<_> = acts
            .iter()
            .map(|&(began, answered, open)| Act { began: at(began), answered: at(answered), open })
            .collect();
        let told: Vec<_> = told
            .iter()
            .map(|&(asked, answered, open)| Told { asked: at(asked), answered: at(answered), open })
            .collect();
        contradiction(&acts, &told).is_none()
    }

    #[test]
    fn a_history_is_told_from_a_lie() {
        let acts = [(0, 0, true), (10, 20, false), (30, 40, true)];
        for (told, good) in [
            (
                &[(1, 2, true), (11, 12, true), (13, 14, false), (21, 22, false), (41, 42, true)][..],
                true,
            ),
            (&[(5, 25, true)], true),
            (&[(5, 25, false)], true),
            // begun after the answer to the act
            (&[(21, 22, true)], false),
            // before there was an act
            (&[(5, 6, false)], false),
            // not opened again
            (&[(41, 50, false)], false),
            // new, then old
            (&[(11, 12, false), (13, 14, true)], false),
            (&[(11, 13, false), (12, 14, true)], true),
            (&[(31, 32, true), (33, 34, false)], false),
            // old or newer: whichever
            (&[(15, 35, true), (11, 12, false)], true),
        ] {
            assert_eq!(check(&acts, told), good, "{told:?}");
        }
    }
}
