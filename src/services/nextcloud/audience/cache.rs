//! Keeps the mounts of storages with changes, and decides who is notified, what to look up and when.

use super::{
    lookups::{LookupQueue, MountLookup, QueuedVerification},
    registry::{RecipientId, RecipientRegistry},
    root_table::{RootSlot, RootTable},
    storage::{FLUSH_EVERY, ListState, StorageState, TrackedStorage},
    trust_schedule::HOLD,
};
use crate::{
    push::{
        notice::{ChangedIds, NoticeAudience},
        recipient::Recipient,
    },
    services::nextcloud::{audience::RootPlace, event::StoragePath, recent_map::RecentMap},
};
use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
    time::Duration,
};
use tokio::time::Instant;

/// Mounts kept in all; past it the lists that were unused for longest are dropped.
const MAX_ROWS: usize = 2_000_000;
/// Storages tracked at once; past it a change on another one is sent to every client.
const MAX_STORAGES: usize = 100_000;
/// A user is notified of the same new mount once in this time: a mount that comes and goes with each
/// visit would otherwise cause the visits that make it come and go.
const ANNOUNCED_FOR: Duration = Duration::from_secs(60);
/// New mounts remembered for that.
const MAX_ANNOUNCED: usize = 100_000;

/// Something to send.
#[derive(Debug, Clone)]
pub struct ResolvedNotice {
    /// The connected users that it concerns, or every client.
    pub to: NoticeAudience,
    /// The ids of changed files.
    pub ids: ChangedIds,
    /// When the first change in it was received.
    pub at: Instant,
}

/// The audiences of storages with changes. Reads no clock and no database: time and answers are
/// passed in.
pub struct AudienceCache {
    pub(super) storages: HashMap<i64, TrackedStorage>,
    pub(super) roots: RootTable,
    pub(super) names: RecipientRegistry,
    pub(super) lookups: LookupQueue,
    pub(super) notices: Vec<ResolvedNotice>,
    pub(super) announced: RecentMap<(Recipient, i64), ()>,
    /// Mounts kept in all lists.
    pub(super) rows: usize,
    /// Users that may be of no interest any more; see [`AudienceCache::tidy_users`].
    departed: Vec<RecipientId>,
    timers: BinaryHeap<Reverse<(Instant, i64)>>,
    pub(super) rng: fastrand::Rng,
}

impl AudienceCache {
    /// An empty cache.
    pub fn new(now: Instant, rng: fastrand::Rng) -> Self {
        Self {
            storages: HashMap::new(),
            roots: RootTable::default(),
            names: RecipientRegistry::default(),
            lookups: LookupQueue::new(now),
            notices: Vec::new(),
            announced: RecentMap::new(MAX_ANNOUNCED, ANNOUNCED_FOR),
            rows: 0,
            departed: Vec::new(),
            timers: BinaryHeap::new(),
            rng,
        }
    }

    /// Files below a path have changed.
    pub fn changed(&mut self, place: &StoragePath, ids: &ChangedIds, at: Instant, now: Instant) {
        if self.names.here() == 0 {
            return;
        }
        if self.storages.len() >= MAX_STORAGES && !self.storages.contains_key(&place.storage) {
            self.notices.push(ResolvedNotice {
                to: NoticeAudience::Everyone,
                ids: ChangedIds::Unknown,
                at,
            });
            return;
        }
        let storage =
            self.storages.entry(place.storage).or_insert_with(|| TrackedStorage::cold(now));
        storage.pending_changes.add(&place.path, ids, at);
        self.touch(place.storage, now);
        if let ChangedIds::Known(ids) = ids {
            ids.iter().for_each(|id| self.follow_root(*id, place, now));
        }
        self.advance(place.storage, now);
    }

    /// A user's first client has connected, or the last one has left.
    pub fn presence(&mut self, recipient: &Recipient, here: bool, now: Instant) {
        let Some(id) = self.names.set_here(recipient, here) else { return };
        for slot in self.names.get(id).map_or(&[][..], |name| &name.places) {
            if let Some(root) = self.roots.get_mut(*slot) {
                root.presence_changed();
            }
        }
        if !here {
            self.names.tidy(id);
            if self.names.here() == 0 {
                self.clear(now);
            }
        }
    }

    /// Does what is due.
    pub fn pass_time(&mut self, now: Instant) {
        while let Some(Reverse((at, storage))) = self.timers.peek().copied() {
            if at > now {
                break;
            }
            self.timers.pop();
            if let Some(entry) = self.storages.get_mut(&storage)
                && entry.alarm == Some(at)
            {
                entry.alarm = None;
                self.advance(storage, now);
            }
        }
    }

    /// When [`AudienceCache::pass_time`] or [`AudienceCache::next_lookup`] has something to do.
    pub fn next_deadline(&self) -> Option<Instant> {
        let timer = self.timers.peek().map(|Reverse((at, _))| *at);
        timer.into_iter().chain(self.lookups.next_at(self.names.here() > 0)).min()
    }

