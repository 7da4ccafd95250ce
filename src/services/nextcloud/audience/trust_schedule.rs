//! When a list of mounts is verified: soon after something happened on its storage, then less often.
//!
//! Nextcloud writes mount rows at a user's visit, not when a share or folder is made or moved: a list
//! that was read just before is out of date a moment later.

use std::time::Duration;
use tokio::time::Instant;

/// Seconds after the storage's latest change at which its list is verified.
const STEPS: [u64; 4] = [2, 5, 15, 60];
/// A list of a storage without changes is dropped after this; one that could not be verified too.
pub(super) const KEPT: Duration = Duration::from_secs(300);
/// Ids are sent from a list that was verified within this time.
pub(super) const FRESH: Duration = Duration::from_secs(10);
/// Changes wait this long for a list to be verified; then they are sent without ids.
pub(super) const HOLD: Duration = Duration::from_secs(1);

/// The verifications that are still to come after a change.
#[derive(Debug, Clone, Copy)]
pub(super) struct TrustSchedule {
    start: Instant,
    step: usize,
}

impl TrustSchedule {
    /// Begins after a change.
    pub(super) fn begin(now: Instant) -> Self {
        Self { start: now, step: 0 }
    }

    /// A further change: starts again, unless the first verification is still to come. A steady
    /// stream of changes can't put it off.
    pub(super) fn changed(&mut self, now: Instant) {
        if self.step > 0 {
            *self = Self::begin(now);
        }
    }

    /// When to verify next; `None` once the storage has been quiet for long.
    pub(super) fn due(&self) -> Option<Instant> {
        STEPS.get(self.step).map(|seconds| self.start + Duration::from_secs(*seconds))
    }

    /// A verification has begun; those missed meanwhile are not made up for.
    pub(super) fn verified(&mut self, now: Instant) {
        while self.due().is_some_and(|due| due <= now) {
            self.step += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::TrustSchedule;
    use std::time::Duration;
    use tokio::time::Instant;

    #[test]
    fn a_list_is_verified_2_5_15_and_60_seconds_after_a_change() {
        let start = Instant::now();
        let (mut schedule, mut seconds) = (TrustSchedule::begin(start), Vec::new());
        while let Some(due) = schedule.due() {
            seconds.push((due - start).as_secs());
            schedule.verified(due);
        }
        assert_eq!(seconds, [2, 5, 15, 60]);
    }

    #[test]
    fn a_steady_stream_of_changes_does_not_put_verification_off() {
        let start = Instant::now();
        let (mut schedule, mut verifications) = (TrustSchedule::begin(start), 0);
        for tenth in 0..100 {
            let now = start + Duration::from_millis(100 * tenth);
            schedule.changed(now);
            if schedule.due().is_some_and(|due| due <= now) {
                verifications += 1;
                schedule.verified(now);
            }
        }
        assert!((4..=5).contains(&verifications), "{verifications}");
    }

    #[test]
    fn missed_verifications_are_not_made_up_for() {
        let start = Instant::now();
        let mut schedule = TrustSchedule::begin(start);
        schedule.verified(start + Duration::from_secs(20));
        assert_eq!(schedule.due(), Some(start + Duration::from_secs(60)));
    }
}
