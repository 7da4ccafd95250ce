//! What the answers of the database change in the cache.

use super::{
    cache::{AudienceCache, ResolvedNotice},
    directory::{DirectoryUnavailable, MountRow, RootDigest, RootPlace, ShareRow},
    lookups::{LookupAnswer, StorageMounts, StorageVerification},
    registry::RecipientId,
    root_table::{MountRoot, RootMembers, RootSlot},
    share_rule::ShareRule,
    storage::{ListState, StorageState, TrackedStorage},
};
use crate::push::{
    notice::{ChangedIds, NoticeAudience},
    recipient::Recipient,
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    time::Duration,
};
use tokio::time::Instant;

/// A failed verification is tried again after this.
const VERIFY_RETRY: Duration = Duration::from_secs(2);

/// Users who see something that they didn't see before.
type Gains = BTreeSet<(RecipientId, i64)>;

/// One storage's part of a listing, by root.
type ListedRoots = BTreeMap<i64, (RootPlace, RootMembers)>;

impl AudienceCache {
    /// Takes in the answer to a lookup.
    pub fn answered(&mut self, answer: LookupAnswer, now: Instant) {
        match answer {
            LookupAnswer::Newest(Ok(newest)) => self.lookups.poll.start_at(newest, now),
            LookupAnswer::NewMounts(Ok(rows)) => self.new_mounts(rows, now),
            LookupAnswer::Newest(Err(DirectoryUnavailable))
            | LookupAnswer::NewMounts(Err(DirectoryUnavailable)) => self.lookups.poll.failed(now),
            LookupAnswer::Listed(storages, asked_at, answer) => {
                self.lookups.listing_ended();
                match answer {
                    Ok(answer) => self.listed(&storages, &answer, asked_at, now),
                    Err(DirectoryUnavailable) => self.listing_failed(&storages, now),
                }
            }
            LookupAnswer::Verified(storages, asked_at, answer) => {
                self.lookups.verification_ended();
                match answer {
                    Ok(answer) => self.verified(&storages, &answer, asked_at, now),
                    Err(DirectoryUnavailable) => self.verification_failed(&storages, now),
                }
            }
        }
        self.tidy_users();
    }

    fn listed(
        &mut self,
        storages: &[i64],
        answer: &StorageMounts,
        asked_at: Instant,
        now: Instant,
    ) {
        let mut by_storage: HashMap<i64, ListedRoots> = HashMap::new();
        for row in &answer.mounts {
            let user = self.names.intern(&row.user);
            let roots = by_storage.entry(row.listed_in).or_default();
            let (_, members) = roots
                .entry(row.root)
                .or_insert_with(|| (row.place.clone(), RootMembers::default()));
            members.add(row, user);
        }
        let mut gains = Gains::new();
        for storage in storages {
            let roots = by_storage.remove(storage).unwrap_or_default();
            self.list_storage(*storage, roots, asked_at, now, &mut gains);
        }
        // Users of storages that were dropped meanwhile are not kept.
        for row in &answer.mounts {
            if let Some(user) = self.names.find(&row.user) {
                self.tidy_later(user);
            }
        }
        self.apply_shares(storages, answer.shares.as_deref());
        self.notify_gains(&gains, now);
        self.make_room(storages, now);
        storages.iter().for_each(|storage| self.advance(*storage, now));
    }

