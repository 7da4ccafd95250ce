//! What clients listen as besides their home, and what they missed of it.

use super::{
    shard::Shard,
    transport::{Transport, Watcher},
};
use crate::{
    push::{
        recipient::Recipient,
        session::{Close, Heard, Millis, Past},
    },
    websocket::frame::Frame,
};

/// The most that a client is sent of the past, in bytes: what is newer counts more.
const MAX_REPLAY: usize = 1024 * 1024;

impl<T: Transport, W: Watcher<T>> Shard<T, W> {
    /// Does what a client asks for.
    pub(super) fn grant(&mut self, id: u32, heard: Heard, now: Millis) {
        // What it asked for before may have been its end; its place would be the next client's.
        if self.clients.get(id as usize).is_none_or(|client| client.closing().is_some()) {
            return;
        }
        match heard {
            Heard::Nothing | Heard::WantIds => {}
            Heard::Answer(frame) => self.send(id, &frame, now),
            Heard::Subscribe(recipients) => self.subscribe(id, &recipients, now),
            Heard::Unsubscribe(recipients) => self.unsubscribe(id, &recipients),
            Heard::Replay(past) => self.replay(id, past, now),
            Heard::Close(close) => self.see_off(id, close, now),
        }
    }

    /// From now on the client listens as these as well; it is closed when they are too many.
    pub(super) fn subscribe(&mut self, id: u32, recipients: &[Recipient], now: Millis) {
        for recipient in recipients {
            if self.listens(id, recipient) {
                continue;
            }
            if self.subscriptions.of(id).len() >= self.terms.limits.subscriptions {
                return self.see_off(id, Close::Overfull, now);
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
                self.forsake(id, member);
            }
        }
    }

    /// The client subscribes to nothing any more.
    pub(super) fn forsake_all(&mut self, id: u32) {
        for member in self.subscriptions.take(id) {
            self.forsake(id, member);
        }
    }

    fn forsake(&mut self, id: u32, member: u32) {
        if let Some(last) = self.members.leave(member, id) {
            self.shared.presence.note(last, false);
        }
    }

    /// Sends what is for this client, in one piece: its parts would be too many for the backlog.
    fn replay(&mut self, id: u32, past: Past, now: Millis) {
        if !self.subscriptions.may_replay(id, now) {
            return self.see_off(id, Close::Overfull, now);
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
        let home = self.clients.get(id as usize).is_some_and(|client| client.member == member);
        home || self.subscriptions.contains(id, member)
    }

    /// How many clients listen as this recipient.
    pub fn count(&self, recipient: &str) -> usize {
        self.members.count(recipient)
    }
}
