//! A queue with one lane for each origin, served in turn, so that a crowd in one lane delays only
//! itself.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    hash::Hash,
};

/// Items in queues. Within a lane the lowest number is first; between queues each has its turn.
///
/// It holds no more than it is given: whoever fills it looks at [`FairQueue::len`] first.
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
    /// How many items there are.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// How many items there are in this lane.
    pub(crate) fn len_of(&self, lane: K) -> usize {
        self.queues.get(&lane).map_or(0, BTreeMap::len)
    }

    /// Puts an item where its number belongs. Numbers are unique within a lane: a second item with
    /// the same one takes the place of the first.
    pub(crate) fn push(&mut self, lane: K, number: u64, item: T) {
        let waiting = self.queues.entry(lane).or_default();
        if waiting.is_empty() {
            self.turns.push_back(lane);
        }
        if waiting.insert(number, item).is_none() {
            self.len += 1;
        }
    }

    /// Takes the first item of the lane whose turn it is.
    pub(crate) fn pop(&mut self) -> Option<(u64, T)> {
        let lane = self.turns.pop_front()?;
        let waiting = self.queues.get_mut(&lane)?;
        let first = waiting.pop_first();
        if waiting.is_empty() {
            self.queues.remove(&lane);
        } else {
            self.turns.push_back(lane);
        }
        self.len -= usize::from(first.is_some());
        first
    }

    /// Takes out every item that `keep` says no to.
    #[cfg_attr(not(feature = "nextcloud"), expect(dead_code, reason = "one kind of host needs it"))]
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(u64, &T) -> bool) {
        for waiting in self.queues.values_mut() {
            waiting.retain(|number, item| keep(*number, item));
        }
        self.queues.retain(|_, waiting| !waiting.is_empty());
        let queues = &self.queues;
        self.turns.retain(|lane| queues.contains_key(lane));
        self.len = queues.values().map(BTreeMap::len).sum();
    }

    /// Takes the last item of the longest lane, if that lane holds more than `than` items.
    pub(crate) fn evict_from_longest(&mut self, than: usize) -> Option<T> {
        let (lane, waiting) = self.queues.iter_mut().max_by_key(|(_, waiting)| waiting.len())?;
        if waiting.len() <= than {
            return None;
        }
        let (_, item) = waiting.pop_last()?;
        self.len -= 1;
        let emptied = waiting.is_empty().then_some(*lane);
        if let Some(lane) = emptied {
            self.queues.remove(&lane);
            self.turns.retain(|turn| *turn != lane);
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
    fn each_lane_has_its_turn() {
        let mut queues = FairQueue::default();
        for (number, (lane, item)) in (0u64..).zip([
            ('a', "a1"),
            ('a', "a2"),
            ('a', "a3"),
            ('b', "b1"),
            ('c', "c1"),
            ('c', "c2"),
        ]) {
            queues.push(lane, number, item);
        }
        assert_eq!(drain(&mut queues), ["a1", "b1", "c1", "a2", "c2", "a3"]);
    }

    #[test]
    fn a_low_number_goes_before_those_in_its_lane() {
        let mut queues = FairQueue::default();
        queues.push('a', 7, "late");
        queues.push('a', 3, "was here before");
        assert_eq!(drain(&mut queues), ["was here before", "late"]);
    }

    #[test]
    fn the_longest_lane_gives_way_but_never_to_one_as_long() {
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
        fn what_goes_in_comes_out_once(steps in prop::collection::vec((0u8..5, 0u8..4), 0..200)) {
            let mut queues = FairQueue::<u8, u64>::default();
            let (mut put, mut got) = (0, 0);
            for (step, lane) in steps {
                match step {
                    4 => queues.retain(|number, _| {
                        let out = number % 3 == 0;
                        got += u64::from(out);
                        !out
                    }),
                    0 | 1 => { queues.push(lane, put, put); put += 1; }
                    2 => got += u64::from(queues.pop().is_some()),
                    _ => got += u64::from(queues.evict_from_longest(0).is_some()),
                }
                prop_assert_eq!(queues.len() as u64, put - got);
                let by_lane: usize = (0..4).map(|lane| queues.len_of(lane)).sum();
                prop_assert_eq!(by_lane, queues.len());
            }
            while queues.pop().is_some() { got += 1; }
            prop_assert_eq!(got, put);
            prop_assert_eq!(queues.turns.len(), 0);
        }
    }
}
