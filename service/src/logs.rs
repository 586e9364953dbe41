//! The logs of users, organisations and repositories: the part of the audit that is theirs to see.
//!
//! A namespace's log begins with the namespace: what was done under its name before is another's.

use claviger_domain::{Error, UnixMillis, access::Administer};
pub use claviger_store::logs::{LogCount, LogRow};
use claviger_store::{
    Query,
    logs::{self, LogOf, LogQuery},
    principals,
};

use crate::{access::NamespaceAdmin, app::App, caller::Caller, reach::Reach, superusers::Overseer};

/// How many rows a page has at most.
const PAGE: usize = 20;

/// Whose log, with the proof that it may be read.
#[derive(Clone, Debug)]
pub enum Log {
    /// An organisation's.
    Organisation(NamespaceAdmin),
    /// The caller's own, if his credential may administer him.
    Own(Caller),
    /// A repository's.
    Repository(Reach<Administer>),
    /// Everybody's.
    All(Overseer),
}

/// Which part of a log.
#[derive(Clone, Debug)]
pub struct Span {
    /// Not before this moment.
    pub from: UnixMillis,
    /// Before this moment.
    pub until: UnixMillis,
    /// Only what somebody of this name did.
    pub performer: Option<String>,
}

/// One page.
#[derive(Clone, Debug)]
pub struct LogPage {
    /// Its rows, newest first.
    pub rows: Vec<LogRow>,
    /// Where the next page begins, when there is more.
    pub next: Option<i64>,
}

impl Log {
    fn query(self, q: &mut dyn Query, span: Span) -> Result<LogQuery, Error> {
        let Span { from, until, performer } = span;
        let id = match self {
            Self::Repository(on) => {
                let repo = on.find(q)?.ok_or(Error::NotFound("repository"))?;
                return Ok(LogQuery { of: LogOf::Repository(repo.id), from, until, performer });
            }
            Self::All(_) => return Ok(LogQuery { of: LogOf::All, from, until, performer }),
            Self::Organisation(permit) => permit.on().id,
            Self::Own(caller) => {
                caller.must_be_own_admin()?;
                caller.principal.id
            }
        };
        let found = principals::find(q, &id)?.ok_or(Error::NotFound("namespace"))?;
        let from = from.max(found.created_at);
        Ok(LogQuery { of: LogOf::Namespace(found.name), from, until, performer })
    }
}

impl App {
    /// A page of a log: what lies before the place `before`.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Denied`] where the proof is not enough.
    pub async fn log(&self, log: Log, span: Span, before: Option<i64>) -> Result<LogPage, Error> {
        self.db
            .read(move |q| {
                let which = log.query(q, span)?;
                let limit = i64::try_from(PAGE + 1).unwrap_or(i64::MAX);
                let mut rows = logs::page(q, &which, before.unwrap_or(i64::MAX), limit)?;
                let more = rows.len() > PAGE;
                rows.truncate(PAGE);
                let next = rows.last().filter(|_| more).map(|row| row.place);
                Ok(LogPage { rows, next })
            })
            .await
    }

    /// How often each act was done, day by day.
    ///
    /// # Errors
    /// As [`App::log`].
    pub async fn log_counts(&self, log: Log, span: Span) -> Result<Vec<LogCount>, Error> {
        self.db
            .read(move |q| {
                let which = log.query(q, span)?;
                Ok(logs::counts(q, &which)?)
            })
            .await
    }
}
