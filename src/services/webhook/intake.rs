//! The intake of messages: back ends and callers of hooks hand in deliveries, the dispatcher's store takes
//! them, and each request is answered from the outcome of its delivery.

use super::{
    message_id::MessageId,
    message_value::MessageValue,
    registration_key::MessageTarget,
    store::{RegistrationStore, RegistrationStoreError},
};
use crate::delivery::{Ack, Delivery, DeliveryOutcome, PendingOutcome, Reason};
use bytes::Bytes;
use futures_util::{StreamExt, stream::FuturesUnordered};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};

/// Deliveries that wait for the store; the messages of as many requests.
pub const INTAKE_QUEUE: usize = 1024;
/// Deliveries that the store works on at once.
const CONCURRENT: usize = 16;
/// A delivery that has waited this long isn't started any more: its caller gives up.
const MAX_WAIT: Duration = Duration::from_secs(5);
/// When a caller may retry.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// Accepts messages. Cheap to clone.
#[derive(Debug, Clone)]
pub struct MessageIntake(mpsc::Sender<MessageJob>);

/// A delivery, and where the id of its message goes.
#[derive(Debug)]
pub struct MessageJob {
    delivery: Delivery,
    id: oneshot::Sender<MessageId>,
}

/// A message that was handed in.
#[derive(Debug)]
struct PendingMessage {
    outcome: PendingOutcome,
    id: oneshot::Receiver<MessageId>,
}

impl MessageIntake {
    /// Creates an intake and the queue of its worker ([`run`]).
    pub fn new() -> (Self, mpsc::Receiver<MessageJob>) {
        let (jobs, queue) = mpsc::channel(INTAKE_QUEUE);
        (Self(jobs), queue)
    }

    /// Hands in a message and waits for its id.
    ///
    /// # Errors
    /// Any other outcome than [`DeliveryOutcome::Done`].
    pub async fn publish(
        &self,
        target: &MessageTarget,
        value: &MessageValue,
    ) -> Result<MessageId, DeliveryOutcome> {
        let PendingMessage { outcome, id } = self.hand_in(target, value);
        match outcome.wait().await {
            // The id is sent before the outcome.
            DeliveryOutcome::Done => id.await.map_err(|_| DeliveryOutcome::Retry(RETRY_DELAY)),
            other => Err(other),
        }
    }

    fn hand_in(&self, target: &MessageTarget, value: &MessageValue) -> PendingMessage {
        let (ack, outcome) = Ack::new(RETRY_DELAY);
        let (id, named) = oneshot::channel();
        let delivery = Delivery {
            topic: target.recipient().as_str().into(),
            payload: Bytes::copy_from_slice(value.as_str().as_bytes()),
            received: Instant::now(),
            ack,
        };
        // A full queue drops the delivery, which reports a retry.
        if self.0.try_send(MessageJob { delivery, id }).is_err() {
            tracing::debug!("message refused: the intake queue is full");
        }
        PendingMessage { outcome, id: named }
    }

    /// Deliveries that wait.
    pub fn queued(&self) -> usize {
        self.0.max_capacity() - self.0.capacity()
    }
}

/// Passes deliveries to the store and reports their outcomes, until the intake is dropped.
pub async fn run(store: Arc<dyn RegistrationStore>, mut queue: mpsc::Receiver<MessageJob>) {
    let mut running = FuturesUnordered::new();
    loop {
        tokio::select! {
            job = queue.recv(), if running.len() < CONCURRENT => match job {
                Some(job) => running.push(deliver(&*store, job)),
                None => break,
            },
            Some(()) = running.next() => {}
        }
    }
    while running.next().await.is_some() {}
}

async fn deliver(store: &dyn RegistrationStore, MessageJob { delivery, id }: MessageJob) {
    let Delivery { topic, payload, received, ack } = delivery;
    let outcome = if received.elapsed() >= MAX_WAIT {
        DeliveryOutcome::Retry(RETRY_DELAY)
    } else {
        match read(&topic, &payload) {
            Some((target, value)) => outcome(store.post(&target, &value).await, id),
            None => DeliveryOutcome::Reject(Reason::Malformed),
        }
    };
    if !ack.report(outcome) {
        tracing::debug!(?outcome, "the caller left before the outcome was known");
    }
}

