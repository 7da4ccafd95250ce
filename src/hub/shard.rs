//! The clients of one shard and what happens to them: told, heard, timed, seen off.
//!
//! Everything here is synchronous and gets the time passed in; [`super::event_loop`] runs it on real
//! sockets, the simulation on made-up ones.

use super::{
    Shared,
    client::{Client, Standing},
    command::{Newcomer, Present, SessionId},
    members::Members,
    shared::Terms,
    tally::Tally,
    timers::Timers,
    transport::{Transport, Watcher},
};
use crate::{
    frame::Frame,
    recipient::Recipient,
    session::{Close, Due, Millis, Refusal, Rules, Session},
    websocket,
};
use slab::Slab;
use smallvec::SmallVec;
use std::{io::ErrorKind, sync::Arc};

/// Shared by all reads of a shard; what a client may send at most is far less.
const READ_BUFFER: usize = 8 * 1024;
/// A client is read so often in a row before others get their turn.
const READS_IN_A_ROW: usize = 4;

/// Who held up a change that is told after it was due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Delay {
    /// We did.
    Ours,
    /// The client, whose socket was full.
    Client,
}

/// A part of the hub: some of its clients, looked after by one task.
pub struct Shard<T, W> {
    pub(super) shared: Arc<Shared>,
    pub(super) terms: Terms,
    pub(super) watcher: W,
    pub(super) clients: Slab<Client<T>>,
    pub(super) members: Members,
    pub(super) timers: Timers,
    pub(super) tally: Tally,
    number: u16,
    serial: u32,
    rng: fastrand::Rng,
    buffer: Box<[u8]>,
    /// Clients that still have something to read.
    unread: Vec<u32>,
    draining: bool,
}

impl<T: Transport, W: Watcher<T>> Shard<T, W> {
    /// An empty shard.
    pub fn new(shared: Arc<Shared>, watcher: W, number: u16, rng: fastrand::Rng) -> Self {
        Self {
            terms: shared.terms,
            shared,
            watcher,
            clients: Slab::new(),
            members: Members::default(),
            timers: Timers::default(),
            tally: Tally::default(),
            number,
            serial: 0,
            rng,
            buffer: vec![0; READ_BUFFER].into_boxed_slice(),
            unread: Vec::new(),
            draining: false,
        }
    }

    /// Takes in a client: registered first, told so after, so that no event falls in between.
    pub fn join(&mut self, newcomer: Newcomer<T>, now: Millis) {
        let Newcomer { transport, mut leftover, admission } = newcomer;
        let factor = self.rng.u8(..);
        let ends_at = self.terms.limits.max_connection.map_or(Millis::MAX, |max| now + max);
        let session = Session::new(now, factor, ends_at);
        let mut client = Client::new(transport, session, admission.grounds, self.next_serial());
        if self.draining || self.is_full(&admission.recipient) {
            return self.turn_away(client, now);
        }
        let Ok(id) = u32::try_from(self.clients.vacant_key()) else {
            return self.turn_away(client, now);
        };
        if self.watcher.add(&client.transport, id).is_err() {
            return client.transport.abort();
        }
        let (member, first) = self.members.join(&admission.recipient, id);
        client.member = member;
        self.clients.insert(client);
        self.shared.arrived(first.then_some(admission.recipient));
        let welcome = self.shared.dialect.welcome();
        self.send(id, &welcome, now);
        while !leftover.is_empty() {
            let part = leftover.split_to(leftover.len().min(READ_BUFFER));
            self.buffer[..part.len()].copy_from_slice(&part);
            self.hear(id, part.len(), now);
        }
        self.schedule(id);
    }

