//! Says when a lasting failure is worth a log line: the first time, then once a minute.

use std::time::Duration;
use tokio::time::Instant;

/// No two lines about the same trouble are nearer than this.
const PAUSE: Duration = Duration::from_secs(60);

/// What has been said of one trouble. Time is passed in.
#[derive(Debug, Default)]
pub(super) struct Complaint {
    said: Option<Instant>,
    since: Option<Instant>,
}

impl Complaint {
    /// The trouble goes on: whether to say so.
    pub(super) fn worth_a_line(&mut self, now: Instant) -> bool {
        self.since.get_or_insert(now);
        let due = self.said.is_none_or(|said| now.duration_since(said) >= PAUSE);
        if due {
            self.said = Some(now);
        }
        due
    }

    /// Since when the trouble lasts.
    pub(super) fn since(&self) -> Option<Instant> {
        self.since
    }

    /// The trouble is over: how long it lasted, if there was one. The pause goes on, so that a
    /// connection which comes and goes doesn't fill the log.
    pub(super) fn over(&mut self, now: Instant) -> Option<Duration> {
        self.since.take().map(|since| now.duration_since(since))
    }
}

#[cfg(test)]
mod tests {
    use super::{Complaint, PAUSE};
    use std::time::Duration;
    use tokio::time::Instant;

    #[test]
    fn is_said_at_once_and_then_once_a_minute() {
        let (mut complaint, start) = (Complaint::default(), Instant::now());
        let said = (0..180).filter(|s| complaint.worth_a_line(start + Duration::from_secs(*s)));
        assert_eq!(said.collect::<Vec<u64>>(), [0, 60, 120]);
    }

    #[test]
    fn coming_and_going_does_not_fill_the_log() {
        let (mut complaint, start) = (Complaint::default(), Instant::now());
        assert!(complaint.worth_a_line(start));
        assert_eq!(complaint.over(start + PAUSE / 2), Some(PAUSE / 2));
        assert_eq!(complaint.over(start + PAUSE / 2), None);
        assert!(!complaint.worth_a_line(start + PAUSE / 2));
        assert_eq!(complaint.since(), Some(start + PAUSE / 2));
        assert!(complaint.worth_a_line(start + PAUSE));
    }
}