fn read(topic: &str, payload: &[u8]) -> Option<(MessageTarget, MessageValue)> {
    Some((MessageTarget::from_topic(topic)?, serde_json::from_slice(payload).ok()?))
}

fn outcome(
    posted: Result<MessageId, RegistrationStoreError>,
    id: oneshot::Sender<MessageId>,
) -> DeliveryOutcome {
    match posted {
        Ok(posted) => {
            // The caller may have left.
            let _ = id.send(posted);
            DeliveryOutcome::Done
        }
        Err(RegistrationStoreError::Full(_)) => DeliveryOutcome::Reject(Reason::LimitReached),
        Err(RegistrationStoreError::Offline(why)) => {
            tracing::debug!("message not stored: {why}");
            DeliveryOutcome::Retry(RETRY_DELAY)
        }
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "these tests spawn without a group")]
mod tests {
    use super::{
        CONCURRENT, DeliveryOutcome, INTAKE_QUEUE, MAX_WAIT, MessageIntake, RETRY_DELAY, run,
    };
    use crate::services::webhook::{
        message_value::MessageValue,
        registration_key::{MessageTarget, RegistrationKey},
        replica_events::ReplicaEvent,
        store::{MemoryStore, StoreLimits},
    };
    use futures_util::{FutureExt, future::join_all};
    use std::{sync::Arc, time::SystemTime};
    use tokio::{sync::mpsc, time::advance};

    const LATER: DeliveryOutcome = DeliveryOutcome::Retry(RETRY_DELAY);

    fn store(room: usize) -> (Arc<MemoryStore>, mpsc::Receiver<ReplicaEvent>) {
        let (events, queue) = mpsc::channel(room);
        let clock = Arc::new(|| SystemTime::UNIX_EPOCH);
        (Arc::new(MemoryStore::new(StoreLimits::default(), clock, events)), queue)
    }

    fn user() -> MessageTarget {
        MessageTarget::User("alice".to_owned())
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_is_done_once_the_dispatcher_has_it() {
        let ((intake, jobs), (store, mut events)) = (MessageIntake::new(), store(1));
        tokio::spawn(run(store, jobs));
        let connection = MessageTarget::Connection(RegistrationKey::new("al:ice", "c1").unwrap());
        for target in [user(), connection] {
            let id = intake.publish(&target, &MessageValue::text("x")).await.unwrap();
            let Some(ReplicaEvent::Message(stored)) = events.recv().await else { panic!("none") };
            assert_eq!((stored.id, stored.to), (id, target));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_that_nobody_takes_is_to_be_retried() {
        let ((intake, jobs), value) = (MessageIntake::new(), MessageValue::text("x"));
        drop(jobs);
        assert_eq!(intake.publish(&user(), &value).await, Err(LATER), "the worker has ended");
        let ((intake, jobs), (store, events)) = (MessageIntake::new(), store(1));
        drop(events);
        tokio::spawn(run(store, jobs));
        assert_eq!(intake.publish(&user(), &value).await, Err(LATER), "the dispatcher has ended");
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_queue_refuses_and_an_old_delivery_is_not_started() {
        let ((intake, jobs), (store, mut events)) = (MessageIntake::new(), store(1));
        let (target, value) = (user(), MessageValue::text("x"));
        let mut waiting =
            Box::pin(join_all((0..INTAKE_QUEUE).map(|_| intake.publish(&target, &value))));
        assert!(waiting.as_mut().now_or_never().is_none());
        assert_eq!(intake.queued(), INTAKE_QUEUE);
        assert_eq!(intake.publish(&target, &value).await, Err(LATER));
        tokio::spawn(run(store, jobs));
        tokio::task::yield_now().await;
        advance(MAX_WAIT).await;
        tokio::spawn(async move { while events.recv().await.is_some() {} });
        let outcomes = waiting.await;
        let done = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        assert!((1..=CONCURRENT + 1).contains(&done), "{done} were started in time");
        assert!(outcomes.iter().all(|outcome| outcome.is_ok() || *outcome == Err(LATER)));
    }
}
