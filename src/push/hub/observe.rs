//! What the hub reports to whoever counts; every method may be left out.

use crate::push::{
    notice::Topic,
    session::{Close, Refusal, Waited},
};
use tokio::time::Instant;

/// Told of everything worth counting. Called on the push path: must be cheap and must not block.
pub trait Observer: Send + Sync + 'static {
    /// A client has joined.
    fn joined(&self) {}
    /// A recipient's first client has joined (`true`) or its last has left (`false`). Not reported
    /// where clients are dealt out evenly.
    fn presence(&self, _here: bool) {}
    /// A client has left.
    fn left(&self, _close: Close) {}
    /// A client that had logged in was sent away, and hears why.
    fn refused(&self, _why: Refusal) {}
    /// So many clients were sent a change; the first that is merged in it has waited so long.
    /// Reported for all clients of a crowd together, at the end of a round at the latest.
    fn told(&self, _topic: Topic, _waited: Waited, _clients: u64) {}
    /// An opaque message that was heard of `_at` was sent to so many clients.
    fn passed_on(&self, _clients: u64, _at: Instant) {}
    /// A client's socket is full: from now on frames wait for it.
    fn blocked(&self) {}
}
