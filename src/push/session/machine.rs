//! The session itself: pending notices, heartbeat, end of life.

use super::{
    Millis,
    debounce::DebouncePolicy,
    dialect::{ClientDialect, ClientRequest, CloseReason},
    heartbeat::{ClientHeartbeat, PingAction},
    pending_notices::{NoticeLatency, PendingNotices},
};
use crate::{
    push::{
        notice::{ChangedIds, TopicId},
        recipient::Recipient,
    },
    websocket::{
        DecodedItem,
        frame::{CloseCode, Frame},
    },
};

/// What the sessions of a hub have in common at one moment.
#[derive(Clone, Copy)]
pub struct SessionRules<'a> {
    /// The service's wording.
    pub dialect: &'a dyn ClientDialect,
    /// How often a client is notified.
    pub debounce: DebouncePolicy,
    /// Connections in the whole hub, which the debounce depends on.
    pub connections: usize,
}

/// The state of a logged-in client, without its socket.
#[derive(Debug)]
pub struct Session {
    pending_notices: PendingNotices,
    heartbeat: ClientHeartbeat,
    ends_at: Millis,
    factor: u8,
    wants_ids: bool,
}

/// What the passing of time asks of a session.
#[derive(Debug)]
pub enum SessionAction {
    /// Nothing to do yet.
    Wait,
    /// Send a ping.
    Ping,
    /// The client is gone.
    Dead,
    /// The time of this session is over.
    Over,
}

impl Session {
    /// A session that starts now. `factor` is its random factor for the debounce (see
    /// [`DebouncePolicy::interval`]), `ends_at` the latest time of its end.
    pub fn new(now: Millis, factor: u8, ends_at: Millis) -> Self {
        Self {
            pending_notices: PendingNotices::default(),
            heartbeat: ClientHeartbeat::Alive(now),
            ends_at,
            factor,
            wants_ids: false,
        }
    }

    /// Adds a change that happened `at` and is due at `due`. Returns whether the topic began to wait with
    /// this change.
    pub fn change(&mut self, topic: TopicId, ids: &ChangedIds, at: Millis, due: Millis) -> bool {
        self.pending_notices.merge(topic, self.wants_ids.then_some(ids), at, due)
    }

    /// Delays the pending change of a topic: the clients of a fan-out are notified one after another.
    pub fn defer(&mut self, topic: TopicId, until: Millis) {
        self.pending_notices.defer(topic, until);
    }

    /// The next change that is due, worded for this client, and its latency.
    pub fn next_change(
        &mut self,
        now: Millis,
        rules: &SessionRules<'_>,
    ) -> Option<(TopicId, Frame, NoticeLatency)> {
        let SessionRules { dialect, debounce, connections } = *rules;
        let factor = self.factor;
        let interval = |topic: TopicId| {
            let debounce_interval =
                dialect.topics().get(topic.index()).map(|spec| spec.debounce_interval);
            debounce_interval.map_or(0, |debounce_interval| {
                debounce.interval(debounce_interval, connections, factor)
            })
        };
        let (topic, ids, latency) = self.pending_notices.take(now, interval)?;
        Some((topic, dialect.change(topic, &ids), latency))
    }

    /// Handles one item from the client, whose primary recipient is `primary`. Returns what remains for
    /// the caller to do.
    pub fn receive(
        &mut self,
        item: &DecodedItem<'_>,
        now: Millis,
        dialect: &dyn ClientDialect,
        primary: &Recipient,
    ) -> ClientRequest {
        self.heartbeat.received(now);
        let request = match item {
            DecodedItem::Ping(payload) => ClientRequest::Pong(Frame::pong(payload)),
            DecodedItem::Close(close) => ClientRequest::Close(CloseReason::ClosedByClient(
                close.map_or(CloseCode::NORMAL, |close| close.code),
            )),
            DecodedItem::Text(text) => dialect.receive(text, primary),
            DecodedItem::Binary(message) => dialect.receive_binary(message, primary),
            DecodedItem::Pong(_) => ClientRequest::Nothing,
        };
        self.wants_ids |= matches!(request, ClientRequest::WantIds);
        request
    }

    /// What the connection needs now.
    pub fn beat(&mut self, now: Millis) -> SessionAction {
        if now >= self.ends_at {
            return SessionAction::Over;
        }
        match self.heartbeat.beat(now) {
            PingAction::Ping => SessionAction::Ping,
            PingAction::Dead => SessionAction::Dead,
            PingAction::Wait => SessionAction::Wait,
        }
    }

    /// Ends this session at `at` or earlier.
    pub fn end_by(&mut self, at: Millis) {
        self.ends_at = self.ends_at.min(at);
    }

    /// When [`Session::beat`] must be called next.
    pub fn next_beat(&self) -> Millis {
        self.heartbeat.next().min(self.ends_at)
    }

    /// The number of pending notices.
    pub fn waiting(&self) -> u32 {
        self.pending_notices.waiting()
    }

    /// When [`Session::next_change`] returns the next change.
    pub fn due(&self) -> Option<Millis> {
        self.pending_notices.due()
    }
}

#[cfg(test)]
mod tests;
