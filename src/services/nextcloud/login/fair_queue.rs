//! A queue per key, served round-robin, so that many items of one key delay only each other.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    hash::Hash,
};

/// Items in one queue per key. Within a key the lowest number comes first; keys take turns.
///
/// It has no limit of its own: callers check [`FairQueue::len`] before they push.
#[derive(Debug)]
pub(crate) struct FairQueue<K, T> {
    queues: HashMap<K, BTreeMap<u64, T>>,
    turns: VecDeque<K>,
    len: usize,
}

impl<K, T> Default for FairQueue<K, T> {
    fn default() -> Self {
        Self { queues: HashMap::new(), turns: VecDeque::new(), len: 0 }
    }
}

impl<K: Copy + Eq + Hash, T> FairQueue<K, T> {
    /// The number of items.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The number of items of this key.
    pub(crate) fn len_of(&self, key: K) -> usize {
        self.queues.get(&key).map_or(0, BTreeMap::len)
    }

    /// Adds an item at the position of its number. Numbers are unique within a key: a second item
    /// with the same number replaces the first.
    pub(crate) fn push(&mut self, key: K, number: u64, item: T) {
        let waiting = self.queues.entry(key).or_default();
        if waiting.is_empty() {
            self.turns.push_back(key);
        }
        if waiting.insert(number, item).is_none() {
            self.len += 1;
        }
    }

    /// Takes the first item of the key whose turn it is.
    pub(crate) fn pop(&mut self) -> Option<(u64, T)> {
        let key = self.turns.pop_front()?;
        let waiting = self.queues.get_mut(&key)?;
        let first = waiting.pop_first();
        if waiting.is_empty() {
            self.queues.remove(&key);
        } else {
            self.turns.push_back(key);
        }
        self.len -= usize::from(first.is_some());
        first
    }

    /// Removes every item for which `keep` returns false.
    #[cfg_attr(
        not(feature = "nextcloud"),
        expect(dead_code, reason = "one kind of service needs it")
    )]
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(u64, &T) -> bool) {
        for waiting in self.queues.values_mut() {
            waiting.retain(|number, item| keep(*number, item));
        }
        self.queues.retain(|_, waiting| !waiting.is_empty());
        let queues = &self.queues;
        self.turns.retain(|key| queues.contains_key(key));
        self.len = queues.values().map(BTreeMap::len).sum();
    }

    /// Takes the last item of the key with the most items, if it has more than `than`.
    pub(crate) fn evict_from_longest(&mut self, than: usize) -> Option<T> {
        let (key, waiting) = self.queues.iter_mut().max_by_key(|(_, waiting)| waiting.len())?;
        if waiting.len() <= than {
            return None;
        }
        let (_, item) = waiting.pop_last()?;
        self.len -= 1;
        let emptied = waiting.is_empty().then_some(*key);
        if let Some(key) = emptied {
            self.queues.remove(&key);
            self.turns.retain(|turn| *turn != key);
        }
        Some(item)
    }
}

#[cfg(test)]
mod tests {
    use super::FairQueue;
    use proptest::prelude::*;

    fn drain(queues: &mut FairQueue<char, &'static str>) -> Vec<&'static str> {
        std::iter::from_fn(|| queues.pop()).map(|(_, item)| item).collect()
    }

    #[test]
    fn keys_take_turns() {
        let mut queues = FairQueue::default();
        for (number, (key, item)) in (0u64..).zip([
            ('a', "a1"),
            ('a', "a2"),
            ('a', "a3"),
            ('b', "b1"),
            ('c', "c1"),
            ('c', "c2"),
        ]) {
            queues.push(key, number, item);
        }
        assert_eq!(drain(&mut queues), ["a1", "b1", "c1", "a2", "c2", "a3"]);
    }

    #[test]
    fn a_low_number_comes_first_within_its_key() {
        let mut queues = FairQueue::default();
        queues.push('a', 7, "late");
        queues.push('a', 3, "came back");
        assert_eq!(drain(&mut queues), ["came back", "late"]);
    }

    #[test]
    fn the_longest_queue_gives_way_but_never_to_an_equal_one() {
        let mut queues = FairQueue::default();
        queues.push('a', 1, "a1");
        queues.push('a', 2, "a2");
        queues.push('b', 3, "b1");
        assert_eq!(queues.evict_from_longest(2), None);
        assert_eq!(queues.evict_from_longest(1), Some("a2"));
        assert_eq!(drain(&mut queues), ["a1", "b1"]);
    }

    proptest! {
        #[test]
        fn every_item_comes_out_once(steps in prop::collection::vec((0u8..5, 0u8..4), 0..200)) {
            let mut queues = FairQueue::<u8, u64>::default();
            let (mut put, mut got) = (0, 0);
            for (step, key) in steps {
                match step {
                    4 => queues.retain(|number, _| {
                        let out = number % 3 == 0;
                        got += u64::from(out);
                        !out
                    }),
                    0 | 1 => { queues.push(key, put, put); put += 1; }
                    2 => got += u64::from(queues.pop().is_some()),
                    _ => got += u64::from(queues.evict_from_longest(0).is_some()),
                }
                prop_assert_eq!(queues.len() as u64, put - got);
                let by_key: usize = (0..4).map(|key| queues.len_of(key)).sum();
                prop_assert_eq!(by_key, queues.len());
            }
            while queues.pop().is_some() { got += 1; }
            prop_assert_eq!(got, put);
            prop_assert_eq!(queues.turns.len(), 0);
        }
    }
}
