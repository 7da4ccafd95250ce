//! Whether a dependency is up, and since when.

use std::sync::Arc;
use tokio::time::Instant;

/// The state of a dependency, as far as its users know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DependencyState {
    /// It hasn't been needed yet, or the first attempt is still under way.
    Untried,
    /// It answers requests.
    Up {
        /// When this state began.
        since: Instant,
    },
    /// It doesn't answer.
    Down {
        /// When this state began.
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

    /// When this state began.
    pub fn since(&self) -> Option<Instant> {
        match self {
            Self::Untried => None,
            Self::Up { since } | Self::Down { since, .. } => Some(*since),
        }
    }
}
