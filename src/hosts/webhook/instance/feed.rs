//! Where the book is and where news come from.

use super::{NEWS, Parts};
use crate::{
    hosts::{
        until_stopped,
        webhook::{
            book::{Book, MemoryBook, SharedBook},
            feed::{CHANNEL, Feed},
        },
    },
    source::{
        self,
        redis::{Keys, Pace, RedisSettings, Subscription},
    },
    status::{Condition, Dependency},
};
use std::sync::Arc;
use tokio::{
    sync::{mpsc, watch},
    time::Instant,
};

impl Parts {
    /// The book, its news, and what both depend on.
    pub(super) fn feed(&mut self) -> (Arc<dyn Book>, Feed, Dependency) {
        match self.settings.redis.clone() {
            Some(redis) => self.shared(redis),
            None => self.alone(),
        }
    }

    fn alone(&self) -> (Arc<dyn Book>, Feed, Dependency) {
        tracing::warn!(
            "no Redis is set: registrations, private URLs and messages for clients that are away are \
             in memory. They are gone after a restart, and a second replica would know nothing of them"
        );
        let (news, queue) = mpsc::channel(NEWS);
        let clock = Arc::clone(&self.ground.clock);
        let book = Arc::new(MemoryBook::new(self.settings.limits, clock, news));
        self.observers.source.up.set(true);
        let since = Instant::now();
        let dependency = needed("memory", move || Condition::Up { since });
        (book, Feed::Memory(queue), dependency)
    }

    fn shared(&mut self, redis: RedisSettings) -> (Arc<dyn Book>, Feed, Dependency) {
        let metrics = Arc::clone(&self.observers.source);
        let tasks = self.ground.groups.sources.clone();
        let (state, watched) = watch::channel(source::State::Starting);
        let (known, followed) = (watched.clone(), watched.clone());
        let following = Arc::clone(&metrics);
        until_stopped(&tasks, "source metrics", async move { following.follow(followed).await });
        let keys = Keys::new(redis.clone(), Pace::default(), self.ground.rng.fork());
        let book = Arc::new(SharedBook::new(keys, self.settings.limits));
        let (inlet, queue) = mpsc::channel(NEWS);
        let subscription = Subscription {
            settings: redis,
            channels: &[CHANNEL],
            pace: Pace::default(),
            rng: self.ground.rng.fork(),
        };
        tasks.core("redis", subscription.run(inlet, state, tasks.stopping().clone()));
        let dependency = needed("redis", move || Condition::from(&*known.borrow()));
        (book, Feed::Redis { queue, state: watched, metrics }, dependency)
    }
}

/// Something that clients can't be told or let in without.
fn needed(
    name: &'static str,
    condition: impl Fn() -> Condition + Send + Sync + 'static,
) -> Dependency {
    Dependency { name: name.into(), host: None, needed: true, condition: Arc::new(condition) }
}
