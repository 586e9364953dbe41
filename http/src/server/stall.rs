//! A stream whose writes fail when the other end takes nothing for too long.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};

/// An answer of so many bytes, head and body, goes out in one piece: to copy it costs less than to have
/// the system gather it.
const SMALL: usize = 1024;

pub(super) struct Stall<T> {
    stream: T,
    patience: Duration,
    waiting: Option<Pin<Box<Sleep>>>,
}

impl<T> Stall<T> {
    pub(super) fn new(stream: T, patience: Duration) -> Self {
        Self { stream, patience, waiting: None }
    }

    /// Passes `outcome` on; what is pending for longer than `patience` fails.
    fn watch<R>(
        &mut self,
        cx: &mut Context<'_>,
        outcome: Poll<io::Result<R>>,
    ) -> Poll<io::Result<R>> {
        if outcome.is_ready() {
            self.waiting = None;
            return outcome;
        }
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(sleep(self.patience)));
        waiting.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

/// All `buffers`, one behind the other, if there is room for them.
fn in_one<'a>(buffers: &[io::IoSlice<'_>], room: &'a mut [u8]) -> Option<&'a [u8]> {
    let mut end = 0;
    for buffer in buffers {
        let start = end;
        end += buffer.len();
        room.get_mut(start..end)?.copy_from_slice(buffer);
    }
    room.get(..end)
}

impl<T: AsyncRead + Unpin> AsyncRead for Stall<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Stall<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.watch(cx, outcome)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_flush(cx);
        self.watch(cx, outcome)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.watch(cx, outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let stream = Pin::new(&mut self.stream);
        let outcome = if let [one] = buffers {
            stream.poll_write(cx, one)
        } else if let Some(whole) = in_one(buffers, &mut [0; SMALL]) {
            stream.poll_write(cx, whole)
        } else {
            stream.poll_write_vectored(cx, buffers)
        };
        self.watch(cx, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use std::io::IoSlice;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn what_is_written_from_several_buffers_arrives_in_their_order_whether_small_or_large() {
        for sizes in
            [vec![], vec![5], vec![300, 0, 17], vec![1000, 24], vec![1000, 25], vec![9000, 2]]
        {
            let buffers: Vec<Vec<u8>> =
                sizes.iter().zip(b'a'..).map(|(size, letter)| vec![letter; *size]).collect();
            let slices: Vec<_> = buffers.iter().map(|buffer| IoSlice::new(buffer)).collect();
            let (near, mut far) = tokio::io::duplex(20_000);
            let mut stream = Stall::new(near, Duration::from_secs(1));
            let written = stream.write_vectored(&slices).await.unwrap();
            drop(stream);
            let mut heard = Vec::new();
            far.read_to_end(&mut heard).await.unwrap();
            // a stream may take a part of what it is given
            assert_eq!(heard, buffers.concat()[..written], "{sizes:?}");
            assert!(sizes.iter().sum::<usize>() > SMALL || written == buffers.concat().len());
        }
    }
}
