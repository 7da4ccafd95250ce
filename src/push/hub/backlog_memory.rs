//! The memory that the frames waiting for slow clients may take, for all clients together.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

/// What all clients may let wait together, in bytes.
pub const BACKLOG_BYTES: usize = 32 * 1024 * 1024;
/// What one client may let wait, in bytes.
pub const CLIENT_BACKLOG_BYTES: usize = 4 * 1024 * 1024;
/// What one client may always let wait while the memory isn't used up, in bytes.
pub const GUARANTEED_BYTES: usize = 64 * 1024;

/// What an entry of a backlog takes besides the frame's bytes.
const ENTRY_BYTES: usize = 64;

/// Accounts for waiting frames. Cheap to clone; all clones are one.
///
/// While more than half of the memory is used, a client may let no more than its share wait: half of the
/// memory, divided by the number of slow clients. So those that hold most are closed first.
#[derive(Debug, Clone)]
pub struct BacklogMemory(Arc<BacklogMemoryState>);

#[derive(Debug)]
struct BacklogMemoryState {
    limit: usize,
    used: AtomicUsize,
    clients: AtomicUsize,
}

/// The memory of one waiting frame; released when the last client that waits for it drops it.
#[derive(Debug)]
pub struct FrameCharge {
    memory: BacklogMemory,
    bytes: usize,
}

impl Default for BacklogMemory {
    fn default() -> Self {
        Self::new(BACKLOG_BYTES)
    }
}

impl BacklogMemory {
    /// At most `limit` bytes.
    pub fn new(limit: usize) -> Self {
        let (used, clients) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Self(Arc::new(BacklogMemoryState { limit, used, clients }))
    }

    /// Bytes that wait.
    pub fn used(&self) -> usize {
        self.0.used.load(Relaxed)
    }

    /// One more client's socket is full.
    pub(super) fn enter(&self) {
        self.0.clients.fetch_add(1, Relaxed);
    }

    /// A client's backlog is gone.
    pub(super) fn leave(&self) {
        self.0.clients.fetch_sub(1, Relaxed);
    }

    /// Reserves memory for a frame of `length` bytes that is to wait for a client for which `bytes` in
    /// `entries` frames wait already. `shared`: the frame waits for another client, too.
    pub(super) fn charge(
        &self,
        shared: Option<&Arc<FrameCharge>>,
        length: usize,
        bytes: usize,
        entries: usize,
    ) -> Option<Arc<FrameCharge>> {
        let own = bytes + length + (entries + 1) * ENTRY_BYTES;
        // A first frame may be longer than what one client may let wait.
        if entries > 0 && own > self.allowed() {
            return None;
        }
        let wanted = ENTRY_BYTES + if shared.is_some() { 0 } else { length };
        let reserve = |used: usize| (used + wanted <= self.0.limit).then_some(used + wanted);
        self.0.used.fetch_update(Relaxed, Relaxed, reserve).ok()?;
        Some(
            shared
                .cloned()
                .unwrap_or_else(|| Arc::new(FrameCharge { memory: self.clone(), bytes: length })),
        )
    }

    /// An entry without a frame's charge: a close frame.
    pub(super) fn add_entry(&self) {
        self.0.used.fetch_add(ENTRY_BYTES, Relaxed);
    }

    /// So many entries are gone.
    pub(super) fn release_entries(&self, count: usize) {
        self.0.used.fetch_sub(count * ENTRY_BYTES, Relaxed);
    }

    fn allowed(&self) -> usize {
        let half = self.0.limit / 2;
        if self.used() <= half {
            return CLIENT_BACKLOG_BYTES;
        }
        let share = half / self.0.clients.load(Relaxed).max(1);
        share.clamp(GUARANTEED_BYTES, CLIENT_BACKLOG_BYTES)
    }
}

impl Drop for FrameCharge {
    fn drop(&mut self) {
        self.memory.0.used.fetch_sub(self.bytes, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::{BacklogMemory, CLIENT_BACKLOG_BYTES, ENTRY_BYTES};
    use crate::{
        push::hub::backlog::{OutgoingFrame, WriteBacklog},
        websocket::frame::Frame,
    };

    fn frame(length: usize) -> OutgoingFrame {
        OutgoingFrame::new(Frame::text(&"x".repeat(length)))
    }

    #[test]
    fn a_frame_that_many_clients_wait_for_counts_once() {
        let memory = BacklogMemory::new(1 << 20);
        let mut shared = frame(100_000);
        let length = shared.frame().bytes().len();
        let backlogs: Vec<_> = (0..100)
            .map(|_| WriteBacklog::beginning_with(&mut shared, 0, memory.clone(), 0).unwrap())
            .collect();
        drop(shared);
        assert_eq!(memory.used(), length + 100 * ENTRY_BYTES);
        drop(backlogs);
        assert_eq!(memory.used(), 0);
    }

    #[test]
    fn what_is_written_or_dropped_is_released() {
        let memory = BacklogMemory::new(1 << 20);
        let mut backlog = WriteBacklog::new(memory.clone(), 0);
        for length in [10, 20, 30] {
            assert!(backlog.push(&mut frame(length)));
        }
        let mut out = [0_u8; 12];
        backlog.write(&mut &mut out[..], 0).unwrap_err();
        assert_eq!(memory.used(), 22 + 32 + 2 * ENTRY_BYTES);
        backlog.end_with(Frame::text("end"));
        assert_eq!(memory.used(), ENTRY_BYTES);
        drop(backlog);
        assert_eq!(memory.used(), 0);
    }

    #[test]
    fn the_total_is_never_exceeded_and_the_largest_backlogs_end_first() {
        let memory = BacklogMemory::new(8 << 20);
        let mut greedy = WriteBacklog::new(memory.clone(), 0);
        while greedy.push(&mut frame(90_000)) {}
        assert!(memory.used() > CLIENT_BACKLOG_BYTES - 200_000, "{}", memory.used());
        let mut others: Vec<_> = (0..100).map(|_| WriteBacklog::new(memory.clone(), 0)).collect();
        // Above half of the memory: each has a guaranteed part, and the greedy one gets no more.
        assert!(others.iter_mut().all(|other| other.push(&mut frame(20_000))));
        assert!(!greedy.push(&mut frame(10)));
        while others.iter_mut().any(|other| other.push(&mut frame(10_000))) {}
        assert!(memory.used() <= 8 << 20);
        drop((greedy, others));
        assert_eq!(memory.used(), 0);
    }
}
