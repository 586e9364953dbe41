//! A bounded queue between asynchronous callers and the threads that own connections.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    thread::{self, Thread},
};

/// Of the threads that have nothing to do, the one that had last is woken: the pages of the database
/// that it keeps, and the processor that it ran on, are the warmest.
pub(crate) struct Queue<T> {
    state: Mutex<State<T>>,
    capacity: usize,
}

struct State<T> {
    waiting: VecDeque<T>,
    /// Who waits for something to do; whoever is woken is taken out.
    idle: Vec<Thread>,
    closed: bool,
}

impl<T> Queue<T> {
    pub(crate) fn new(capacity: usize) -> Self {
        let state = State { waiting: VecDeque::new(), idle: Vec::new(), closed: false };
        Self { state: Mutex::new(state), capacity }
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        // the state is whole between any two statements, so a panic elsewhere does not spoil it
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts `item` at the end; gives it back when the queue is full or closed.
    pub(crate) fn push(&self, item: T) -> Result<(), T> {
        let mut state = self.lock();
        if state.closed || state.waiting.len() >= self.capacity {
            return Err(item);
        }
        state.waiting.push_back(item);
        let next = state.idle.pop();
        drop(state);
        if let Some(thread) = next {
            thread.unpark();
        }
        Ok(())
    }

    /// Waits for an item; `None` when the queue is closed and empty.
    pub(crate) fn pop(&self) -> Option<T> {
        self.take(1).pop()
    }

    /// Waits for an item and takes all that are there, `most` at the most; none when the queue is
    /// closed and empty.
    pub(crate) fn take(&self, most: usize) -> Vec<T> {
        let mut state = self.lock();
        while state.waiting.is_empty() && !state.closed {
            let this = thread::current();
            state.idle.push(this.clone());
            drop(state);
            thread::park();
            state = self.lock();
            // parking ends without a reason, too
            state.idle.retain(|idle| idle.id() != this.id());
        }
        let count = state.waiting.len().min(most);
        state.waiting.drain(..count).collect()
    }

    /// Takes nothing more; what waits is still served.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        for thread in state.idle.drain(..) {
            thread.unpark();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::BTreeSet,
        sync::{Arc, mpsc},
    };

    use super::*;

    fn wait_until_idle(queue: &Queue<u32>, threads: usize) {
        while queue.lock().idle.len() < threads {
            thread::yield_now();
        }
    }

    #[test]
    fn who_had_something_to_do_last_has_it_again() {
        let queue = Arc::new(Queue::new(10));
        let (tell, told) = mpsc::channel();
        let mut threads = Vec::new();
        for name in 0..3 {
            let (its, tell) = (Arc::clone(&queue), tell.clone());
            threads.push(thread::spawn(move || {
                while let Some(item) = its.pop() {
                    tell.send((name, item)).unwrap();
                }
            }));
            wait_until_idle(&queue, name + 1);
        }
        for item in 0..5 {
            queue.push(item).unwrap();
            assert_eq!(told.recv(), Ok((2, item)));
            wait_until_idle(&queue, 3);
        }
        queue.close();
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(queue.push(6), Err(6));
    }

    #[test]
    fn everything_is_taken_once_however_many_put_and_take() {
        let queue = Arc::new(Queue::new(1_000_000));
        let takers: Vec<_> = (0..4)
            .map(|_| {
                let queue = Arc::clone(&queue);
                thread::spawn(move || {
                    let mut taken = Vec::new();
                    loop {
                        let some = queue.take(3);
                        if some.is_empty() {
                            return taken;
                        }
                        taken.extend(some);
                    }
                })
            })
            .collect();
        thread::scope(|scope| {
            for putter in 0..4 {
                let queue = &queue;
                scope.spawn(move || {
                    (0..5_000).for_each(|item| queue.push(putter * 5_000 + item).unwrap());
                });
            }
        });
        queue.close();
        let taken: Vec<_> = takers.into_iter().flat_map(|taker| taker.join().unwrap()).collect();
        assert_eq!(taken.len(), 20_000);
        assert_eq!(taken.into_iter().collect::<BTreeSet<_>>(), (0..20_000).collect());
    }
}
