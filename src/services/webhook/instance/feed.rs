//! Where the store is and where replica_events come from.

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

/// Messages that may wait for the dispatcher where there is no Redis, of 100 kB each: who posts waits for
/// room.
const MEMORY_EVENT_QUEUE: usize = 256;
/// How often it is tried whether a store that couldn't be written can be again.
const STORE_RETRY: Duration = Duration::from_secs(2);

impl WebhookBuilder {
    /// The store, its replica_events, and what both depend on.
    pub(super) fn feed(&mut self) -> (Arc<dyn RegistrationStore>, ReplicaFeed, ServiceDependency) {
        match self.settings.redis.clone() {
            Some(redis) => self.shared(redis),
            None => self.alone(),
        }
    }

    fn alone(&self) -> (Arc<dyn RegistrationStore>, ReplicaFeed, ServiceDependency) {
        tracing::warn!(
            "no Redis is set: registrations, private URLs and messages for clients that are away are \
             in memory. They are gone after a restart, and a second replica would know nothing of them"
        );
        let (replica_events, queue) = mpsc::channel(MEMORY_EVENT_QUEUE);
        let clock = Arc::clone(&self.ground.clock);
        let store = Arc::new(MemoryStore::new(self.settings.limits, clock, replica_events));
        self.observers.source.up.set(true);
        let since = Instant::now();
        let dependency = needed("memory", move || DependencyState::Up { since });
        (store, ReplicaFeed::Memory(queue), dependency)
    }

    fn shared(
        &mut self,
        redis: RedisSettings,
    ) -> (Arc<dyn RegistrationStore>, ReplicaFeed, ServiceDependency) {
        let metrics = Arc::clone(&self.observers.source);
        let tasks = self.ground.phases.consume.clone();
        let (state, watched) = watch::channel(DependencyState::Untried);
        let (known, followed) = (watched.clone(), watched.clone());
        let following = Arc::clone(&metrics);
        spawn_until_stopped(
            &tasks,
            "source metrics",
            async move { following.follow(followed).await },
        );
        let keys =
            RedisClient::new(redis.clone(), RedisTimeouts::default(), self.ground.rng.fork());
        let record = Arc::new(DependencyRecord::default());
        let store = Arc::new(RedisStore::new(
            keys,
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
            rng: self.ground.rng.fork(),
        };
        tasks.core("redis", subscription.run(inlet, state, tasks.stopping().clone()));
        let dependency = needed("redis", move || {
            let heard = known.borrow().clone();
            match record.get() {
                down @ DependencyState::Down { .. } if heard.is_up() => down,
                _ => heard,
            }
        });
        (store, ReplicaFeed::Redis { queue, state: watched, metrics }, dependency)
    }
}

/// While the store can't be written, it is tried: a daemon that isn't ready is asked by nobody.
async fn retry_store(store: Arc<RedisStore>, record: Arc<DependencyRecord>) {
    loop {
        sleep(STORE_RETRY).await;
        if matches!(record.get(), DependencyState::Down { .. })
            && let Err(error) = store.insert_once("a look", 1).await
        {
            tracing::debug!("the store can't be written yet: {error}");
        }
    }
}

/// Something that clients can't be told or let in without.
fn needed(
    name: &'static str,
    condition: impl Fn() -> DependencyState + Send + Sync + 'static,
) -> ServiceDependency {
    ServiceDependency {
        name: name.into(),
        service: None,
        needed: true,
        condition: Arc::new(condition),
    }
}
