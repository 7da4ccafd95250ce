//! The lookups that the cache wants, in the order of their urgency and within the budget.

use super::{
    directory::{DirectoryUnavailable, MountRow, RootDigest, ShareRow},
    mount_poll::MountPoll,
    query_budget::QueryBudget,
};
use crate::client::database::MAX_LIST;
use std::collections::VecDeque;
use tokio::time::Instant;

/// Listings under way at once: a slow one delays only the storages that are listed with it.
const MAX_LISTINGS: usize = 4;
/// Storages in one listing if an attempt has failed already: a smaller query may work.
const AFTER_FAILURE: usize = 8;
/// After so many urgent verifications in succession a waiting listing comes first.
const MAX_URGENT_IN_SUCCESSION: u8 = 3;

/// A lookup in the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MountLookup {
    /// The newest mount: where polling starts.
    Newest,
    /// The mounts with larger ids than this.
    NewMounts(i64),
    /// All mounts of these storages, and the shares of their roots if any comes from a share.
    List(Vec<i64>),
    /// The digests of these storages, and with `shares` the shares of their roots.
    Verify {
        /// The storages to verify.
        storages: Vec<i64>,
        /// Whether any of their mounts comes from a share.
        shares: bool,
    },
}

/// The mounts of some storages.
#[derive(Debug, Default)]
pub struct StorageMounts {
    /// All their rows.
    pub mounts: Vec<MountRow>,
    /// The shares of their roots; `None` if they were not needed or can't be read.
    pub shares: Option<Vec<ShareRow>>,
}

/// The state of some storages.
#[derive(Debug, Default)]
pub struct StorageVerification {
    /// The digests of their roots.
    pub digests: Vec<RootDigest>,
    /// The shares of their roots; `None` if they were not needed or can't be read.
    pub shares: Option<Vec<ShareRow>>,
}

/// The answer to a lookup.
#[derive(Debug)]
pub enum LookupAnswer {
    /// The answer to [`MountLookup::Newest`].
    Newest(Result<i64, DirectoryUnavailable>),
    /// The answer to [`MountLookup::NewMounts`].
    NewMounts(Result<Vec<MountRow>, DirectoryUnavailable>),
    /// To [`MountLookup::List`], which began at this time.
    Listed(Vec<i64>, Instant, Result<StorageMounts, DirectoryUnavailable>),
    /// To [`MountLookup::Verify`], which began at this time.
    Verified(Vec<i64>, Instant, Result<StorageVerification, DirectoryUnavailable>),
}

/// A storage that waits to be verified.
#[derive(Debug, Clone, Copy)]
pub(super) struct QueuedVerification {
    /// The storage, by its number in the database.
    pub(super) storage: i64,
    /// Whether any of its mounts comes from a share, whose rows are read too.
    pub(super) shared: bool,
}

/// Lookups that wait for their turn.
#[derive(Debug)]
pub(super) struct LookupQueue {
    pub(super) poll: MountPoll,
    budget: QueryBudget,
    listings: VecDeque<i64>,
    /// Storages whose listing has failed before.
    retries: VecDeque<i64>,
    verifications: VecDeque<QueuedVerification>,
    /// Verifications that changes wait for.
    urgent: VecDeque<QueuedVerification>,
    urgent_in_succession: u8,
    listing: usize,
    retry_turn: bool,
    verifying: bool,
}

impl LookupQueue {
    /// An empty queue.
    pub(super) fn new(now: Instant) -> Self {
        Self {
            poll: MountPoll::new(now),
            budget: QueryBudget::new(now),
            listings: VecDeque::new(),
            retries: VecDeque::new(),
            verifications: VecDeque::new(),
            urgent: VecDeque::new(),
            urgent_in_succession: 0,
            listing: 0,
            retry_turn: false,
            verifying: false,
        }
    }

    /// Queues the listing of a storage.
    pub(super) fn list(&mut self, storage: i64, attempts: u32) {
        let queue = if attempts > 0 { &mut self.retries } else { &mut self.listings };
        queue.push_back(storage);
    }

    /// Queues the verification of a storage; `urgent`: changes wait for it.
    pub(super) fn verify(&mut self, verification: QueuedVerification, urgent: bool) {
        let queue = if urgent { &mut self.urgent } else { &mut self.verifications };
        queue.push_back(verification);
    }

    /// Forgets what is queued; lookups under way end as usual.
    pub(super) fn clear(&mut self, now: Instant) {
        (self.listings, self.retries) = (VecDeque::new(), VecDeque::new());
        (self.verifications, self.urgent) = (VecDeque::new(), VecDeque::new());
        self.poll = MountPoll::new(now);
    }

    /// A listing has ended.
    pub(super) fn listing_ended(&mut self) {
        self.listing = self.listing.saturating_sub(1);
    }

    /// A verification has ended.
    pub(super) fn verification_ended(&mut self) {
        self.verifying = false;
    }

    /// When the next lookup starts; `polling`: a client is connected.
    pub(super) fn next_at(&self, polling: bool) -> Option<Instant> {
        let poll = self.poll.due().filter(|_| polling).map(|due| due.max(self.budget.ready_at(1)));
        let other = self.next_kind().map(|kind| self.budget.ready_at(self.cost(kind)));
        poll.into_iter().chain(other).min()
    }

