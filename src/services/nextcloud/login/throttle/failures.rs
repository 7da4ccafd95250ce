//! The times of recent login failures, by network or by name; bounded.

use crate::services::nextcloud::recent_map::SPARE;
use smallvec::SmallVec;
use std::{
    collections::{BTreeSet, HashMap},
    hash::Hash,
    time::Duration,
};
use tokio::time::Instant;

/// How long a failure counts, the same as for Nextcloud: `specs/nextcloud.md` section 7.
pub const WINDOW: Duration = Duration::from_secs(30 * 60);

/// Keys that are kept; then the one with the oldest last failure is dropped. A failure costs a
/// password hash or a request to Nextcloud, so there are at most a few dozen a second, and an entry
/// outlives the window even then: a flood drops no entry that still counts.
pub const MAX_KEYS: usize = 65_536;

/// Failures of one key that are counted; further ones change nothing.
pub const MAX_COUNTED: usize = 100;

/// Failures of the last [`WINDOW`]. The clock is passed in.
#[derive(Debug)]
pub(super) struct FailureLog<K> {
    start: Instant,
    by_key: HashMap<K, FailureTimes>,
    /// Every key, ordered by its last failure.
    order: BTreeSet<(u32, K)>,
}

/// Seconds since the start and the tag of the name, in order of time.
type FailureTimes = SmallVec<[(u32, u32); 2]>;

impl<K: Copy + Eq + Hash + Ord> FailureLog<K> {
    pub(super) fn new(start: Instant) -> Self {
        Self { start, by_key: HashMap::new(), order: BTreeSet::new() }
    }

    /// The number of failures, at most [`MAX_COUNTED`].
    pub(super) fn count(&self, key: K, now: Instant) -> usize {
        self.counting(key, now).count()
    }

    /// When the count falls below `limit`; `None` if it is below.
    pub(super) fn below(&self, limit: usize, key: K, now: Instant) -> Option<Instant> {
        let count = self.count(key, now);
        let last_too_many = count.checked_sub(limit)?;
        let second = self.counting(key, now).nth(last_too_many)?;
        Some(self.start + Duration::from_secs(u64::from(second)) + WINDOW)
    }

    /// Adds a failure of a claim to be `name`.
    pub(super) fn add(&mut self, key: K, name: u32, now: Instant) {
        let second = self.second(now);
        self.tidy(now);
        if self.by_key.len() >= MAX_KEYS {
            self.evict_oldest();
        }
        let times = self.by_key.entry(key).or_default();
        if let Some((last, _)) = times.last() {
            self.order.remove(&(*last, key));
        }
        times.push((second, name));
        if times.len() > MAX_COUNTED {
            times.remove(0);
        }
        self.order.insert((second, key));
    }

    /// Takes back the last failure of a claim to be `name`.
    pub(super) fn take_back(&mut self, key: K, name: u32) {
        self.remove(key, |times| {
            if let Some(last) = times.iter().rposition(|(_, of)| *of == name) {
                times.remove(last);
            }
        });
    }

    /// Takes back all failures of claims to be `name`; returns whether there were any.
    pub(super) fn forgive(&mut self, key: K, name: u32) -> bool {
        self.remove(key, |times| times.retain(|(_, of)| *of != name))
    }

    /// Removes some failures of a key; returns whether there are fewer now.
    fn remove(&mut self, key: K, remove: impl FnOnce(&mut FailureTimes)) -> bool {
        let Some(times) = self.by_key.get_mut(&key) else { return false };
        let before = times.len();
        let last = times.last().map(|(last, _)| *last);
        remove(times);
        let removed = times.len() < before;
        let still = times.last().map(|(last, _)| *last);
        if let Some(last) = last.filter(|last| still != Some(*last)) {
            self.order.remove(&(last, key));
            if let Some(still) = still {
                self.order.insert((still, key));
            }
        }
        if still.is_none() {
            self.by_key.remove(&key);
        }
        removed
    }

    /// Drops failures that count no more and releases their memory.
    pub(super) fn tidy(&mut self, now: Instant) {
        let from = self.window_start(now);
        while self.order.first().is_some_and(|(last, _)| *last < from) {
            self.evict_oldest();
        }
        if self.by_key.capacity() > SPARE + 8 * self.by_key.len() {
            self.by_key.shrink_to(2 * self.by_key.len());
        }
    }

