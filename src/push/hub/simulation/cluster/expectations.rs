//! What everyone in cluster was promised, and whether it is kept.

use super::{SLOT_RELEASE_TIME, SPREAD, SimulatedClient, SimulatedCluster};
use crate::push::{
    hub::simulation::{client::ClientReaction, wire::says},
    session::{DebounceInterval, Millis},
};

impl SimulatedCluster {
    /// Everyone reads, answers, and sees that the promises were kept.
    pub(super) fn check_expectations(&mut self) {
        let now = self.harness.now;
        for index in (0..self.here.len()).rev() {
            match self.here[index].read(now) {
                ClientReaction::Nothing => {}
                ClientReaction::Pong => self.say(index, &says(0x8a, b"")),
                ClientReaction::HangUp => self.hang_up(index),
            }
        }
        for index in (0..self.here.len()).rev() {
            if self.here[index].has_left(now) {
                self.here.swap_remove(index);
                self.departures.push_back(now);
            }
        }
        for listener in &self.here {
            listener.check(now, self.messages[listener.name]);
        }
        let (clients, timers) = (self.harness.shard.clients.len(), self.harness.shard.timers.len());
        assert_eq!(clients, self.here.len());
        assert!(timers <= 64 + 4 * clients, "{timers} deadlines of {clients} clients");
    }

    pub(super) fn expect_notice(
        &mut self,
        concerned: impl Fn(&SimulatedClient) -> bool,
        topic: usize,
        id: Option<i64>,
        extra: Millis,
    ) {
        let by = self.harness.now + self.debounce.merge_window() + extra;
        let debounce_interval =
            if topic == 2 { DebounceInterval::Fixed(1_000) } else { DebounceInterval::Adaptive };
        let rest = self.debounce.interval(debounce_interval, self.most, u8::MAX);
        for listener in self.here.iter_mut().filter(|listener| concerned(listener)) {
            listener.expect(topic, id, by, rest);
        }
    }

    /// How long a member of a fan_out may wait for its turn.
    pub(super) fn slots(&mut self) -> Millis {
        let now = self.harness.now;
        while self.departures.front().is_some_and(|at| at + SLOT_RELEASE_TIME < now) {
            self.departures.pop_front();
        }
        let slots = u64::try_from(3 * (self.most + self.departures.len())).unwrap();
        (slots * 1_000).checked_div(u64::from(self.rate)).unwrap_or(0)
    }

    /// The daemon ends; then nothing may be left of anybody.
    pub(super) fn end(mut self) {
        for listener in &mut self.here {
            listener.close_expected = true;
        }
        self.harness.shard.drain(self.harness.now, self.harness.now + SPREAD);
        self.until(self.harness.now + SPREAD + 5_000);
        let shard = &mut self.harness.shard;
        assert!(shard.is_done() && self.here.is_empty());
        assert!(shard.clients.capacity() <= 64 && shard.members.is_empty());
        assert!(shard.timers.len() <= 64, "{}", shard.timers.len());
        assert_eq!(shard.shared.connections(), 0);
        assert!(shard.shared.presence.take().values().all(|here| !here));
        assert_eq!(self.harness.ends().len(), self.joined);
    }
}
