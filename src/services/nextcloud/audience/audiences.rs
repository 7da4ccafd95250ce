//! Decides which storages to look up, whom a change concerns, and when to look again.

use super::{
    directory::{DirectoryUnavailable, StorageListing, VisibleMount},
    mount_index::MountIndex,
    refreshes::{RefreshReason, RefreshSchedule, grain},
    registry::{RecipientId, RecipientRegistry, ScheduledRefresh},
    storage::{FLUSH_EVERY, KEPT, StorageState, TrackedStorage},
};
use crate::{
    push::{notice::ChangedIds, recipient::Recipient},
    services::nextcloud::event::StoragePath,
};
use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap, HashSet},
    sync::Arc,
};
use tokio::time::Instant;

/// Mounts kept in all; past it the storages that are oldest go first.
const MAX_ROWS: usize = 2_000_000;
/// Storages remembered at once; past it everyone is notified instead of those concerned.
const MAX_STORAGES: usize = 100_000;
/// Recipients looked at in one query.
const MAX_LOOK: usize = 300;

/// Something to notify: whom (`None`: everyone), which ids, since when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedNotice {
    /// Who sees it and is here; `None` for everyone.
    pub to: Option<Arc<[Recipient]>>,
    /// What changed.
    pub ids: ChangedIds,
    /// When it was received of.
    pub at: Instant,
}

/// Who sees what, as far as it is known and matters to somebody who is here.
pub struct AudienceCache {
    storages: HashMap<i64, TrackedStorage>,
    names: RecipientRegistry,
    timers: BinaryHeap<Reverse<(Instant, i64)>>,
    refreshes: BinaryHeap<Reverse<(Instant, RecipientId)>>,
    notices: Vec<ResolvedNotice>,
    wanted: Vec<i64>,
    rows: usize,
    epoch: Instant,
    rng: fastrand::Rng,
}

impl AudienceCache {
    /// Knows nothing yet.
    pub fn new(epoch: Instant, rng: fastrand::Rng) -> Self {
        Self {
            storages: HashMap::new(),
            names: RecipientRegistry::default(),
            timers: BinaryHeap::new(),
            refreshes: BinaryHeap::new(),
            notices: Vec::new(),
            wanted: Vec::new(),
            rows: 0,
            epoch,
            rng,
        }
    }

    /// Something changed in a place.
    pub fn changed(&mut self, place: &StoragePath, ids: &ChangedIds, at: Instant, now: Instant) {
        if self.names.here() == 0 {
            return;
        }
        if self.storages.len() >= MAX_STORAGES && !self.storages.contains_key(&place.storage) {
            self.notices.push(ResolvedNotice { to: None, ids: ChangedIds::Unknown, at });
            return;
        }
        let storage =
            self.storages.entry(place.storage).or_insert_with(|| TrackedStorage::cold(now));
        storage.pending_changes.add(&place.path, ids, at);
        self.advance(place.storage, now);
    }

    /// A recipient's first client has come, or its last has left.
    pub fn presence(&mut self, recipient: &Recipient, here: bool, now: Instant) {
        let Some(id) = self.names.set_here(recipient, here) else { return };
        for (storage, root) in self.names.get(id).map_or(&[][..], |name| &name.places) {
            if let Some(StorageState::Warm { index, .. }) =
                self.storages.get_mut(storage).map(|storage| &mut storage.state)
            {
                index.presence_changed(*root);
            }
        }
        if here {
            self.schedule_refresh(id, RefreshReason::Arrival, now);
        } else {
            self.names.tidy(id);
        }
    }

    /// What a recipient sees may have changed, or will in a moment.
    pub fn request_refresh(&mut self, recipient: &str, reason: RefreshReason, now: Instant) {
        // Somebody who isn't here is looked at on arrival.
        let here = |id: &RecipientId| self.names.get(*id).is_some_and(|name| name.here);
        if let Some(id) = self.names.find(recipient).filter(here) {
            self.schedule_refresh(id, reason, now);
        }
    }

    /// A storage's listing has come, or hasn't.
    pub fn listed(
        &mut self,
        storage: i64,
        listing: Result<StorageListing, DirectoryUnavailable>,
        now: Instant,
    ) {
        let Some(entry) = self.storages.get_mut(&storage) else { return };
        match listing {
            Ok(listing) => {
                let index = self.index(storage, &listing);
                self.rows += index.rows();
                let until = now + KEPT.mul_f64(0.8 + 0.4 * self.rng.f64());
                if let Some(entry) = self.storages.get_mut(&storage) {
                    entry.state = StorageState::Warm { index, until, quiet_until: now };
                    self.timers.push(Reverse((until, storage)));
                }
                self.make_room(storage);
            }
            Err(DirectoryUnavailable) => entry.failed(now, &mut self.rng),
        }
        self.advance(storage, now);
    }

