//! One line a request: which route, by whom, how it ended. Never a path, a query, a user name of
//! Basic, or a secret.

use std::{error::Error as StdError, fmt::Write as _, sync::Arc, time::Instant};

use claviger_domain::{BadCredential, Error};
use http::{Method, StatusCode};

use crate::{
    Visit,
    metrics::RouteStats,
    trace::{Context, Done, Tracer},
};

/// What went wrong, for the log line. A door puts it into the extensions of its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause(Arc<str>);

impl Cause {
    /// The kind of `error`; for trouble of our own the whole chain of causes. What a client sent
    /// is not repeated.
    pub fn of(error: &Error) -> Self {
        let text = match error {
            Error::Unavailable(_) | Error::Internal(_) => chain(error),
            Error::BadCredential(why) => format!("bad credential: {}", reason(*why)),
            Error::Unauthenticated
            | Error::StaleLogin
            | Error::Throttled { .. }
            | Error::Busy { .. }
            | Error::NotFound(_)
            | Error::ReadOnly => error.to_string(),
            Error::Denied { action, .. } => format!("not allowed to {action}"),
            Error::Invalid { field, .. } => format!("invalid {field}"),
            Error::Conflict(_) => "conflict".to_owned(),
        };
        Self(text.into())
    }

    /// A refusal of the door itself, such as `csrf`.
    pub fn word(word: &'static str) -> Self {
        Self(word.into())
    }

    /// The text of the log line.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn reason(why: BadCredential) -> &'static str {
    match why {
        BadCredential::Unknown => "unknown",
        BadCredential::Password => "password",
        BadCredential::Expired => "expired",
        BadCredential::Disabled => "disabled",
        BadCredential::Unverified => "unverified",
        BadCredential::EncryptionRequired => "encryption required",
        BadCredential::RobotsDisallowed => "robots disallowed",
    }
}

fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    text
}

/// The line of one request. It is written when the answer is there; a request whose client went
/// away before has the status 499.
pub(crate) struct Line {
    pub(crate) visit: Visit,
    pub(crate) door: &'static str,
    pub(crate) method: Method,
    pub(crate) route: Arc<str>,
    pub(crate) stats: Arc<RouteStats>,
    pub(crate) started: Instant,
    /// The span that tells of it, if one does.
    pub(crate) traced: Option<(Arc<Tracer>, Context)>,
    pub(crate) ended: Option<(StatusCode, Option<Cause>)>,
}

const GONE: u16 = 499;

impl Drop for Line {
    fn drop(&mut self) {
        let took = self.started.elapsed();
        let (status, cause) = match &self.ended {
            Some((status, cause)) => (status.as_u16(), cause.as_ref()),
            None => (GONE, None),
        };
        self.stats.record(status, took);
        let request = self.visit.request_id();
        if let Some((tracer, context)) = self.traced.take() {
            let (door, route, method) = (self.door, &self.route, &self.method);
            tracer.end(
                context,
                &Done { door, route, method, status, request: request.as_str(), took },
            );
        }
        let address = self.visit.address().map(tracing::field::display);
        let principal = self.visit.principal().map(tracing::field::display);
        macro_rules! line {
            ($level:ident) => {
                tracing::$level!(
                    target: "claviger::request",
                    method = %self.method,
                    door = self.door,
                    route = &*self.route,
                    status,
                    duration_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
                    request = %request,
                    address,
                    principal,
                    error = cause.map(Cause::as_str),
                )
            };
        }
        if status >= 500 { line!(error) } else { line!(info) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cause_of_our_trouble_is_the_whole_chain() {
        #[derive(Debug, thiserror::Error)]
        #[error("insert failed")]
        struct Insert(#[source] std::io::Error);
        let error = Error::Unavailable(Box::new(Insert(std::io::Error::other("disk full"))));
        assert_eq!(Cause::of(&error).as_str(), "storage is unavailable: insert failed: disk full");
    }

    #[test]
    fn cause_does_not_repeat_what_a_client_sent() {
        for error in [
            Error::invalid("title", "canary"),
            Error::denied("administer", "canary"),
            claviger_domain::Conflict::NameReserved("canary".into()).into(),
        ] {
            assert!(!Cause::of(&error).as_str().contains("canary"));
        }
    }
}
