//! Which clients listen as which recipient: joining, leaving and looking up take constant time.

use crate::push::recipient::Recipient;
use hashbrown::{DefaultHashBuilder, HashMap, HashTable};
use slab::Slab;
use smallvec::SmallVec;
use std::hash::BuildHasher;

/// Ids of clients.
pub type ClientIds = SmallVec<[u32; 4]>;

/// The approximate bytes of a recipient besides its name, and of one client's place in its list.
const RECIPIENT_BYTES: usize = 112;
const LINK_BYTES: usize = 24;

/// With fewer entries than this a table isn't worth shrinking.
const SPARE: usize = 64;

/// A recipient that at least one client listens as.
struct RecipientEntry {
    recipient: Recipient,
    clients: ClientIds,
}

/// Where a client stands in its recipient's list.
#[derive(Debug, Clone, Copy)]
struct MembershipLink {
    /// Index of the [`RecipientEntry`].
    entry: u32,
    /// Index in its `clients`.
    position: u32,
}

const NO_LINK: MembershipLink = MembershipLink { entry: u32::MAX, position: 0 };

/// What a change did to a recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MembershipChange {
    /// The client listened as it already, or didn't.
    None,
    /// Another client listens as it as well.
    Another,
    /// This is its first client, or was its last.
    Edge(Recipient),
}

/// The primary recipient of each client and its further subscriptions. Nothing is kept for the further
/// subscriptions of clients that have none, nor for recipients without clients.
#[derive(Default)]
pub struct MembershipTable {
    entries: Slab<RecipientEntry>,
    /// Indexes into `entries`, hashed by the recipient: five bytes an entry instead of a key.
    index: HashTable<u32>,
    hasher: DefaultHashBuilder,
    /// By the client's id.
    primaries: Vec<MembershipLink>,
    /// By the client's id, then by the recipient's index: the position in the recipient's list.
    subscriptions: HashMap<u32, HashMap<u32, u32>>,
    /// What the further subscriptions and all recipients take, in bytes.
    bytes: usize,
}

impl MembershipTable {
    /// The approximate memory of recipients and subscriptions, in bytes.
    pub fn subscription_bytes(&self) -> usize {
        self.bytes
    }

    /// The clients that listen as this recipient.
    pub fn clients(&self, recipient: &str) -> &[u32] {
        self.find(recipient).map_or(&[], |entry| &self.entries[entry as usize].clients)
    }

    /// The client's primary recipient.
    pub fn primary(&self, client: u32) -> Option<&Recipient> {
        let link = self.primaries.get(client as usize)?;
        self.entries.get(link.entry as usize).map(|entry| &entry.recipient)
    }

    /// How many further subscriptions the client has.
    pub fn subscription_count(&self, client: u32) -> usize {
        self.subscriptions.get(&client).map_or(0, HashMap::len)
    }

    /// Whether the client listens as this recipient.
    pub fn listens(&self, client: u32, recipient: &str) -> bool {
        self.find(recipient).is_some_and(|entry| self.is_member(client, entry))
    }

    /// Adds a client with its primary recipient.
    pub fn join(&mut self, client: u32, recipient: &Recipient) -> MembershipChange {
        let (link, change) = self.add(client, recipient);
        let slot = client as usize;
        if self.primaries.len() <= slot {
            self.primaries.resize(slot + 1, NO_LINK);
        }
        self.primaries[slot] = link;
        change
    }

    /// The client listens as this recipient, too.
    pub fn subscribe(&mut self, client: u32, recipient: &Recipient) -> MembershipChange {
        if self.listens(client, recipient) {
            return MembershipChange::None;
        }
        let (link, change) = self.add(client, recipient);
        self.subscriptions.entry(client).or_default().insert(link.entry, link.position);
        change
    }

    /// The client no longer listens as this recipient, unless it is its primary.
    pub fn unsubscribe(&mut self, client: u32, recipient: &str) -> MembershipChange {
        let Some(entry) = self.find(recipient) else { return MembershipChange::None };
        let Some(subscriptions) = self.subscriptions.get_mut(&client) else {
            return MembershipChange::None;
        };
        let Some(position) = subscriptions.remove(&entry) else { return MembershipChange::None };
        if subscriptions.is_empty() {
            self.subscriptions.remove(&client);
        }
        self.unlink(MembershipLink { entry, position })
    }

