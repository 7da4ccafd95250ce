//! The state of a dependency that is only known from its answers.

use crate::health::DependencyState;
use parking_lot::{Mutex, MutexGuard};
use std::sync::Arc;
use tokio::time::Instant;

/// The state of a dependency, written by the code that calls it.
#[derive(Debug)]
pub struct DependencyRecord(Mutex<DependencyState>);

impl Default for DependencyRecord {
    fn default() -> Self {
        Self(Mutex::new(DependencyState::Untried))
    }
}

impl DependencyRecord {
    /// The dependency answered.
    pub fn succeeded(&self, now: Instant) {
        let mut state = self.lock();
        if !state.is_up() {
            *state = DependencyState::Up { since: now };
        }
    }

    /// It gave no answer or a wrong one, for this reason.
    pub fn failed(&self, why: impl Into<Arc<str>>, now: Instant) {
        let mut state = self.lock();
        let since = match &*state {
            DependencyState::Down { since, .. } => *since,
            _ => now,
        };
        *state = DependencyState::Down { since, why: why.into() };
    }

    /// The state now.
    pub fn get(&self) -> DependencyState {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, DependencyState> {
        self.0.lock()
    }
}

#[cfg(test)]
mod tests {
    use super::{DependencyRecord, DependencyState};
    use std::time::Duration;
    use tokio::time::Instant;

    #[test]
    fn the_state_keeps_when_it_began_and_the_latest_cause() {
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
