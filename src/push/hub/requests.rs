//! What clients listen as besides their primary, and what they missed of it.

use super::{
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

/// The most that a client is sent of the past, in bytes: what is newer counts more.
const MAX_REPLAY: usize = 1024 * 1024;

impl<T: ClientTransport, W: TransportWatcher<T>> Shard<T, W> {
    /// Does what a client asks for.
    pub(super) fn handle_request(&mut self, id: u32, received: ClientRequest, now: Millis) {
        // What it asked for before may have been its end; its place would be the next client's.
        if self.clients.get(id as usize).is_none_or(|client| client.closing().is_some()) {
            return;
        }
        match received {
            ClientRequest::Nothing | ClientRequest::WantIds => {}
            ClientRequest::Answer(frame) => self.send(id, &frame, now),
            ClientRequest::Subscribe(recipients) => self.subscribe(id, &recipients, now),
            ClientRequest::Unsubscribe(recipients) => self.unsubscribe(id, &recipients),
            ClientRequest::Replay(past) => self.replay(id, past, now),
            ClientRequest::Close(close) => self.start_close(id, close, now),
        }
    }

    /// From now on the client listens as these as well; it is closed when they are too many.
    pub(super) fn subscribe(&mut self, id: u32, recipients: &[Recipient], now: Millis) {
        for recipient in recipients {
            if self.listens(id, recipient) {
                continue;
            }
            if self.subscriptions.of(id).len() >= self.session_policy.limits.subscriptions {
                return self.start_close(id, CloseReason::LimitExceeded, now);
            }
            let (member, first) = self.members.join(recipient, id);
            self.subscriptions.add(id, member);
            if first {
                self.shared.presence.note(recipient.clone(), true);
            }
        }
    }

    fn unsubscribe(&mut self, id: u32, recipients: &[Recipient]) {
        for recipient in recipients {
            let Some(member) = self.members.index(recipient) else { continue };
            if self.subscriptions.contains(id, member) {
                self.subscriptions.remove(id, member);
                self.unsubscribe_member(id, member);
            }
        }
    }

    /// The client subscribes to nothing any more.
    pub(super) fn unsubscribe_all(&mut self, id: u32) {
        for member in self.subscriptions.take(id) {
            self.unsubscribe_member(id, member);
        }
    }

    fn unsubscribe_member(&mut self, id: u32, member: u32) {
        if let Some(last) = self.members.leave(member, id) {
            self.shared.presence.note(last, false);
        }
    }

    /// Sends what is for this client, in one piece: its parts would be too many for the backlog.
    fn replay(&mut self, id: u32, past: ReplaySource, now: Millis) {
        if !self.subscriptions.may_replay(id, now) {
            return self.start_close(id, CloseReason::LimitExceeded, now);
        }
        let held = past.held();
        let mine = held.iter().filter(|held| held.to.iter().any(|to| self.listens(id, to)));
        let mut room = MAX_REPLAY;
        let newest = mine.rev().map(|held| &held.frame).filter(|frame| {
            let rest = room.checked_sub(frame.bytes().len());
            room = rest.unwrap_or(room);
            rest.is_some()
        });
        let mut frames: Vec<&Frame> = newest.collect();
        frames.reverse();
        if !frames.is_empty() {
            self.send(id, &Frame::joined(frames), now);
        }
    }

    fn listens(&self, id: u32, recipient: &Recipient) -> bool {
        let Some(member) = self.members.index(recipient) else { return false };
        let primary = self.clients.get(id as usize).is_some_and(|client| client.member == member);
        primary || self.subscriptions.contains(id, member)
    }

    /// How many clients listen as this recipient.
    pub fn count(&self, recipient: &str) -> usize {
        self.members.count(recipient)
    }
}
