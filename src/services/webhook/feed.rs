//! Where replica_events come from: this process itself, or Redis.

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

/// The channel that replicas tell each other on.
const CHANNEL: &str = "notify_push_webhook";

/// The channel of those whose keys are in this database: Redis keeps keys of its databases apart, and
/// not what is published. Names live as long as the process; one is made for each host, at its start.
pub fn channels(database: i64) -> &'static [&'static str] {
    match database {
        0 => &[CHANNEL],
        other => {
            let own: &'static str = Box::leak(format!("{CHANNEL}:{other}").into_boxed_str());
            Box::leak(Box::new([own]))
        }
    }
}

/// Where replica_events come from.
pub enum ReplicaFeed {
    /// This process: nobody else has any.
    Memory(mpsc::Receiver<ReplicaEvent>),
    /// Every replica, over Redis.
    Redis {
        /// What is published.
        queue: mpsc::Receiver<SourceEvent>,
        /// Whether we hear it.
        state: watch::Receiver<DependencyState>,
        /// Who counts.
        metrics: Arc<SourceMetrics>,
    },
}

/// Something new.
#[derive(Debug)]
pub enum ReplicaFeedItem {
    /// As it was told, and when it arrived.
    News(ReplicaEvent, Instant),
    /// Something may have been missed.
    Gap,
}

impl ReplicaFeed {
    /// Waits for replica_events and takes them in one go, so many at most; none: nothing will come any more.
    pub async fn next(&mut self, most: usize) -> Vec<ReplicaFeedItem> {
        match self {
            Self::Memory(queue) => {
                let mut replica_events = Vec::new();
                queue.recv_many(&mut replica_events, most).await;
                let now = Instant::now();
                replica_events
                    .into_iter()
                    .map(|replica_events| ReplicaFeedItem::News(replica_events, now))
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

    /// Whether it is received.
    pub fn connection(&self) -> ReplicaFeedConnection {
        match self {
            Self::Memory(_) => ReplicaFeedConnection(None),
            Self::Redis { state, .. } => ReplicaFeedConnection(Some(state.clone())),
        }
    }
}

/// Whether everything that is told is received: always, where it is this process that tells.
pub struct ReplicaFeedConnection(Option<watch::Receiver<DependencyState>>);

impl ReplicaFeedConnection {
    /// Returns when it is so.
    pub async fn stands(&mut self) {
        if let Some(state) = &mut self.0
            && state.wait_for(DependencyState::is_up).await.is_err()
        {
            // The subscription ends only with the process.
            std::future::pending().await
        }
    }
}

fn received(delivery: SourceEvent, metrics: &SourceMetrics) -> Option<ReplicaFeedItem> {
    use crate::services::nextcloud::pipeline::PipelineObserver as _;
    match delivery {
        SourceEvent::Gap => {
            metrics.gap();
            Some(ReplicaFeedItem::Gap)
        }
        SourceEvent::Message(message, at) => {
            metrics.received(message.channel);
            match replica_events::read(&message.payload) {
                Ok(replica_events) => Some(ReplicaFeedItem::News(replica_events, at)),
                Err(error) => {
                    metrics.malformed(message.channel);
                    tracing::debug!(bytes = message.payload.len(), "passed over: {error}");
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
