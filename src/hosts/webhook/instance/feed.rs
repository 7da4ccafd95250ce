//! Where the book is and where news come from.

use super::{NEWS, Parts};
use crate::{
    hosts::webhook::{
        book::{Book, MemoryBook},
        feed::Feed,
    },
    status::{Condition, Dependency},
};
use std::sync::Arc;
use tokio::{sync::mpsc, time::Instant};

impl Parts {
    /// The book, its news, and what both depend on.
    pub(super) fn feed(&mut self) -> (Arc<dyn Book>, Feed, Dependency) {
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
}

/// Something that clients can't be told or let in without.
fn needed(
    name: &'static str,
    condition: impl Fn() -> Condition + Send + Sync + 'static,
) -> Dependency {
    Dependency { name: name.into(), host: None, needed: true, condition: Arc::new(condition) }
}