    /// What these recipients see, as the database has it now.
    pub fn seen(&mut self, asked: &[Recipient], seen: &[VisibleMount], now: Instant) {
        let mut by_name: HashMap<&str, HashSet<(i64, &str)>> = HashMap::new();
        for row in seen {
            let root = super::directory::trimmed(&row.root);
            by_name.entry(&row.recipient).or_default().insert((row.storage, root));
        }
        for recipient in asked {
            let rows = by_name.remove(recipient.as_str()).unwrap_or_default();
            if let Some(id) = self.names.find(recipient) {
                self.reconcile(id, &rows, now);
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
            if self.storages.get_mut(&storage).is_some_and(|entry| entry.is_woken_by(at)) {
                self.advance(storage, now);
            }
        }
    }

    /// When [`AudienceCache::pass_time`] has something to do.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.timers.peek().map(|Reverse((at, _))| *at)
    }

    /// When [`AudienceCache::due_refreshes`] has something to say.
    pub fn next_refresh(&self) -> Option<Instant> {
        self.refreshes.peek().map(|Reverse((at, _))| *at)
    }

    /// What is to be notified now.
    pub fn take_notices(&mut self) -> Vec<ResolvedNotice> {
        std::mem::take(&mut self.notices)
    }

    /// Storages to be looked up; each is waited for with [`AudienceCache::listed`].
    pub fn take_wanted(&mut self) -> Vec<i64> {
        std::mem::take(&mut self.wanted)
    }

    /// Recipients whose look is due, for one query; none when no storage is listed, because what is
    /// looked up later is fresh anyway.
    pub fn due_refreshes(&mut self, now: Instant) -> Vec<Recipient> {
        let mut due = Vec::new();
        while let Some(Reverse((at, id))) = self.refreshes.peek().copied() {
            if at > now || due.len() >= MAX_LOOK {
                break;
            }
            self.refreshes.pop();
            let Some(name) = self.names.get_mut(id) else { continue };
            let Some(watch) = name.watch.take_if(|watch| watch.alarm == at) else { continue };
            if name.here {
                due.push(name.recipient.clone());
                if let Some(next) = watch.look.next(now) {
                    self.set_refresh(id, next);
                }
            }
        }
        if self.refreshes.capacity() > 64 + 8 * self.refreshes.len() {
            // A crowd has come or gone.
            self.refreshes.shrink_to(2 * self.refreshes.len());
        }
        if self.rows == 0 {
            due.clear();
        }
        due
    }

    /// How many alarms are set.
    #[cfg(test)]
    pub(super) fn alarms(&self) -> usize {
        self.timers.len() + self.refreshes.len()
    }

    fn schedule_refresh(&mut self, id: RecipientId, reason: RefreshReason, now: Instant) {
        let watch = self.names.get(id).and_then(|name| name.watch.as_ref());
        let current = watch.map(|watch| watch.look);
        self.set_refresh(id, RefreshSchedule::begin(current, reason, now));
    }

    /// Sets the next look and, unless an earlier one is set, its alarm. An alarm that comes too
    /// early refreshes early, which does no harm.
    fn set_refresh(&mut self, id: RecipientId, look: RefreshSchedule) {
        let Some(name) = self.names.get_mut(id) else { return };
        let at = grain(look.due(), self.epoch);
        let set = name.watch.as_ref().map(|watch| watch.alarm);
        let alarm = set.map_or(at, |set| set.min(at));
        name.watch = Some(Box::new(ScheduledRefresh { look, alarm }));
        if set != Some(alarm) {
            self.refreshes.push(Reverse((at, id)));
        }
    }

    /// Brings one storage on: flushes, asks, forgets, or sets the alarm for when it can.
    fn advance(&mut self, id: i64, now: Instant) {
        let Some(storage) = self.storages.get_mut(&id) else { return };
        let waits = !storage.pending_changes.is_empty();
        match &mut storage.state {
            StorageState::Warm { until, .. } if *until <= now => {
                self.forget(id);
                if waits && let Some(storage) = self.storages.get_mut(&id) {
                    storage.state = StorageState::Loading { attempts: 0 };
                    self.wanted.push(id);
                }
                return;
            }
            StorageState::Warm { quiet_until, .. } if waits && *quiet_until <= now => {
                *quiet_until = now + FLUSH_EVERY;
                self.flush(id);
            }
            StorageState::Cold { not_before, attempts } if waits && *not_before <= now => {
                storage.state = StorageState::Loading { attempts: *attempts };
                self.wanted.push(id);
                return;
            }
            _ => {}
        }
        let Some(storage) = self.storages.get_mut(&id) else { return };
        if let Some(at) = storage.deadline().filter(|at| storage.alarm.is_none_or(|set| *at < set))
        {
            storage.alarm = Some(at);
            self.timers.push(Reverse((at, id)));
        }
    }

