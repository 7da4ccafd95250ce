//! Tells the operator of what must be changed, but not with each log-in anew.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// How long the same complaint is not repeated.
const REPEAT: Duration = Duration::from_mins(10);

/// How many different complaints are remembered; there are only a few statements.
const MAX_COMPLAINTS: usize = 32;

/// What was logged, and when.
#[derive(Default)]
pub(super) struct ErrorLogLimiter(Mutex<HashMap<Arc<str>, Instant>>);

impl ErrorLogLimiter {
    /// Logs it unless it was logged a short while ago.
    pub(super) fn log(&self, what: &Arc<str>, now: Instant) {
        if self.due(what, now) {
            tracing::error!("the database can't be used: {what}");
        }
    }

    fn due(&self, what: &Arc<str>, now: Instant) -> bool {
        let mut logged = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        logged.retain(|_, at| now.saturating_duration_since(*at) < REPEAT);
        if logged.contains_key(what) || logged.len() >= MAX_COMPLAINTS {
            return false;
        }
        logged.insert(Arc::clone(what), now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::{ErrorLogLimiter, MAX_COMPLAINTS, REPEAT};
    use std::sync::Arc;
    use tokio::time::Instant;

    #[test]
    fn a_complaint_is_told_once_in_a_while() {
        let (complaints, now) = (ErrorLogLimiter::default(), Instant::now());
        let what = Arc::from("no such table");
        assert!(complaints.due(&what, now));
        assert!(!complaints.due(&what, now + REPEAT / 2));
        assert!(complaints.due(&Arc::from("no right"), now));
        assert!(complaints.due(&what, now + REPEAT));
    }

    #[test]
    fn too_many_different_ones_are_not_told() {
        let (complaints, now) = (ErrorLogLimiter::default(), Instant::now());
        let logged = (0..100).filter(|n| complaints.due(&Arc::from(n.to_string()), now)).count();
        assert_eq!(logged, MAX_COMPLAINTS);
    }
}
