//! Recipients under small numbers: who is here, and where each is listed.

use super::refreshes::RefreshSchedule;
use crate::push::recipient::Recipient;
use hashbrown::{DefaultHashBuilder, HashTable};
use slab::Slab;
use std::hash::BuildHasher;
use tokio::time::Instant;

/// A recipient's number, valid while the recipient is here or listed somewhere.
pub(super) type RecipientId = u32;

/// What is known of a recipient.
#[derive(Debug)]
pub(super) struct KnownRecipient {
    pub(super) recipient: Recipient,
    /// Whether a client listens as it.
    pub(super) here: bool,
    /// Where it is listed: storage and index of the root in that storage's index.
    pub(super) places: Vec<(i64, u32)>,
    /// When its places are looked at again; boxed, because hardly anybody is watched for long.
    pub(super) watch: Option<Box<ScheduledRefresh>>,
}

/// A recipient's coming look.
#[derive(Debug)]
pub(super) struct ScheduledRefresh {
    pub(super) look: RefreshSchedule,
    /// The alarm that counts among those set for it.
    pub(super) alarm: Instant,
}

/// All recipients that are here or listed.
#[derive(Default)]
pub(super) struct RecipientRegistry {
    names: Slab<KnownRecipient>,
    table: HashTable<RecipientId>,
    hasher: DefaultHashBuilder,
    here: usize,
}

impl RecipientRegistry {
    /// How many are here.
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
        let name = KnownRecipient { recipient, here: false, places: Vec::new(), watch: None };
        #[expect(clippy::cast_possible_truncation, reason = "rows are bounded far below 2^32")]
        let id = self.names.insert(name) as RecipientId;
        let (names, hasher) = (&self.names, &self.hasher);
        let rehash = |id: &RecipientId| hasher.hash_one(names[*id as usize].recipient.as_str());
        self.table.insert_unique(hash, id, rehash);
        id
    }

    /// What is known of a number that is in use.
    pub(super) fn get(&self, id: RecipientId) -> Option<&KnownRecipient> {
        self.names.get(id as usize)
    }

    /// The same, to change it.
    pub(super) fn get_mut(&mut self, id: RecipientId) -> Option<&mut KnownRecipient> {
        self.names.get_mut(id as usize)
    }

    /// The recipient has come or gone. Returns its number if that is news.
    pub(super) fn set_here(&mut self, recipient: &Recipient, here: bool) -> Option<RecipientId> {
        let id = if here { self.intern(recipient) } else { self.find(recipient)? };
        let name = self.get_mut(id)?;
        if name.here == here {
            return None;
        }
        name.here = here;
        if here {
            // One text for the hub and for us.
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
    fn a_recipient_that_is_here_is_small_and_its_text_is_the_hubs() {
        assert!(size_of::<KnownRecipient>() <= 56);
        let (mut names, alice) = (RecipientRegistry::default(), Recipient::from("alice"));
        let id = names.intern("alice");
        assert_eq!(names.set_here(&alice, true), Some(id));
        let kept = &names.get(id).unwrap().recipient;
        assert_eq!(kept.as_str().as_ptr(), alice.as_str().as_ptr());
    }
}
