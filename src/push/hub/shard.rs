//! The clients of one shard and what happens to them: let in, received, timed, notified what is due.
//!
//! Everything here is synchronous and gets the time passed in; [`super::event_loop`] runs it on real
//! sockets, the simulation on made-up ones.

use super::{
    HubContext,
    client::{SendOutcome, ShardClient},
    command::{GreetingFrames, JoinRequest, ListedSession, SessionId},
    context::SessionPolicy,
    deadlines::DeadlineHeap,
    membership::MembershipTable,
    round_stats::RoundStats,
    subscription_table::SubscriptionTable,
    transport::{ClientTransport, TransportWatcher},
};
use crate::{
    push::session::{ClientRequest, CloseReason, Millis, Session, SessionAction, SessionRules},
    websocket::frame::Frame,
};
use slab::Slab;
use smallvec::SmallVec;
use std::{io::ErrorKind, sync::Arc};

/// Shared by all reads of a shard; what a client may send at most is far less.
const READ_BUFFER: usize = 8 * 1024;
/// A client is read so often in a row before others get their turn.
const READS_IN_A_ROW: usize = 4;

/// Who held up a change that is notified after it was due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DelayCause {
    /// We did.
    Ours,
    /// The client, whose socket was full.
    Client,
}

/// A part of the hub: some of its clients, looked after by one task.
pub struct Shard<T, W> {
    pub(super) shared: Arc<HubContext>,
    pub(super) session_policy: SessionPolicy,
    pub(super) watcher: W,
    pub(super) clients: Slab<ShardClient<T>>,
    pub(super) members: MembershipTable,
    pub(super) subscriptions: SubscriptionTable,
    pub(super) timers: DeadlineHeap,
    pub(super) round_stats: RoundStats,
    number: u16,
    serial: u32,
    pub(super) rng: fastrand::Rng,
    buffer: Box<[u8]>,
    /// Clients that still have something to read.
    unread: Vec<u32>,
    pub(super) draining: bool,
}

impl<T: ClientTransport, W: TransportWatcher<T>> Shard<T, W> {
    /// An empty shard.
    pub fn new(shared: Arc<HubContext>, watcher: W, number: u16, rng: fastrand::Rng) -> Self {
        Self {
            session_policy: shared.session_policy,
            shared,
            watcher,
            clients: Slab::new(),
            members: MembershipTable::default(),
            subscriptions: SubscriptionTable::default(),
            timers: DeadlineHeap::default(),
            round_stats: RoundStats::default(),
            number,
            serial: 0,
            rng,
            buffer: vec![0; READ_BUFFER].into_boxed_slice(),
            unread: Vec::new(),
            draining: false,
        }
    }

    /// Takes in a client: registered first, notified so after, so that no event falls in between.
    pub fn join(&mut self, join_request: JoinRequest<T>, now: Millis) {
        let JoinRequest { transport, leftover, authenticated, subscriptions, greeting, permit } =
            join_request;
        let factor = self.rng.u8(..);
        let ends_at =
            self.session_policy.limits.max_connection.map_or(Millis::MAX, |max| now + max);
        let session = Session::new(now, factor, ends_at);
        let mut client =
            ShardClient::new(transport, session, authenticated.auth_method, self.next_serial());
        if self.draining || self.is_full(&authenticated.recipient) {
            return self.reject(client, now);
        }
        let Ok(id) = u32::try_from(self.clients.vacant_key()) else {
            return self.reject(client, now);
        };
        if self.watcher.add(&client.transport, id).is_err() {
            return client.transport.abort();
        }
        let (member, first) = self.members.join(&authenticated.recipient, id);
        client.member = member;
        self.clients.insert(client);
        self.shared.arrived(first.then_some(authenticated.recipient), permit);
        self.subscribe(id, &subscriptions, now);
        self.greet(id, greeting, now);
        for part in leftover.chunks(READ_BUFFER) {
            self.buffer[..part.len()].copy_from_slice(part);
            self.receive(id, part.len(), now);
        }
        self.schedule(id);
    }

