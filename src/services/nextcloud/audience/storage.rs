//! One storage with changes: its list of mounts, the changes that wait, and its deadlines.

use super::{
    pending_changes::PendingChanges,
    root_table::{RootSlot, RootSlots},
    trust_schedule::{FRESH, KEPT, TrustSchedule},
};
use std::{collections::HashMap, time::Duration};
use tokio::time::Instant;

/// Changes of one storage that come closer than this are sent together; they are no later for it,
/// because the time they may take counts from when they were received.
pub(super) const FLUSH_EVERY: Duration = Duration::from_millis(50);
/// A failed lookup is tried again after this, doubled each time up to [`LAST_RETRY`].
const FIRST_RETRY: Duration = Duration::from_millis(500);
const LAST_RETRY: Duration = Duration::from_secs(10);

/// How much is known of a storage's mounts.
#[derive(Debug)]
pub(super) enum StorageState {
    /// Nothing: it is listed when a change comes, not before this time.
    Cold { not_before: Instant, attempts: u32 },
    /// It is being listed, after so many failed attempts.
    Loading { attempts: u32 },
    /// Its mounts are listed.
    Warm(ListState),
}

/// The list of a storage's mounts over time.
#[derive(Debug)]
pub(super) struct ListState {
    /// When the latest successful lookup of it began.
    pub(super) verified_at: Instant,
    /// When the latest change came.
    pub(super) used_at: Instant,
    /// The verifications to come.
    pub(super) schedule: TrustSchedule,
    /// Whether a lookup of it is queued or under way.
    pub(super) looking_up: bool,
    /// A failed verification is not tried again before this.
    pub(super) retry_at: Instant,
    /// The next changes are not sent before this.
    pub(super) quiet_until: Instant,
    /// Waiting changes are sent without ids then, if it hasn't been verified.
    pub(super) hold_until: Option<Instant>,
}

impl ListState {
    /// A list whose lookup began at `asked_at`.
    pub(super) fn new(asked_at: Instant, now: Instant) -> Self {
        Self {
            verified_at: asked_at,
            used_at: now,
            schedule: TrustSchedule::begin(now),
            looking_up: false,
            retry_at: now,
            quiet_until: now,
            hold_until: None,
        }
    }

    /// Whether ids may be sent from it.
    pub(super) fn is_fresh(&self, now: Instant) -> bool {
        now < self.verified_at + FRESH
    }

    /// When it is dropped.
    pub(super) fn expires_at(&self) -> Instant {
        self.used_at.min(self.verified_at) + KEPT
    }

    /// When its next verification starts.
    pub(super) fn verify_at(&self) -> Option<Instant> {
        if self.looking_up {
            return None;
        }
        self.schedule.due().map(|due| due.max(self.retry_at))
    }

    /// A lookup that began at `asked_at` has confirmed or renewed it.
    pub(super) fn verified(&mut self, asked_at: Instant) {
        self.verified_at = self.verified_at.max(asked_at);
        (self.looking_up, self.hold_until) = (false, None);
    }
}

/// A storage with changes, or with roots that were moved into it.
#[derive(Debug)]
pub(super) struct TrackedStorage {
    pub(super) state: StorageState,
    pub(super) pending_changes: PendingChanges,
    /// The roots whose mount rows name this storage.
    pub(super) listed: Vec<RootSlot>,
    /// The roots that are in this storage, by path.
    pub(super) paths: HashMap<Box<str>, RootSlots>,
    /// The valid one among its alarms.
    pub(super) alarm: Option<Instant>,
}

impl TrackedStorage {
    /// A storage of which nothing is known.
    pub(super) fn cold(now: Instant) -> Self {
        Self {
            state: StorageState::Cold { not_before: now, attempts: 0 },
            pending_changes: PendingChanges::default(),
            listed: Vec::new(),
            paths: HashMap::new(),
            alarm: None,
        }
    }

    /// Its list, if there is one.
    pub(super) fn list(&mut self) -> Option<&mut ListState> {
        match &mut self.state {
            StorageState::Warm(list) => Some(list),
            StorageState::Cold { .. } | StorageState::Loading { .. } => None,
        }
    }

    /// Whether nothing would be lost with it.
    pub(super) fn is_idle(&self) -> bool {
        let cold = matches!(self.state, StorageState::Cold { .. });
        cold && self.pending_changes.is_empty() && self.paths.is_empty()
    }

    /// Listing it has failed: try again later.
    pub(super) fn listing_failed(&mut self, now: Instant, rng: &mut fastrand::Rng) {
        let StorageState::Loading { attempts } = self.state else { return };
        let wait = FIRST_RETRY.saturating_mul(1 << attempts.min(8)).min(LAST_RETRY);
        let not_before = now + wait.mul_f64(0.5 + rng.f64() / 2.0);
        self.state = StorageState::Cold { not_before, attempts: attempts.saturating_add(1) };
    }

    /// The roots that cover a path: those at one of its ancestors or at the path itself.
    pub(super) fn covering<'a>(&'a self, path: &'a str) -> impl Iterator<Item = RootSlot> + 'a {
        ancestors(path).filter_map(|path| self.paths.get(path)).flatten().copied()
    }

    /// When it needs attention next.
    pub(super) fn deadline(&self, now: Instant) -> Option<Instant> {
        let waits = !self.pending_changes.is_empty();
        match &self.state {
            StorageState::Loading { .. } => None,
            StorageState::Cold { not_before, .. } => waits.then_some(*not_before),
            StorageState::Warm(list) => {
                let flush = waits.then(|| {
                    let held = list.hold_until.filter(|_| !list.is_fresh(now));
                    held.unwrap_or(list.quiet_until)
                });
                let soonest = [flush, list.verify_at()].into_iter().flatten().min();
                Some(soonest.map_or(list.expires_at(), |at| at.min(list.expires_at())))
            }
        }
    }
}

/// A path and every folder above it, by segments: `a/b`, `a`, and the storage itself, `""`.
fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(super::directory::trimmed(path)), |path| parent(path))
}

fn parent(path: &str) -> Option<&str> {
    (!path.is_empty()).then(|| path.rsplit_once('/').map_or("", |(parent, _)| parent))
}

#[cfg(test)]
mod tests {
    use super::{TrackedStorage, ancestors};
    use proptest::prelude::*;
    use tokio::time::Instant;

    #[test]
    fn a_path_is_covered_by_segments_not_by_letters() {
        let mut storage = TrackedStorage::cold(Instant::now());
        for (slot, path) in (0..).zip(["", "files", "files/foo", "files/foobar"]) {
            storage.paths.entry(path.into()).or_default().push(slot);
        }
        let covering = |path| storage.covering(path).collect::<Vec<_>>();
        assert_eq!(covering("files/foobar/x"), [3, 1, 0]);
        assert_eq!(covering("files/foo"), [2, 1, 0]);
        assert_eq!(covering("files_trashbin/foo"), [0]);
        assert_eq!(covering(""), [0]);
    }

    proptest! {
        #[test]
        fn ancestors_are_the_prefixes_that_end_at_a_segment(path in "[a-c/]{0,12}") {
            let path = path.trim_matches('/');
            for other in ["", "a", "a/b", "ab", "a/b/c", "b"] {
                let covers = other.is_empty() || path == other
                    || path.strip_prefix(other).is_some_and(|rest| rest.starts_with('/'));
                prop_assert_eq!(ancestors(path).any(|ancestor| ancestor == other), covers);
            }
        }
    }
}
