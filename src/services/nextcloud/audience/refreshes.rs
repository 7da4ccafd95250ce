//! When to look again at what a recipient sees: the database learns of a share only when the
//! recipient's next request sets its file system up (`specs/nextcloud.md` section 2).

use std::time::Duration;
use tokio::time::Instant;

/// Looks come in grains, so that one query serves many recipients.
const GRAIN: Duration = Duration::from_millis(250);

/// Why somebody is looked at again; later variants look longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RefreshReason {
    /// A notification: perhaps a share came with it.
    Hint,
    /// The recipient has just connected: its first requests may add mounts.
    Arrival,
    /// The host says that a share or a membership has changed.
    Access,
}

impl RefreshReason {
    /// Seconds after the event. The gaps stay below ten seconds while a row is likely to appear.
    fn plan(self) -> &'static [u64] {
        match self {
            Self::Hint => &[2, 8],
            Self::Arrival => &[3, 12],
            Self::Access => &[1, 2, 4, 7, 11, 16, 22, 29, 37, 46, 60, 90, 120],
        }
    }
}

/// One recipient's coming looks.
#[derive(Debug, Clone, Copy)]
pub(super) struct RefreshSchedule {
    reason: RefreshReason,
    start: Instant,
    step: usize,
}

impl RefreshSchedule {
    /// Begins a plan now, unless the one under way has more to say.
    pub(super) fn begin(current: Option<Self>, reason: RefreshReason, now: Instant) -> Self {
        match current {
            Some(current) if current.reason > reason => current,
            _ => Self { reason, start: now, step: 0 },
        }
    }

    /// When to look.
    pub(super) fn due(&self) -> Instant {
        let plan = self.reason.plan();
        let seconds = plan.get(self.step).or(plan.last()).copied().unwrap_or(0);
        self.start + Duration::from_secs(seconds)
    }

    /// The look has been taken; `None` when it was the last.
    pub(super) fn next(self, now: Instant) -> Option<Self> {
        let plan = self.reason.plan();
        let after = |step: &usize| self.start + Duration::from_secs(plan[*step]) > now;
        let step = (self.step + 1..plan.len()).find(after)?;
        Some(Self { step, ..self })
    }
}

/// The next moment at which looks are taken, for one that is due then.
pub(super) fn grain(due: Instant, epoch: Instant) -> Instant {
    let grains = due.saturating_duration_since(epoch).as_millis() / GRAIN.as_millis() + 1;
    epoch + GRAIN * u32::try_from(grains).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::{RefreshReason, RefreshSchedule};
    use std::time::Duration;
    use tokio::time::Instant;

    #[test]
    fn after_a_share_there_is_a_look_at_least_every_ten_seconds_for_the_first_minute() {
        let start = Instant::now();
        let mut look = Some(RefreshSchedule::begin(None, RefreshReason::Access, start));
        let mut last = start;
        while let Some(now) = look {
            if last < start + Duration::from_secs(46) {
                assert!(now.due() - last <= Duration::from_secs(10));
            }
            last = now.due();
            look = now.next(last);
        }
        assert_eq!(last, start + Duration::from_secs(120));
    }

    #[test]
    fn a_hint_does_not_cut_a_longer_plan_short() {
        let start = Instant::now();
        let long = RefreshSchedule::begin(None, RefreshReason::Access, start);
        let still =
            RefreshSchedule::begin(Some(long), RefreshReason::Hint, start + Duration::from_secs(1));
        assert_eq!(still.due(), start + Duration::from_secs(1));
    }

    #[test]
    fn missed_looks_are_not_made_up_for() {
        let start = Instant::now();
        let look = RefreshSchedule::begin(None, RefreshReason::Access, start);
        let next = look.next(start + Duration::from_secs(50)).unwrap();
        assert_eq!(next.due(), start + Duration::from_secs(60));
    }
}
