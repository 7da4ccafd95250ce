//! One deadline for each client in a heap; no timer of the runtime for idle clients.

use crate::session::Millis;
use std::{cmp::Reverse, collections::BinaryHeap};

/// The clients' deadlines. An entry may be stale: its owner knows its own deadline and compares.
#[derive(Debug, Default)]
pub struct Timers {
    heap: BinaryHeap<Reverse<(Millis, u32)>>,
}

impl Timers {
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

    /// Gives memory back after a crowd has left.
    pub fn trim(&mut self, clients: usize) {
        if self.heap.capacity() > 64 + 8 * clients.max(self.heap.len()) {
            self.heap.shrink_to(2 * clients.max(self.heap.len()));
        }
    }
}
