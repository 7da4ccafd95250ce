//! Whether something that the daemon depends on is there, and since when.

use std::sync::Arc;
use tokio::time::Instant;

/// How a dependency is, as far as its users know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DependencyState {
    /// Nobody has needed it yet, or the first try is still under way.
    Untried,
    /// It answers.
    Up {
        /// Since when.
        since: Instant,
    },
    /// It doesn't.
    Down {
        /// Since when.
        since: Instant,
        /// The latest cause with its remedy, for the operator; holds no secret.
        why: Arc<str>,
    },
}

impl DependencyState {
    /// Whether it answers.
    pub fn is_up(&self) -> bool {
        matches!(self, Self::Up { .. })
    }

    /// Since when it is as it is.
    pub fn since(&self) -> Option<Instant> {
        match self {
            Self::Untried => None,
            Self::Up { since } | Self::Down { since, .. } => Some(*since),
        }
    }
}
