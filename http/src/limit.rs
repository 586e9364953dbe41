//! How much of a body is read, and for how long.
//!
//! The body is read only when a handler asks for it. What a handler leaves unread is read away
//! behind the answer, so that a client that is still sending sees the answer instead of a broken
//! connection; within limits.

use std::{
    error::Error as StdError,
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::body::Body;
use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Frame, SizeHint};
use tokio::time::{Sleep, sleep, timeout};

/// How long the whole body may take.
const READ_TIME: Duration = Duration::from_secs(30);
/// What is read away at most, and for how long.
const DRAIN_BYTES: usize = 16 << 20;
const DRAIN_TIME: Duration = Duration::from_secs(10);

/// Why a body could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// It is larger than `http.body_limit`.
    #[error("the body is too large")]
    TooLarge,
    /// It did not arrive in time.
    #[error("the body took too long")]
    TooSlow,
    /// The connection or its framing broke.
    #[error("the body broke off")]
    Broken,
}

/// Reads the whole body.
///
/// # Errors
/// When it is too large, too slow, or breaks off.
pub async fn read(body: Body) -> Result<Bytes, BodyError> {
    match body.collect().await {
        Ok(whole) => Ok(whole.to_bytes()),
        Err(error) => Err(reason(&error)),
    }
}

/// A body of which the first piece was taken, if it had come along with the head.
pub(crate) struct Begun {
    first: Result<Bytes, BodyError>,
    rest: Body,
}

/// Takes what has come of a body, and waits for nothing.
pub(crate) async fn begin(mut rest: Body) -> Begun {
    let taken = poll_fn(|cx| Poll::Ready(Pin::new(&mut rest).poll_frame(cx))).await;
    let first = match taken {
        Poll::Ready(Some(Ok(frame))) => Ok(frame.into_data().unwrap_or_default()),
        Poll::Ready(Some(Err(error))) => Err(reason(&error)),
        Poll::Ready(None) | Poll::Pending => Ok(Bytes::new()),
    };
    Begun { first, rest }
}

impl Begun {
    /// A body of which nothing was taken.
    pub(crate) const fn later(rest: Body) -> Self {
        Self { first: Ok(Bytes::new()), rest }
    }

    /// All of it, if it is here.
    pub(crate) fn whole(&self) -> Option<&Bytes> {
        self.first.as_ref().ok().filter(|_| self.rest.is_end_stream())
    }

    /// Reads the whole body.
    ///
    /// # Errors
    /// As [`read`].
    pub(crate) async fn read(self) -> Result<Bytes, BodyError> {
        let Self { first, rest } = self;
        let first = first?;
        if rest.is_end_stream() {
            return Ok(first);
        }
        let rest = read(rest).await?;
        Ok(if first.is_empty() { rest } else { [first, rest].concat().into() })
    }
}

fn reason(error: &axum::Error) -> BodyError {
    let mut cause: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(known) = error.downcast_ref() {
            return *known;
        }
        cause = error.source();
    }
    BodyError::Broken
}

/// A body under the limits.
pub(crate) struct Limited {
    inner: Option<Body>,
    left: usize,
    deadline: Option<Pin<Box<Sleep>>>,
    /// The client waits to be asked (`Expect: 100-continue`) and was not.
    waits: bool,
}

impl Limited {
    pub(crate) fn new(inner: Body, limit: usize, waits: bool) -> Self {
        Self { inner: Some(inner), left: limit, deadline: None, waits }
    }
}

