//! One line a request: which route, by whom, how it ended. Never a path, a query, a user name of
//! Basic, or a secret.

use std::{
    error::Error as StdError,
    fmt::Write as _,
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use claviger_domain::{
    BadCredential, Error,
    id::{PrincipalId, RequestId},
};
use http::{Method, StatusCode};

use crate::{
    Visit,
    metrics::{Metrics, RouteStats},
    trace::{Context, Done},
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

/// What is told of a request when it has ended.
#[derive(Clone, Copy, Debug)]
pub struct Ended<'a> {
    /// Its method.
    pub method: &'a Method,
    /// The door.
    pub door: &'static str,
    /// The template of the route; empty when there is none.
    pub route: &'a str,
    /// The status of the answer; 499 when its connection was cut off before.
    pub status: u16,
    /// How long it took.
    pub took: Duration,
    /// Its id.
    pub request: RequestId,
    /// The client's address.
    pub address: Option<IpAddr>,
    /// Whose credential was accepted.
    pub principal: Option<PrincipalId>,
    /// What went wrong.
    pub error: Option<&'a str>,
}

impl Ended<'_> {
    /// Whether the trouble is ours, so that somebody should look at it.
    pub fn is_trouble(&self) -> bool {
        self.status >= 500
    }
}

/// Who is told of every request.
pub trait RequestLog: Send + Sync {
    /// One has ended.
    fn tell(&self, ended: &Ended<'_>);
}

/// Tells by an event, as everything else is told.
#[derive(Clone, Copy, Debug, Default)]
pub struct Events;

impl RequestLog for Events {
    fn tell(&self, ended: &Ended<'_>) {
        macro_rules! line {
            ($level:ident) => {
                tracing::$level!(
                    target: "claviger::request",
                    method = %ended.method,
                    door = ended.door,
                    route = ended.route,
                    status = ended.status,
                    duration_us = u64::try_from(ended.took.as_micros()).unwrap_or(u64::MAX),
                    request = %ended.request,
                    address = ended.address.map(tracing::field::display),
                    principal = ended.principal.map(tracing::field::display),
                    error = ended.error,
                )
            };
        }
        if ended.is_trouble() { line!(error) } else { line!(info) }
    }
}

/// One request, from its head to its answer.
pub(crate) struct Line<'e> {
    pub(crate) visit: Visit,
    pub(crate) door: &'static str,
    pub(crate) method: Method,
    pub(crate) route: &'e Arc<str>,
    pub(crate) stats: &'e RouteStats,
    pub(crate) metrics: &'e Metrics,
    pub(crate) started: Instant,
    /// The span that tells of it, if one does.
    pub(crate) traced: Option<Context>,
    pub(crate) ended: Option<(StatusCode, Option<Cause>)>,
}

const GONE: u16 = 499;

impl Drop for Line<'_> {
    fn drop(&mut self) {
        let took = self.started.elapsed();
        let (status, cause) = match &self.ended {
            Some((status, cause)) => (status.as_u16(), cause.as_ref()),
            None => (GONE, None),
        };
        self.stats.record(status, took);
        let (door, route, method) = (self.door, self.route, &self.method);
        let request = self.visit.request_id();
        if let (Some(tracer), Some(context)) = (self.metrics.tracer(), self.traced.take()) {
            let done = Done { door, route, method, status, request: &request.text(), took };
            tracer.end(context, &done);
        }
        self.metrics.log().tell(&Ended {
            method,
            door,
            route,
            status,
            took,
            request,
            address: self.visit.address(),
            principal: self.visit.principal(),
            error: cause.map(Cause::as_str),
        });
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
