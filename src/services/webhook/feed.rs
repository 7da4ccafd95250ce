//! Where news come from: this process itself, or Redis.

use super::news::{self, News};
use crate::{
    client::{Delivery, State},
    services::nextcloud::SourceMetrics,
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

/// Where news come from.
pub enum Feed {
    /// This process: nobody else has any.
    Memory(mpsc::Receiver<News>),
    /// Every replica, over Redis.
    Redis {
        /// What is published.
        queue: mpsc::Receiver<Delivery>,
        /// Whether we hear it.
        state: watch::Receiver<State>,
        /// Who counts.
        metrics: Arc<SourceMetrics>,
    },
}

/// Something new.
#[derive(Debug)]
pub enum Heard {
    /// As it was told, and when it arrived.
    News(News, Instant),
    /// Something may have been missed.
    Gap,
}

impl Feed {
    /// Waits for news and takes them in one go, so many at most; none: nothing will come any more.
    pub async fn next(&mut self, most: usize) -> Vec<Heard> {
        match self {
            Self::Memory(queue) => {
                let mut news = Vec::new();
                queue.recv_many(&mut news, most).await;
                let now = Instant::now();
                news.into_iter().map(|news| Heard::News(news, now)).collect()
            }
            Self::Redis { queue, metrics, .. } => {
                let mut deliveries = Vec::new();
                while queue.recv_many(&mut deliveries, most).await > 0 {
                    let heard: Vec<_> = deliveries
                        .drain(..)
                        .filter_map(|delivery| heard(delivery, metrics))
                        .collect();
                    if !heard.is_empty() {
                        return heard;
                    }
                }
                Vec::new()
            }
        }
    }

    /// Whether it is heard.
    pub fn connection(&self) -> Connection {
        match self {
            Self::Memory(_) => Connection(None),
            Self::Redis { state, .. } => Connection(Some(state.clone())),
        }
    }
}

/// Whether everything that is told is heard: always, where it is this process that tells.
pub struct Connection(Option<watch::Receiver<State>>);

impl Connection {
    /// Returns when it is so.
    pub async fn stands(&mut self) {
        if let Some(state) = &mut self.0
            && state.wait_for(State::is_connected).await.is_err()
        {
            // The subscription ends only with the process.
            std::future::pending().await
        }
    }
}

fn heard(delivery: Delivery, metrics: &SourceMetrics) -> Option<Heard> {
    use crate::services::nextcloud::pipeline::Observer as _;
    match delivery {
        Delivery::Gap => {
            metrics.gap();
            Some(Heard::Gap)
        }
        Delivery::Message(message, at) => {
            metrics.received(message.channel);
            match news::read(&message.payload) {
                Ok(news) => Some(Heard::News(news, at)),
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