    /// Removes a client. Returns the primary recipient if the client was its last, and the further
    /// recipients that have no client any more.
    pub fn leave(&mut self, client: u32) -> (Option<Recipient>, Vec<Recipient>) {
        let mut ended = Vec::new();
        for (entry, position) in self.subscriptions.remove(&client).into_iter().flatten() {
            // Other entries of this client don't move: it is in each list once.
            if let MembershipChange::Edge(last) = self.unlink(MembershipLink { entry, position }) {
                ended.push(last);
            }
        }
        let link = self.primaries.get_mut(client as usize);
        let link = link.map_or(NO_LINK, |link| std::mem::replace(link, NO_LINK));
        let primary = match self.unlink(link) {
            MembershipChange::Edge(last) => Some(last),
            MembershipChange::None | MembershipChange::Another => None,
        };
        self.trim();
        (primary, ended)
    }

    /// Whether no client is left, and nothing of any client.
    #[cfg(test)]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
            && self.index.is_empty()
            && self.subscriptions.is_empty()
            && self.bytes == 0
    }

    fn find(&self, recipient: &str) -> Option<u32> {
        let hash = self.hasher.hash_one(recipient);
        let is = |entry: &u32| self.entries[*entry as usize].recipient.as_str() == recipient;
        self.index.find(hash, is).copied()
    }

    fn is_member(&self, client: u32, entry: u32) -> bool {
        self.primaries.get(client as usize).is_some_and(|link| link.entry == entry)
            || self.subscriptions.get(&client).is_some_and(|members| members.contains_key(&entry))
    }

    fn add(&mut self, client: u32, recipient: &Recipient) -> (MembershipLink, MembershipChange) {
        self.bytes += LINK_BYTES;
        if let Some(entry) = self.find(recipient) {
            let clients = &mut self.entries[entry as usize].clients;
            clients.push(client);
            let position = index(clients.len() - 1);
            return (MembershipLink { entry, position }, MembershipChange::Another);
        }
        self.bytes += RECIPIENT_BYTES + recipient.len();
        let (recipient, clients) = (recipient.clone(), ClientIds::from_slice(&[client]));
        let first = MembershipChange::Edge(recipient.clone());
        let hash = self.hasher.hash_one(recipient.as_str());
        let entry = index(self.entries.insert(RecipientEntry { recipient, clients }));
        let (entries, hasher) = (&self.entries, &self.hasher);
        self.index.insert_unique(hash, entry, |entry| {
            hasher.hash_one(entries[*entry as usize].recipient.as_str())
        });
        (MembershipLink { entry, position: 0 }, first)
    }

    /// Takes an element out of a recipient's list; the last one moves to its place, which is recorded.
    fn unlink(&mut self, link: MembershipLink) -> MembershipChange {
        let MembershipLink { entry, position } = link;
        let Some(found) = self.entries.get_mut(entry as usize) else {
            return MembershipChange::None;
        };
        found.clients.swap_remove(position as usize);
        self.bytes -= LINK_BYTES;
        if let Some(moved) = found.clients.get(position as usize).copied() {
            if found.clients.spilled() && found.clients.capacity() > SPARE + 8 * found.clients.len()
            {
                found.clients.shrink_to_fit();
            }
            self.set_position(moved, link);
            return MembershipChange::Another;
        }
        if !found.clients.is_empty() {
            return MembershipChange::Another;
        }
        MembershipChange::Edge(self.forget(entry))
    }

    fn set_position(&mut self, client: u32, link: MembershipLink) {
        if let Some(primary) = self.primaries.get_mut(client as usize)
            && primary.entry == link.entry
        {
            primary.position = link.position;
        } else if let Some(subscriptions) = self.subscriptions.get_mut(&client) {
            subscriptions.insert(link.entry, link.position);
        }
    }

    fn forget(&mut self, entry: u32) -> Recipient {
        let recipient = self.entries.remove(entry as usize).recipient;
        self.bytes -= RECIPIENT_BYTES + recipient.len();
        let hash = self.hasher.hash_one(recipient.as_str());
        if let Ok(found) = self.index.find_entry(hash, |found| *found == entry) {
            found.remove();
        }
        recipient
    }

    /// Gives memory back after many clients have left. Each table shrinks by half or more at a time.
    fn trim(&mut self) {
        let len = self.entries.len();
        if self.index.capacity() > SPARE + 8 * len {
            let (entries, hasher) = (&self.entries, &self.hasher);
            self.index.shrink_to(2 * len, |entry| {
                hasher.hash_one(entries[*entry as usize].recipient.as_str())
            });
        }
        if self.subscriptions.capacity() > SPARE + 8 * self.subscriptions.len() {
            self.subscriptions.shrink_to(2 * self.subscriptions.len());
        }
        if len == 0 {
            self.entries.shrink_to_fit();
            self.primaries = Vec::new();
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "four thousand million don't fit in memory")]
fn index(position: usize) -> u32 {
    position as u32
}