    /// The next lookup, if it may start now.
    pub(super) fn next(&mut self, polling: bool, now: Instant) -> Option<MountLookup> {
        if polling
            && self.poll.due().is_some_and(|due| due <= now)
            && self.budget.ready_at(1) <= now
        {
            self.budget.spend(1, now);
            return Some(self.poll.begin().map_or(MountLookup::Newest, MountLookup::NewMounts));
        }
        let kind = self.next_kind()?;
        let cost = self.cost(kind);
        if self.budget.ready_at(cost) > now {
            return None;
        }
        self.budget.spend(cost, now);
        Some(match kind {
            LookupKind::Listing => self.begin_listing(),
            LookupKind::Verification => self.begin_verification(cost > 1),
        })
    }

    /// What comes next, the new mounts apart. Changes that wait for a verification are held for a
    /// second only, so it goes before a listing; a steady stream of them can't keep a listing waiting.
    fn next_kind(&self) -> Option<LookupKind> {
        let waits = !self.listings.is_empty() || !self.retries.is_empty();
        let may_list = waits && self.listing < MAX_LISTINGS;
        let urgent = !self.verifying && !self.urgent.is_empty();
        if urgent && !(may_list && self.urgent_in_succession >= MAX_URGENT_IN_SUCCESSION) {
            Some(LookupKind::Verification)
        } else if may_list {
            Some(LookupKind::Listing)
        } else {
            (!self.verifying && !self.verifications.is_empty()).then_some(LookupKind::Verification)
        }
    }

    /// The queries of a lookup.
    fn cost(&self, kind: LookupKind) -> u32 {
        let verified = || self.urgent.iter().chain(&self.verifications).take(MAX_LIST);
        match kind {
            LookupKind::Listing => 2,
            LookupKind::Verification => 1 + u32::from(verified().any(|queued| queued.shared)),
        }
    }

    fn begin_listing(&mut self) -> MountLookup {
        self.listing += 1;
        self.urgent_in_succession = 0;
        // In turn: neither can keep the other waiting.
        self.retry_turn = !self.retry_turn && !self.retries.is_empty();
        let (queue, most) = if self.retry_turn || self.listings.is_empty() {
            (&mut self.retries, AFTER_FAILURE)
        } else {
            (&mut self.listings, MAX_LIST)
        };
        MountLookup::List(take(queue, most))
    }

    fn begin_verification(&mut self, shares: bool) -> MountLookup {
        self.verifying = true;
        if !self.urgent.is_empty() {
            self.urgent_in_succession = self.urgent_in_succession.saturating_add(1);
        }
        let mut storages = take(&mut self.urgent, MAX_LIST);
        let places = MAX_LIST - storages.len();
        storages.extend(take(&mut self.verifications, places));
        let storages = storages.into_iter().map(|queued| queued.storage).collect();
        MountLookup::Verify { storages, shares }
    }
}

/// What comes next of the lookups that change or confirm lists.
#[derive(Debug, Clone, Copy)]
enum LookupKind {
    Listing,
    Verification,
}

fn take<T>(queue: &mut VecDeque<T>, most: usize) -> Vec<T> {
    let count = queue.len().min(most);
    let taken = queue.drain(..count).collect();
    if queue.is_empty() {
        *queue = VecDeque::new();
    }
    taken
}

#[cfg(test)]
mod tests {
    use super::{LookupQueue, MAX_URGENT_IN_SUCCESSION, MountLookup, QueuedVerification};
    use std::time::Duration;
    use tokio::time::Instant;

    const IDLE: Duration = Duration::from_secs(10);

    fn queued(storage: i64, shared: bool) -> QueuedVerification {
        QueuedVerification { storage, shared }
    }

    #[test]
    fn urgent_verifications_go_first_and_keep_no_listing_waiting() {
        let mut now = Instant::now();
        let mut queue = LookupQueue::new(now);
        queue.list(1, 0);
        for _ in 0..MAX_URGENT_IN_SUCCESSION {
            queue.verify(queued(2, false), true);
            let expected = MountLookup::Verify { storages: vec![2], shares: false };
            assert_eq!(queue.next(false, now), Some(expected));
            queue.verification_ended();
            now += IDLE;
        }
        queue.verify(queued(2, false), true);
        assert_eq!(queue.next(false, now), Some(MountLookup::List(vec![1])));
        now += IDLE;
        assert!(matches!(queue.next(false, now), Some(MountLookup::Verify { .. })));
    }

    #[test]
    fn one_verification_at_a_time_takes_the_others_with_it() {
        let now = Instant::now();
        let mut queue = LookupQueue::new(now);
        queue.verify(queued(1, false), false);
        queue.verify(queued(2, true), true);
        let expected = MountLookup::Verify { storages: vec![2, 1], shares: true };
        assert_eq!(queue.next(false, now), Some(expected));
        queue.verify(queued(3, false), true);
        assert_eq!(queue.next(false, now + IDLE), None);
        assert_eq!(queue.next_at(false), None);
    }

    #[test]
    fn the_next_lookup_starts_when_the_budget_has_its_queries() {
        let mut now = Instant::now();
        let mut queue = LookupQueue::new(now);
        for (number, shared) in [true, false, false, true, false, true].into_iter().enumerate() {
            queue.verify(queued(1, shared), number % 2 == 0);
            let at = queue.next_at(false).unwrap();
            if at > now {
                assert_eq!(queue.next(false, now), None);
            }
            now = now.max(at);
            assert!(queue.next(false, now).is_some());
            queue.verification_ended();
        }
    }
}
