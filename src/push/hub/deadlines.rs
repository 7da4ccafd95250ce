//! The deadlines of all clients in one heap; an idle client has no timer of the runtime.

use crate::push::session::Millis;
use std::{cmp::Reverse, collections::BinaryHeap};

/// With fewer entries than this the heap isn't worth tidying.
const SPARE: usize = 64;

/// Deadlines of clients. An entry may be stale: the client knows its own deadline, and the two are compared.
#[derive(Debug, Default)]
pub struct DeadlineHeap {
    heap: BinaryHeap<Reverse<(Millis, u32)>>,
}

impl DeadlineHeap {
    /// Notes a deadline of client `id`. The caller remembers `at`.
    pub fn set(&mut self, at: Millis, id: u32) {
        self.heap.push(Reverse((at, id)));
    }

    /// The earliest deadline, which may be stale.
    pub fn next(&self) -> Option<Millis> {
        self.heap.peek().map(|Reverse((at, _))| *at)
    }

    /// Takes one deadline that has passed.
    pub fn pop(&mut self, now: Millis) -> Option<(Millis, u32)> {
        let Reverse((at, _)) = self.heap.peek()?;
        if *at > now {
            return None;
        }
        self.heap.pop().map(|Reverse(entry)| entry)
    }

    /// The number of deadlines, with the stale ones.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.heap.len()
    }

    /// Removes stale deadlines once they outnumber the clients by far, and gives memory back after many
    /// clients have left. `valid` says whether a deadline is its client's own.
    pub fn tidy(&mut self, clients: usize, valid: impl Fn(Millis, u32) -> bool) {
        if self.heap.len() > SPARE + 4 * clients {
            let mut entries = std::mem::take(&mut self.heap).into_vec();
            entries.retain(|Reverse((at, id))| valid(*at, *id));
            entries.sort_unstable();
            entries.dedup();
            self.heap = entries.into();
        }
        if self.heap.capacity() > SPARE + 8 * clients.max(self.heap.len()) {
            self.heap.shrink_to(2 * clients.max(self.heap.len()));
        }
    }
}