#[cfg(test)]
mod tests {
    use super::{MembershipChange, MembershipTable};
    use crate::push::recipient::Recipient;
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};

    #[test]
    fn a_recipient_is_forgotten_with_its_last_client() {
        let mut members = MembershipTable::default();
        let alice = Recipient::from("alice");
        assert_eq!(members.join(7, &alice), MembershipChange::Edge(alice.clone()));
        assert_eq!(members.join(8, &alice), MembershipChange::Another);
        assert_eq!(members.clients("alice"), [7, 8]);
        assert!(members.clients("bob").is_empty());
        assert_eq!(members.leave(7), (None, vec![]));
        assert_eq!(members.leave(8), (Some(alice), vec![]));
        assert!(members.is_empty());
    }

    #[test]
    fn thousands_with_one_recipient_leave_in_linear_time() {
        const CLIENTS: u32 = 100_000;
        let mut members = MembershipTable::default();
        let all = Recipient::from("all");
        for client in 0..CLIENTS {
            members.join(client, &Recipient::from(format!("user{client}")));
            members.subscribe(client, &all);
        }
        // With a search through the list this would take 5 000 000 000 steps.
        for client in (0..CLIENTS).rev().step_by(2).chain((0..CLIENTS).step_by(2)) {
            members.leave(client);
        }
        assert!(members.is_empty() && members.index.capacity() <= 64);
    }

    #[derive(Debug, Clone)]
    enum MembershipStep {
        Join(u32, u8),
        Subscribe(u32, u8),
        Unsubscribe(u32, u8),
        Leave(u32),
    }

    fn step() -> impl Strategy<Value = MembershipStep> {
        let (client, name) = (0..6_u32, 0..5_u8);
        prop_oneof![
            2 => (client.clone(), name.clone()).prop_map(|(client, name)| MembershipStep::Join(client, name)),
            4 => (client.clone(), name.clone())
                .prop_map(|(client, name)| MembershipStep::Subscribe(client, name)),
            2 => (client.clone(), name).prop_map(|(client, name)| MembershipStep::Unsubscribe(client, name)),
            1 => client.prop_map(MembershipStep::Leave),
        ]
    }

    proptest! {
        #[test]
        fn it_is_a_set_of_pairs_however_clients_come_and_go(
            steps in prop::collection::vec(step(), 0..200),
        ) {
            let mut members = MembershipTable::default();
            let mut expected: BTreeMap<u32, (String, BTreeSet<String>)> = BTreeMap::new();
            for step in steps {
                match step {
                    MembershipStep::Join(client, name) => {
                        if let std::collections::btree_map::Entry::Vacant(vacant) = expected.entry(client) {
                            members.join(client, &name.to_string().into());
                            vacant.insert((name.to_string(), BTreeSet::new()));
                        }
                    }
                    MembershipStep::Subscribe(client, name) => {
                        if let Some((primary, further)) = expected.get_mut(&client) {
                            members.subscribe(client, &name.to_string().into());
                            if *primary != name.to_string() {
                                further.insert(name.to_string());
                            }
                        }
                    }
                    MembershipStep::Unsubscribe(client, name) => {
                        members.unsubscribe(client, &name.to_string());
                        if let Some((_, further)) = expected.get_mut(&client) {
                            further.remove(&name.to_string());
                        }
                    }
                    MembershipStep::Leave(client) => {
                        members.leave(client);
                        expected.remove(&client);
                    }
                }
                for name in (0..5_u8).map(|name| name.to_string()) {
                    let mut clients = members.clients(&name).to_vec();
                    clients.sort_unstable();
                    let all = expected.iter().filter(|(_, (primary, further))| *primary == name || further.contains(&name));
                    prop_assert_eq!(clients, all.map(|(client, _)| *client).collect::<Vec<_>>());
                }
                for (client, (primary, further)) in &expected {
                    prop_assert_eq!(members.primary(*client).map(|name| name.as_str()), Some(primary.as_str()));
                    prop_assert_eq!(members.subscription_count(*client), further.len());
                }
            }
            for client in 0..6 {
                members.leave(client);
            }
            prop_assert!(members.is_empty());
        }
    }
}
