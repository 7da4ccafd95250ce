//! Statistics of a shard, gathered over one pass, so that a fan-out to thousands of clients is counted
//! with a handful of atomic operations.

use super::observer::HubObserver;
use crate::push::{notice::TopicId, session::NoticeLatency};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// The statistics of one shard.
#[derive(Debug, Default)]
pub struct RoundStats {
    /// The last change sent: the clients of a fan-out wait equally long, to the millisecond.
    current: Option<(TopicId, NoticeLatency)>,
    clients: u64,
    /// Pending notices of all clients.
    pub waiting: usize,
    /// Clients whose socket is full.
    pub blocked: usize,
}

/// How much waits in one shard, readable from other threads. On a cache line of its own, because each
/// shard writes its own after every pass.
#[derive(Debug, Default)]
#[repr(align(64))]
pub struct ShardDepth {
    /// Pending notices of all clients.
    pub waiting: AtomicUsize,
    /// Clients whose socket is full.
    pub blocked: AtomicUsize,
}

impl RoundStats {
    /// A change was sent to one client, with this latency.
    pub fn notified(&mut self, topic: TopicId, latency: NoticeLatency, observer: &dyn HubObserver) {
        if self.current != Some((topic, latency)) {
            self.flush(observer);
            self.current = Some((topic, latency));
        }
        self.clients += 1;
    }

    /// A client's socket was full or not before something was sent, and is or isn't now.
    pub fn update_blocked(&mut self, before: bool, now: bool) {
        match (before, now) {
            (false, true) => self.blocked += 1,
            (true, false) => self.blocked = self.blocked.saturating_sub(1),
            _ => {}
        }
    }

    /// So many notices no longer wait.
    pub fn subtract_waiting(&mut self, topics: usize) {
        self.waiting = self.waiting.saturating_sub(topics);
    }

    /// Reports the rest at the end of a pass, and how much waits.
    pub fn publish(&mut self, observer: &dyn HubObserver, depth: Option<&ShardDepth>) {
        self.flush(observer);
        if let Some(depth) = depth {
            depth.waiting.store(self.waiting, Relaxed);
            depth.blocked.store(self.blocked, Relaxed);
        }
    }

    fn flush(&mut self, observer: &dyn HubObserver) {
        if let Some((topic, latency)) = self.current.take() {
            observer.notified(topic, latency, std::mem::take(&mut self.clients));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{HubObserver, NoticeLatency, Relaxed, RoundStats, ShardDepth, TopicId};
    use parking_lot::Mutex;

    #[derive(Default)]
    struct RecordingObserver(Mutex<Vec<(u8, u64, u64)>>);

    impl HubObserver for RecordingObserver {
        fn notified(&self, topic: TopicId, latency: NoticeLatency, clients: u64) {
            self.0.lock().push((topic.0, latency.since, clients));
        }
    }

    #[test]
    fn equal_latencies_are_reported_together_and_none_is_lost() {
        let (mut round_stats, notified) = (RoundStats::default(), RecordingObserver::default());
        for (topic, since) in [(0, 100), (0, 100), (0, 101), (1, 101), (1, 101)] {
            round_stats.notified(TopicId(topic), NoticeLatency { since, late: 0 }, &notified);
        }
        assert_eq!(notified.0.lock().len(), 2);
        round_stats.publish(&notified, None);
        round_stats.publish(&notified, None);
        assert_eq!(*notified.0.lock(), [(0, 100, 2), (0, 101, 1), (1, 101, 2)]);
    }

    #[test]
    fn depths_are_those_at_the_end_of_the_pass() {
        let (mut round_stats, depth) =
            (RoundStats { waiting: 3, ..RoundStats::default() }, ShardDepth::default());
        round_stats.update_blocked(false, true);
        round_stats.update_blocked(true, true);
        round_stats.publish(&RecordingObserver::default(), Some(&depth));
        assert_eq!((depth.waiting.load(Relaxed), depth.blocked.load(Relaxed)), (3, 1));
        round_stats.update_blocked(true, false);
        round_stats.subtract_waiting(2);
        round_stats.publish(&RecordingObserver::default(), Some(&depth));
        assert_eq!((depth.waiting.load(Relaxed), depth.blocked.load(Relaxed)), (1, 0));
    }
}
