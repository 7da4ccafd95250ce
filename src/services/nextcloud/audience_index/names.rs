//! Recipients under small numbers: who is here, and where each is listed.

use super::looks::Look;
use crate::push::recipient::Recipient;
use hashbrown::{DefaultHashBuilder, HashTable};
use slab::Slab;
use std::hash::BuildHasher;
use tokio::time::Instant;

/// A recipient's number, valid while the recipient is here or listed somewhere.
pub(super) type NameId = u32;

/// What is known of a recipient.
#[derive(Debug)]
pub(super) struct Name {
    pub(super) recipient: Recipient,
    /// Whether a client listens as it.
    pub(super) here: bool,
    /// Where it is listed: storage and index of the root in that storage's index.
    pub(super) places: Vec<(i64, u32)>,
    /// When its places are looked at again; boxed, because hardly anybody is watched for long.
    pub(super) watch: Option<Box<Watch>>,
}

/// A recipient's coming look.
#[derive(Debug)]
pub(super) struct Watch {
    pub(super) look: Look,
    /// The alarm that counts among those set for it.
    pub(super) alarm: Instant,
}

/// All recipients that are here or listed.
#[derive(Default)]
pub(super) struct Names {
    names: Slab<Name>,
    table: HashTable<NameId>,
    hasher: DefaultHashBuilder,
    here: usize,
}

impl Names {
    /// How many are here.
    pub(super) fn here(&self) -> usize {
        self.here
    }

    /// The number of a recipient, if it has one.
    pub(super) fn find(&self, recipient: &str) -> Option<NameId> {
        let hash = self.hasher.hash_one(recipient);
        self.table.find(hash, |id| &*self.names[*id as usize].recipient == recipient).copied()
    }

    /// The number of a recipient, given now if need be.
    pub(super) fn intern(&mut self, recipient: &str) -> NameId {
        if let Some(id) = self.find(recipient) {
            return id;
        }
        let recipient = Recipient::from(recipient);
        let hash = self.hasher.hash_one(recipient.as_str());
        let name = Name { recipient, here: false, places: Vec::new(), watch: None };
        #[expect(clippy::cast_possible_truncation, reason = "rows are bounded far below 2^32")]
        let id = self.names.insert(name) as NameId;
        let (names, hasher) = (&self.names, &self.hasher);
        let rehash = |id: &NameId| hasher.hash_one(names[*id as usize].recipient.as_str());
        self.table.insert_unique(hash, id, rehash);
        id
    }

    /// What is known of a number that is in use.
    pub(super) fn get(&self, id: NameId) -> Option<&Name> {
        self.names.get(id as usize)
    }

    /// The same, to change it.
    pub(super) fn get_mut(&mut self, id: NameId) -> Option<&mut Name> {
        self.names.get_mut(id as usize)
    }

    /// The recipient has come or gone. Returns its number if that is news.
    pub(super) fn set_here(&mut self, recipient: &Recipient, here: bool) -> Option<NameId> {
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
    pub(super) fn tidy(&mut self, id: NameId) {
        let idle = |name: &Name| !name.here && name.places.is_empty();
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
    use super::{Name, Names, Recipient};

    #[test]
    fn a_recipient_that_is_here_is_small_and_its_text_is_the_hubs() {
        assert!(size_of::<Name>() <= 56);
        let (mut names, alice) = (Names::default(), Recipient::from("alice"));
        let id = names.intern("alice");
        assert_eq!(names.set_here(&alice, true), Some(id));
        let kept = &names.get(id).unwrap().recipient;
        assert_eq!(kept.as_str().as_ptr(), alice.as_str().as_ptr());
    }
}
