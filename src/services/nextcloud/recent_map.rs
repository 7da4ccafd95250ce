//! A bounded map whose entries expire; at the limit the oldest is evicted.

use std::{
    collections::{HashMap, VecDeque},
    hash::Hash,
    time::Duration,
};
use tokio::time::Instant;

/// Spare capacity that is not worth giving back.
pub(crate) const SPARE: usize = 64;

/// A bounded map whose entries end by themselves. The clock is passed in.
#[derive(Debug)]
pub(crate) struct RecentMap<K, V> {
    entries: HashMap<K, (V, Instant)>,
    /// When each entry ends, in order. May name entries that were taken: they go with time.
    ends: VecDeque<(Instant, K)>,
    limit: usize,
    lifetime: Duration,
}

impl<K: Clone + Eq + Hash, V> RecentMap<K, V> {
    /// Remembers up to `limit` entries for `lifetime` each.
    pub(crate) fn new(limit: usize, lifetime: Duration) -> Self {
        Self { entries: HashMap::new(), ends: VecDeque::new(), limit, lifetime }
    }

    /// Inserts an entry; one of the same key is replaced and its lifetime starts again. At the limit the oldest
    /// is evicted.
    pub(crate) fn insert(&mut self, key: K, value: V, now: Instant) {
        self.tidy(now);
        while self.ends.len() >= self.limit {
            self.evict_oldest();
        }
        let end = now + self.lifetime;
        self.entries.insert(key.clone(), (value, end));
        self.ends.push_back((end, key));
    }

    /// The entry, if it has not ended.
    pub(crate) fn get(&self, key: &K, now: Instant) -> Option<&V> {
        self.entries.get(key).filter(|(_, end)| now < *end).map(|(value, _)| value)
    }

    /// Takes the entry out, if it has not ended.
    pub(crate) fn take(&mut self, key: &K, now: Instant) -> Option<V> {
        self.entries.remove(key).filter(|(_, end)| now < *end).map(|(value, _)| value)
    }

    /// How many entries there are, some of which may have ended.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Evicts expired entries and gives their memory back.
    pub(crate) fn tidy(&mut self, now: Instant) {
        while self.ends.front().is_some_and(|(end, _)| *end <= now) {
            self.evict_oldest();
        }
        let room = SPARE + 8 * self.ends.len();
        if self.ends.capacity() > room || self.entries.capacity() > room {
            self.ends.shrink_to(2 * self.ends.len());
            self.entries.shrink_to(2 * self.entries.len());
        }
    }

    fn evict_oldest(&mut self) {
        let Some((end, key)) = self.ends.pop_front() else { return };
        // The same key may have been inserted again since: that entry stays.
        if self.entries.get(&key).is_some_and(|(_, ends)| *ends == end) {
            self.entries.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::RecentMap;
    use std::time::Duration;
    use tokio::time::Instant;

    const LIFE: Duration = Duration::from_secs(10);

    #[test]
    fn an_entry_ends_by_itself() {
        let (mut recent, now) = (RecentMap::new(4, LIFE), Instant::now());
        recent.insert('a', 1, now);
        assert_eq!(recent.get(&'a', now + LIFE - Duration::from_nanos(1)), Some(&1));
        assert_eq!(recent.get(&'a', now + LIFE), None);
        assert_eq!(recent.take(&'a', now + LIFE), None);
    }

    #[test]
    fn what_is_taken_is_gone() {
        let (mut recent, now) = (RecentMap::new(4, LIFE), Instant::now());
        recent.insert('a', 1, now);
        assert_eq!((recent.take(&'a', now), recent.take(&'a', now)), (Some(1), None));
    }

    #[test]
    fn the_oldest_makes_room_and_a_renewed_entry_is_young() {
        let (mut recent, now) = (RecentMap::new(3, LIFE), Instant::now());
        for (key, value) in [('a', 1), ('b', 2), ('a', 3), ('c', 4)] {
            recent.insert(key, value, now + Duration::from_secs(value));
        }
        assert_eq!(recent.get(&'a', now), Some(&3));
        recent.insert('d', 5, now + Duration::from_secs(5));
        assert_eq!((recent.get(&'b', now), recent.get(&'a', now)), (None, Some(&3)));
    }

    #[test]
    fn what_a_crowd_took_is_given_back() {
        let (mut recent, now) = (RecentMap::new(10_000, LIFE), Instant::now());
        for n in 0..10_000 {
            recent.insert(n, n, now);
        }
        recent.tidy(now + LIFE);
        assert_eq!(recent.len(), 0);
        assert!(recent.ends.capacity() < 200 && recent.entries.capacity() < 200);
    }

    #[test]
    fn nothing_grows_without_bound() {
        let (mut recent, now) = (RecentMap::new(3, LIFE), Instant::now());
        for n in 0..1000 {
            recent.insert(n % 2, n, now);
            recent.take(&(n % 2), now);
        }
        assert!(recent.ends.len() <= 3 && recent.len() <= 3);
    }
}
