//! The condition of what the daemon depends on, where only its answers tell.

use crate::{client, health::DependencyState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::time::Instant;

impl From<&client::SourceState> for DependencyState {
    fn from(state: &client::SourceState) -> Self {
        match state {
            client::SourceState::Starting => Self::Untried,
            client::SourceState::Connected { since } => Self::Up { since: *since },
            client::SourceState::Away { since, why } => {
                Self::Down { since: *since, why: Arc::clone(why) }
            }
        }
    }
}

/// The condition of something that is only known from how it answers: written by whoever asks it.
#[derive(Debug)]
pub struct DependencyRecord(Mutex<DependencyState>);

impl Default for DependencyRecord {
    fn default() -> Self {
        Self(Mutex::new(DependencyState::Untried))
    }
}

impl DependencyRecord {
    /// It answered.
    pub fn succeeded(&self, now: Instant) {
        let mut condition = self.lock();
        if !condition.is_up() {
            *condition = DependencyState::Up { since: now };
        }
    }

    /// It didn't, or not as it should, for this reason.
    pub fn failed(&self, why: impl Into<Arc<str>>, now: Instant) {
        let mut condition = self.lock();
        let since = match &*condition {
            DependencyState::Down { since, .. } => *since,
            _ => now,
        };
        *condition = DependencyState::Down { since, why: why.into() };
    }

    /// How it is.
    pub fn get(&self) -> DependencyState {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, DependencyState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::{DependencyRecord, DependencyState};
    use std::time::Duration;
    use tokio::time::Instant;

    #[test]
    fn since_is_the_moment_it_became_so_and_the_cause_is_the_latest() {
        let (record, start) = (DependencyRecord::default(), Instant::now());
        let later = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(record.get(), DependencyState::Untried);
        record.succeeded(start);
        record.succeeded(later(5));
        assert_eq!(record.get(), DependencyState::Up { since: start });
        record.failed("refused", later(7));
        record.failed("late", later(9));
        assert_eq!(record.get(), DependencyState::Down { since: later(7), why: "late".into() });
        record.succeeded(later(11));
        assert_eq!(record.get(), DependencyState::Up { since: later(11) });
    }
}
