//! Sending: frames go to the socket or wait behind it, changes when they are due.

use super::{
    backlog::{OutgoingFrame, WriteProgress},
    client::SendOutcome,
    delay_cause::DelayCause,
    shard::Shard,
    transport::{ClientTransport, TransportWatcher},
};
use crate::push::session::{CloseReason, Millis, SessionRules};

impl<T: ClientTransport, W: TransportWatcher<T>> Shard<T, W> {
    /// Sends one frame to one client and handles the outcome.
    pub(super) fn send(&mut self, id: u32, frame: &mut OutgoingFrame, now: Millis) {
        let Some(client) = self.clients.get_mut(id) else { return };
        match client.send(frame, &self.context.backlog_memory, now) {
            SendOutcome::Open => {}
            SendOutcome::Blocked => {
                self.round_stats.update_blocked(false, true);
                self.context.observer.blocked();
                if self.watcher.want_write(&client.transport, id, true).is_err() {
                    return self.remove(id, CloseReason::Lost);
                }
                self.clients.schedule(id);
            }
            SendOutcome::Close(close) => self.start_close(id, close, now),
            SendOutcome::Gone(close) => self.remove(id, close),
        }
    }

    /// The client's socket accepts data again.
    pub fn writable(&mut self, id: u32, now: Millis) {
        let Some(client) = self.clients.get_mut(id) else { return };
        if !client.is_blocked() {
            return;
        }
        match client.flush(now) {
            Ok(WriteProgress::Blocked) => {}
            Ok(WriteProgress::Complete) => {
                self.round_stats.update_blocked(true, false);
                if self.watcher.want_write(&client.transport, id, false).is_err() {
                    return self.remove(id, CloseReason::Lost);
                }
                self.send_due_changes(id, now, DelayCause::Client);
            }
            Err(_) => return self.remove(id, CloseReason::Lost),
        }
        self.clients.schedule(id);
    }

    /// Sends the changes that are due, unless the socket is full: then they wait, merged.
    pub(super) fn send_due_changes(&mut self, id: u32, now: Millis, cause: DelayCause) {
        while let Some(client) = self.clients.get_mut(id) {
            if client.is_blocked() || client.closing().is_some() {
                return;
            }
            let rules = SessionRules {
                dialect: &*self.context.dialect,
                debounce: self.policy.debounce,
                connections: self.context.connections(),
            };
            let Some((topic, frame, mut latency)) = client.session.next_change(now, &rules) else {
                return;
            };
            if cause == DelayCause::Client {
                latency.late = 0;
            }
            self.round_stats.subtract_waiting(1);
            self.round_stats.notified(topic, latency, &*self.context.observer);
            self.send(id, &mut OutgoingFrame::new(frame), now);
        }
    }
}
