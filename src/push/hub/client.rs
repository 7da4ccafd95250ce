//! One logged-in client in a shard: its session, its socket, and what the socket has not taken yet.

use super::{
    backlog::{Backlog, Wrote},
    transport::Transport,
};
use crate::{
    push::session::{Close, Millis, Session},
    services::nextcloud::login::Grounds,
    websocket::{Decoder, frame::Frame},
};
use std::io::{ErrorKind, Result};

/// The client has been told the end and gets this long to say goodbye.
const GOODBYE: Millis = 5_000;

/// A client and everything that belongs to it.
pub struct Client<T> {
    /// What it is owed and whether it lives.
    pub session: Session,
    /// Its socket.
    pub transport: T,
    /// Its half-read frames.
    pub decoder: Decoder,
    /// Why it may be here.
    pub grounds: Grounds,
    /// Which recipient it listens as (index in [`super::members::Members`]).
    pub member: u32,
    /// Tells this client from an earlier one with the same id.
    pub serial: u32,
    /// The deadline that counts among those in the heap.
    pub timer: Millis,
    backlog: Option<Box<Backlog>>,
    /// Since when and why the client is being seen off.
    closing: Option<(Close, Millis)>,
}

/// How a client stands after something was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// As before.
    Open,
    /// The socket is full: watch for writing.
    Blocked,
    /// It must go, for this reason.
    Gone(Close),
}

impl<T: Transport> Client<T> {
    /// A client that has just logged in.
    pub fn new(transport: T, session: Session, grounds: Grounds, serial: u32) -> Self {
        Self {
            session,
            transport,
            decoder: Decoder::default(),
            grounds,
            member: 0,
            serial,
            timer: Millis::MAX,
            backlog: None,
            closing: None,
        }
    }

    /// Sends a frame, or keeps it for when the socket takes it; a client that lets too much pile
    /// up is [`Close::Slow`].
    pub fn send(&mut self, frame: &Frame, now: Millis) -> Standing {
        if self.closing.is_some() {
            return Standing::Open;
        }
        if let Some(backlog) = &mut self.backlog {
            let fits = backlog.push(frame.clone());
            return if fits { Standing::Open } else { Standing::Gone(Close::Slow) };
        }
        let rest = match write_once(&mut self.transport, frame) {
            Ok(written) if written < frame.bytes().len() => {
                Backlog::new(Some(frame.clone()), written, now)
            }
            Ok(_) => match self.transport.flush() {
                Ok(()) => return Standing::Open,
                Err(error) if error.kind() == ErrorKind::WouldBlock => Backlog::new(None, 0, now),
                Err(_) => return Standing::Gone(Close::Lost),
            },
            Err(_) => return Standing::Gone(Close::Lost),
        };
        self.backlog = Some(Box::new(rest));
        Standing::Blocked
    }

    /// The socket takes data again. `Ok(true)`: everything is out.
    pub fn flush(&mut self, now: Millis) -> Result<bool> {
        let Some(backlog) = &mut self.backlog else { return Ok(true) };
        let wrote = backlog.write(&mut self.transport, now)?;
        if wrote == Wrote::All {
            self.backlog = None;
            if self.closing.is_some() {
                self.transport.finish();
            }
        }
        Ok(self.backlog.is_none())
    }

    /// Sends the last words and a close frame; the client stays until it answers or its time is up.
    /// Returns whether the socket must be watched for writing.
    pub fn see_off(&mut self, close: Close, words: Option<Frame>, now: Millis) -> bool {
        if self.closing.is_some() {
            return false;
        }
        if let Some(words) = words
            && self.backlog.is_none()
        {
            self.send(&words, now);
        }
        let goodbye = Frame::close(close.code(), close.reason());
        if let Some(backlog) = &mut self.backlog {
            backlog.end_with(goodbye);
        } else if self.send(&goodbye, now) == Standing::Open {
            self.transport.finish();
        }
        self.closing = Some((close, now));
        self.backlog.is_some()
    }

    /// Why the client is being seen off, if it is.
    pub fn closing(&self) -> Option<Close> {
        self.closing.map(|(close, _)| close)
    }

    /// Whether frames wait for the socket.
    pub fn is_blocked(&self) -> bool {
        self.backlog.is_some()
    }

    /// Whether the socket's or the goodbye's time is over.
    pub fn is_overdue(&self, now: Millis) -> bool {
        self.last_call().is_some_and(|at| at <= now)
    }

    /// When the client must be looked at next.
    pub fn next_deadline(&self) -> Millis {
        if let Some(at) = self.last_call() {
            return if self.closing.is_some() { at } else { at.min(self.session.next_beat()) };
        }
        self.session.due().unwrap_or(Millis::MAX).min(self.session.next_beat())
    }

    fn last_call(&self) -> Option<Millis> {
        let stuck = self.backlog.as_ref().map(|backlog| backlog.deadline());
        let goodbye = self.closing.map(|(_, since)| since + GOODBYE);
        stuck.into_iter().chain(goodbye).min()
    }
}

fn write_once(out: &mut impl Transport, frame: &Frame) -> Result<usize> {
    loop {
        match out.write(frame.bytes()) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(0),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Client;
    use crate::server::stream::IdleStream;

    #[test]
    fn an_idle_client_is_small() {
        // `docs/performance.md` shows what the rest of its memory is.
        assert!(size_of::<Client<IdleStream>>() <= 160, "{}", size_of::<Client<IdleStream>>());
    }
}