    /// A lookup to start now; its answer comes back with [`AudienceCache::answered`].
    pub fn next_lookup(&mut self, now: Instant) -> Option<MountLookup> {
        self.lookups.next(self.names.here() > 0, now)
    }

    /// Takes what is to be sent.
    pub fn take_notices(&mut self) -> Vec<ResolvedNotice> {
        std::mem::take(&mut self.notices)
    }

    /// How many alarms are set.
    #[cfg(test)]
    pub(super) fn alarms(&self) -> usize {
        self.timers.len()
    }

    /// A storage is in use.
    fn touch(&mut self, storage: i64, now: Instant) {
        if let Some(list) = self.storages.get_mut(&storage).and_then(TrackedStorage::list) {
            list.used_at = now;
            list.schedule.changed(now);
        }
    }

    /// A change names a file at a path: if it is the root of known mounts, they follow it there. This is
    /// how a renamed or moved share arrives at its users without a lookup.
    fn follow_root(&mut self, id: i64, place: &StoragePath, now: Instant) {
        for slot in self.roots.of(id) {
            let path = super::directory::trimmed(&place.path);
            let Some(root) = self.roots.get(slot) else { continue };
            if (root.place.storage, &*root.place.path) != (place.storage, path) {
                let listed_in = root.listed_in;
                self.place(slot, RootPlace { storage: place.storage, path: path.into() }, now);
                self.touch(listed_in, now);
                self.arm(listed_in, now);
            }
        }
    }

    /// Brings one storage forward: sends, asks, drops, or sets the alarm for when it can.
    pub(super) fn advance(&mut self, id: i64, now: Instant) {
        let Some(storage) = self.storages.get_mut(&id) else { return };
        let waits = !storage.pending_changes.is_empty();
        match &mut storage.state {
            StorageState::Warm(list) if list.expires_at() <= now => {
                self.drop_list(id, now);
                return self.advance(id, now);
            }
            StorageState::Warm(list) => {
                if waits && list.quiet_until <= now {
                    match flush_kind(list, now) {
                        Some(with_ids) => {
                            list.quiet_until = now + FLUSH_EVERY;
                            self.flush(id, with_ids, now);
                        }
                        None if !list.looking_up && list.retry_at <= now => {
                            self.verify(id, true);
                        }
                        None => {}
                    }
                }
                self.verify_if_due(id, now);
            }
            StorageState::Cold { not_before, attempts } if waits && *not_before <= now => {
                let attempts = *attempts;
                storage.state = StorageState::Loading { attempts };
                self.lookups.list(id, attempts);
            }
            StorageState::Cold { .. } | StorageState::Loading { .. } => {}
        }
        self.arm(id, now);
    }

    fn verify_if_due(&mut self, id: i64, now: Instant) {
        let Some(list) = self.storages.get_mut(&id).and_then(TrackedStorage::list) else { return };
        if list.verify_at().is_some_and(|at| at <= now) {
            self.verify(id, false);
        }
    }

    /// Queues the verification of a listed storage.
    fn verify(&mut self, id: i64, urgent: bool) {
        let Some(storage) = self.storages.get_mut(&id) else { return };
        if let Some(list) = storage.list() {
            list.looking_up = true;
        }
        let shared = |slot: &RootSlot| self.roots.get(*slot).is_some_and(|root| root.is_shared());
        let shared = storage.listed.iter().any(shared);
        self.lookups.verify(QueuedVerification { storage: id, shared }, urgent);
    }

    /// Sets the alarm for a storage's next deadline, unless an earlier one is set.
    pub(super) fn arm(&mut self, id: i64, now: Instant) {
        let Some(storage) = self.storages.get_mut(&id) else { return };
        if storage.is_idle() {
            self.storages.remove(&id);
        } else if let Some(at) = storage.deadline(now)
            && storage.alarm.is_none_or(|set| at < set)
        {
            storage.alarm = Some(at);
            self.timers.push(Reverse((at, id)));
        }
    }

    /// Sends what waits on a listed storage: one notice for each root concerned.
    fn flush(&mut self, id: i64, with_ids: bool, now: Instant) {
        let Some(storage) = self.storages.get_mut(&id) else { return };
        if let Some(list) = storage.list() {
            list.hold_until = None;
        }
        let Some((at, paths)) = storage.pending_changes.take() else { return };
        let mut concerned: Vec<(RootSlot, ChangedIds)> = Vec::new();
        match paths {
            None => {
                let all = storage.paths.values().flatten();
                concerned.extend(all.map(|slot| (*slot, ChangedIds::Unknown)));
            }
            Some(paths) => {
                for (path, ids) in paths {
                    for slot in storage.covering(&path) {
                        match concerned.iter_mut().find(|(known, _)| *known == slot) {
                            Some((_, mine)) => mine.merge(&ids),
                            None => concerned.push((slot, ids.clone())),
                        }
                    }
                }
            }
        }
        for (slot, ids) in concerned {
            self.notify_root(slot, if with_ids { ids } else { ChangedIds::Unknown }, at);
            // A root that was moved here is kept with the list of the storage that it came from.
            let listed_in = self.roots.get(slot).map(|root| root.listed_in);
            if let Some(other) = listed_in.filter(|other| *other != id) {
                self.touch(other, now);
            }
        }
    }

