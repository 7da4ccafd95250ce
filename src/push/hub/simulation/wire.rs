//! Simulated sockets and the frames that pass over them.

use crate::{
    push::hub::transport::{ClientTransport, TransportWatcher},
    websocket::{DecodedItem, DecoderRules, FrameDecoder},
};
use std::{
    cell::RefCell,
    fmt,
    io::{self, ErrorKind, Read, Write},
    rc::Rc,
};

/// The far end of a simulated socket.
#[derive(Debug, Default)]
pub(super) struct SimulatedWire {
    /// What was sent to the client, as far as the socket accepted it.
    pub(super) sent: Vec<u8>,
    /// What the client sends.
    pub(super) inbound: Vec<u8>,
    /// Bytes that the socket accepts before it is full; `None`: all.
    pub(super) room: Option<usize>,
    pub(super) gone: bool,
    /// Every write fails.
    pub(super) broken: bool,
    pub(super) aborted: bool,
    pub(super) finished: bool,
}

/// The near end of it.
#[derive(Debug, Clone, Default)]
pub(super) struct SimulatedSocket(pub(super) Rc<RefCell<SimulatedWire>>);

impl Read for SimulatedSocket {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let mut wire = self.0.borrow_mut();
        if wire.inbound.is_empty() {
            return if wire.gone { Ok(0) } else { Err(ErrorKind::WouldBlock.into()) };
        }
        let count = wire.inbound.len().min(buf.len());
        buf[..count].copy_from_slice(&wire.inbound[..count]);
        wire.inbound.drain(..count);
        Ok(count)
    }
}

impl Write for SimulatedSocket {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let mut wire = self.0.borrow_mut();
        if wire.broken {
            return Err(ErrorKind::BrokenPipe.into());
        }
        let count = wire.room.unwrap_or(usize::MAX).min(buf.len());
        if count == 0 {
            return Err(ErrorKind::WouldBlock.into());
        }
        if let Some(room) = &mut wire.room {
            *room -= count;
        }
        wire.sent.extend_from_slice(&buf[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl ClientTransport for SimulatedSocket {
    fn abort(self) {
        self.0.borrow_mut().aborted = true;
    }

    fn finish(&mut self) {
        self.0.borrow_mut().finished = true;
    }
}

/// Watches nothing: the simulation itself reports when a socket can go on.
pub(super) struct NoopWatcher;

impl TransportWatcher<SimulatedSocket> for NoopWatcher {
    fn add(&mut self, _: &SimulatedSocket, _: u32) -> io::Result<()> {
        Ok(())
    }
    fn want_write(&mut self, _: &SimulatedSocket, _: u32, _: bool) -> io::Result<()> {
        Ok(())
    }
    fn remove(&mut self, _: &SimulatedSocket) {}
}

/// Decodes what a socket was sent, also in pieces.
#[derive(Default)]
pub(super) struct SentFrameReader(FrameDecoder);

impl fmt::Debug for SentFrameReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SentFrameReader")
    }
}

impl SentFrameReader {
    /// The messages that are new; a close frame reads `close <code>`.
    pub(super) fn receive(&mut self, socket: &SimulatedSocket) -> Vec<String> {
        let mut bytes = std::mem::take(&mut socket.0.borrow_mut().sent);
        let mut items =
            self.0.feed(DecoderRules { masked: false, max_message: 1 << 20 }, &mut bytes);
        let mut out = Vec::new();
        while let Some(item) = items.next() {
            out.push(match item.unwrap() {
                DecodedItem::Text(text) => text.to_owned(),
                DecodedItem::Ping(_) => "ping".to_owned(),
                DecodedItem::Pong(_) => "pong".to_owned(),
                DecodedItem::Close(close) => format!("close {}", close.unwrap().code.0),
                DecodedItem::Binary(_) => "binary".to_owned(),
            });
        }
        out
    }
}

/// The messages in a stream of whole frames.
pub(super) fn received(socket: &SimulatedSocket) -> Vec<String> {
    SentFrameReader::default().receive(socket)
}

/// A masked client frame (mask 0: the payload as it is).
pub(super) fn client_frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first, 0x80 | u8::try_from(payload.len()).unwrap(), 0, 0, 0, 0];
    frame.extend_from_slice(payload);
    frame
}

/// Texts, one frame each.
pub(super) fn client_texts(texts: &[&str]) -> Vec<u8> {
    texts.iter().flat_map(|text| client_frame(0x81, text.as_bytes())).collect()
}