    /// What a client receives first, in one piece: its parts could be too many for the backlog.
    fn greet(&mut self, id: u32, greeting: Option<GreetingFrames>, now: Millis) {
        let frames = match greeting {
            Some(greeting) => greeting(),
            None => self.shared.dialect.welcome().into_iter().collect(),
        };
        match &frames[..] {
            [] => {}
            [only] => self.send(id, only, now),
            several => self.send(id, &Frame::joined(several), now),
        }
    }

    /// The client's socket has something to read, or has ended.
    pub fn readable(&mut self, id: u32, now: Millis) {
        for _ in 0..READS_IN_A_ROW {
            let Some(client) = self.clients.get_mut(id as usize) else { return };
            match client.transport.read(&mut self.buffer) {
                Ok(0) => return self.remove(id, CloseReason::Lost),
                Ok(count) => self.receive(id, count, now),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return self.remove(id, CloseReason::Lost),
            }
        }
        self.unread.push(id);
    }

    /// The client's socket takes data again.
    pub fn writable(&mut self, id: u32, now: Millis) {
        let Some(client) = self.clients.get_mut(id as usize) else { return };
        if !client.is_blocked() {
            return;
        }
        match client.flush(now) {
            Ok(false) => {}
            Ok(true) => {
                self.round_stats.update_blocked(true, false);
                let freed = self.watcher.want_write(&client.transport, id, false);
                if freed.is_err() {
                    return self.remove(id, CloseReason::Lost);
                }
                self.send_due_changes(id, now, DelayCause::Client);
            }
            Err(_) => return self.remove(id, CloseReason::Lost),
        }
        self.schedule(id);
    }

    /// Does what time asks for, for `budget` clients at most; the rest is for the next call.
    pub fn pass_time(&mut self, now: Millis, budget: usize) {
        for id in std::mem::take(&mut self.unread) {
            self.readable(id, now);
        }
        for _ in 0..budget {
            let Some((at, id)) = self.timers.pop(now) else { return };
            let Some(client) = self.clients.get_mut(id as usize) else { continue };
            if client.timer == at {
                client.timer = Millis::MAX;
                self.handle_deadline(id, now);
            }
        }
    }

    /// Reports what was done since the last report, and how much waits.
    pub fn report(&mut self) {
        let depth = self.shared.depths.get(usize::from(self.number));
        self.round_stats.publish(&*self.shared.observer, depth);
    }

    /// When [`Shard::pass_time`] has something to do.
    pub fn next_deadline(&self) -> Option<Millis> {
        if self.unread.is_empty() { self.timers.next() } else { Some(0) }
    }

    /// From now on clients are served on these session_policy; what they wait for stays due when it was.
    pub fn apply(&mut self, session_policy: SessionPolicy) {
        self.session_policy = session_policy;
    }

    /// The sessions from place `from` on, at most `count`.
    pub fn list(&self, from: u32, count: usize) -> Vec<ListedSession> {
        let slots = from as usize..self.clients.capacity();
        let later = slots.filter_map(|slot| Some((slot, self.clients.get(slot)?)));
        let open = later.filter(|(_, client)| client.closing().is_none());
        open.take(count).filter_map(|(slot, client)| self.present(slot, client)).collect()
    }

    fn present(&self, slot: usize, client: &ShardClient<T>) -> Option<ListedSession> {
        let slot = u32::try_from(slot).ok()?;
        let id = SessionId { shard: self.number, slot, serial: client.serial };
        let recipient = self.members.recipient(client.member)?.clone();
        Some(ListedSession { id, recipient, auth_method: client.auth_method.clone() })
    }

    /// Sends one frame to one client and deals with what comes of it.
    pub(super) fn send(&mut self, id: u32, frame: &Frame, now: Millis) {
        let Some(client) = self.clients.get_mut(id as usize) else { return };
        match client.send(frame, now) {
            SendOutcome::Open => {}
            SendOutcome::Blocked => {
                self.round_stats.update_blocked(false, true);
                self.shared.observer.blocked();
                if self.watcher.want_write(&client.transport, id, true).is_err() {
                    return self.remove(id, CloseReason::Lost);
                }
                self.schedule(id);
            }
            SendOutcome::Gone(CloseReason::Slow) => self.start_close(id, CloseReason::Slow, now),
            SendOutcome::Gone(close) => self.remove(id, close),
        }
    }

