//! Says when a lasting failure is worth a log line: the first time, then once a minute.

use std::time::Duration;
use tokio::time::Instant;

/// No two lines about the same outage are nearer than this.
const PAUSE: Duration = Duration::from_secs(60);

/// What has been last_logged of one outage. Time is passed in.
#[derive(Debug, Default)]
pub(super) struct OutageLogLimiter {
    last_logged: Option<Instant>,
    since: Option<Instant>,
}

impl OutageLogLimiter {
    /// The outage goes on: whether to say so.
    pub(super) fn should_log(&mut self, now: Instant) -> bool {
        self.since.get_or_insert(now);
        let due =
            self.last_logged.is_none_or(|last_logged| now.duration_since(last_logged) >= PAUSE);
        if due {
            self.last_logged = Some(now);
        }
        due
    }

    /// Since when the outage lasts.
    pub(super) fn since(&self) -> Option<Instant> {
        self.since
    }

    /// The outage is ended: how long it lasted, if there was one. The pause goes on, so that a
    /// connection which comes and goes doesn't fill the log.
    pub(super) fn ended(&mut self, now: Instant) -> Option<Duration> {
        self.since.take().map(|since| now.duration_since(since))
    }
}

#[cfg(test)]
mod tests {
    use super::{OutageLogLimiter, PAUSE};
    use std::time::Duration;
    use tokio::time::Instant;

    #[test]
    fn is_said_at_once_and_then_once_a_minute() {
        let (mut complaint, start) = (OutageLogLimiter::default(), Instant::now());
        let last_logged =
            (0..180).filter(|s| complaint.should_log(start + Duration::from_secs(*s)));
        assert_eq!(last_logged.collect::<Vec<u64>>(), [0, 60, 120]);
    }

    #[test]
    fn coming_and_going_does_not_fill_the_log() {
        let (mut complaint, start) = (OutageLogLimiter::default(), Instant::now());
        assert!(complaint.should_log(start));
        assert_eq!(complaint.ended(start + PAUSE / 2), Some(PAUSE / 2));
        assert_eq!(complaint.ended(start + PAUSE / 2), None);
        assert!(!complaint.should_log(start + PAUSE / 2));
        assert_eq!(complaint.since(), Some(start + PAUSE / 2));
        assert!(complaint.should_log(start + PAUSE));
    }
}
