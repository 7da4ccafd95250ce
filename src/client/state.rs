//! How a source is doing, for the health page and the metrics.

use std::sync::Arc;
use tokio::time::Instant;

/// The state of a supervised source, as its watchers see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceState {
    /// The first try is still under way.
    Starting,
    /// Messages arrive.
    Connected {
        /// Since when.
        since: Instant,
    },
    /// Messages are being missed.
    Away {
        /// Since when.
        since: Instant,
        /// The latest cause and its remedy, for the operator; holds no secret.
        why: Arc<str>,
    },
}

impl SourceState {
    /// Whether messages arrive.
    pub fn is_connected(&self) -> bool {
        matches!(self, Self::Connected { .. })
    }
}
