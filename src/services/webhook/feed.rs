//! Source of replica events: this process itself, or Redis.

use super::{replica_events, replica_events::ReplicaEvent};
use crate::{
    client::{SourceEvent, SourceMetrics},
    health::DependencyState,
};
use std::sync::Arc;
use tokio::{
    sync::{mpsc, watch},
    time::Instant,
};

/// Redis channel on which replicas notify each other.
const CHANNEL: &str = "notify_push_webhook";

/// Channels for a Redis database: Redis separates keys by database but not channels. The names live
/// as long as the process; there is one for each service.
pub fn channels(database: i64) -> &'static [&'static str] {
    match database {
        0 => &[CHANNEL],
        other => {
            let own: &'static str = Box::leak(format!("{CHANNEL}:{other}").into_boxed_str());
            Box::leak(Box::new([own]))
        }
    }
}

/// Source of replica events.
pub enum ReplicaFeed {
    /// This process only, without Redis.
    Memory(mpsc::Receiver<ReplicaEvent>),
    /// Every replica, through Redis.
    Redis {
        /// Events of the subscription.
        queue: mpsc::Receiver<SourceEvent>,
        /// State of the subscription.
        state: watch::Receiver<DependencyState>,
        /// Counts what is received.
        metrics: Arc<SourceMetrics>,
    },
}

/// One item of the feed.
#[derive(Debug)]
pub enum ReplicaFeedItem {
    /// An event and when it arrived.
    Event(ReplicaEvent, Instant),
    /// Events may have been lost.
    Gap,
}

impl ReplicaFeed {
    /// Waits for events and takes at most `most` at once; empty when the feed has ended.
    pub async fn next(&mut self, most: usize) -> Vec<ReplicaFeedItem> {
        match self {
            Self::Memory(queue) => {
                let mut replica_events = Vec::new();
                queue.recv_many(&mut replica_events, most).await;
                let now = Instant::now();
                replica_events
                    .into_iter()
                    .map(|replica_events| ReplicaFeedItem::Event(replica_events, now))
                    .collect()
            }
            Self::Redis { queue, metrics, .. } => {
                let mut deliveries = Vec::new();
                while queue.recv_many(&mut deliveries, most).await > 0 {
                    let received: Vec<_> = deliveries
                        .drain(..)
                        .filter_map(|delivery| received(delivery, metrics))
                        .collect();
                    if !received.is_empty() {
                        return received;
                    }
                }
                Vec::new()
            }
        }
    }

    /// Connection state of the feed.
    pub fn connection(&self) -> ReplicaFeedConnection {
        match self {
            Self::Memory(_) => ReplicaFeedConnection(None),
            Self::Redis { state, .. } => ReplicaFeedConnection(Some(state.clone())),
        }
    }
}

/// Whether all events are received; always true within one process.
pub struct ReplicaFeedConnection(Option<watch::Receiver<DependencyState>>);

impl ReplicaFeedConnection {
    /// Waits until the feed is connected.
    pub async fn connected(&mut self) {
        if let Some(state) = &mut self.0
            && state.wait_for(DependencyState::is_up).await.is_err()
        {
            // The subscription ends only with the process.
            std::future::pending().await
        }
    }
}

fn received(delivery: SourceEvent, metrics: &SourceMetrics) -> Option<ReplicaFeedItem> {
    match delivery {
        SourceEvent::Gap => {
            metrics.gaps.inc();
            Some(ReplicaFeedItem::Gap)
        }
        // This feed asks for none.
        SourceEvent::Barrier(_) => None,
        SourceEvent::Message(message, at) => {
            metrics.received(message.channel);
            match replica_events::read(&message.payload) {
                Ok(replica_events) => Some(ReplicaFeedItem::Event(replica_events, at)),
                Err(error) => {
                    metrics.malformed(message.channel);
                    tracing::debug!(bytes = message.payload.len(), "event ignored: {error}");
                    None
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::channels;

    #[test]
    fn each_database_has_a_channel_of_its_own() {
        assert_eq!(channels(0), ["notify_push_webhook"]);
        assert_eq!(channels(1), ["notify_push_webhook:1"]);
    }
}
