//! Where the book is and where news come from.

use super::{NEWS, Parts};
use crate::{
    client,
    client::redis::{Keys, Pace, RedisSettings, Subscription},
    health::{Dependency, Record},
    runtime::status::Condition,
    services::{
        until_stopped,
        webhook::{
            book::{Book, MemoryBook, SharedBook},
            feed::Feed,
        },
    },
};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep},
};

/// Messages that may wait for the teller where there is no Redis, of 100 kB each: who posts waits for
/// room.
const OWN_NEWS: usize = 256;
/// How often it is tried whether a book that couldn't be written can be again.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

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
        let (news, queue) = mpsc::channel(OWN_NEWS);
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
        let (state, watched) = watch::channel(client::State::Starting);
        let (known, followed) = (watched.clone(), watched.clone());
        let following = Arc::clone(&metrics);
        until_stopped(&tasks, "source metrics", async move { following.follow(followed).await });
        let keys = Keys::new(redis.clone(), Pace::default(), self.ground.rng.fork());
        let record = Arc::new(Record::default());
        let book = Arc::new(SharedBook::new(
            keys,
            self.settings.limits,
            self.channels[0],
            Arc::clone(&record),
        ));
        let looked_at = look_again(Arc::clone(&book), Arc::clone(&record));
        until_stopped(&tasks, "book", looked_at);
        let (inlet, queue) = mpsc::channel(NEWS);
        let subscription = Subscription {
            settings: redis,
            channels: self.channels,
            pace: Pace::default(),
            rng: self.ground.rng.fork(),
        };
        tasks.core("redis", subscription.run(inlet, state, tasks.stopping().clone()));
        let dependency = needed("redis", move || {
            let heard = Condition::from(&*known.borrow());
            match record.get() {
                down @ Condition::Down { .. } if heard.is_up() => down,
                _ => heard,
            }
        });
        (book, Feed::Redis { queue, state: watched, metrics }, dependency)
    }
}

/// While the book can't be written, it is tried: a daemon that isn't ready is asked by nobody.
async fn look_again(book: Arc<SharedBook>, record: Arc<Record>) {
    loop {
        sleep(LOOK_AGAIN).await;
        if matches!(record.get(), Condition::Down { .. })
            && let Err(error) = book.first_time("a look", 1).await
        {
            tracing::debug!("the book can't be written yet: {error}");
        }
    }
}

/// Something that clients can't be told or let in without.
fn needed(
    name: &'static str,
    condition: impl Fn() -> Condition + Send + Sync + 'static,
) -> Dependency {
    Dependency { name: name.into(), host: None, needed: true, condition: Arc::new(condition) }
}
