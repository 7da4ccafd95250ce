//! How sessions end: closed in good order, aborted, removed or refused.

use super::{
    client::ShardClient,
    command::SessionId,
    shard::Shard,
    transport::{ClientTransport, TransportWatcher},
};
use crate::push::session::{CloseReason, Millis, RejectReason};

impl<T: ClientTransport, W: TransportWatcher<T>> Shard<T, W> {
    /// Ends a session in good order: last text, close frame, a moment for the answer.
    pub(super) fn start_close(&mut self, id: u32, close: CloseReason, now: Millis) {
        let revoked = close == CloseReason::Revoked;
        let text = revoked.then(|| self.context.dialect.refusal(RejectReason::Revoked)).flatten();
        let Some(client) = self.clients.get_mut(id) else { return };
        let before = client.is_blocked();
        let blocked = client.start_close(close, text, &self.context.backlog_memory, now);
        self.round_stats.update_blocked(before, client.is_blocked());
        if !before && client.is_blocked() {
            self.context.observer.blocked();
        }
        if blocked && self.watcher.want_write(&client.transport, id, true).is_err() {
            return self.remove(id, close);
        }
        self.clients.schedule(id);
    }

    /// Closes the session with this id, unless it has ended.
    pub(super) fn close(&mut self, session: SessionId, close: CloseReason, now: Millis) {
        let client = self.clients.get(session.slot);
        if client.is_some_and(|client| client.serial == session.serial) {
            self.start_close(session.slot, close, now);
        }
    }

    /// From now on no client joins, and each session ends at a random time before `until`.
    pub fn drain(&mut self, now: Millis, until: Millis) {
        self.draining = true;
        let ids: Vec<u32> = self.clients.ids().collect();
        for id in ids {
            let at = self.rng.u64(now..=until.max(now));
            if let Some(client) = self.clients.get_mut(id) {
                client.session.end_by(at);
            }
            self.clients.schedule(id);
        }
    }

    /// Whether the shard drains.
    pub fn is_draining(&self) -> bool {
        self.draining
    }

    /// Whether every session has ended after a drain.
    pub fn is_done(&self) -> bool {
        self.draining && self.clients.is_empty()
    }

    /// Removes a client; what was written to its socket is still sent.
    pub(super) fn remove(&mut self, id: u32, close: CloseReason) {
        drop(self.take(id, close));
    }

    /// Removes a client together with what the kernel holds for it.
    pub(super) fn abort(&mut self, id: u32, close: CloseReason) {
        if let Some(transport) = self.take(id, close) {
            transport.abort();
        }
    }

    fn take(&mut self, id: u32, close: CloseReason) -> Option<T> {
        let client = self.clients.remove(id)?;
        self.round_stats.subtract_waiting(client.session.waiting() as usize);
        self.round_stats.update_blocked(client.is_blocked(), false);
        self.watcher.remove(&client.transport);
        self.replays.forget(id);
        self.guards.remove(&id);
        let (primary, ended) = self.members.leave(id);
        for recipient in ended {
            self.context.presence.note(recipient, false);
        }
        self.context.left(primary, client.closing().unwrap_or(close));
        Some(client.transport)
    }

    /// Refuses a client that can't join.
    pub(super) fn reject(&mut self, mut client: ShardClient<T>, now: Millis) {
        let refusal = if self.draining { RejectReason::TryLater } else { RejectReason::TooMany };
        self.context.observer.refused(refusal);
        let text = self.context.dialect.refusal(refusal);
        client.start_close(CloseReason::Reset, text, &self.context.backlog_memory, now);
    }
}
