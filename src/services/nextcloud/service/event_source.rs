//! Starts the source of messages, which fills the pipeline's queue.

use super::NextcloudBuilder;
use crate::{
    client::{
        SourceEvent,
        redis::{RedisSubscription, RedisTimeouts},
        source_barrier::BarrierQueue,
    },
    health::{DependencyState, ServiceDependency},
    services::{nextcloud::channels::CHANNELS, spawn_until_stopped},
};
use std::sync::Arc;
use tokio::{
    sync::{mpsc, watch},
    time::Instant,
};

/// The source of messages.
#[derive(Debug)]
pub enum NextcloudEventSource {
    /// The Redis of the settings.
    Redis,
    /// A queue in memory ([`crate::client::memory`]); the Redis of the settings is not used.
    Memory(mpsc::Receiver<SourceEvent>),
}

impl NextcloudBuilder {
    /// Starts the source; returns the dependency that it stands for.
    pub(super) fn feed(
        &mut self,
        feed: NextcloudEventSource,
        event_sender: mpsc::Sender<SourceEvent>,
        barriers: BarrierQueue,
    ) -> ServiceDependency {
        let metrics = Arc::clone(&self.observers.source);
        let tasks = self.ground.phases.consume.clone();
        if let NextcloudEventSource::Memory(mut queue) = feed {
            metrics.up.set(true);
            let since = Instant::now();
            spawn_until_stopped(&tasks, "memory", async move {
                while let Some(delivery) = queue.recv().await {
                    if event_sender.send(delivery).await.is_err() {
                        return;
                    }
                }
                std::future::pending().await
            });
            return ServiceDependency::needed("memory", move || DependencyState::Up { since });
        }
        let (state, watched) = watch::channel(DependencyState::Untried);
        let known = watched.clone();
        spawn_until_stopped(&tasks, "source metrics", async move { metrics.follow(watched).await });
        let subscription = RedisSubscription {
            settings: self.settings.redis.clone(),
            channels: CHANNELS,
            timeouts: RedisTimeouts::default(),
            rng: self.ground.rng.fork(),
            barriers: Some(barriers),
        };
        tasks.core("redis", subscription.run(event_sender, state, tasks.stopping().clone()));
        ServiceDependency::needed("redis", move || known.borrow().clone())
    }
}