    /// Replaces the list of a storage.
    fn list_storage(
        &mut self,
        id: i64,
        roots: ListedRoots,
        asked_at: Instant,
        now: Instant,
        gains: &mut Gains,
    ) {
        let Some(storage) = self.storages.get_mut(&id) else { return };
        let first = match &mut storage.state {
            StorageState::Warm(list) => {
                list.verified(asked_at);
                false
            }
            StorageState::Loading { .. } => {
                storage.state = StorageState::Warm(ListState::new(asked_at, now));
                true
            }
            StorageState::Cold { .. } => return,
        };
        let gone: Vec<RootSlot> = storage.listed.clone();
        for slot in gone {
            if self.roots.get(slot).is_some_and(|root| !roots.contains_key(&root.id)) {
                self.remove_root(slot);
            }
        }
        let mut listed = Vec::with_capacity(roots.len());
        for (root, (place, members)) in roots {
            let slot = self.slot_of(id, root, &place, now, !first);
            listed.push(slot);
            for user in self.replace_users(slot, members) {
                if !first {
                    gains.insert((user, root));
                }
            }
        }
        if let Some(storage) = self.storages.get_mut(&id) {
            storage.listed = listed;
        }
    }

    /// The slot of a root, made or moved to its place if need be; `notify`: its users have missed what
    /// happened since it was moved.
    fn slot_of(
        &mut self,
        listed_in: i64,
        root: i64,
        place: &RootPlace,
        now: Instant,
        notify: bool,
    ) -> RootSlot {
        let Some(slot) = self.roots.find(listed_in, root) else {
            let slot = self.roots.insert(MountRoot::new(listed_in, root, place.clone()));
            self.place(slot, place.clone(), now);
            return slot;
        };
        if self.roots.get(slot).is_some_and(|root| root.place != *place) {
            self.place(slot, place.clone(), now);
            if notify {
                self.notify_root(slot, ChangedIds::Unknown, now);
            }
        }
        slot
    }

    /// Replaces the users of a root; returns those that are new.
    fn replace_users(&mut self, slot: RootSlot, members: RootMembers) -> Vec<RecipientId> {
        let Some(root) = self.roots.get_mut(slot) else { return Vec::new() };
        let before = root.len();
        let users_before: HashSet<RecipientId> = root.replace(members).into_iter().collect();
        self.rows = self.rows + root.len() - before;
        let users_now: HashSet<RecipientId> = root.users().collect();
        let gained: Vec<_> = users_now.difference(&users_before).copied().collect();
        for user in &gained {
            if let Some(name) = self.names.get_mut(*user) {
                name.places.push(slot);
            }
        }
        users_before.difference(&users_now).for_each(|user| self.leave(*user, slot));
        gained
    }

    fn listing_failed(&mut self, storages: &[i64], now: Instant) {
        for id in storages {
            let Some(storage) = self.storages.get_mut(id) else { continue };
            storage.listing_failed(now, &mut self.rng);
            if let Some(list) = storage.list() {
                (list.looking_up, list.retry_at) = (false, now + VERIFY_RETRY);
            }
            self.advance(*id, now);
        }
    }

    fn verified(
        &mut self,
        storages: &[i64],
        answer: &StorageVerification,
        asked_at: Instant,
        now: Instant,
    ) {
        let mut by_storage: HashMap<i64, Vec<&RootDigest>> = HashMap::new();
        for digest in &answer.digests {
            by_storage.entry(digest.listed_in).or_default().push(digest);
        }
        self.apply_shares(storages, answer.shares.as_deref());
        for id in storages {
            let digests = by_storage.remove(id).unwrap_or_default();
            let same = self.is_listed_so(*id, &digests);
            let Some(list) = self.storages.get_mut(id).and_then(TrackedStorage::list) else {
                continue;
            };
            list.schedule.verified(asked_at);
            if same {
                list.verified(asked_at);
                self.follow_places(&digests, now);
            } else {
                // Still `looking_up`: the listing ends it.
                self.lookups.list(*id, 0);
            }
            self.advance(*id, now);
        }
    }

    /// Whether the list of a storage has just these mounts.
    fn is_listed_so(&self, id: i64, digests: &[&RootDigest]) -> bool {
        let Some(storage) = self.storages.get(&id) else { return true };
        let matches = |digest: &&RootDigest| {
            let slot = self.roots.find(id, digest.root);
            slot.and_then(|slot| self.roots.get(slot)).is_some_and(|root| root.matches(digest))
        };
        storage.listed.len() == digests.len() && digests.iter().all(matches)
    }

