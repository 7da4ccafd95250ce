//! How full a bounded queue is, for the metrics and the status page.

use std::{fmt, sync::Arc};

/// A bounded queue whose depth is read when the metrics are.
#[derive(Clone)]
pub struct QueueGauge {
    /// The queue's name in metrics.
    pub name: &'static str,
    /// The queue's capacity in entries.
    pub capacity: usize,
    /// Entries now. Must be cheap and must not block.
    pub depth: Arc<dyn Fn() -> usize + Send + Sync>,
}

impl QueueGauge {
    /// A gauge with this name.
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
        f.debug_tuple("QueueGauge").field(&self.name).finish()
    }
}
