//! What clients ask for: further subscriptions, answers, past messages.

use super::{
    backlog::OutgoingFrame,
    inbound_rate::InboundCost,
    membership::MembershipChange,
    shard::Shard,
    transport::{ClientTransport, TransportWatcher},
};
use crate::{
    push::{
        recipient::Recipient,
        session::{ClientRequest, CloseReason, Millis, ReplaySource},
    },
    websocket::frame::Frame,
};

/// The most that a client is sent of the past, in bytes; newer messages come first.
const MAX_REPLAY: usize = 1024 * 1024;
/// Subscriptions that a client may have while more than half of their memory is in use.
const FAIR_SUBSCRIPTIONS: usize = 128;

impl<T: ClientTransport, W: TransportWatcher<T>> Shard<T, W> {
    /// Does what a client asks for; returns what that costs beyond the bytes and the command itself.
    pub(super) fn handle_request(
        &mut self,
        id: u32,
        request: ClientRequest,
        now: Millis,
    ) -> InboundCost {
        // An earlier request may have ended the session; the slot would be the next client's.
        if self.clients.get(id).is_none_or(|client| client.closing().is_some()) {
            return InboundCost::default();
        }
        match request {
            ClientRequest::Nothing | ClientRequest::WantIds => {}
            ClientRequest::Answer(frame) | ClientRequest::Pong(frame) => {
                self.send(id, &mut OutgoingFrame::new(frame), now);
            }
            ClientRequest::Subscribe(recipients) => {
                self.subscribe(id, &recipients, now);
                return InboundCost::ids(recipients.len());
            }
            ClientRequest::Unsubscribe(recipients) => {
                self.unsubscribe(id, &recipients);
                return InboundCost::ids(recipients.len());
            }
            ClientRequest::Replay(source) => return self.replay(id, source, now),
            ClientRequest::Close(close) => self.start_close(id, close, now),
        }
        InboundCost::default()
    }

    /// Adds subscriptions; a client with too many is closed.
    pub(super) fn subscribe(&mut self, id: u32, recipients: &[Recipient], now: Millis) {
        for recipient in recipients {
            if self.members.listens(id, recipient) {
                continue;
            }
            if self.is_over_subscription_limit(id) {
                return self.start_close(id, CloseReason::LimitExceeded, now);
            }
            if let MembershipChange::Edge(first) = self.members.subscribe(id, recipient) {
                self.context.presence.note(first, true);
            }
        }
    }

    /// Whether the client may have no further subscription. With more than half of the memory in use only
    /// clients with few may have more: those that hold most can't keep others out.
    fn is_over_subscription_limit(&self, id: u32) -> bool {
        let (limits, count) = (&self.policy.limits, self.members.subscription_count(id));
        let bytes = self.members.subscription_bytes();
        count >= limits.subscriptions
            || bytes >= limits.subscription_bytes
            || bytes >= limits.subscription_bytes / 2 && count >= FAIR_SUBSCRIPTIONS
    }

    fn unsubscribe(&mut self, id: u32, recipients: &[Recipient]) {
        for recipient in recipients {
            if let MembershipChange::Edge(last) = self.members.unsubscribe(id, recipient) {
                self.context.presence.note(last, false);
            }
        }
    }

    /// Sends the past messages that are for this client as one piece.
    fn replay(&mut self, id: u32, source: ReplaySource, now: Millis) -> InboundCost {
        if !self.replays.allows(id, now) {
            self.start_close(id, CloseReason::LimitExceeded, now);
            return InboundCost::default();
        }
        let entries = source.entries();
        let searched = entries.iter().map(|entry| entry.to.len().max(1)).sum();
        let is_for_client =
            |to: &[Recipient]| to.iter().any(|recipient| self.members.listens(id, recipient));
        let mut room = MAX_REPLAY;
        let newest_first = entries.iter().rev().filter(|entry| is_for_client(&entry.to));
        let fitting = newest_first.map(|entry| &entry.frame).filter(|frame| {
            let rest = room.checked_sub(frame.bytes().len());
            room = rest.unwrap_or(room);
            rest.is_some()
        });
        let mut frames: Vec<&Frame> = fitting.collect();
        frames.reverse();
        if !frames.is_empty() {
            self.send(id, &mut OutgoingFrame::new(Frame::joined(frames)), now);
        }
        InboundCost::replayed(searched)
    }

    /// The number of clients that listen as this recipient.
    pub fn count(&self, recipient: &str) -> usize {
        self.members.clients(recipient).len()
    }
}
