//! Builds the store and the source of replica events.

use super::{EVENT_QUEUE, WebhookBuilder};
use crate::{
    client::redis::{RedisClient, RedisSettings, RedisSubscription, RedisTimeouts},
    health::{DependencyRecord, DependencyState, ServiceDependency},
    services::{
        spawn_until_stopped,
        webhook::{
            feed::ReplicaFeed,
            store::{MemoryStore, RedisStore, RegistrationStore},
        },
    },
};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep},
};

/// Messages of at most 100 kB that wait for the dispatcher without Redis; a push waits for room.
const MEMORY_EVENT_QUEUE: usize = 256;
/// Interval in which a store that can't be written is retried.
const STORE_RETRY: Duration = Duration::from_secs(2);

impl WebhookBuilder {
    /// The store, its events, and the dependency that both have.
    pub(super) fn feed(&mut self) -> (Arc<dyn RegistrationStore>, ReplicaFeed, ServiceDependency) {
        match self.settings.redis.clone() {
            Some(redis) => self.shared(redis),
            None => self.alone(),
        }
    }

    fn alone(&self) -> (Arc<dyn RegistrationStore>, ReplicaFeed, ServiceDependency) {
        tracing::warn!(
            "REDIS_URL isn't set: registrations, private URLs and messages for disconnected clients are in \
             memory. A restart loses them, and a second replica doesn't share them"
        );
        let (replica_events, queue) = mpsc::channel(MEMORY_EVENT_QUEUE);
        let clock = Arc::clone(&self.context.clock);
        let store = Arc::new(MemoryStore::new(self.settings.limits, clock, replica_events));
        self.observers.source.up.set(true);
        let since = Instant::now();
        let dependency = ServiceDependency::needed("memory", move || DependencyState::Up { since });
        (store, ReplicaFeed::Memory(queue), dependency)
    }

    fn shared(
        &mut self,
        redis: RedisSettings,
    ) -> (Arc<dyn RegistrationStore>, ReplicaFeed, ServiceDependency) {
        let metrics = Arc::clone(&self.observers.source);
        let tasks = self.context.phases.consume.clone();
        let (state, watched) = watch::channel(DependencyState::Untried);
        let (known, followed) = (watched.clone(), watched.clone());
        let following = Arc::clone(&metrics);
        spawn_until_stopped(
            &tasks,
            "source metrics",
            async move { following.follow(followed).await },
        );
        let mut client =
            || RedisClient::new(redis.clone(), RedisTimeouts::default(), self.context.rng.fork());
        let (keys, lookups) = (client(), client());
        let record = Arc::new(DependencyRecord::default());
        let store = Arc::new(RedisStore::new(
            keys,
            lookups,
            self.settings.limits,
            self.channels[0],
            Arc::clone(&record),
        ));
        let looked_at = retry_store(Arc::clone(&store), Arc::clone(&record));
        spawn_until_stopped(&tasks, "store", looked_at);
        let (inlet, queue) = mpsc::channel(EVENT_QUEUE);
        let subscription = RedisSubscription {
            settings: redis,
            channels: self.channels,
            timeouts: RedisTimeouts::default(),
            rng: self.context.rng.fork(),
            barriers: None,
        };
        tasks.core("redis", subscription.run(inlet, state, tasks.stopping().clone()));
        let dependency = ServiceDependency::needed("redis", move || {
            let subscription = known.borrow().clone();
            match record.get() {
                down @ DependencyState::Down { .. } if subscription.is_up() => down,
                _ => subscription,
            }
        });
        (store, ReplicaFeed::Redis { queue, state: watched, metrics }, dependency)
    }
}

/// Retries a failing store: an unready daemon receives no requests that would.
async fn retry_store(store: Arc<RedisStore>, record: Arc<DependencyRecord>) {
    loop {
        sleep(STORE_RETRY).await;
        if matches!(record.get(), DependencyState::Down { .. })
            && let Err(error) = store.insert_once("store check", 1).await
        {
            tracing::debug!("store still not writable: {error}");
        }
    }
}
