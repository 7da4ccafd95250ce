//! One storage on its way from unknown to listed: its marks, its index, its times.

use super::{index::Index, marks::Marks};
use std::time::Duration;
use tokio::time::Instant;

/// A listing is kept so long, give or take a fifth.
pub(super) const KEPT: Duration = Duration::from_secs(300);
/// Changes of one storage are told in one go if they come closer than this; they are no later for
/// it, because their promised time counts from when they were heard of.
pub(super) const FLUSH_EVERY: Duration = Duration::from_millis(50);
/// A failed look-up is tried again after this, doubled each time up to [`LAST_RETRY`].
const FIRST_RETRY: Duration = Duration::from_millis(500);
const LAST_RETRY: Duration = Duration::from_secs(10);

/// What is known of a storage.
#[derive(Debug)]
pub(super) enum State {
    /// Nothing: to be looked up, not before this.
    Cold { not_before: Instant, attempts: u32 },
    /// Being looked up, for so manieth time in a row.
    Loading { attempts: u32 },
    /// Listed.
    Warm { index: Index, until: Instant, quiet_until: Instant },
}

/// A storage that something happened on.
#[derive(Debug)]
pub(super) struct Storage {
    pub(super) state: State,
    pub(super) marks: Marks,
    /// The alarm that counts among those set for it.
    pub(super) alarm: Option<Instant>,
}

impl Storage {
    /// One that nothing is known of.
    pub(super) fn cold(now: Instant) -> Self {
        let state = State::Cold { not_before: now, attempts: 0 };
        Self { state, marks: Marks::default(), alarm: None }
    }

    /// The look-up failed: try again later.
    pub(super) fn failed(&mut self, now: Instant, rng: &mut fastrand::Rng) {
        let State::Loading { attempts } = self.state else { return };
        let wait = FIRST_RETRY.saturating_mul(1 << attempts.min(8)).min(LAST_RETRY);
        let not_before = now + wait.mul_f64(0.5 + rng.f64() / 2.0);
        self.state = State::Cold { not_before, attempts: attempts.saturating_add(1) };
    }

    /// When what waits on it can be told or looked up. The end of a listing is not among these: its
    /// alarm is set once, with the listing.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match &self.state {
            _ if self.marks.is_empty() => None,
            State::Cold { not_before, .. } => Some(*not_before),
            State::Loading { .. } => None,
            State::Warm { quiet_until, .. } => Some(*quiet_until),
        }
    }

    /// Whether an alarm for this time still means something.
    pub(super) fn is_woken_by(&mut self, at: Instant) -> bool {
        if self.alarm == Some(at) {
            self.alarm = None;
            return true;
        }
        matches!(&self.state, State::Warm { until, .. } if *until == at)
    }
}