    /// Makes sure the client is looked after in time.
    pub(super) fn schedule(&mut self, id: u32) {
        let Some(client) = self.clients.get_mut(id as usize) else { return };
        let at = client.next_deadline();
        if at < client.timer {
            client.timer = at;
            self.timers.set(at, id);
            self.tidy_timers();
        }
    }

    /// Each message notified leaves a stale deadline behind: the heartbeat's, half a minute ahead.
    pub(super) fn tidy_timers(&mut self) {
        let clients = &self.clients;
        let counts = |at, id| clients.get(id as usize).is_some_and(|client| client.timer == at);
        self.timers.tidy(clients.len(), counts);
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = u32> {
        self.clients.iter().filter_map(|(slot, _)| u32::try_from(slot).ok())
    }

    /// A time within `spread`.
    pub(super) fn jitter(&mut self, spread: Millis) -> Millis {
        self.rng.u64(0..=spread)
    }

    /// What a client sent lies in the buffer.
    fn receive(&mut self, id: u32, count: usize, now: Millis) {
        let Some(client) = self.clients.get_mut(id as usize) else { return };
        let Some(primary) = self.members.recipient(client.member) else { return };
        let mut asked: SmallVec<[ClientRequest; 2]> = SmallVec::new();
        let mut items = client.decoder.feed(self.shared.rules, &mut self.buffer[..count]);
        while let Some(item) = items.next() {
            let received = match &item {
                Ok(item) => client.session.receive(item, now, &*self.shared.dialect, primary),
                Err(error) => ClientRequest::Close(CloseReason::Protocol(error.close_code())),
            };
            if !matches!(received, ClientRequest::Nothing) {
                asked.push(received);
            }
        }
        if client.closing().is_none() {
            asked.into_iter().for_each(|received| self.handle_request(id, received, now));
        } else if asked.iter().any(|received| matches!(received, ClientRequest::Close(_))) {
            self.remove(id, CloseReason::Lost);
        }
    }

    fn handle_deadline(&mut self, id: u32, now: Millis) {
        let Some(client) = self.clients.get_mut(id as usize) else { return };
        if client.is_overdue(now) {
            let close = client.closing().unwrap_or(CloseReason::Slow);
            return self.abort(id, close);
        }
        if client.closing().is_none() {
            match client.session.beat(now) {
                SessionAction::Send(ping) => self.send(id, &ping, now),
                SessionAction::Dead => return self.abort(id, CloseReason::Silent),
                SessionAction::Over => {
                    let close =
                        if self.draining { CloseReason::Shutdown } else { CloseReason::Expired };
                    return self.start_close(id, close, now);
                }
                SessionAction::Nothing => {}
            }
            self.send_due_changes(id, now, DelayCause::Ours);
        }
        self.schedule(id);
    }

    /// Sends the changes that are due, unless the socket is full: then they wait, merged.
    fn send_due_changes(&mut self, id: u32, now: Millis, delay: DelayCause) {
        while let Some(client) = self.clients.get_mut(id as usize) {
            if client.is_blocked() || client.closing().is_some() {
                return;
            }
            let rules = SessionRules {
                dialect: &*self.shared.dialect,
                debounce: self.session_policy.debounce,
                connections: self.shared.connections(),
            };
            let Some((topic, frame, mut waited)) = client.session.next_change(now, &rules) else {
                return;
            };
            if delay == DelayCause::Client {
                waited.late = 0;
            }
            self.round_stats.subtract_waiting(1);
            self.round_stats.notified(topic, waited, &*self.shared.observer);
            self.send(id, &frame, now);
        }
    }

    fn is_full(&self, recipient: &str) -> bool {
        self.members.count(recipient) >= self.session_policy.limits.per_recipient
    }

    fn next_serial(&mut self) -> u32 {
        self.serial = self.serial.wrapping_add(1);
        self.serial
    }
}
