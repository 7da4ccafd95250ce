//! What the hub reports to whoever counts; every method may be left out.

use crate::push::{
    notice::TopicId,
    session::{CloseReason, NoticeLatency, RejectReason},
};
use tokio::time::Instant;

/// Told of everything worth counting. Called on the push path: must be cheap and must not block.
pub trait HubObserver: Send + Sync + 'static {
    /// A client has joined.
    fn joined(&self) {}
    /// A recipient's first client has joined (`true`) or its last has left (`false`). Not reported
    /// where clients are dealt out evenly.
    fn presence(&self, _here: bool) {}
    /// A client has left.
    fn left(&self, _close: CloseReason) {}
    /// A client that had logged in was sent away, and receives why.
    fn refused(&self, _why: RejectReason) {}
    /// So many clients were sent a change; the first that is merged in it has waited so long.
    /// Reported for all clients of a fan_out together, at the end of a round at the latest.
    fn notified(&self, _topic: TopicId, _waited: NoticeLatency, _clients: u64) {}
    /// An opaque message that was received of `_at` was sent to so many clients.
    fn opaque_sent(&self, _clients: u64, _at: Instant) {}
    /// A client's socket is full: from now on frames wait for it.
    fn blocked(&self) {}
}