    /// Notifies the connected users of a root.
    pub(super) fn notify_root(&mut self, slot: RootSlot, ids: ChangedIds, at: Instant) {
        let Some(root) = self.roots.get_mut(slot) else { return };
        let audience = root.audience(&self.names);
        for (to, ids) in [(audience.with_ids, ids), (audience.without_ids, ChangedIds::Unknown)] {
            if !to.is_empty() {
                let to = NoticeAudience::Many(to);
                self.notices.push(ResolvedNotice { to, ids, at });
            }
        }
    }

    /// Puts a root at a path of a storage, away from where it was.
    pub(super) fn place(&mut self, slot: RootSlot, place: RootPlace, now: Instant) {
        let before = self.roots.get(slot).map(|root| root.place.storage);
        self.unplace(slot);
        let storage =
            self.storages.entry(place.storage).or_insert_with(|| TrackedStorage::cold(now));
        storage.paths.entry(place.path.clone()).or_default().push(slot);
        if let Some(root) = self.roots.get_mut(slot) {
            root.place = place;
        }
        before.into_iter().for_each(|storage| self.forget_if_idle(storage));
    }

    fn forget_if_idle(&mut self, id: i64) {
        if self.storages.get(&id).is_some_and(TrackedStorage::is_idle) {
            self.storages.remove(&id);
        }
    }

    fn unplace(&mut self, slot: RootSlot) {
        let Some(root) = self.roots.get(slot) else { return };
        let Some(storage) = self.storages.get_mut(&root.place.storage) else { return };
        if let Some(slots) = storage.paths.get_mut(&root.place.path) {
            slots.retain(|other| *other != slot);
            if slots.is_empty() {
                storage.paths.remove(&root.place.path);
            }
        }
    }

    /// Forgets a root with its users.
    pub(super) fn remove_root(&mut self, slot: RootSlot) {
        self.unplace(slot);
        let Some(root) = self.roots.remove(slot) else { return };
        self.rows -= root.len();
        for user in root.users() {
            self.leave(user, slot);
        }
        self.forget_if_idle(root.place.storage);
    }

    /// A user has no mount of this root any more.
    pub(super) fn leave(&mut self, user: RecipientId, slot: RootSlot) {
        if let Some(name) = self.names.get_mut(user) {
            name.places.retain(|other| *other != slot);
            name.places.shrink_to_fit();
        }
        self.departed.push(user);
    }

    /// Forgets users without a connection or a mount. Only between two changes of lists: until then
    /// their numbers may be part of a list that is being made.
    pub(super) fn tidy_users(&mut self) {
        for user in std::mem::take(&mut self.departed) {
            self.names.tidy(user);
        }
    }

    /// A user may be of no interest any more.
    pub(super) fn tidy_later(&mut self, user: RecipientId) {
        self.departed.push(user);
    }

    /// Drops a storage's list, and the storage with it unless changes wait.
    pub(super) fn drop_list(&mut self, id: i64, now: Instant) {
        let Some(storage) = self.storages.get_mut(&id) else { return };
        storage.state = StorageState::Cold { not_before: now, attempts: 0 };
        for slot in std::mem::take(&mut storage.listed) {
            self.remove_root(slot);
        }
        self.forget_if_idle(id);
        self.tidy_users();
    }

    /// Keeps the number of mounts within its limit.
    pub(super) fn make_room(&mut self, keep: &[i64], now: Instant) {
        while self.rows > MAX_ROWS {
            let unused = self.storages.iter().filter_map(|(id, storage)| match &storage.state {
                StorageState::Warm(list)
                    if !keep.contains(id) && storage.pending_changes.is_empty() =>
                {
                    Some((list.used_at, *id))
                }
                _ => None,
            });
            let Some((_, oldest)) = unused.min() else { return };
            self.drop_list(oldest, now);
        }
    }

    /// Without a client nothing is kept and nothing is read: what changes meanwhile isn't followed.
    fn clear(&mut self, now: Instant) {
        self.storages = HashMap::new();
        self.roots = RootTable::default();
        self.names = RecipientRegistry::default();
        self.timers = BinaryHeap::new();
        self.departed = Vec::new();
        self.lookups.clear(now);
        self.rows = 0;
    }
}

/// Whether waiting changes are sent now, and with ids; `None`: the list is verified first.
fn flush_kind(list: &mut ListState, now: Instant) -> Option<bool> {
    if list.is_fresh(now) {
        return Some(true);
    }
    let hold_until = *list.hold_until.get_or_insert(now + HOLD);
    (hold_until <= now).then_some(false)
}