    /// Tells what waits on a listed storage: one notice for each root concerned.
    fn flush(&mut self, id: i64) {
        let Some(storage) = self.storages.get_mut(&id) else { return };
        let StorageState::Warm { index, .. } = &mut storage.state else { return };
        let Some((at, paths)) = storage.pending_changes.take() else { return };
        let mut concerned: Vec<(u32, ChangedIds)> = Vec::new();
        match paths {
            None => concerned.extend(index.roots().map(|root| (root, ChangedIds::Unknown))),
            Some(paths) => {
                for (path, ids) in paths {
                    for root in index.covering(&path) {
                        match concerned.iter_mut().find(|(known, _)| *known == root) {
                            Some((_, mine)) => mine.merge(&ids),
                            None => concerned.push((root, ids.clone())),
                        }
                    }
                }
            }
        }
        for (root, ids) in concerned {
            if let Some(to) = index.audience(root, &self.names) {
                self.notices.push(ResolvedNotice { to: Some(to), ids, at });
            }
        }
    }

    fn index(&mut self, storage: i64, listing: &StorageListing) -> MountIndex {
        let mut index = MountIndex::default();
        let mut members: Vec<Vec<RecipientId>> = vec![Vec::new(); listing.roots.len()];
        for (root, recipient) in &listing.rows {
            if let Some(members) = members.get_mut(*root as usize) {
                members.push(self.names.intern(recipient));
            }
        }
        for (path, members) in listing.roots.iter().zip(members) {
            let root = index.root(path);
            for id in index.fill(root, members) {
                if let Some(name) = self.names.get_mut(*id) {
                    name.places.push((storage, root));
                }
            }
        }
        index
    }

    /// Forgets a storage's listing, and the storage with it unless something waits to be notified.
    fn forget(&mut self, id: i64) {
        let Some(storage) = self.storages.get_mut(&id) else { return };
        if let StorageState::Warm { index, .. } = &storage.state {
            self.rows -= index.rows();
            for name in index.members().flat_map(|(_, members)| members) {
                if let Some(known) = self.names.get_mut(*name) {
                    known.places.retain(|(storage, _)| *storage != id);
                    known.places.shrink_to_fit();
                }
                self.names.tidy(*name);
            }
        }
        if storage.pending_changes.is_empty() {
            self.storages.remove(&id);
        }
    }

    /// Keeps the number of mounts within its limit.
    fn make_room(&mut self, keep: i64) {
        while self.rows > MAX_ROWS {
            let warm = self.storages.iter().filter_map(|(id, storage)| match &storage.state {
                StorageState::Warm { until, .. }
                    if *id != keep && storage.pending_changes.is_empty() =>
                {
                    Some((*until, *id))
                }
                _ => None,
            });
            let Some((_, oldest)) = warm.min() else { return };
            self.forget(oldest);
        }
    }

    /// Brings the listed storages in line with what one recipient sees. A place that is new to it
    /// may have changed already: it is notified.
    fn reconcile(&mut self, id: RecipientId, seen: &HashSet<(i64, &str)>, now: Instant) {
        let Some(name) = self.names.get_mut(id) else { return };
        let mut places = std::mem::take(&mut name.places);
        let recipient = name.recipient.clone();
        let mut gained = false;
        let mut still = HashSet::new();
        for (storage, path) in seen {
            let Some(StorageState::Warm { index, .. }) =
                self.storages.get_mut(storage).map(|storage| &mut storage.state)
            else {
                continue;
            };
            let root = index.root(path);
            still.insert((*storage, root));
            if index.add(root, id) {
                places.push((*storage, root));
                self.rows += 1;
                gained = true;
            }
        }
        places.retain(|place| still.contains(place) || !self.remove_member(*place, id));
        if let Some(name) = self.names.get_mut(id) {
            name.places = places;
        }
        if gained {
            self.notices.push(ResolvedNotice {
                to: Some([recipient].into()),
                ids: ChangedIds::Unknown,
                at: now,
            });
        }
    }

    /// Takes a recipient off a listed storage. Returns whether it was there.
    fn remove_member(&mut self, (storage, root): (i64, u32), id: RecipientId) -> bool {
        let Some(StorageState::Warm { index, .. }) =
            self.storages.get_mut(&storage).map(|storage| &mut storage.state)
        else {
            return false;
        };
        let before = index.rows();
        index.remove(root, id);
        self.rows -= before - index.rows();
        true
    }
}
