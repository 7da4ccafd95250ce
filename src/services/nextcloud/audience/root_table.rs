//! The roots of listed mounts, with the users who see what is below each.

use super::{
    directory::{MountRow, RootDigest, RootPlace},
    registry::{RecipientId, RecipientRegistry},
    share_rule::{ShareAccess, ShareRule},
};
use crate::push::recipient::Recipient;
use slab::Slab;
use smallvec::SmallVec;
use std::{collections::HashMap, sync::Arc};

/// A root's number, valid while it is listed.
pub(super) type RootSlot = u32;

/// Slots of roots; nearly always one.
pub(super) type RootSlots = SmallVec<[RootSlot; 2]>;

/// The mounts of one root that name the same storage.
#[derive(Debug)]
pub(super) struct MountRoot {
    /// The file id of the root.
    pub(super) id: i64,
    /// The storage that the mount rows name.
    pub(super) listed_in: i64,
    /// Where the root is now.
    pub(super) place: RootPlace,
    /// For comparison with a [`RootDigest`].
    rows: i64,
    newest: i64,
    /// Users who see it other than by a share; sorted.
    members: Vec<RecipientId>,
    /// Users who see it by a share only; sorted.
    sharees: Vec<RecipientId>,
    /// What `oc_share` says; `None` until it has been read.
    rule: Option<Box<ShareRule>>,
    /// Made when needed; `None` after a change.
    audience: Option<RootAudience>,
}

/// The connected users who are sent the changes of a root.
#[derive(Debug, Clone)]
pub(super) struct RootAudience {
    /// Those who get the ids of changed files.
    pub(super) with_ids: Arc<[Recipient]>,
    /// Those who only get that something has changed.
    pub(super) without_ids: Arc<[Recipient]>,
}

/// The users of a root as a listing has them.
#[derive(Debug, Default)]
pub(super) struct RootMembers {
    pub(super) members: Vec<RecipientId>,
    pub(super) sharees: Vec<RecipientId>,
    pub(super) rows: i64,
    pub(super) newest: i64,
}

impl RootMembers {
    /// Adds a row of the listing.
    pub(super) fn add(&mut self, row: &MountRow, user: RecipientId) {
        let list = if row.by_share { &mut self.sharees } else { &mut self.members };
        list.push(user);
        self.rows += 1;
        self.newest = self.newest.max(row.id);
    }

    fn normalize(&mut self) {
        for list in [&mut self.members, &mut self.sharees] {
            list.sort_unstable();
            list.dedup();
        }
        let members = &self.members;
        self.sharees.retain(|id| members.binary_search(id).is_err());
        self.members.shrink_to_fit();
        self.sharees.shrink_to_fit();
    }
}

impl MountRoot {
    /// An empty root at this place.
    pub(super) fn new(listed_in: i64, id: i64, place: RootPlace) -> Self {
        Self {
            id,
            listed_in,
            place,
            rows: 0,
            newest: 0,
            members: Vec::new(),
            sharees: Vec::new(),
            rule: None,
            audience: None,
        }
    }

    /// How many users see it.
    pub(super) fn len(&self) -> usize {
        self.members.len() + self.sharees.len()
    }

