//! Reading from clients: each in turn, a little at a time, and none faster than its allowance.

use super::{
    client::ReadState,
    inbound_queue::READ_BUFFER,
    inbound_rate::InboundCost,
    shard::Shard,
    transport::{ClientTransport, TransportWatcher},
    work::WorkSlice,
};
use crate::push::session::{ClientRequest, CloseReason, Millis};
use bytes::Bytes;
use smallvec::SmallVec;
use std::{collections::VecDeque, io::ErrorKind};

/// Pings in one read that are answered one by one. Of further ones only the last is: RFC 6455 section
/// 5.5.3 allows that.
const PONGS_PER_READ: usize = 16;

impl<T: ClientTransport, W: TransportWatcher<T>> Shard<T, W> {
    /// The client's socket has something to read, or has ended.
    pub fn mark_readable(&mut self, id: u32) {
        let Some(client) = self.clients.get_mut(id) else { return };
        if client.read_state == ReadState::Watched {
            client.read_state = ReadState::Queued;
            self.inbound.turns.push_back(id);
        }
    }

    /// Lets clients be read again whose pause is over.
    pub(super) fn resume_paused(&mut self, now: Millis, slice: &WorkSlice<'_>) {
        while let Some((_, id)) = self.inbound.paused.pop(now) {
            // The entry may be an earlier client's with the same id: then this one is paused again.
            if let Some(client) = self.clients.get_mut(id)
                && client.read_state == ReadState::Paused
            {
                client.read_state = ReadState::Queued;
                self.inbound.turns.push_back(id);
            }
            if slice.is_over() {
                return;
            }
        }
    }

    /// Reads from one client after the other until none is left or the slice is over.
    pub(super) fn read_in_turn(&mut self, now: Millis, slice: &WorkSlice<'_>) {
        while let Some(id) = self.inbound.turns.pop_front() {
            self.read_turn(id, now);
            if slice.is_over() {
                break;
            }
        }
        if self.inbound.turns.is_empty() && self.inbound.turns.capacity() > 1024 {
            self.inbound.turns = VecDeque::new();
        }
    }

    fn read_turn(&mut self, id: u32, now: Millis) {
        let mut read = 0;
        while let Some(client) = self.clients.get_mut(id) {
            if let Some(later) = client.allowance.paused_until(now) {
                client.read_state = ReadState::Paused;
                return self.inbound.paused.set(later, id);
            }
            if read >= READ_BUFFER {
                return self.inbound.turns.push_back(id);
            }
            match client.transport.read(&mut self.inbound.buffer) {
                Ok(0) => return self.remove(id, CloseReason::Lost),
                Ok(count) => {
                    read += count;
                    self.receive(id, count, now);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    client.read_state = ReadState::Watched;
                    return;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return self.remove(id, CloseReason::Lost),
            }
        }
    }

    /// Handles what was read from the client before it joined.
    pub(super) fn receive_leftover(&mut self, id: u32, leftover: &Bytes, now: Millis) {
        for part in leftover.chunks(READ_BUFFER) {
            self.inbound.buffer[..part.len()].copy_from_slice(part);
            self.receive(id, part.len(), now);
        }
    }

    /// Handles `count` bytes of the buffer, which a client has sent.
    fn receive(&mut self, id: u32, count: usize, now: Millis) {
        let Some(client) = self.clients.get_mut(id) else { return };
        let Some(primary) = self.members.primary(id) else { return };
        let (mut requests, mut commands) = (SmallVec::<[ClientRequest; 2]>::new(), 0);
        let buffer = &mut self.inbound.buffer[..count];
        let mut items = client.decoder.feed(self.context.rules, buffer);
        while let Some(item) = items.next() {
            let request = match &item {
                Ok(item) => client.session.receive(item, now, &*self.context.dialect, primary),
                Err(error) => ClientRequest::Close(CloseReason::Protocol(error.close_code())),
            };
            commands += 1;
            match (request, requests.last_mut()) {
                (ClientRequest::Nothing, _) => {}
                (ClientRequest::Pong(pong), Some(ClientRequest::Pong(last)))
                    if commands > PONGS_PER_READ =>
                {
                    *last = pong;
                }
                (request, _) => requests.push(request),
            }
        }
        let closing = client.closing().is_some();
        if closing && requests.iter().any(|request| matches!(request, ClientRequest::Close(_))) {
            // Both sides have sent their close frames.
            return self.remove(id, CloseReason::Lost);
        }
        let mut cost = InboundCost::bytes(count).plus(InboundCost::commands(commands));
        for request in requests {
            cost = cost.plus(self.handle_request(id, request, now));
        }
        if let Some(client) = self.clients.get_mut(id) {
            client.allowance.charge(cost, now);
            self.clients.schedule(id);
        }
    }
}
