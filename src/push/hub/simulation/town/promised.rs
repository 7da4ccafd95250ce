//! What everyone in town was promised, and whether it is kept.

use super::{Listener, SLOTS_OF_THE_DEPARTED, SPREAD, Town};
use crate::push::{
    hub::simulation::{listener::Reaction, wire::says},
    session::{Millis, Tempo},
};

impl Town {
    /// Everyone reads, answers, and sees that the promises were kept.
    pub(super) fn look_around(&mut self) {
        let now = self.world.now;
        for index in (0..self.here.len()).rev() {
            match self.here[index].read(now) {
                Reaction::Nothing => {}
                Reaction::Pong => self.say(index, &says(0x8a, b"")),
                Reaction::HangUp => self.hang_up(index),
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
        let (clients, timers) = (self.world.shard.clients.len(), self.world.shard.timers.len());
        assert_eq!(clients, self.here.len());
        assert!(timers <= 64 + 4 * clients, "{timers} deadlines of {clients} clients");
    }

    pub(super) fn owe(
        &mut self,
        whom: impl Fn(&Listener) -> bool,
        topic: usize,
        id: Option<i64>,
        extra: Millis,
    ) {
        let by = self.world.now + self.pace.merge_window() + extra;
        let tempo = if topic == 2 { Tempo::Fixed(1_000) } else { Tempo::Crowd };
        let rest = self.pace.interval(tempo, self.most, u8::MAX);
        for listener in self.here.iter_mut().filter(|listener| whom(listener)) {
            listener.owes(topic, id, by, rest);
        }
    }

    /// How long a member of a crowd may wait for its turn.
    pub(super) fn slots(&mut self) -> Millis {
        let now = self.world.now;
        while self.departures.front().is_some_and(|at| at + SLOTS_OF_THE_DEPARTED < now) {
            self.departures.pop_front();
        }
        let slots = u64::try_from(3 * (self.most + self.departures.len())).unwrap();
        (slots * 1_000).checked_div(u64::from(self.rate)).unwrap_or(0)
    }

    /// The daemon ends; then nothing may be left of anybody.
    pub(super) fn end(mut self) {
        for listener in &mut self.here {
            listener.dismissed = true;
        }
        self.world.shard.drain(self.world.now, self.world.now + SPREAD);
        self.until(self.world.now + SPREAD + 5_000);
        let shard = &mut self.world.shard;
        assert!(shard.is_done() && self.here.is_empty());
        assert!(shard.clients.capacity() <= 64 && shard.members.is_empty());
        assert!(shard.timers.len() <= 64, "{}", shard.timers.len());
        assert_eq!(shard.shared.connections(), 0);
        assert!(shard.shared.presence.take().values().all(|here| !here));
        assert_eq!(self.world.ends().len(), self.joined);
    }
}