    /// The client's socket has something to read, or has ended.
    pub fn readable(&mut self, id: u32, now: Millis) {
        for _ in 0..READS_IN_A_ROW {
            let Some(client) = self.clients.get_mut(id as usize) else { return };
            match client.transport.read(&mut self.buffer) {
                Ok(0) => return self.remove(id, Close::Lost),
                Ok(count) => self.hear(id, count, now),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return self.remove(id, Close::Lost),
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
                self.tally.blocking(true, false);
                let freed = self.watcher.want_write(&client.transport, id, false);
                if freed.is_err() {
                    return self.remove(id, Close::Lost);
                }
                self.tell_changes(id, now, Delay::Client);
            }
            Err(_) => return self.remove(id, Close::Lost),
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
                self.look_after(id, now);
            }
        }
    }

    /// Reports what was done since the last report, and how much waits.
    pub fn report(&mut self) {
        let depth = self.shared.depths.get(usize::from(self.number));
        self.tally.publish(&*self.shared.observer, depth);
    }

    /// When [`Shard::pass_time`] has something to do.
    pub fn next_deadline(&self) -> Option<Millis> {
        if self.unread.is_empty() { self.timers.next() } else { Some(0) }
    }

    /// Ends a session in good order: last words, close frame, a moment for the answer.
    pub fn see_off(&mut self, id: u32, close: Close, now: Millis) {
        let words =
            (close == Close::Revoked).then(|| self.shared.dialect.refusal(Refusal::Revoked));
        let Some(client) = self.clients.get_mut(id as usize) else { return };
        let before = client.is_blocked();
        let blocked = client.see_off(close, words, now);
        self.tally.blocking(before, client.is_blocked());
        if blocked && self.watcher.want_write(&client.transport, id, true).is_err() {
            return self.remove(id, close);
        }
        self.schedule(id);
    }

    /// Closes the session with this id if it is still the same.
    pub fn close(&mut self, session: SessionId, close: Close, now: Millis) {
        let client = self.clients.get(session.slot as usize);
        if client.is_some_and(|client| client.serial == session.serial) {
            self.see_off(session.slot, close, now);
        }
    }

    /// Closes every session of this recipient, or all of them; says how many.
    pub fn disconnect(
        &mut self,
        recipient: Option<&Recipient>,
        close: Close,
        now: Millis,
    ) -> usize {
        let ids: Vec<u32> = match recipient {
            Some(recipient) => self.members.clients(recipient).to_vec(),
            None => self.ids().collect(),
        };
        ids.iter().for_each(|id| self.see_off(*id, close, now));
        ids.len()
    }

    /// From now on clients are served on these terms; what they wait for stays due when it was.
    pub fn adopt(&mut self, terms: Terms) {
        self.terms = terms;
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

    /// The sessions from place `from` on, at most `count`.
    pub fn list(&self, from: u32, count: usize) -> Vec<Present> {
        let later = self.clients.iter().skip_while(|(slot, _)| *slot < from as usize);
        let open = later.filter(|(_, client)| client.closing().is_none());
        open.take(count).filter_map(|(slot, client)| self.present(slot, client)).collect()
    }

    fn present(&self, slot: usize, client: &Client<T>) -> Option<Present> {
        let slot = u32::try_from(slot).ok()?;
        let id = SessionId { shard: self.number, slot, serial: client.serial };
        let recipient = self.members.recipient(client.member)?.clone();
        Some(Present { id, recipient, grounds: client.grounds.clone() })
    }

    /// Sends one frame to one client and deals with what comes of it.
    pub(super) fn send(&mut self, id: u32, frame: &Frame, now: Millis) {
        let Some(client) = self.clients.get_mut(id as usize) else { return };
        match client.send(frame, now) {
            Standing::Open => {}
            Standing::Blocked => {
                self.tally.blocking(false, true);
                self.shared.observer.blocked();
                if self.watcher.want_write(&client.transport, id, true).is_err() {
                    return self.remove(id, Close::Lost);
                }
                self.schedule(id);
            }
            Standing::Gone(Close::Slow) => self.see_off(id, Close::Slow, now),
            Standing::Gone(close) => self.remove(id, close),
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

    /// Each message told leaves a stale deadline behind: the heartbeat's, half a minute ahead.
    fn tidy_timers(&mut self) {
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
    fn hear(&mut self, id: u32, count: usize, now: Millis) {
        let Some(client) = self.clients.get_mut(id as usize) else { return };
        let mut answers: SmallVec<[Frame; 2]> = SmallVec::new();
        let mut end = None;
        let bytes = &mut self.buffer[..count];
        let mut items = client.decoder.feed(websocket::Rules::FROM_CLIENT, bytes);
        while let Some(item) = items.next() {
            let heard = match &item {
                Ok(item) => client.session.hear(item, now, &*self.shared.dialect),
                Err(error) => Err(Close::Protocol(error.close_code())),
            };
            match heard {
                Ok(answer) => answers.extend(answer),
                Err(close) => end = Some(close),
            }
        }
        if client.closing().is_some() {
            if end.is_some() {
                self.remove(id, Close::Lost);
            }
            return;
        }
        for answer in answers {
            self.send(id, &answer, now);
        }
        if let Some(close) = end {
            self.see_off(id, close, now);
        }
    }

    fn look_after(&mut self, id: u32, now: Millis) {
        let Some(client) = self.clients.get_mut(id as usize) else { return };
        if client.is_overdue(now) {
            let close = client.closing().unwrap_or(Close::Slow);
            return self.abort(id, close);
        }
        if client.closing().is_none() {
            match client.session.beat(now) {
                Due::Send(ping) => self.send(id, &ping, now),
                Due::Dead => return self.abort(id, Close::Silent),
                Due::Over => {
                    let close = if self.draining { Close::Shutdown } else { Close::Expired };
                    return self.see_off(id, close, now);
                }
                Due::Nothing => {}
            }
            self.tell_changes(id, now, Delay::Ours);
        }
        self.schedule(id);
    }

    /// Sends the changes that are due, unless the socket is full: then they wait, merged.
    fn tell_changes(&mut self, id: u32, now: Millis, delay: Delay) {
        let shared = Arc::clone(&self.shared);
        let rules = Rules {
            dialect: &*shared.dialect,
            pace: self.terms.pace,
            connections: shared.connections(),
        };
        while let Some(client) = self.clients.get_mut(id as usize) {
            if client.is_blocked() || client.closing().is_some() {
                return;
            }
            let Some((topic, frame, mut waited)) = client.session.next_change(now, &rules) else {
                return;
            };
            if delay == Delay::Client {
                waited.late = 0;
            }
            self.tally.no_longer_waiting(1);
            self.tally.told(topic, waited, &*shared.observer);
            self.send(id, &frame, now);
        }
    }

    /// Forgets a client; what was written to it still goes out.
    fn remove(&mut self, id: u32, close: Close) {
        drop(self.take(id, close));
    }

    /// Forgets a client together with what the kernel holds for it.
    fn abort(&mut self, id: u32, close: Close) {
        if let Some(transport) = self.take(id, close) {
            transport.abort();
        }
    }

    fn take(&mut self, id: u32, close: Close) -> Option<T> {
        let client = self.clients.try_remove(id as usize)?;
        self.tally.no_longer_waiting(client.session.waiting() as usize);
        self.tally.blocking(client.is_blocked(), false);
        self.watcher.remove(&client.transport);
        let last = self.members.leave(client.member, id);
        self.shared.left(last, client.closing().unwrap_or(close));
        self.tidy_timers();
        if self.clients.capacity() > 64 + 8 * self.clients.len() {
            self.clients.shrink_to_fit();
        }
        Some(client.transport)
    }

    fn turn_away(&mut self, mut client: Client<T>, now: Millis) {
        let refusal = if self.draining { Refusal::TryLater } else { Refusal::TooMany };
        self.shared.observer.refused(refusal);
        client.see_off(Close::Reset, Some(self.shared.dialect.refusal(refusal)), now);
    }

    fn is_full(&self, recipient: &str) -> bool {
        self.members.count(recipient) >= self.terms.limits.per_recipient
    }

    fn next_serial(&mut self) -> u32 {
        self.serial = self.serial.wrapping_add(1);
        self.serial
    }
}