    /// All users who have a mount of it.
    pub(super) fn users(&self) -> impl Iterator<Item = RecipientId> + '_ {
        self.members.iter().chain(&self.sharees).copied()
    }

    /// Whether any of its mounts comes from a share.
    pub(super) fn is_shared(&self) -> bool {
        !self.sharees.is_empty()
    }

    /// Whether a user has a mount of it.
    pub(super) fn has(&self, user: RecipientId) -> bool {
        self.members.binary_search(&user).is_ok() || self.sharees.binary_search(&user).is_ok()
    }

    /// Replaces the users; returns those before.
    pub(super) fn replace(&mut self, mut fresh: RootMembers) -> Vec<RecipientId> {
        fresh.normalize();
        let before = self.users().collect();
        (self.members, self.sharees) = (fresh.members, fresh.sharees);
        (self.rows, self.newest, self.audience) = (fresh.rows, fresh.newest, None);
        before
    }

    /// Adds a mount row that has just been written; returns whether the user is new here.
    pub(super) fn add(&mut self, row: &MountRow, user: RecipientId) -> bool {
        if row.id <= self.newest {
            return false;
        }
        (self.rows, self.newest, self.audience) = (self.rows + 1, row.id, None);
        if row.by_share
            && let Some(rule) = &mut self.rule
        {
            rule.allow(&row.user);
        }
        if self.has(user) {
            return false;
        }
        let list = if row.by_share { &mut self.sharees } else { &mut self.members };
        if let Err(position) = list.binary_search(&user) {
            list.insert(position, user);
        }
        true
    }

    /// Whether the digest is that of the users known here.
    pub(super) fn matches(&self, digest: &RootDigest) -> bool {
        (self.rows, self.newest) == (digest.rows, digest.newest)
    }

    /// Takes over what `oc_share` says now.
    pub(super) fn set_rule(&mut self, make: impl FnOnce(Option<&ShareRule>) -> ShareRule) {
        let rule = make(self.rule.as_deref());
        if self.rule.as_deref() != Some(&rule) {
            self.rule = Some(Box::new(rule));
            self.audience = None;
        }
    }

    /// One of its users has connected or left.
    pub(super) fn presence_changed(&mut self) {
        self.audience = None;
    }

    /// The connected users who are sent its changes.
    pub(super) fn audience(&mut self, names: &RecipientRegistry) -> RootAudience {
        if let Some(audience) = &self.audience {
            return audience.clone();
        }
        let connected = |id: &RecipientId| names.get(*id).filter(|name| name.here);
        let mut with_ids: Vec<Recipient> =
            self.members.iter().filter_map(connected).map(|name| name.recipient.clone()).collect();
        let mut without_ids = Vec::new();
        for name in self.sharees.iter().filter_map(connected) {
            let access = self.rule.as_ref().map(|rule| rule.access(&name.recipient));
            match access.unwrap_or(ShareAccess::Ids) {
                ShareAccess::Ids => with_ids.push(name.recipient.clone()),
                ShareAccess::NoIds => without_ids.push(name.recipient.clone()),
                ShareAccess::Ended => {}
            }
        }
        let audience = RootAudience { with_ids: with_ids.into(), without_ids: without_ids.into() };
        self.audience.insert(audience).clone()
    }
}

/// All listed roots.
#[derive(Debug, Default)]
pub(super) struct RootTable {
    roots: Slab<MountRoot>,
    by_id: HashMap<i64, RootSlots>,
}

impl RootTable {
    /// The root in this slot.
    pub(super) fn get(&self, slot: RootSlot) -> Option<&MountRoot> {
        self.roots.get(slot as usize)
    }

    /// The root in this slot, to change it.
    pub(super) fn get_mut(&mut self, slot: RootSlot) -> Option<&mut MountRoot> {
        self.roots.get_mut(slot as usize)
    }

    /// The slots of a file id: one for each storage that mount rows of it name.
    pub(super) fn of(&self, id: i64) -> RootSlots {
        self.by_id.get(&id).cloned().unwrap_or_default()
    }

    /// The slot of a file id whose rows name this storage.
    pub(super) fn find(&self, listed_in: i64, id: i64) -> Option<RootSlot> {
        let named = |slot: &RootSlot| self.get(*slot).is_some_and(|it| it.listed_in == listed_in);
        self.by_id.get(&id)?.iter().copied().find(named)
    }

    /// Adds a root.
    pub(super) fn insert(&mut self, root: MountRoot) -> RootSlot {
        let id = root.id;
        #[expect(clippy::cast_possible_truncation, reason = "rows are bounded far below 2^32")]
        let slot = self.roots.insert(root) as RootSlot;
        self.by_id.entry(id).or_default().push(slot);
        slot
    }

    /// Removes a root.
    pub(super) fn remove(&mut self, slot: RootSlot) -> Option<MountRoot> {
        let root = self.roots.try_remove(slot as usize)?;
        if let Some(slots) = self.by_id.get_mut(&root.id) {
            slots.retain(|other| *other != slot);
            if slots.is_empty() {
                self.by_id.remove(&root.id);
            }
        }
        if self.roots.is_empty() {
            *self = Self::default();
        }
        Some(root)
    }
}
