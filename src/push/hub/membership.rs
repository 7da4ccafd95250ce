//! Which clients listen as which recipient.

use crate::push::recipient::Recipient;
use hashbrown::{DefaultHashBuilder, HashTable};
use slab::Slab;
use smallvec::SmallVec;
use std::hash::BuildHasher;

/// The clients of one recipient, by their ids in the shard.
pub type ClientIds = SmallVec<[u32; 4]>;

struct RecipientMembership {
    recipient: Recipient,
    clients: ClientIds,
}

/// Recipients and their clients; a recipient without clients is forgotten.
#[derive(Default)]
pub struct MembershipTable {
    members: Slab<RecipientMembership>,
    /// Indexes into `members`, hashed by the recipient: five bytes an entry instead of a key.
    table: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

impl MembershipTable {
    /// How many clients listen as this recipient.
    pub fn count(&self, recipient: &str) -> usize {
        self.clients(recipient).len()
    }

    /// The clients that listen as this recipient.
    pub fn clients(&self, recipient: &str) -> &[u32] {
        self.index(recipient).map_or(&[], |index| &self.members[index as usize].clients)
    }

    /// The index of this recipient, if anybody listens as it.
    pub fn index(&self, recipient: &str) -> Option<u32> {
        let hash = self.hasher.hash_one(recipient);
        self.table.find(hash, |index| self.is(*index, recipient)).copied()
    }

    /// Adds a client; returns the member's index and whether the recipient is new.
    pub fn join(&mut self, recipient: &Recipient, client: u32) -> (u32, bool) {
        if let Some(index) = self.index(recipient) {
            self.members[index as usize].clients.push(client);
            return (index, false);
        }
        let hash = self.hasher.hash_one(recipient.as_str());
        let member = RecipientMembership {
            recipient: recipient.clone(),
            clients: SmallVec::from_slice(&[client]),
        };
        #[expect(
            clippy::cast_possible_truncation,
            reason = "four thousand million recipients don't fit in memory"
        )]
        let index = self.members.insert(member) as u32;
        let (members, hasher) = (&self.members, &self.hasher);
        self.table.insert_unique(hash, index, |index| {
            hasher.hash_one(members[*index as usize].recipient.as_str())
        });
        (index, true)
    }

    /// Removes a client of the member with this index; returns the recipient if that was its last.
    pub fn leave(&mut self, index: u32, client: u32) -> Option<Recipient> {
        let member = self.members.get_mut(index as usize)?;
        member.clients.retain(|id| *id != client);
        if !member.clients.is_empty() {
            return None;
        }
        let recipient = self.members.remove(index as usize).recipient;
        let hash = self.hasher.hash_one(recipient.as_str());
        if let Ok(entry) = self.table.find_entry(hash, |found| *found == index) {
            entry.remove();
        }
        self.trim();
        Some(recipient)
    }

    /// The recipient of the member with this index.
    pub fn recipient(&self, index: u32) -> Option<&Recipient> {
        self.members.get(index as usize).map(|member| &member.recipient)
    }

    /// Whether nobody is here.
    #[cfg(test)]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty() && self.table.is_empty()
    }

    fn is(&self, index: u32, recipient: &str) -> bool {
        self.members[index as usize].recipient.as_str() == recipient
    }

    fn trim(&mut self) {
        let len = self.members.len();
        if self.table.capacity() > 64 + 8 * len {
            let (members, hasher) = (&self.members, &self.hasher);
            self.table.shrink_to(2 * len, |index| {
                hasher.hash_one(members[*index as usize].recipient.as_str())
            });
        }
        if len == 0 {
            self.members.shrink_to_fit();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::MembershipTable;
    use crate::push::recipient::Recipient;

    #[test]
    fn a_recipient_is_forgotten_with_its_last_client() {
        let mut members = MembershipTable::default();
        let alice = Recipient::from("alice");
        let (index, new) = members.join(&alice, 7);
        assert!(new);
        assert!(!members.join(&alice, 8).1);
        assert_eq!(members.clients("alice"), [7, 8]);
        assert!(members.clients("bob").is_empty());
        assert_eq!(members.leave(index, 7), None);
        assert_eq!(members.leave(index, 8), Some(alice));
        assert_eq!((members.members.len(), members.count("alice")), (0, 0));
    }

    #[test]
    fn thousands_come_and_go() {
        let mut members = MembershipTable::default();
        let names: Vec<_> = (0..5000).map(|n| Recipient::from(format!("user{n}"))).collect();
        let indexes: Vec<_> =
            names.iter().zip(0..).map(|(name, id)| members.join(name, id).0).collect();
        for (name, id) in names.iter().zip(0..) {
            assert_eq!(members.clients(name), [id]);
        }
        for (index, id) in indexes.into_iter().zip(0..) {
            assert!(members.leave(index, id).is_some());
        }
        assert_eq!(members.members.len(), 0);
    }
}
