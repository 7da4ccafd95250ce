//! Waits until everything that was published on a source before now has been handled.

use std::{future::pending, mem, time::Duration};
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

/// Callers that may wait at once; further ones don't wait.
const MAX_WAITING: usize = 64;

/// Callers that wait for one barrier.
pub type BarrierWaiters = Vec<oneshot::Sender<()>>;

/// Asks a source for barriers. Cheap to clone.
#[derive(Debug, Clone)]
pub struct SourceBarrier {
    requests: mpsc::Sender<oneshot::Sender<()>>,
}

/// The source's side: collects callers, one barrier for all that wait at the same time.
#[derive(Debug)]
pub struct BarrierQueue {
    requests: mpsc::Receiver<oneshot::Sender<()>>,
    waiters: BarrierWaiters,
    /// The barrier of these waiters is on its way.
    requested: bool,
}

impl SourceBarrier {
    /// Both sides. Without a source drop the queue: then no caller waits.
    pub fn new() -> (Self, BarrierQueue) {
        let (sender, requests) = mpsc::channel(MAX_WAITING);
        let queue = BarrierQueue { requests, waiters: Vec::new(), requested: false };
        (Self { requests: sender }, queue)
    }

    /// Waits until every message published before this call has been handled, but not longer than
    /// `limit`. Returns whether that is so.
    pub async fn reached(&self, limit: Duration) -> bool {
        let (waiter, reached) = oneshot::channel();
        if self.requests.try_send(waiter).is_err() {
            return false;
        }
        matches!(timeout(limit, reached).await, Ok(Ok(())))
    }
}

impl BarrierQueue {
    /// Returns when the source has to request a barrier. Cancelling it loses nothing.
    pub(super) async fn due(&mut self) {
        if self.requested {
            return pending().await;
        }
        if self.waiters.is_empty() {
            match self.requests.recv().await {
                Some(waiter) => self.waiters.push(waiter),
                None => return pending().await,
            }
        }
        while let Ok(waiter) = self.requests.try_recv() {
            self.waiters.push(waiter);
        }
        self.waiters.retain(|waiter| !waiter.is_closed());
        self.requested = true;
    }

    /// The source has sent everything before the requested barrier: those who wait for it.
    pub(super) fn passed(&mut self) -> BarrierWaiters {
        self.requested = false;
        mem::take(&mut self.waiters)
    }

    /// The source connects anew: what was requested before will not come.
    pub(super) fn restart(&mut self) {
        self.requested = false;
    }
}

#[cfg(test)]
mod tests {
    use super::SourceBarrier;
    use futures_util::poll;
    use std::{pin::pin, time::Duration};

    const LIMIT: Duration = Duration::from_secs(2);

    #[tokio::test(start_paused = true)]
    async fn callers_that_wait_at_the_same_time_share_a_barrier() {
        let (barrier, mut queue) = SourceBarrier::new();
        let (mut first, mut second) = (pin!(barrier.reached(LIMIT)), pin!(barrier.reached(LIMIT)));
        assert!(poll!(&mut first).is_pending() && poll!(&mut second).is_pending());
        queue.due().await;
        let mut late = pin!(barrier.reached(LIMIT));
        assert!(poll!(&mut late).is_pending());
        assert!(poll!(pin!(queue.due())).is_pending(), "one barrier at a time");
        for waiter in queue.passed() {
            waiter.send(()).unwrap();
        }
        assert!(first.await && second.await);
        queue.due().await;
        assert_eq!(queue.passed().len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_source_that_never_answers_costs_the_limit() {
        let (barrier, queue) = SourceBarrier::new();
        let before = tokio::time::Instant::now();
        assert!(!barrier.reached(LIMIT).await);
        assert_eq!(before.elapsed(), LIMIT);
        drop(queue);
        assert!(!barrier.reached(LIMIT).await);
        assert_eq!(before.elapsed(), LIMIT, "without a source no caller waits");
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_connection_requests_again() {
        let (barrier, mut queue) = SourceBarrier::new();
        let mut caller = pin!(barrier.reached(LIMIT));
        assert!(poll!(&mut caller).is_pending());
        queue.due().await;
        queue.restart();
        queue.due().await;
        assert_eq!(queue.passed().len(), 1);
    }
}
