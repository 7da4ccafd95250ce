//! Events from memory instead of a server: for the demo and for tests.

use super::{SourceEvent, SourceMessage};
use bytes::Bytes;
use tokio::{sync::mpsc, time::Instant};

/// The publishing end of a source inside this process. Cheap to clone.
#[derive(Debug, Clone)]
pub struct MemorySource {
    queue: mpsc::Sender<SourceEvent>,
}

/// The receiver of this source is gone: the pipeline has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this source has no receiver any more")]
pub struct SourceClosed;

impl MemorySource {
    /// Publishes into the queue that the pipeline reads.
    pub fn new(queue: mpsc::Sender<SourceEvent>) -> Self {
        Self { queue }
    }

    /// Publishes a message, as a service does on Redis. Waits while the queue is full.
    pub async fn publish(
        &self,
        channel: &'static str,
        payload: impl Into<Bytes>,
    ) -> Result<(), SourceClosed> {
        let message = SourceMessage { channel, payload: payload.into() };
        self.forward(SourceEvent::Message(message, Instant::now())).await
    }

    /// Reports a gap, as after a lost connection.
    pub async fn gap(&self) -> Result<(), SourceClosed> {
        self.forward(SourceEvent::Gap).await
    }

    async fn forward(&self, event: SourceEvent) -> Result<(), SourceClosed> {
        self.queue.send(event).await.map_err(|_| SourceClosed)
    }
}

#[cfg(test)]
mod tests {
    use super::{MemorySource, SourceClosed, SourceEvent};
    use tokio::sync::mpsc;

    #[tokio::test]
    async fn published_messages_arrive_in_order() {
        let (queue, mut arriving) = mpsc::channel(4);
        let memory = MemorySource::new(queue);
        memory.publish("notify_activity", r#"{"user":"bob"}"#).await.unwrap();
        memory.gap().await.unwrap();
        let Some(SourceEvent::Message(first, _)) = arriving.recv().await else {
            panic!("no message")
        };
        assert_eq!(
            (first.channel, &first.payload[..]),
            ("notify_activity", &br#"{"user":"bob"}"#[..])
        );
        assert!(matches!(arriving.recv().await, Some(SourceEvent::Gap)));
    }

    #[tokio::test]
    async fn publishing_without_a_receiver_is_an_error() {
        let (queue, arriving) = mpsc::channel(1);
        drop(arriving);
        assert_eq!(MemorySource::new(queue).publish("notify_custom", "x").await, Err(SourceClosed));
    }
}
