//! A message on its way from a source to the service that delivers it. It carries its acknowledgement:
//! the source learns the outcome, and never before it is known.
//!
//! An HTTP intake answers 2xx, 503 or 4xx. A source with offsets commits, holds or parks. Redis' channels
//! have no acknowledgement.

use bytes::Bytes;
use std::{sync::Arc, time::Duration};
use tokio::{sync::oneshot, time::Instant};

/// A message with its acknowledgement.
#[derive(Debug)]
pub struct Delivery {
    /// Recipient of the message, in the service's own notation.
    pub topic: Arc<str>,
    /// The message as received.
    pub payload: Bytes,
    /// When it was received.
    pub received: Instant,
    /// Reports the outcome to the source.
    pub ack: Ack,
}

/// The outcome of a delivery.
#[must_use = "the source waits for the outcome"]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryOutcome {
    /// It was accepted.
    Done,
    /// It was not, and may be sent again after this time.
    Retry(Duration),
    /// It never will be.
    Reject(Reason),
}

/// Why a delivery is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// Topic or payload can't be read.
    #[error("malformed")]
    Malformed,
    /// A limit of the recipient is reached.
    #[error("limit reached")]
    LimitReached,
}

/// Reports the outcome of one delivery. Dropping it reports [`DeliveryOutcome::Retry`] after the source's
/// default delay, so that a lost delivery is never taken for a delivered one.
#[derive(Debug)]
pub struct Ack {
    outcome: oneshot::Sender<DeliveryOutcome>,
}

/// The source's end of an [`Ack`].
#[derive(Debug)]
pub struct PendingOutcome {
    outcome: oneshot::Receiver<DeliveryOutcome>,
    retry_delay: Duration,
}

impl Ack {
    /// Creates an acknowledgement and its source's end; `retry_delay` is the source's default.
    pub fn new(retry_delay: Duration) -> (Self, PendingOutcome) {
        let (outcome, reported) = oneshot::channel();
        (Self { outcome }, PendingOutcome { outcome: reported, retry_delay })
    }

    /// Reports the outcome; false if the source no longer waits for it.
    pub fn report(self, outcome: DeliveryOutcome) -> bool {
        self.outcome.send(outcome).is_ok()
    }
}

impl PendingOutcome {
    /// Waits for the outcome.
    pub async fn wait(self) -> DeliveryOutcome {
        self.outcome.await.unwrap_or(DeliveryOutcome::Retry(self.retry_delay))
    }
}

#[cfg(test)]
mod tests {
    use super::{Ack, Delivery, DeliveryOutcome, Reason};
    use futures_util::FutureExt;
    use tokio::time::{Duration, Instant};

    const DELAY: Duration = Duration::from_secs(3);

    fn delivery(ack: Ack) -> Delivery {
        Delivery { topic: "topic".into(), payload: "1".into(), received: Instant::now(), ack }
    }

    #[tokio::test]
    async fn the_source_receives_the_outcome_and_nothing_before() {
        let later = DeliveryOutcome::Retry(Duration::from_secs(9));
        for outcome in [DeliveryOutcome::Done, later, DeliveryOutcome::Reject(Reason::Malformed)] {
            let (ack, pending) = Ack::new(DELAY);
            let delivery = delivery(ack);
            let mut waiting = Box::pin(pending.wait());
            assert!(waiting.as_mut().now_or_never().is_none());
            assert!(delivery.ack.report(outcome));
            assert_eq!(waiting.await, outcome);
        }
    }

    #[tokio::test]
    async fn a_dropped_delivery_is_to_be_retried_after_the_sources_delay() {
        let (ack, pending) = Ack::new(DELAY);
        drop(delivery(ack));
        assert_eq!(pending.wait().await, DeliveryOutcome::Retry(DELAY));
    }

    #[tokio::test]
    async fn a_source_that_no_longer_waits_is_reported() {
        let (ack, pending) = Ack::new(DELAY);
        drop(pending);
        assert!(!ack.report(DeliveryOutcome::Done));
    }
}
