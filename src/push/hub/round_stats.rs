//! What a shard reports of its work: gathered over a round, so that a fan-out to thousands is counted
//! with a handful of atomic operations.

use super::observer::HubObserver;
use crate::push::{notice::TopicId, session::NoticeLatency};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// One shard's round_stats.
#[derive(Debug, Default)]
pub struct RoundStats {
    /// Changes notified that are alike: members of a fan_out have waited equally long, to the millisecond.
    run: Option<(TopicId, NoticeLatency)>,
    many: u64,
    /// Topics that wait in the outboxes of all clients.
    pub waiting: usize,
    /// Clients whose socket is full.
    pub blocked: usize,
}

/// How much waits in one shard, for whoever asks from outside. On a cache line of its own: each shard
/// writes its own after every round.
#[derive(Debug, Default)]
#[repr(align(64))]
pub struct ShardDepth {
    /// Topics in outboxes.
    pub waiting: AtomicUsize,
    /// Clients with frames that their socket doesn't take.
    pub blocked: AtomicUsize,
}

impl RoundStats {
    /// A change was notified after this time.
    pub fn notified(&mut self, topic: TopicId, waited: NoticeLatency, observer: &dyn HubObserver) {
        if self.run != Some((topic, waited)) {
            self.flush(observer);
            self.run = Some((topic, waited));
        }
        self.many += 1;
    }

    /// A client was blocked or not before something was sent, and is or isn't now.
    pub fn update_blocked(&mut self, before: bool, now: bool) {
        match (before, now) {
            (false, true) => self.blocked += 1,
            (true, false) => self.blocked = self.blocked.saturating_sub(1),
            _ => {}
        }
    }

    /// So many topics wait no longer.
    pub fn subtract_waiting(&mut self, topics: usize) {
        self.waiting = self.waiting.saturating_sub(topics);
    }

    /// The round is over: what is still to be reported is, and how much waits.
    pub fn publish(&mut self, observer: &dyn HubObserver, depth: Option<&ShardDepth>) {
        self.flush(observer);
        if let Some(depth) = depth {
            depth.waiting.store(self.waiting, Relaxed);
            depth.blocked.store(self.blocked, Relaxed);
        }
    }

    fn flush(&mut self, observer: &dyn HubObserver) {
        if let Some((topic, waited)) = self.run.take() {
            observer.notified(topic, waited, std::mem::take(&mut self.many));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{HubObserver, NoticeLatency, Relaxed, RoundStats, ShardDepth, TopicId};
    use std::sync::Mutex;

    #[derive(Default)]
    struct RecordingObserver(Mutex<Vec<(u8, u64, u64)>>);

    impl HubObserver for RecordingObserver {
        fn notified(&self, topic: TopicId, waited: NoticeLatency, clients: u64) {
            self.0.lock().unwrap().push((topic.0, waited.since, clients));
        }
    }

    #[test]
    fn equal_ones_are_reported_together_and_none_is_forgotten() {
        let (mut round_stats, notified) = (RoundStats::default(), RecordingObserver::default());
        for (topic, since) in [(0, 100), (0, 100), (0, 101), (1, 101), (1, 101)] {
            round_stats.notified(TopicId(topic), NoticeLatency { since, late: 0 }, &notified);
        }
        assert_eq!(notified.0.lock().unwrap().len(), 2);
        round_stats.publish(&notified, None);
        round_stats.publish(&notified, None);
        assert_eq!(*notified.0.lock().unwrap(), [(0, 100, 2), (0, 101, 1), (1, 101, 2)]);
    }

    #[test]
    fn depths_are_what_they_were_at_the_end_of_the_round() {
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
