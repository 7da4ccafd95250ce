//! A bounded queue as whoever watches sees it.

use std::{fmt, sync::Arc};

/// How full a queue is, read off its owner when somebody asks.
#[derive(Clone)]
pub struct QueueGauge {
    /// What waits in it.
    pub name: &'static str,
    /// How much may.
    pub capacity: usize,
    /// How much does. Must be cheap and must not block.
    pub depth: Arc<dyn Fn() -> usize + Send + Sync>,
}

impl QueueGauge {
    /// A queue of this name.
    pub fn new(
        name: &'static str,
        capacity: usize,
        depth: impl Fn() -> usize + Send + Sync + 'static,
    ) -> Self {
        Self { name, capacity, depth: Arc::new(depth) }
    }
}

impl fmt::Debug for QueueGauge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Queue").field(&self.name).finish()
    }
}
