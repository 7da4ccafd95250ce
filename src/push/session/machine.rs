//! The session itself: what it owes its client, whether the client lives, when it must end.

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

/// What all sessions of a hub go by at one moment.
#[derive(Clone, Copy)]
pub struct SessionRules<'a> {
    /// The host's wording.
    pub dialect: &'a dyn ClientDialect,
    /// The promised debounce.
    pub debounce: DebouncePolicy,
    /// Connections in the whole hub, which the debounce depends on.
    pub connections: usize,
}

/// A logged-in client.
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
    /// A session that starts now. `factor` is its draw for the debounce (see [`DebouncePolicy::interval`]);
    /// `ends_at` the latest end of its life.
    pub fn new(now: Millis, factor: u8, ends_at: Millis) -> Self {
        Self {
            pending_notices: PendingNotices::default(),
            heartbeat: ClientHeartbeat::Heard(now),
            ends_at,
            factor,
            wants_ids: false,
        }
    }

    /// Something changed `at`, to be notified at `due`. Returns whether the topic began to wait with
    /// this change.
    pub fn change(&mut self, topic: TopicId, ids: &ChangedIds, at: Millis, due: Millis) -> bool {
        self.pending_notices.merge(topic, self.wants_ids.then_some(ids), at, due)
    }

    /// Puts off what waits on a topic: a crowd is notified one after another.
    pub fn defer(&mut self, topic: TopicId, until: Millis) {
        self.pending_notices.defer(topic, until);
    }

    /// The next change that is due, worded for this client, and how long it waited.
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
        let (topic, ids, waited) = self.pending_notices.take(now, interval)?;
        Some((topic, dialect.change(topic, &ids), waited))
    }

    /// Takes one item from the client, which joined as `primary`. What it asks for is left to the
    /// caller, as far as it goes beyond this session.
    pub fn receive(
        &mut self,
        item: &DecodedItem<'_>,
        now: Millis,
        dialect: &dyn ClientDialect,
        primary: &Recipient,
    ) -> ClientRequest {
        self.heartbeat.received(now);
        let received = match item {
            DecodedItem::Ping(payload) => ClientRequest::Answer(Frame::pong(payload)),
            DecodedItem::Close(close) => ClientRequest::Close(CloseReason::ClosedByClient(
                close.map_or(CloseCode::NORMAL, |close| close.code),
            )),
            DecodedItem::Text(text) => dialect.receive(text, primary),
            DecodedItem::Binary(message) => dialect.receive_binary(message, primary),
            DecodedItem::Pong(_) => ClientRequest::Nothing,
        };
        self.wants_ids |= matches!(received, ClientRequest::WantIds);
        received
    }

    /// What is to be done now for the connection itself.
    pub fn beat(&mut self, now: Millis) -> SessionAction {
        if now >= self.ends_at {
            return SessionAction::Over;
        }
        match self.heartbeat.beat(now) {
            PingAction::Ping => SessionAction::Send(Frame::ping(b"")),
            PingAction::Dead => SessionAction::Dead,
            PingAction::Wait => SessionAction::Nothing,
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

    /// How many topics wait to be notified.
    pub fn waiting(&self) -> u32 {
        self.pending_notices.waiting()
    }

    /// When [`Session::next_change`] has something to say.
    pub fn due(&self) -> Option<Millis> {
        self.pending_notices.due()
    }
}

#[cfg(test)]
mod tests;
