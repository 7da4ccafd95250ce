//! How clients go: seen off in good order, aborted, forgotten, turned away; one, some or all.

use super::{
    client::ShardClient,
    command::SessionId,
    shard::Shard,
    transport::{ClientTransport, TransportWatcher},
};
use crate::push::{
    recipient::Recipient,
    session::{CloseReason, Millis, RejectReason},
};

impl<T: ClientTransport, W: TransportWatcher<T>> Shard<T, W> {
    /// Ends a session in good order: last words, close frame, a moment for the answer.
    pub fn start_close(&mut self, id: u32, close: CloseReason, now: Millis) {
        let revoked = close == CloseReason::Revoked;
        let words = revoked.then(|| self.shared.dialect.refusal(RejectReason::Revoked)).flatten();
        let Some(client) = self.clients.get_mut(id as usize) else { return };
        let before = client.is_blocked();
        let blocked = client.start_close(close, words, now);
        self.round_stats.update_blocked(before, client.is_blocked());
        if !before && client.is_blocked() {
            self.shared.observer.blocked();
        }
        if blocked && self.watcher.want_write(&client.transport, id, true).is_err() {
            return self.remove(id, close);
        }
        self.schedule(id);
    }

    /// Closes the session with this id if it is still the same.
    pub fn close(&mut self, session: SessionId, close: CloseReason, now: Millis) {
        let client = self.clients.get(session.slot as usize);
        if client.is_some_and(|client| client.serial == session.serial) {
            self.start_close(session.slot, close, now);
        }
    }

    /// Closes every session that listens as this recipient, or all of them; says how many.
    pub fn disconnect(
        &mut self,
        recipient: Option<&Recipient>,
        close: CloseReason,
        now: Millis,
    ) -> usize {
        let ids: Vec<u32> = match recipient {
            Some(recipient) => self.members.clients(recipient).to_vec(),
            None => self.ids().collect(),
        };
        ids.iter().for_each(|id| self.start_close(*id, close, now));
        ids.len()
    }

    /// From now on nobody comes in, and everybody goes at a time of their own before `until`.
    pub fn drain(&mut self, now: Millis, until: Millis) {
        self.draining = true;
        let ids: Vec<u32> = self.ids().collect();
        for id in ids {
            let at = self.rng.u64(now..=until.max(now));
            if let Some(client) = self.clients.get_mut(id as usize) {
                client.session.end_by(at);
            }
            self.schedule(id);
        }
    }

    /// Whether nobody comes in any more.
    pub fn is_draining(&self) -> bool {
        self.draining
    }

    /// Whether a drain is complete.
    pub fn is_done(&self) -> bool {
        self.draining && self.clients.is_empty()
    }

    /// Forgets a client; what was written to it still goes out.
    pub(super) fn remove(&mut self, id: u32, close: CloseReason) {
        drop(self.take(id, close));
    }

    /// Forgets a client together with what the kernel holds for it.
    pub(super) fn abort(&mut self, id: u32, close: CloseReason) {
        if let Some(transport) = self.take(id, close) {
            transport.abort();
        }
    }

    fn take(&mut self, id: u32, close: CloseReason) -> Option<T> {
        let client = self.clients.try_remove(id as usize)?;
        self.round_stats.subtract_waiting(client.session.waiting() as usize);
        self.round_stats.update_blocked(client.is_blocked(), false);
        self.watcher.remove(&client.transport);
        self.unsubscribe_all(id);
        let last = self.members.leave(client.member, id);
        self.shared.left(last, client.closing().unwrap_or(close));
        self.tidy_timers();
        if self.clients.capacity() > 64 + 8 * self.clients.len() {
            self.clients.shrink_to_fit();
        }
        Some(client.transport)
    }

    pub(super) fn reject(&mut self, mut client: ShardClient<T>, now: Millis) {
        let refusal = if self.draining { RejectReason::TryLater } else { RejectReason::TooMany };
        self.shared.observer.refused(refusal);
        client.start_close(CloseReason::Reset, self.shared.dialect.refusal(refusal), now);
    }
}
