//! What clients listen as besides their primary: nothing is kept of those who subscribe to nothing.

use crate::push::session::Millis;
use std::collections::HashMap;

/// A client may be replayed the past so often in a second: each time costs as much as the past is long.
const REPLAYS: u8 = 8;
const SECOND: Millis = 1000;

/// The subscriptions of a shard's clients, as indexes of [`super::membership::MembershipTable`].
#[derive(Debug, Default)]
pub struct SubscriptionTable {
    /// Sorted, each once; never empty.
    of: HashMap<u32, Vec<u32>>,
    /// In which second a client was replayed the past last, and how often.
    replayed: HashMap<u32, (Millis, u8)>,
}

impl SubscriptionTable {
    /// Whether any client has one.
    pub fn is_in_use(&self) -> bool {
        !self.of.is_empty()
    }

    /// Whether this client has this one.
    pub fn contains(&self, client: u32, member: u32) -> bool {
        self.of(client).binary_search(&member).is_ok()
    }

    /// The client's, in order.
    pub fn of(&self, client: u32) -> &[u32] {
        self.of.get(&client).map_or(&[], Vec::as_slice)
    }

    /// Adds one that the client hasn't got.
    pub fn add(&mut self, client: u32, member: u32) {
        let members = self.of.entry(client).or_default();
        if let Err(place) = members.binary_search(&member) {
            members.insert(place, member);
        }
    }

    /// Takes one away.
    pub fn remove(&mut self, client: u32, member: u32) {
        let Some(members) = self.of.get_mut(&client) else { return };
        members.retain(|other| *other != member);
        if members.is_empty() {
            self.of.remove(&client);
        }
    }

    /// Whether a client may be replayed the past once more now.
    pub fn may_replay(&mut self, client: u32, now: Millis) -> bool {
        let (second, count) = self.replayed.entry(client).or_default();
        if *second != now / SECOND {
            (*second, *count) = (now / SECOND, 0);
        }
        *count = count.saturating_add(1);
        *count <= REPLAYS
    }

    /// The client is gone, and takes all of its own away.
    pub fn take(&mut self, client: u32) -> Vec<u32> {
        self.replayed.remove(&client);
        let taken = self.of.remove(&client).unwrap_or_default();
        if self.of.capacity() > 64 + 8 * self.of.len() {
            self.of.shrink_to_fit();
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::SubscriptionTable;

    #[test]
    fn the_past_is_replayed_so_often_in_a_second_and_no_more() {
        let mut subscriptions = SubscriptionTable::default();
        let mut often = |now| (0..20).filter(|_| subscriptions.may_replay(1, now)).count();
        assert_eq!((often(500), often(999), often(1000)), (8, 0, 8));
        subscriptions.take(1);
        assert!(subscriptions.may_replay(1, 1000) && subscriptions.replayed.len() == 1);
    }

    #[test]
    fn each_is_there_once_and_leaves_nothing_behind() {
        let mut subscriptions = SubscriptionTable::default();
        for member in [7, 3, 7, 5] {
            subscriptions.add(1, member);
        }
        assert_eq!(subscriptions.of(1), [3, 5, 7]);
        assert!(subscriptions.contains(1, 5) && !subscriptions.contains(2, 5));
        subscriptions.remove(1, 5);
        assert_eq!(subscriptions.take(1), [3, 7]);
        subscriptions.add(2, 9);
        subscriptions.remove(2, 9);
        assert!(!subscriptions.is_in_use());
    }
}
