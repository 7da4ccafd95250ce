//! The clients of a shard by their ids, and the next deadline of each.

use super::{client::ShardClient, deadlines::DeadlineHeap, transport::ClientTransport};
use crate::push::session::Millis;
use slab::Slab;

/// Below this many slots memory isn't worth giving back.
const SPARE_SLOTS: usize = 64;

/// A client's id is its slot: it is used again once the client has left.
pub struct ClientTable<T> {
    slots: Slab<ShardClient<T>>,
    deadlines: DeadlineHeap,
    serial: u32,
    /// Memory was last given back at this number of clients: the next time is at half of it.
    trimmed_at: usize,
}

impl<T> Default for ClientTable<T> {
    fn default() -> Self {
        let (slots, deadlines) = (Slab::new(), DeadlineHeap::default());
        Self { slots, deadlines, serial: 0, trimmed_at: usize::MAX }
    }
}

impl<T: ClientTransport> ClientTable<T> {
    /// The id of the next client.
    pub fn vacant_id(&self) -> Option<u32> {
        u32::try_from(self.slots.vacant_key()).ok()
    }

    /// Counts the clients, so that two with the same id differ.
    pub fn next_serial(&mut self) -> u32 {
        self.serial = self.serial.wrapping_add(1);
        self.serial
    }

    /// Adds a client in the slot of [`ClientTable::vacant_id`].
    pub fn insert(&mut self, client: ShardClient<T>) {
        self.slots.insert(client);
        self.trimmed_at = self.trimmed_at.max(self.slots.len());
    }

    /// The client with this id.
    pub fn get(&self, id: u32) -> Option<&ShardClient<T>> {
        self.slots.get(id as usize)
    }

    /// The client with this id.
    pub fn get_mut(&mut self, id: u32) -> Option<&mut ShardClient<T>> {
        self.slots.get_mut(id as usize)
    }

    /// Removes a client.
    pub fn remove(&mut self, id: u32) -> Option<ShardClient<T>> {
        let client = self.slots.try_remove(id as usize)?;
        self.tidy_deadlines();
        let len = self.slots.len();
        if self.slots.capacity() > SPARE_SLOTS + 8 * len && len <= self.trimmed_at / 2 {
            // Looks at every slot, so it must not be done for each client that leaves.
            self.slots.shrink_to_fit();
            self.trimmed_at = len;
        }
        Some(client)
    }

    /// The number of clients.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there is no client.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// The ids of all clients.
    pub fn ids(&self) -> impl Iterator<Item = u32> {
        self.slots.iter().filter_map(|(slot, _)| u32::try_from(slot).ok())
    }

    /// The clients from slot `from` on, with their slots.
    pub fn starting_at(&self, from: u32) -> impl Iterator<Item = (u32, &ShardClient<T>)> {
        let slots = from..u32::try_from(self.slots.capacity()).unwrap_or(u32::MAX);
        slots.filter_map(|slot| Some((slot, self.get(slot)?)))
    }

    /// Notes the client's next deadline.
    pub fn schedule(&mut self, id: u32) {
        let Some(client) = self.slots.get_mut(id as usize) else { return };
        let at = client.next_deadline();
        if at < client.timer {
            client.timer = at;
            self.deadlines.set(at, id);
            self.tidy_deadlines();
        }
    }

    /// When the next client has something to do.
    pub fn next_deadline(&self) -> Option<Millis> {
        self.deadlines.next()
    }

    /// Takes one deadline that has passed; `Some(None)`: it was stale, and there may be more.
    pub fn pop_due(&mut self, now: Millis) -> Option<Option<u32>> {
        let (at, id) = self.deadlines.pop(now)?;
        let client = self.slots.get_mut(id as usize).filter(|client| client.timer == at);
        Some(client.map(|client| {
            client.timer = Millis::MAX;
            id
        }))
    }

    /// How many deadlines are noted, and how many slots there are.
    #[cfg(test)]
    pub fn sizes(&self) -> (usize, usize) {
        (self.deadlines.len(), self.slots.capacity())
    }

    /// Each message leaves a stale deadline behind: the heartbeat's, half a minute ahead.
    fn tidy_deadlines(&mut self) {
        let slots = &self.slots;
        let valid = |at, id| slots.get(id as usize).is_some_and(|client| client.timer == at);
        self.deadlines.tidy(slots.len(), valid);
    }
}
