//! Where messages come from, and how they get into the pipeline's queue.

use super::{Parts, needs::needed};
use crate::{
    client,
    client::{
        Delivery,
        redis::{Pace, Subscription},
    },
    health::Dependency,
    runtime::status::Condition,
    services::{nextcloud::channels::CHANNELS, until_stopped},
};
use std::sync::Arc;
use tokio::{
    sync::{mpsc, watch},
    time::Instant,
};

/// Where messages come from.
#[derive(Debug)]
pub enum Feed {
    /// Redis, as the settings say.
    Redis,
    /// Whoever holds the other end ([`crate::client::memory`]); the settings' Redis is never asked.
    Memory(mpsc::Receiver<Delivery>),
}

impl Parts {
    /// Lets messages into the pipeline's queue; returns what that depends on.
    pub(super) fn feed(&mut self, feed: Feed, inlet: mpsc::Sender<Delivery>) -> Dependency {
        let metrics = Arc::clone(&self.observers.source);
        let tasks = self.ground.groups.sources.clone();
        if let Feed::Memory(mut queue) = feed {
            metrics.up.set(true);
            let since = Instant::now();
            until_stopped(&tasks, "memory", async move {
                while let Some(delivery) = queue.recv().await {
                    if inlet.send(delivery).await.is_err() {
                        return;
                    }
                }
                std::future::pending().await
            });
            return needed("memory", move || Condition::Up { since });
        }
        let (state, watched) = watch::channel(client::State::Starting);
        let known = watched.clone();
        until_stopped(&tasks, "source metrics", async move { metrics.follow(watched).await });
        let subscription = Subscription {
            settings: self.settings.redis.clone(),
            channels: CHANNELS,
            pace: Pace::default(),
            rng: self.ground.rng.fork(),
        };
        tasks.core("redis", subscription.run(inlet, state, tasks.stopping().clone()));
        needed("redis", move || Condition::from(&*known.borrow()))
    }
}
