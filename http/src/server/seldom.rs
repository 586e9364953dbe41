//! A future that is polled only when it has woken its task itself.
//!
//! A connection waits for requests, and beside them for what hardly ever comes: the end of its
//! time, the end of the server. Polled with each request, those would take locks that all
//! connections share.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{
            AtomicBool,
            Ordering::{AcqRel, Relaxed},
        },
    },
    task::{Context, Poll, Wake, Waker},
};

pub(super) struct Seldom<F> {
    future: Pin<Box<F>>,
    bell: Option<Arc<Bell>>,
}

/// What the future wakes: it remembers that, and wakes the task.
struct Bell {
    rang: AtomicBool,
    task: Waker,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.rang.swap(true, AcqRel);
        self.task.wake_by_ref();
    }
}

impl<F: Future> Seldom<F> {
    pub(super) fn new(future: F) -> Self {
        Self { future: Box::pin(future), bell: None }
    }
}

impl<F: Future> Future for Seldom<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let Self { future, bell } = &mut *self;
        let bell = match bell {
            Some(bell) if bell.task.will_wake(cx.waker()) => bell,
            _ => {
                let task = cx.waker().clone();
                bell.insert(Arc::new(Bell { rang: AtomicBool::new(true), task }))
            }
        };
        if !bell.rang.load(Relaxed) {
            return Poll::Pending;
        }
        // silenced before the future looks, so that what comes while it does rings again
        bell.rang.swap(false, AcqRel);
        let waker = Waker::from(Arc::clone(bell));
        future.as_mut().poll(&mut Context::from_waker(&waker))
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, future::poll_fn, sync::atomic::AtomicUsize};

    use super::*;

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Relaxed);
        }
    }

    #[test]
    fn it_is_polled_again_when_it_has_woken_its_task_or_the_task_is_another() {
        let (polls, inner) = (Cell::new(0), Cell::new(None));
        let mut seldom = Seldom::new(poll_fn(|cx| {
            polls.set(polls.get() + 1);
            inner.set(Some(cx.waker().clone()));
            if polls.get() < 4 { Poll::Pending } else { Poll::Ready(()) }
        }));
        let tasks = [Arc::<Woken>::default(), Arc::default()];
        let wakers = [Waker::from(Arc::clone(&tasks[0])), Waker::from(Arc::clone(&tasks[1]))];
        let mut poll = |waker| Pin::new(&mut seldom).poll(&mut Context::from_waker(waker));

        for _ in 0..3 {
            assert!(poll(&wakers[0]).is_pending());
        }
        assert_eq!(polls.get(), 1);
        inner.take().unwrap().wake();
        assert_eq!(tasks[0].0.load(Relaxed), 1);
        for _ in 0..3 {
            assert!(poll(&wakers[0]).is_pending());
        }
        assert_eq!(polls.get(), 2);
        for _ in 0..3 {
            assert!(poll(&wakers[1]).is_pending());
        }
        assert_eq!(polls.get(), 3);
        inner.take().unwrap().wake();
        assert_eq!(tasks[1].0.load(Relaxed), 1);
        assert!(poll(&wakers[1]).is_ready());
    }
}
