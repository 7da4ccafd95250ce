//! The session itself: what it owes its client, whether the client lives, when it must end.

use super::{
    Millis,
    dialect::{Close, Dialect, Heard},
    heartbeat::{Beat, Heartbeat},
    outbox::{Outbox, Waited},
    pace::Pace,
};
use crate::{
    push::{
        notice::{Ids, Topic},
        recipient::Recipient,
    },
    websocket::{
        Item,
        frame::{CloseCode, Frame},
    },
};

/// What all sessions of a hub go by at one moment.
#[derive(Clone, Copy)]
pub struct Rules<'a> {
    /// The host's wording.
    pub dialect: &'a dyn Dialect,
    /// The promised pace.
    pub pace: Pace,
    /// Connections in the whole hub, which the pace depends on.
    pub connections: usize,
}

/// A logged-in client.
#[derive(Debug)]
pub struct Session {
    outbox: Outbox,
    heartbeat: Heartbeat,
    ends_at: Millis,
    factor: u8,
    wants_ids: bool,
}

/// What the passing of time asks of a session.
#[derive(Debug)]
pub enum Due {
    /// Send this.
    Send(Frame),
    /// The time of this session is over.
    Over,
    /// The client is gone.
    Dead,
    /// Nothing.
    Nothing,
}

impl Session {
    /// A session that starts now. `factor` is its draw for the pace (see [`Pace::interval`]);
    /// `ends_at` the latest end of its life.
    pub fn new(now: Millis, factor: u8, ends_at: Millis) -> Self {
        Self {
            outbox: Outbox::default(),
            heartbeat: Heartbeat::Heard(now),
            ends_at,
            factor,
            wants_ids: false,
        }
    }

    /// Something changed `at`, to be told at `due`. Returns whether the topic began to wait with
    /// this change.
    pub fn change(&mut self, topic: Topic, ids: &Ids, at: Millis, due: Millis) -> bool {
        self.outbox.merge(topic, self.wants_ids.then_some(ids), at, due)
    }

    /// Puts off what waits on a topic: a crowd is told one after another.
    pub fn put_off(&mut self, topic: Topic, until: Millis) {
        self.outbox.put_off(topic, until);
    }

    /// The next change that is due, worded for this client, and how long it waited.
    pub fn next_change(
        &mut self,
        now: Millis,
        rules: &Rules<'_>,
    ) -> Option<(Topic, Frame, Waited)> {
        let Rules { dialect, pace, connections } = *rules;
        let factor = self.factor;
        let interval = |topic: Topic| {
            let tempo = dialect.topics().get(topic.index()).map(|spec| spec.tempo);
            tempo.map_or(0, |tempo| pace.interval(tempo, connections, factor))
        };
        let (topic, ids, waited) = self.outbox.take(now, interval)?;
        Some((topic, dialect.change(topic, &ids), waited))
    }

    /// Takes one item from the client, which joined as `home`. What it asks for is left to the
    /// caller, as far as it goes beyond this session.
    pub fn hear(
        &mut self,
        item: &Item<'_>,
        now: Millis,
        dialect: &dyn Dialect,
        home: &Recipient,
    ) -> Heard {
        self.heartbeat.heard(now);
        let heard = match item {
            Item::Ping(payload) => Heard::Answer(Frame::pong(payload)),
            Item::Close(close) => {
                Heard::Close(Close::Goodbye(close.map_or(CloseCode::NORMAL, |close| close.code)))
            }
            Item::Text(text) => dialect.hear(text, home),
            Item::Binary(message) => dialect.hear_binary(message, home),
            Item::Pong(_) => Heard::Nothing,
        };
        self.wants_ids |= matches!(heard, Heard::WantIds);
        heard
    }

    /// What is to be done now for the connection itself.
    pub fn beat(&mut self, now: Millis) -> Due {
        if now >= self.ends_at {
            return Due::Over;
        }
        match self.heartbeat.beat(now) {
            Beat::Ping => Due::Send(Frame::ping(b"")),
            Beat::Dead => Due::Dead,
            Beat::Wait => Due::Nothing,
        }
    }

    /// Ends this session no later than `at`.
    pub fn end_by(&mut self, at: Millis) {
        self.ends_at = self.ends_at.min(at);
    }

    /// When [`Session::beat`] must be called next.
    pub fn next_beat(&self) -> Millis {
        self.heartbeat.next().min(self.ends_at)
    }

    /// How many topics wait to be told.
    pub fn waiting(&self) -> u32 {
        self.outbox.waiting()
    }

    /// When [`Session::next_change`] has something to say.
    pub fn due(&self) -> Option<Millis> {
        self.outbox.due()
    }
}

#[cfg(test)]
mod tests;
