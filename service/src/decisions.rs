//! What was decided about access: counted, and noted for the audit as `audit.decisions` says.
//!
//! Decisions are counted by the door that asked. A decision does not know its door, so the porch
//! says it of all the work of a request ([`CountedDoor::through`]).
//!
//! Nothing of this is in the way of a request: a decision is put into a bounded queue, and a batch
//! of them is written now and then. When the queue is full, decisions are dropped and counted.

use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use claviger_domain::{Error, UnixMillis};
use claviger_store::audit::{self, Act, Actor, Outcome};

use crate::{app::App, settings::AuditDecisions};

/// How many decisions may wait to be written.
const WAITING: usize = 10_000;
/// How many are written in one transaction, so that other writes need not wait long.
const BATCH: usize = 500;

/// One decision, as the audit tells it.
#[derive(Clone, Debug)]
pub(crate) struct Decision {
    pub(crate) at: UnixMillis,
    pub(crate) actor: Actor,
    /// The kind of the object, such as `repository`.
    pub(crate) object_kind: &'static str,
    pub(crate) object_name: String,
    /// About whom somebody else asked.
    pub(crate) subject: Option<String>,
    /// What was asked for.
    pub(crate) asked: Vec<&'static str>,
    /// What was granted of it.
    pub(crate) granted: Vec<&'static str>,
    /// Whether anything was refused.
    pub(crate) refused: bool,
}

/// The doors that decisions are counted for; the last stands for whoever is none of them.
pub const DOORS: [&str; 9] =
    ["quay", "registry", "oauth", "openshift", "native", "astra", "forward", "decisions", "other"];

tokio::task_local! {
    static DOOR: CountedDoor;
}

/// The place of a door in [`DOORS`].
#[derive(Clone, Copy, Debug)]
pub struct CountedDoor(usize);

impl CountedDoor {
    const OTHER: Self = Self(DOORS.len() - 1);

    /// The place of the door with this name.
    pub fn of(name: &str) -> Self {
        DOORS.iter().position(|known| *known == name).map_or(Self::OTHER, Self)
    }

    /// Does a step of the work of a request, whose decisions are counted for this door.
    pub fn through<T>(self, step: impl FnOnce() -> T) -> T {
        DOOR.sync_scope(self, step)
    }
}

/// What was decided for one door. Each stands in lines of its own, so that doors on several cores
/// do not take them from each other.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Count {
    allowed: AtomicU64,
    denied: AtomicU64,
}

/// Counts decisions, and keeps those that are to be written.
#[derive(Debug, Default)]
pub struct Decisions {
    counts: [Count; DOORS.len()],
    dropped: AtomicU64,
    waiting: Mutex<Vec<Decision>>,
}

impl Decisions {
    /// One was made.
    pub(crate) fn count(&self, allowed: bool) {
        let CountedDoor(door) = DOOR.try_with(|door| *door).unwrap_or(CountedDoor::OTHER);
        if let Some(count) = self.counts.get(door) {
            let counter = if allowed { &count.allowed } else { &count.denied };
            counter.fetch_add(1, Relaxed);
        }
    }

    /// How many allowed something and how many refused, door by door.
    pub fn by_door(&self) -> impl Iterator<Item = (&'static str, u64, u64)> {
        DOORS
            .iter()
            .zip(&self.counts)
            .map(|(door, count)| (*door, count.allowed.load(Relaxed), count.denied.load(Relaxed)))
    }

    /// How many should have been written and were not.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Decision>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, decision: Decision) {
        let mut waiting = self.lock();
        if waiting.len() < WAITING {
            waiting.push(decision);
        } else {
            self.dropped.fetch_add(1, Relaxed);
        }
    }
}

impl App {
    /// Notes a decision for the audit, if the settings want it; it is made only then.
    pub(crate) fn note_decision(&self, refused: bool, decision: impl FnOnce() -> Decision) {
        let wanted = match self.settings.audit.decisions {
            AuditDecisions::Off => false,
            AuditDecisions::Denied => refused,
            AuditDecisions::All => true,
        };
        if wanted {
            self.decisions.note(decision());
        }
    }

    /// Writes the decisions that wait; how many.
    ///
    /// # Errors
    /// [`Error::Unavailable`]; then those that were not written are dropped and counted.
    pub async fn flush_decisions(&self) -> Result<usize, Error> {
        let all = std::mem::take(&mut *self.decisions.lock());
        let count = all.len();
        for (done, batch) in all.chunks(BATCH).enumerate() {
            let batch = batch.to_vec();
            let written = self.db.write(move |tx| {
                for decision in &batch {
                    let asked = match &decision.subject {
                        Some(subject) => {
                            serde_json::json!({ "actions": decision.asked, "subject": subject })
                        }
                        None => serde_json::json!({ "actions": decision.asked }),
                    };
                    let asked = asked.to_string();
                    let granted = serde_json::json!({ "actions": decision.granted }).to_string();
                    let (namespace, _) = decision.object_name.split_once('/').unwrap_or_default();
                    let act = Act {
                        namespace: Some(namespace).filter(|name| !name.is_empty()),
                        outcome: if decision.refused { Outcome::Denied } else { Outcome::Success },
                        ..Act::done("decide", decision.object_kind, &decision.object_name)
                            .change(Some(&asked), Some(&granted))
                    };
                    audit::append(tx, decision.at, &decision.actor, &act)?;
                }
                Ok(())
            });
            if let Err(error) = written.await {
                let lost = u64::try_from(count.saturating_sub(done * BATCH)).unwrap_or(u64::MAX);
                self.decisions.dropped.fetch_add(lost, Relaxed);
                return Err(error);
            }
        }
        Ok(count)
    }
}
