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

/// Lookups that wait for their turn.
#[derive(Debug)]
pub(super) struct LookupQueue {
    pub(super) poll: MountPoll,
    budget: QueryBudget,
    listings: VecDeque<i64>,
    /// Storages whose listing has failed before.
    retries: VecDeque<i64>,
    verifications: VecDeque<i64>,
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
    pub(super) fn verify(&mut self, storage: i64, urgent: bool) {
        if urgent {
            self.verifications.push_front(storage);
        } else {
            self.verifications.push_back(storage);
        }
    }

    /// Forgets what is queued; lookups under way end as usual.
    pub(super) fn clear(&mut self, now: Instant) {
        (self.listings, self.retries) = (VecDeque::new(), VecDeque::new());
        self.verifications = VecDeque::new();
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
        let waits = self.may_list() || self.may_verify();
        let other = waits.then(|| self.budget.ready_at(2));
        poll.into_iter().chain(other).min()
    }

    /// The next lookup, if it may start now. `is_shared` says whether a storage has share mounts.
    pub(super) fn next(
        &mut self,
        polling: bool,
        now: Instant,
        is_shared: impl Fn(i64) -> bool,
    ) -> Option<MountLookup> {
        if polling
            && self.poll.due().is_some_and(|due| due <= now)
            && self.budget.ready_at(1) <= now
        {
            self.budget.spend(1, now);
            return Some(self.poll.begin().map_or(MountLookup::Newest, MountLookup::NewMounts));
        }
        if self.budget.ready_at(2) > now {
            return None;
        }
        if self.may_list() {
            self.listing += 1;
            self.budget.spend(2, now);
            // In turn: neither can keep the other waiting.
            self.retry_turn = !self.retry_turn && !self.retries.is_empty();
            let (queue, most) = if self.retry_turn || self.listings.is_empty() {
                (&mut self.retries, AFTER_FAILURE)
            } else {
                (&mut self.listings, MAX_LIST)
            };
            return Some(MountLookup::List(take(queue, most)));
        }
        if self.may_verify() {
            self.verifying = true;
            let storages = take(&mut self.verifications, MAX_LIST);
            let shares = storages.iter().any(|storage| is_shared(*storage));
            self.budget.spend(1 + u32::from(shares), now);
            return Some(MountLookup::Verify { storages, shares });
        }
        None
    }

    fn may_list(&self) -> bool {
        let waits = !self.listings.is_empty() || !self.retries.is_empty();
        waits && self.listing < MAX_LISTINGS
    }

    fn may_verify(&self) -> bool {
        !self.verifications.is_empty() && !self.verifying
    }
}

fn take(queue: &mut VecDeque<i64>, most: usize) -> Vec<i64> {
    let count = queue.len().min(most);
    let taken = queue.drain(..count).collect();
    if queue.is_empty() {
        *queue = VecDeque::new();
    }
    taken
}