    /// Roots that were moved with a folder above them are where the database has them.
    fn follow_places(&mut self, digests: &[&RootDigest], now: Instant) {
        for digest in digests {
            self.slot_of(digest.listed_in, digest.root, &digest.place, now, true);
        }
    }

    fn verification_failed(&mut self, storages: &[i64], now: Instant) {
        for id in storages {
            if let Some(list) = self.storages.get_mut(id).and_then(TrackedStorage::list) {
                (list.looking_up, list.retry_at) = (false, now + VERIFY_RETRY);
                // No need to wait for what has failed.
                list.hold_until = list.hold_until.map(|_| now);
            }
            self.advance(*id, now);
        }
    }

    /// Takes over which shares there are; `None`: that is not known.
    fn apply_shares(&mut self, storages: &[i64], shares: Option<&[ShareRow]>) {
        let Some(shares) = shares else { return };
        let mut by_root: HashMap<i64, Vec<&ShareRow>> = HashMap::new();
        for share in shares {
            by_root.entry(share.root).or_default().push(share);
        }
        for id in storages {
            for slot in self.storages.get(id).map_or(&[][..], |storage| &storage.listed) {
                let Some(root) = self.roots.get_mut(*slot).filter(|root| root.is_shared()) else {
                    continue;
                };
                let rows = by_root.get(&root.id).map_or(&[][..], Vec::as_slice);
                root.set_rule(|before| ShareRule::new(rows.iter().copied(), before));
            }
        }
    }

    /// Mount rows that have just been written.
    fn new_mounts(&mut self, rows: Vec<MountRow>, now: Instant) {
        let mut gains = Gains::new();
        for row in self.lookups.poll.read(rows, now) {
            let listed = self.storages.get_mut(&row.listed_in).and_then(TrackedStorage::list);
            if listed.is_some() {
                let user = self.names.intern(&row.user);
                self.add_mount(&row, user, now);
                gains.insert((user, row.root));
                self.tidy_later(user);
            } else if !self.storages.contains_key(&row.listed_in)
                && let Some(user) = self.names.find(&row.user)
            {
                gains.insert((user, row.root));
            }
            // A storage that is being listed: either the listing has this row, and the changes that wait
            // are sent, or the first verification finds it.
        }
        self.notify_gains(&gains, now);
    }

    fn add_mount(&mut self, row: &MountRow, user: RecipientId, now: Instant) {
        let slot = match self.roots.find(row.listed_in, row.root) {
            Some(slot) => slot,
            None => {
                let slot = self.slot_of(row.listed_in, row.root, &row.place, now, false);
                if let Some(storage) = self.storages.get_mut(&row.listed_in) {
                    storage.listed.push(slot);
                }
                slot
            }
        };
        let Some(root) = self.roots.get_mut(slot) else { return };
        if root.add(row, user) {
            self.rows += 1;
            if let Some(name) = self.names.get_mut(user) {
                name.places.push(slot);
            }
        }
    }

    /// Users with a new mount may have missed what changed there before.
    fn notify_gains(&mut self, gains: &Gains, now: Instant) {
        self.announced.tidy(now);
        let mut to: Vec<Recipient> = Vec::new();
        for (user, root) in gains {
            let Some(name) = self.names.get(*user).filter(|name| name.here) else { continue };
            let key = (name.recipient.clone(), *root);
            if self.announced.get(&key, now).is_some() {
                continue;
            }
            if to.last() != Some(&name.recipient) {
                to.push(name.recipient.clone());
            }
            self.announced.insert(key, (), now);
        }
        if !to.is_empty() {
            let to = NoticeAudience::Many(to.into());
            self.notices.push(ResolvedNotice { to, ids: ChangedIds::Unknown, at: now });
        }
    }
}
