//! Checks the guarantees of every client of the simulated cluster.

use super::{SLOT_RELEASE_TIME, SPREAD, SimulatedClient, SimulatedCluster};
use crate::push::{
    hub::simulation::{client::ClientReaction, wire::client_frame},
    session::{DebounceInterval, Millis},
};

impl SimulatedCluster {
    /// Every client reads, answers, and checks its guarantees.
    pub(super) fn check_expectations(&mut self) {
        let now = self.harness.now;
        for index in (0..self.clients.len()).rev() {
            match self.clients[index].read(now) {
                ClientReaction::Nothing => {}
                ClientReaction::Pong => self.send(index, &client_frame(0x8a, b"")),
                ClientReaction::HangUp => self.hang_up(index),
            }
        }
        for index in (0..self.clients.len()).rev() {
            if self.clients[index].has_left(now) {
                self.clients.swap_remove(index);
                self.departures.push_back(now);
            }
        }
        for client in &self.clients {
            client.check(now, self.messages[client.name]);
        }
        let (clients, (deadlines, _)) =
            (self.harness.shard.clients.len(), self.harness.shard.clients.sizes());
        assert_eq!(clients, self.clients.len());
        assert!(deadlines <= 64 + 4 * clients, "{deadlines} deadlines of {clients} clients");
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
        let rest = self.debounce.interval(debounce_interval, self.maximum, u8::MAX);
        for client in self.clients.iter_mut().filter(|client| concerned(client)) {
            client.expect(topic, id, by, rest);
        }
    }

    /// How long a client may wait for its turn in a fan-out.
    pub(super) fn slots(&mut self) -> Millis {
        let now = self.harness.now;
        while self.departures.front().is_some_and(|at| at + SLOT_RELEASE_TIME < now) {
            self.departures.pop_front();
        }
        let slots = u64::try_from(3 * (self.maximum + self.departures.len())).unwrap();
        (slots * 1_000).checked_div(u64::from(self.rate)).unwrap_or(0)
    }

    /// The daemon shuts down; then nothing of any client may be left.
    pub(super) fn end(mut self) {
        for client in &mut self.clients {
            client.close_expected = true;
        }
        self.harness.shard.drain(self.harness.now, self.harness.now + SPREAD);
        self.until(self.harness.now + SPREAD + 5_000);
        let shard = &mut self.harness.shard;
        assert!(shard.is_done() && self.clients.is_empty());
        let (deadlines, slots) = shard.clients.sizes();
        assert!(deadlines <= 64 && slots <= 64 && shard.members.is_empty(), "{deadlines} {slots}");
        assert_eq!((shard.context.connections(), self.harness.memory.used()), (0, 0));
        assert!(shard.context.presence.take().values().all(|here| !here));
        assert_eq!(self.harness.ends().len(), self.joined);
    }
}