    /// The number of keys.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        assert_eq!(self.by_key.len(), self.order.len());
        self.by_key.len()
    }

    fn counting(&self, key: K, now: Instant) -> impl Iterator<Item = u32> {
        let from = self.window_start(now);
        let times = self.by_key.get(&key).map(SmallVec::as_slice).unwrap_or_default();
        times.iter().map(|(second, _)| *second).filter(move |second| *second >= from)
    }

    fn evict_oldest(&mut self) {
        if let Some((_, key)) = self.order.pop_first() {
            self.by_key.remove(&key);
        }
    }

    /// The second that the window starts with: a failure counts for a whole window including its own
    /// second.
    fn window_start(&self, now: Instant) -> u32 {
        let window = u32::try_from(WINDOW.as_secs()).unwrap_or(u32::MAX);
        (self.second(now) + 1).saturating_sub(window)
    }

    fn second(&self, now: Instant) -> u32 {
        u32::try_from(now.duration_since(self.start).as_secs()).unwrap_or(u32::MAX - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::{FailureLog, MAX_COUNTED, MAX_KEYS, WINDOW};
    use proptest::prelude::*;
    use std::time::Duration;
    use tokio::time::Instant;

    #[test]
    fn a_failure_counts_only_within_the_window() {
        let start = Instant::now();
        let mut failures = FailureLog::new(start);
        failures.add('a', 1, start);
        failures.add('a', 1, start + Duration::from_secs(60));
        assert_eq!(failures.count('a', start + WINDOW - Duration::from_secs(1)), 2);
        assert_eq!(failures.count('a', start + WINDOW), 1);
        assert_eq!(failures.count('a', start + WINDOW + Duration::from_secs(60)), 0);
    }

    #[test]
    fn the_count_falls_below_a_limit_at_the_stated_time() {
        let start = Instant::now();
        let mut failures = FailureLog::new(start);
        for minute in 0..5 {
            failures.add('a', 1, start + Duration::from_secs(60 * minute));
        }
        let now = start + Duration::from_secs(600);
        let moment = failures.below(3, 'a', now).unwrap();
        assert_eq!(moment, start + Duration::from_secs(120) + WINDOW);
        assert_eq!(failures.count('a', moment - Duration::from_secs(1)), 3);
        assert_eq!(failures.count('a', moment), 2);
        assert_eq!(failures.below(6, 'a', now), None);
    }

    #[test]
    fn the_key_with_the_oldest_last_failure_is_dropped() {
        let start = Instant::now();
        let mut failures = FailureLog::new(start);
        let second = |n: u64| start + Duration::from_millis(n);
        failures.add(0, 1, second(0));
        failures.add(1, 1, second(0));
        failures.add(0, 1, second(1000));
        for key in 2..=MAX_KEYS as u64 {
            failures.add(key, 1, second(1000));
        }
        assert_eq!(failures.len(), MAX_KEYS);
        let now = second(1000);
        assert_eq!((failures.count(0, now), failures.count(1, now)), (2, 0));
    }

    proptest! {
        /// Compares with a plain list of failures.
        #[test]
        fn agrees_with_a_list(steps in prop::collection::vec((0u8..4, 0u8..3, 0u32..3, 0u64..400), 0..300)) {
            let start = Instant::now();
            let (mut failures, mut list) = (FailureLog::new(start), Vec::new());
            let mut now = start;
            for (step, key, name, later) in steps {
                now += Duration::from_secs(later);
                if step < 3 {
                    failures.add(key, name, now);
                    list.push((key, name, now));
                } else {
                    let counted = failures.count(key, now);
                    let forgiven = failures.forgive(key, name);
                    prop_assert!(forgiven || failures.count(key, now) == counted);
                    list.retain(|(k, n, _)| (*k, *n) != (key, name));
                }
                for key in 0..3 {
                    let counts = list.iter().filter(|(k, _, at)| *k == key && now < *at + WINDOW).count();
                    prop_assert_eq!(failures.count(key, now), counts.min(MAX_COUNTED));
                }
                prop_assert!(failures.len() <= 3);
            }
        }
    }
}