impl hyper::body::Body for Limited {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = &mut *self;
        let Some(inner) = &mut this.inner else { return Poll::Ready(None) };
        this.waits = false;
        let Poll::Ready(frame) = Pin::new(inner).poll_frame(cx) else {
            let deadline = this.deadline.get_or_insert_with(|| Box::pin(sleep(READ_TIME)));
            ready!(deadline.as_mut().poll(cx));
            this.inner = None; // too slow to be worth reading away
            return Poll::Ready(Some(Err(axum::Error::new(BodyError::TooSlow))));
        };
        let Some(Ok(frame)) = frame else {
            this.inner = None;
            return Poll::Ready(frame);
        };
        let size = frame.data_ref().map_or(0, Bytes::len);
        match this.left.checked_sub(size) {
            Some(left) => {
                this.left = left;
                Poll::Ready(Some(Ok(frame)))
            }
            None => Poll::Ready(Some(Err(axum::Error::new(BodyError::TooLarge)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

impl Drop for Limited {
    fn drop(&mut self) {
        let Some(inner) = self.inner.take() else { return };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if !self.waits && !inner.is_end_stream() {
            runtime.spawn(timeout(DRAIN_TIME, drain(inner)));
        }
    }
}

async fn drain(mut body: Body) {
    let mut left = DRAIN_BYTES;
    while let Some(Ok(frame)) = body.frame().await {
        match left.checked_sub(frame.data_ref().map_or(0, Bytes::len)) {
            Some(less) => left = less,
            None => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes when it is asked for.
    struct Pieces<F>(F);

    impl<F> hyper::body::Body for Pieces<F>
    where
        F: FnMut(&mut Context<'_>) -> Poll<Option<&'static str>> + Unpin,
    {
        type Data = Bytes;
        type Error = std::convert::Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
            let next = ready!((self.0)(cx));
            Poll::Ready(next.map(|piece| Ok(Frame::data(Bytes::from_static(piece.as_bytes())))))
        }
    }

    async fn read_at_most(limit: usize, body: &'static str) -> Result<Bytes, BodyError> {
        read(Body::new(Limited::new(Body::from(body), limit, false))).await
    }

    #[tokio::test]
    async fn body_of_exactly_the_limit_is_read() {
        assert_eq!(read_at_most(4, "four").await, Ok(Bytes::from_static(b"four")));
        assert_eq!(read_at_most(0, "").await, Ok(Bytes::new()));
    }

    #[tokio::test(start_paused = true)]
    async fn body_that_comes_byte_by_byte_is_given_up() {
        let mut second = tokio::time::interval(Duration::from_secs(1));
        let slow = Pieces(move |cx: &mut Context<'_>| second.poll_tick(cx).map(|_| Some("a")));
        let started = tokio::time::Instant::now();
        let read = read(Body::new(Limited::new(Body::new(slow), 1 << 20, false))).await;
        assert_eq!(read, Err(BodyError::TooSlow));
        assert!(started.elapsed() <= READ_TIME + Duration::from_secs(1));
    }

    #[tokio::test]
    async fn body_above_the_limit_is_refused() {
        assert_eq!(read_at_most(3, "four").await, Err(BodyError::TooLarge));
    }

    /// These pieces, of which each is waited for; with `at_once` the first is not.
    fn hesitant(mut pieces: Vec<&'static str>, at_once: bool) -> Body {
        let mut waits = at_once;
        Body::new(Pieces(move |cx: &mut Context<'_>| {
            waits = !waits;
            if !waits {
                return Poll::Ready((!pieces.is_empty()).then(|| pieces.remove(0)));
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        }))
    }

    #[tokio::test]
    async fn body_that_was_begun_is_read_to_its_end() {
        let limited = |body, limit| Body::new(Limited::new(body, limit, false));
        for (pieces, waits) in [
            (vec![], true),
            (vec![], false),
            (vec!["four"], true),
            (vec!["four"], false),
            (vec!["fo", "ur"], true),
            (vec!["fo", "u", "r"], false),
        ] {
            let whole = pieces.concat();
            let ended = pieces.is_empty() && !waits;
            let begun = begin(limited(hesitant(pieces, !waits), 4)).await;
            // else nobody knows yet whether that was all
            assert_eq!(begun.whole(), ended.then_some(&Bytes::new()));
            assert_eq!(begun.read().await, Ok(Bytes::from(whole)));
        }
        let begun = begin(limited(Body::from("four"), 4)).await;
        assert_eq!(begun.whole(), Some(&Bytes::from_static(b"four")));
        assert_eq!(begun.read().await, Ok(Bytes::from_static(b"four")));
        let begun = begin(limited(Body::from("four"), 3)).await;
        assert_eq!(begun.whole(), None);
        assert_eq!(begun.read().await, Err(BodyError::TooLarge));
    }
}
