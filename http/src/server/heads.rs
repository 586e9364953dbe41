//! The time that a client has for each head, with one timer for a whole connection.
//!
//! hyper sets a timer when it begins to wait for a head, and drops it when the head is there. The
//! timers of the runtime stand behind one lock, and nearly none of these ever goes off. Here the
//! timer of a connection is left alone while heads come: when it goes off, it is looked whether a
//! head is waited for, and until when.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{
            AtomicBool, AtomicU64,
            Ordering::{Acquire, Release},
        },
    },
    task::{Context, Poll},
    time::Duration,
};

use hyper::rt::{Sleep, Timer};
use tokio::time::{Instant, sleep_until};

/// No head is waited for.
const NONE: u64 = u64::MAX;

/// The heads of one connection.
pub(super) struct Heads {
    began: Instant,
    patience: Duration,
    /// Until when the next must be there, in microseconds since `began`.
    until: AtomicU64,
    late: AtomicBool,
}

impl Heads {
    /// Each may take as long as `patience`.
    pub(super) fn new(patience: Duration) -> Arc<Self> {
        let (until, late) = (AtomicU64::new(NONE), AtomicBool::new(false));
        Arc::new(Self { began: Instant::now(), patience, until, late })
    }

    /// What hyper takes for its timer.
    pub(super) fn timer(self: &Arc<Self>) -> HeadTimer {
        HeadTimer(Arc::clone(self))
    }

    /// Watches the time for as long as it is polled, and wakes its task when a head is late. Then
    /// the connection must be polled, too.
    ///
    /// It is never too late itself: a head has all of the patience from when it is waited for,
    /// and this looks at least as often.
    pub(super) async fn watch(&self) {
        let mut look = self.began + self.patience;
        loop {
            sleep_until(look).await;
            let now = Instant::now();
            look = now + self.patience;
            let until = self.until.load(Acquire);
            if until != NONE {
                let until = self.began + Duration::from_micros(until);
                if until <= now {
                    self.late.store(true, Release);
                } else {
                    look = until;
                }
            }
        }
    }

    fn wait_until(&self, deadline: Instant) {
        let since = deadline.saturating_duration_since(self.began);
        self.late.store(false, Release);
        self.until.store(u64::try_from(since.as_micros()).unwrap_or(NONE), Release);
    }
}

/// Notes for [`Heads`] until when a head is waited for.
pub(super) struct HeadTimer(Arc<Heads>);

impl Timer for HeadTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(self.now() + duration)
    }

    fn sleep_until(&self, deadline: std::time::Instant) -> Pin<Box<dyn Sleep>> {
        self.0.wait_until(deadline.into());
        Box::pin(Awaited(Arc::clone(&self.0)))
    }

    /// Not by a new one in its place: the old one would note, as it goes, that none is waited for.
    fn reset(&self, _: &mut Pin<Box<dyn Sleep>>, deadline: std::time::Instant) {
        self.0.wait_until(deadline.into());
    }

    fn now(&self) -> std::time::Instant {
        Instant::now().into()
    }
}

/// A head that is waited for. Ready when it is late.
struct Awaited(Arc<Heads>);

impl Sleep for Awaited {}

impl Future for Awaited {
    type Output = ();

    /// Whoever polls this is woken by [`Heads::watch`].
    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if self.0.late.load(Acquire) { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Drop for Awaited {
    fn drop(&mut self) {
        self.0.until.store(NONE, Release);
    }
}
