//! What a shard reports of its work: gathered over a round, so that a fan-out to thousands is counted
//! with a handful of atomic operations.

use super::observe::Observer;
use crate::push::{notice::Topic, session::Waited};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// One shard's tally.
#[derive(Debug, Default)]
pub struct Tally {
    /// Changes told that are alike: members of a crowd have waited equally long, to the millisecond.
    run: Option<(Topic, Waited)>,
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
pub struct Depth {
    /// Topics in outboxes.
    pub waiting: AtomicUsize,
    /// Clients with frames that their socket doesn't take.
    pub blocked: AtomicUsize,
}

impl Tally {
    /// A change was told after this time.
    pub fn told(&mut self, topic: Topic, waited: Waited, observer: &dyn Observer) {
        if self.run != Some((topic, waited)) {
            self.flush(observer);
            self.run = Some((topic, waited));
        }
        self.many += 1;
    }

    /// A client was blocked or not before something was sent, and is or isn't now.
    pub fn blocking(&mut self, before: bool, now: bool) {
        match (before, now) {
            (false, true) => self.blocked += 1,
            (true, false) => self.blocked = self.blocked.saturating_sub(1),
            _ => {}
        }
    }

    /// So many topics wait no longer.
    pub fn no_longer_waiting(&mut self, topics: usize) {
        self.waiting = self.waiting.saturating_sub(topics);
    }

    /// The round is over: what is still to be reported is, and how much waits.
    pub fn publish(&mut self, observer: &dyn Observer, depth: Option<&Depth>) {
        self.flush(observer);
        if let Some(depth) = depth {
            depth.waiting.store(self.waiting, Relaxed);
            depth.blocked.store(self.blocked, Relaxed);
        }
    }

    fn flush(&mut self, observer: &dyn Observer) {
        if let Some((topic, waited)) = self.run.take() {
            observer.told(topic, waited, std::mem::take(&mut self.many));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Depth, Observer, Relaxed, Tally, Topic, Waited};
    use std::sync::Mutex;

    #[derive(Default)]
    struct Told(Mutex<Vec<(u8, u64, u64)>>);

    impl Observer for Told {
        fn told(&self, topic: Topic, waited: Waited, clients: u64) {
            self.0.lock().unwrap().push((topic.0, waited.since, clients));
        }
    }

    #[test]
    fn equal_ones_are_reported_together_and_none_is_forgotten() {
        let (mut tally, told) = (Tally::default(), Told::default());
        for (topic, since) in [(0, 100), (0, 100), (0, 101), (1, 101), (1, 101)] {
            tally.told(Topic(topic), Waited { since, late: 0 }, &told);
        }
        assert_eq!(told.0.lock().unwrap().len(), 2);
        tally.publish(&told, None);
        tally.publish(&told, None);
        assert_eq!(*told.0.lock().unwrap(), [(0, 100, 2), (0, 101, 1), (1, 101, 2)]);
    }

    #[test]
    fn depths_are_what_they_were_at_the_end_of_the_round() {
        let (mut tally, depth) = (Tally { waiting: 3, ..Tally::default() }, Depth::default());
        tally.blocking(false, true);
        tally.blocking(true, true);
        tally.publish(&Told::default(), Some(&depth));
        assert_eq!((depth.waiting.load(Relaxed), depth.blocked.load(Relaxed)), (3, 1));
        tally.blocking(true, false);
        tally.no_longer_waiting(2);
        tally.publish(&Told::default(), Some(&depth));
        assert_eq!((depth.waiting.load(Relaxed), depth.blocked.load(Relaxed)), (1, 0));
    }
}
