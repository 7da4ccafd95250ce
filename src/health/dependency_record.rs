//! The condition of what the daemon depends on, where only its answers tell.

use crate::{client, health::condition::Condition};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::time::Instant;

impl From<&client::State> for Condition {
    fn from(state: &client::State) -> Self {
        match state {
            client::State::Starting => Self::Untried,
            client::State::Connected { since } => Self::Up { since: *since },
            client::State::Away { since, why } => {
                Self::Down { since: *since, why: Arc::clone(why) }
            }
        }
    }
}

/// The condition of something that is only known from how it answers: written by whoever asks it.
#[derive(Debug)]
pub struct Record(Mutex<Condition>);

impl Default for Record {
    fn default() -> Self {
        Self(Mutex::new(Condition::Untried))
    }
}

impl Record {
    /// It answered.
    pub fn succeeded(&self, now: Instant) {
        let mut condition = self.lock();
        if !condition.is_up() {
            *condition = Condition::Up { since: now };
        }
    }

    /// It didn't, or not as it should, for this reason.
    pub fn failed(&self, why: impl Into<Arc<str>>, now: Instant) {
        let mut condition = self.lock();
        let since = match &*condition {
            Condition::Down { since, .. } => *since,
            _ => now,
        };
        *condition = Condition::Down { since, why: why.into() };
    }

    /// How it is.
    pub fn get(&self) -> Condition {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Condition> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::{Condition, Record};
    use std::time::Duration;
    use tokio::time::Instant;

    #[test]
    fn since_is_the_moment_it_became_so_and_the_cause_is_the_latest() {
        let (record, start) = (Record::default(), Instant::now());
        let later = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(record.get(), Condition::Untried);
        record.succeeded(start);
        record.succeeded(later(5));
        assert_eq!(record.get(), Condition::Up { since: start });
        record.failed("refused", later(7));
        record.failed("late", later(9));
        assert_eq!(record.get(), Condition::Down { since: later(7), why: "late".into() });
        record.succeeded(later(11));
        assert_eq!(record.get(), Condition::Up { since: later(11) });
    }
}
