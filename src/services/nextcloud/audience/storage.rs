//! One storage on its way from unknown to listed: its pending_changes, its index, its times.

use super::{mount_index::MountIndex, pending_changes::PendingChanges};
use std::time::Duration;
use tokio::time::Instant;

/// A listing is kept so long, give or take a fifth.
pub(super) const KEPT: Duration = Duration::from_secs(300);
/// Changes of one storage are notified in one go if they come closer than this; they are no later for
/// it, because their promised time counts from when they were received of.
pub(super) const FLUSH_EVERY: Duration = Duration::from_millis(50);
/// A failed look-up is tried again after this, doubled each time up to [`LAST_RETRY`].
const FIRST_RETRY: Duration = Duration::from_millis(500);
const LAST_RETRY: Duration = Duration::from_secs(10);

/// What is known of a storage.
#[derive(Debug)]
pub(super) enum StorageState {
    /// Nothing: to be looked up, not before this.
    Cold { not_before: Instant, attempts: u32 },
    /// Being looked up, for so manieth time in a row.
    Loading { attempts: u32 },
    /// Listed.
    Warm { index: MountIndex, until: Instant, quiet_until: Instant },
}

/// A storage that something happened on.
#[derive(Debug)]
pub(super) struct TrackedStorage {
    pub(super) state: StorageState,
    pub(super) pending_changes: PendingChanges,
    /// The alarm that counts among those set for it.
    pub(super) alarm: Option<Instant>,
}

impl TrackedStorage {
    /// One that nothing is known of.
    pub(super) fn cold(now: Instant) -> Self {
        let state = StorageState::Cold { not_before: now, attempts: 0 };
        Self { state, pending_changes: PendingChanges::default(), alarm: None }
    }

    /// The look-up failed: try again later.
    pub(super) fn failed(&mut self, now: Instant, rng: &mut fastrand::Rng) {
        let StorageState::Loading { attempts } = self.state else { return };
        let wait = FIRST_RETRY.saturating_mul(1 << attempts.min(8)).min(LAST_RETRY);
        let not_before = now + wait.mul_f64(0.5 + rng.f64() / 2.0);
        self.state = StorageState::Cold { not_before, attempts: attempts.saturating_add(1) };
    }

    /// When what waits on it can be notified or looked up. The end of a listing is not among these: its
    /// alarm is set once, with the listing.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match &self.state {
            _ if self.pending_changes.is_empty() => None,
            StorageState::Cold { not_before, .. } => Some(*not_before),
            StorageState::Loading { .. } => None,
            StorageState::Warm { quiet_until, .. } => Some(*quiet_until),
        }
    }

    /// Whether an alarm for this time still means something.
    pub(super) fn is_woken_by(&mut self, at: Instant) -> bool {
        if self.alarm == Some(at) {
            self.alarm = None;
            return true;
        }
        matches!(&self.state, StorageState::Warm { until, .. } if *until == at)
    }
}
