//! One deadline for each client in a heap; no timer of the runtime for idle clients.

use crate::push::session::Millis;
use std::{cmp::Reverse, collections::BinaryHeap};

/// So many entries are not worth tidying up.
const SPARE: usize = 64;

/// The clients' deadlines. An entry may be stale: its owner knows its own deadline and compares.
#[derive(Debug, Default)]
pub struct DeadlineHeap {
    heap: BinaryHeap<Reverse<(Millis, u32)>>,
}

impl DeadlineHeap {
    /// Notes that client `id` wants to be looked at. The caller remembers `at`.
    pub fn set(&mut self, at: Millis, id: u32) {
        self.heap.push(Reverse((at, id)));
    }

    /// The earliest deadline, stale or not.
    pub fn next(&self) -> Option<Millis> {
        self.heap.peek().map(|Reverse((at, _))| *at)
    }

    /// Takes one deadline that has come.
    pub fn pop(&mut self, now: Millis) -> Option<(Millis, u32)> {
        let Reverse((at, _)) = self.heap.peek()?;
        if *at > now {
            return None;
        }
        self.heap.pop().map(|Reverse(entry)| entry)
    }

    /// How many deadlines are noted, stale ones included.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.heap.len()
    }

    /// Forgets stale deadlines once they outnumber the clients by far, and gives memory back after a
    /// fan_out has left. `counts` says whether a deadline is its client's own.
    pub fn tidy(&mut self, clients: usize, counts: impl Fn(Millis, u32) -> bool) {
        if self.heap.len() > SPARE + 4 * clients {
            let mut entries = std::mem::take(&mut self.heap).into_vec();
            entries.retain(|Reverse((at, id))| counts(*at, *id));
            entries.sort_unstable();
            entries.dedup();
            self.heap = entries.into();
        }
        if self.heap.capacity() > SPARE + 8 * clients.max(self.heap.len()) {
            self.heap.shrink_to(2 * clients.max(self.heap.len()));
        }
    }
}
