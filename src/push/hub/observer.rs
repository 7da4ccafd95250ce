//! What the hub reports to the metrics; every method may be omitted.

use crate::push::{
    notice::TopicId,
    session::{CloseReason, NoticeLatency, RejectReason},
};
use tokio::time::Instant;

/// Receives everything worth counting. Called on the push path: must be cheap and must not block.
pub trait HubObserver: Send + Sync + 'static {
    /// A client has joined.
    fn joined(&self) {}
    /// A recipient's first client has joined (`true`) or its last has left (`false`). Not reported
    /// with [`super::ShardPolicy::RoundRobin`].
    fn presence(&self, _here: bool) {}
    /// A client has left.
    fn left(&self, _close: CloseReason) {}
    /// A logged-in client was refused, and is sent the reason.
    fn refused(&self, _why: RejectReason) {}
    /// So many clients were sent a change; the first event merged into it waited for `_latency`.
    /// Reported for all clients of a fan-out together, at the end of a pass at the latest.
    fn notified(&self, _topic: TopicId, _latency: NoticeLatency, _clients: u64) {}
    /// An opaque message that was received at `_at` was sent to so many clients.
    fn opaque_sent(&self, _clients: u64, _at: Instant) {}
    /// A client's socket is full: from now on frames wait for it.
    fn blocked(&self) {}
}
