//! Recipients under small numbers, with their presence and their mounts.

use super::root_table::RootSlot;
use crate::push::recipient::Recipient;
use hashbrown::{DefaultHashBuilder, HashTable};
use slab::Slab;
use std::hash::BuildHasher;

/// A recipient's number, valid while the recipient is connected or has a listed mount.
pub(super) type RecipientId = u32;

/// A recipient that is connected or has a listed mount.
#[derive(Debug)]
pub(super) struct KnownRecipient {
    pub(super) recipient: Recipient,
    /// Whether a client is connected.
    pub(super) here: bool,
    /// The roots of its listed mounts, in any order.
    pub(super) places: Vec<RootSlot>,
}

/// All recipients that are connected or have a listed mount.
#[derive(Default)]
pub(super) struct RecipientRegistry {
    names: Slab<KnownRecipient>,
    table: HashTable<RecipientId>,
    hasher: DefaultHashBuilder,
    here: usize,
}

impl RecipientRegistry {
    /// How many are connected.
    pub(super) fn here(&self) -> usize {
        self.here
    }

    /// The number of a recipient, if it has one.
    pub(super) fn find(&self, recipient: &str) -> Option<RecipientId> {
        let hash = self.hasher.hash_one(recipient);
        self.table.find(hash, |id| &*self.names[*id as usize].recipient == recipient).copied()
    }

    /// The number of a recipient, given now if need be.
    pub(super) fn intern(&mut self, recipient: &str) -> RecipientId {
        if let Some(id) = self.find(recipient) {
            return id;
        }
        let recipient = Recipient::from(recipient);
        let hash = self.hasher.hash_one(recipient.as_str());
        let name = KnownRecipient { recipient, here: false, places: Vec::new() };
        #[expect(clippy::cast_possible_truncation, reason = "rows are bounded far below 2^32")]
        let id = self.names.insert(name) as RecipientId;
        let (names, hasher) = (&self.names, &self.hasher);
        let rehash = |id: &RecipientId| hasher.hash_one(names[*id as usize].recipient.as_str());
        self.table.insert_unique(hash, id, rehash);
        id
    }

    /// The recipient of a number in use.
    pub(super) fn get(&self, id: RecipientId) -> Option<&KnownRecipient> {
        self.names.get(id as usize)
    }

    /// The recipient of a number in use, to change it.
    pub(super) fn get_mut(&mut self, id: RecipientId) -> Option<&mut KnownRecipient> {
        self.names.get_mut(id as usize)
    }

    /// The recipient has connected or left. Returns its number if its presence has changed.
    pub(super) fn set_here(&mut self, recipient: &Recipient, here: bool) -> Option<RecipientId> {
        let id = if here { self.intern(recipient) } else { self.find(recipient)? };
        let name = self.get_mut(id)?;
        if name.here == here {
            return None;
        }
        name.here = here;
        if here {
            // The hub and this table share one copy of the text.
            name.recipient = recipient.clone();
        }
        self.here = if here { self.here + 1 } else { self.here - 1 };
        Some(id)
    }

    /// Forgets a number that nothing refers to any more.
    pub(super) fn tidy(&mut self, id: RecipientId) {
        let idle = |name: &KnownRecipient| !name.here && name.places.is_empty();
        if !self.get(id).is_some_and(idle) {
            return;
        }
        let name = self.names.remove(id as usize);
        let hash = self.hasher.hash_one(name.recipient.as_str());
        if let Ok(entry) = self.table.find_entry(hash, |found| *found == id) {
            entry.remove();
        }
        if self.names.is_empty() {
            self.names.shrink_to_fit();
            self.table = HashTable::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{KnownRecipient, Recipient, RecipientRegistry};

    #[test]
    fn a_connected_recipient_is_small_and_shares_its_text_with_the_hub() {
        assert!(size_of::<KnownRecipient>() <= 48);
        let (mut names, alice) = (RecipientRegistry::default(), Recipient::from("alice"));
        let id = names.intern("alice");
        assert_eq!(names.set_here(&alice, true), Some(id));
        let kept = &names.get(id).unwrap().recipient;
        assert_eq!(kept.as_str().as_ptr(), alice.as_str().as_ptr());
    }
}
