//! Events from memory instead of a server: for the demo and for tests.

use super::{Delivery, Message};
use bytes::Bytes;
use tokio::{sync::mpsc, time::Instant};

/// The publishing end of a source that lives in this process. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Memory {
    queue: mpsc::Sender<Delivery>,
}

/// Nobody reads this source any more: the pipeline has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("nobody listens to this source any more")]
pub struct Ended;

impl Memory {
    /// Publishes into the queue that the pipeline reads.
    pub fn new(queue: mpsc::Sender<Delivery>) -> Self {
        Self { queue }
    }

    /// Publishes a message, as the host would on Redis. Waits while the queue is full.
    pub async fn publish(
        &self,
        channel: &'static str,
        payload: impl Into<Bytes>,
    ) -> Result<(), Ended> {
        let message = Message { channel, payload: payload.into() };
        self.hand_on(Delivery::Message(message, Instant::now())).await
    }

    /// Says that messages may have been missed, as after a lost connection.
    pub async fn gap(&self) -> Result<(), Ended> {
        self.hand_on(Delivery::Gap).await
    }

    async fn hand_on(&self, delivery: Delivery) -> Result<(), Ended> {
        self.queue.send(delivery).await.map_err(|_| Ended)
    }
}

#[cfg(test)]
mod tests {
    use super::{Delivery, Ended, Memory};
    use tokio::sync::mpsc;

    #[tokio::test]
    async fn what_is_published_arrives_in_order() {
        let (queue, mut arriving) = mpsc::channel(4);
        let memory = Memory::new(queue);
        memory.publish("notify_activity", r#"{"user":"bob"}"#).await.unwrap();
        memory.gap().await.unwrap();
        let Some(Delivery::Message(first, _)) = arriving.recv().await else { panic!("no message") };
        assert_eq!(
            (first.channel, &first.payload[..]),
            ("notify_activity", &br#"{"user":"bob"}"#[..])
        );
        assert!(matches!(arriving.recv().await, Some(Delivery::Gap)));
    }

    #[tokio::test]
    async fn publishing_to_nobody_is_an_error() {
        let (queue, arriving) = mpsc::channel(1);
        drop(arriving);
        assert_eq!(Memory::new(queue).publish("notify_custom", "x").await, Err(Ended));
    }
}
