//! Log lines on their way to standard error. Those of requests are gathered for a moment and
//! written together, so that a request does not wait for a system call; from `warn` on each is
//! written at once, with all that wait before it.
//!
//! What is gathered is lost when the process is killed: at most [`PAUSE`] of it.

use std::{
    io::{self, Write},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

/// How long a line waits.
const PAUSE: Duration = Duration::from_millis(50);
/// How much waits before that is cut short, in bytes, and how much waits at the most.
const MUCH: usize = 64 << 10;
const MOST: usize = 1 << 20;

/// Where lines go.
#[derive(Clone)]
pub(crate) struct Lines(Arc<Shared>);

struct Shared {
    /// Whether lines may wait at all.
    gathers: AtomicBool,
    waiting: Mutex<Vec<u8>>,
    /// Told of the first that waits, and when much does.
    waits: Condvar,
    /// Whoever writes holds it, so that lines stay in their order.
    out: Mutex<Out>,
}

struct Out {
    writer: Box<dyn Write + Send>,
    /// What is written at the moment; its room is what lines wait in next.
    text: Vec<u8>,
}

fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Lines {
    /// Lines that are written to `out`.
    pub(crate) fn new(out: impl Write + Send + 'static) -> Self {
        Self(Arc::new(Shared {
            gathers: AtomicBool::new(false),
            waiting: Mutex::default(),
            waits: Condvar::new(),
            out: Mutex::new(Out { writer: Box::new(out), text: Vec::new() }),
        }))
    }

    /// Lets lines wait from now on, for a thread that writes them every now and then.
    ///
    /// # Errors
    /// When there can be no such thread; then nothing waits.
    pub(crate) fn gather(&self) -> io::Result<()> {
        let lines = self.clone();
        let work = move || loop {
            let mut waiting = lock(&lines.0.waiting);
            while waiting.is_empty() {
                waiting = lines.0.waits.wait(waiting).unwrap_or_else(PoisonError::into_inner);
            }
            let paused = lines.0.waits.wait_timeout_while(waiting, PAUSE, |w| w.len() < MUCH);
            drop(paused);
            lines.write_out();
        };
        thread::Builder::new().name("log".to_owned()).spawn(work)?;
        self.0.gathers.store(true, Relaxed);
        Ok(())
    }

    /// Writes what waits.
    pub(crate) fn write_out(&self) {
        let mut out = lock(&self.0.out);
        let Out { writer, text } = &mut *out;
        std::mem::swap(text, &mut *lock(&self.0.waiting));
        // there is nobody left who could be told that telling does not work
        let _ = writer.write_all(text).and_then(|()| writer.flush());
        text.clear();
        text.shrink_to(2 * MUCH);
    }

    /// Takes a whole line, which is written at once where that is asked for, or where lines do
    /// not wait.
    pub(crate) fn add_line(&self, line: &[u8], at_once: bool) {
        self.add(line, at_once || !self.0.gathers.load(Relaxed));
    }

    fn add(&self, text: &[u8], at_once: bool) {
        let mut waiting = lock(&self.0.waiting);
        let before = waiting.len();
        waiting.extend_from_slice(text);
        let after = waiting.len();
        drop(waiting);
        if at_once || after >= MOST {
            self.write_out();
        } else if before == 0 || (before < MUCH && after >= MUCH) {
            self.0.waits.notify_one();
        }
    }
}

/// Takes one line.
pub(crate) struct Line<'a> {
    lines: &'a Lines,
    at_once: bool,
}

impl Write for Line<'_> {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.lines.add(text, self.at_once);
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line { lines: self, at_once: true }
    }

    fn make_writer_for(&'a self, about: &Metadata<'_>) -> Line<'a> {
        let at_once = *about.level() <= Level::WARN || !self.0.gathers.load(Relaxed);
        Line { lines: self, at_once }
    }
}

/// Writes what waits when it goes.
pub(crate) struct Gathered(pub(crate) Lines);

impl Drop for Gathered {
    fn drop(&mut self) {
        self.0.0.gathers.store(false, Relaxed);
        self.0.write_out();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Default)]
    struct Out(Arc<Mutex<Vec<u8>>>);

    impl Out {
        fn text(&self) -> String {
            String::from_utf8(lock(&self.0).clone()).unwrap()
        }
    }

    impl Write for Out {
        fn write(&mut self, text: &[u8]) -> io::Result<usize> {
            lock(&self.0).write(text)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_that_waits_is_written_before_one_that_does_not() {
        let out = Out::default();
        let lines = Lines::new(out.clone());
        lines.add(b"one\n", false);
        assert_eq!(out.text(), "");
        lines.add(b"two\n", true);
        assert_eq!(out.text(), "one\ntwo\n");
        lines.add(b"three\n", false);
        drop(Gathered(lines));
        assert_eq!(out.text(), "one\ntwo\nthree\n");
    }

    #[test]
    fn no_more_waits_than_there_is_room_for() {
        let out = Out::default();
        let lines = Lines::new(out.clone());
        for _ in 0..MOST {
            lines.add(b"x", false);
        }
        assert_eq!(out.text().len(), MOST);
    }

    #[test]
    fn lines_that_wait_are_written_after_a_moment() {
        let out = Out::default();
        let lines = Lines::new(out.clone());
        lines.gather().unwrap();
        for line in ["one\n", "two\n"] {
            let expected = out.text() + line;
            lines.add(line.as_bytes(), false);
            while out.text() != expected {
                thread::yield_now();
            }
        }
    }
}
