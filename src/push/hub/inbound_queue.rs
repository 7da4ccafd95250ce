//! The clients that wait to be read, and those that pause.

use super::deadlines::DeadlineHeap;
use crate::push::session::Millis;
use std::collections::VecDeque;

/// What is read in one go, and the most that is read from a client before it is the next one's turn.
pub(super) const READ_BUFFER: usize = 8 * 1024;

/// The clients to read from, in turn. Each client is in it at most once.
pub struct InboundQueue {
    pub(super) buffer: Box<[u8]>,
    pub(super) turns: VecDeque<u32>,
    /// Clients above their allowance, with the time at which they are read again.
    pub(super) paused: DeadlineHeap,
}

impl Default for InboundQueue {
    fn default() -> Self {
        let buffer = vec![0; READ_BUFFER].into_boxed_slice();
        Self { buffer, turns: VecDeque::new(), paused: DeadlineHeap::default() }
    }
}

impl InboundQueue {
    /// Whether any client's turn has come.
    pub(super) fn is_ready(&self) -> bool {
        !self.turns.is_empty()
    }

    /// When the next paused client is read again.
    pub(super) fn next_resume(&self) -> Option<Millis> {
        self.paused.next()
    }
}
