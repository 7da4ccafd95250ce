//! The clients of one shard and what happens to them: let in, heard, timed, told what is due.
//!
//! Everything here is synchronous and gets the time passed in; [`super::event_loop`] runs it on real
//! sockets, the simulation on made-up ones.

use super::{
    Shared,
    client::{Client, Standing},
    command::{Greeting, Newcomer, Present, SessionId},
    members::Members,
    shared::Terms,
    subscriptions::Subscriptions,
    tally::Tally,
    timers::Timers,
    transport::{Transport, Watcher},
};
use crate::{
    push::session::{Close, Due, Heard, Millis, Rules, Session},
    websocket::frame::Frame,
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
    pub(super) subscriptions: Subscriptions,
    pub(super) timers: Timers,
    pub(super) tally: Tally,
    number: u16,
    serial: u32,
    pub(super) rng: fastrand::Rng,
    buffer: Box<[u8]>,
    /// Clients that still have something to read.
    unread: Vec<u32>,
    pub(super) draining: bool,
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
            subscriptions: Subscriptions::default(),
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
        let Newcomer { transport, leftover, admission, also, greeting } = newcomer;
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
        self.subscribe(id, &also, now);
        self.greet(id, greeting, now);
        for part in leftover.chunks(READ_BUFFER) {
            self.buffer[..part.len()].copy_from_slice(part);
            self.hear(id, part.len(), now);
        }
        self.schedule(id);
    }

    /// What a client hears first, in one piece: its parts could be too many for the backlog.
    fn greet(&mut self, id: u32, greeting: Option<Greeting>, now: Millis) {
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

    /// From now on clients are served on these terms; what they wait for stays due when it was.
    pub fn adopt(&mut self, terms: Terms) {
        self.terms = terms;
    }

    /// The sessions from place `from` on, at most `count`.
    pub fn list(&self, from: u32, count: usize) -> Vec<Present> {
        let slots = from as usize..self.clients.capacity();
        let later = slots.filter_map(|slot| Some((slot, self.clients.get(slot)?)));
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
    fn hear(&mut self, id: u32, count: usize, now: Millis) {
        let Some(client) = self.clients.get_mut(id as usize) else { return };
        let Some(home) = self.members.recipient(client.member) else { return };
        let mut asked: SmallVec<[Heard; 2]> = SmallVec::new();
        let mut items = client.decoder.feed(self.shared.rules, &mut self.buffer[..count]);
        while let Some(item) = items.next() {
            let heard = match &item {
                Ok(item) => client.session.hear(item, now, &*self.shared.dialect, home),
                Err(error) => Heard::Close(Close::Protocol(error.close_code())),
            };
            if !matches!(heard, Heard::Nothing) {
                asked.push(heard);
            }
        }
        if client.closing().is_none() {
            asked.into_iter().for_each(|heard| self.grant(id, heard, now));
        } else if asked.iter().any(|heard| matches!(heard, Heard::Close(_))) {
            self.remove(id, Close::Lost);
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
        while let Some(client) = self.clients.get_mut(id as usize) {
            if client.is_blocked() || client.closing().is_some() {
                return;
            }
            let rules = Rules {
                dialect: &*self.shared.dialect,
                pace: self.terms.pace,
                connections: self.shared.connections(),
            };
            let Some((topic, frame, mut waited)) = client.session.next_change(now, &rules) else {
                return;
            };
            if delay == Delay::Client {
                waited.late = 0;
            }
            self.tally.no_longer_waiting(1);
            self.tally.told(topic, waited, &*self.shared.observer);
            self.send(id, &frame, now);
        }
    }

    fn is_full(&self, recipient: &str) -> bool {
        self.members.count(recipient) >= self.terms.limits.per_recipient
    }

    fn next_serial(&mut self) -> u32 {
        self.serial = self.serial.wrapping_add(1);
        self.serial
    }
}
