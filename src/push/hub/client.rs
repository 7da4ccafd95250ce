//! One logged-in client in a shard: its session, its socket, and what the socket has not taken yet.

use super::{
    backlog::{WriteBacklog, WriteProgress},
    transport::ClientTransport,
};
use crate::{
    push::{
        AuthMethod,
        session::{CloseReason, Millis, Session},
    },
    websocket::{FrameDecoder, frame::Frame},
};
use std::io::{ErrorKind, Result};

/// The client has been notified the end and gets this long to say goodbye.
const GOODBYE: Millis = 5_000;

/// A client and everything that belongs to it.
pub struct ShardClient<T> {
    /// What it is owed and whether it lives.
    pub session: Session,
    /// Its socket.
    pub transport: T,
    /// Its half-read frames.
    pub decoder: FrameDecoder,
    /// Why it may be here.
    pub auth_method: AuthMethod,
    /// Which recipient it listens as (index in [`super::membership::MembershipTable`]).
    pub member: u32,
    /// Tells this client from an earlier one with the same id.
    pub serial: u32,
    /// The deadline that counts among those in the heap.
    pub timer: Millis,
    backlog: Option<Box<WriteBacklog>>,
    /// Since when and why the client is being seen off.
    closing: Option<(CloseReason, Millis)>,
}

/// How a client stands after something was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendOutcome {
    /// As before.
    Open,
    /// The socket is full: watch for writing.
    Blocked,
    /// It must go, for this reason.
    Gone(CloseReason),
}

impl<T: ClientTransport> ShardClient<T> {
    /// A client that has just logged in.
    pub fn new(transport: T, session: Session, auth_method: AuthMethod, serial: u32) -> Self {
        Self {
            session,
            transport,
            decoder: FrameDecoder::default(),
            auth_method,
            member: 0,
            serial,
            timer: Millis::MAX,
            backlog: None,
            closing: None,
        }
    }

    /// Sends a frame, or keeps it for when the socket takes it; a client that lets too much pile
    /// up is [`CloseReason::Slow`].
    pub fn send(&mut self, frame: &Frame, now: Millis) -> SendOutcome {
        if self.closing.is_some() {
            return SendOutcome::Open;
        }
        if let Some(backlog) = &mut self.backlog {
            let fits = backlog.push(frame.clone());
            return if fits { SendOutcome::Open } else { SendOutcome::Gone(CloseReason::Slow) };
        }
        let rest = match write_once(&mut self.transport, frame) {
            Ok(written) if written < frame.bytes().len() => {
                WriteBacklog::new(Some(frame.clone()), written, now)
            }
            Ok(_) => match self.transport.flush() {
                Ok(()) => return SendOutcome::Open,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    WriteBacklog::new(None, 0, now)
                }
                Err(_) => return SendOutcome::Gone(CloseReason::Lost),
            },
            Err(_) => return SendOutcome::Gone(CloseReason::Lost),
        };
        self.backlog = Some(Box::new(rest));
        SendOutcome::Blocked
    }

    /// The socket takes data again. `Ok(true)`: everything is out.
    pub fn flush(&mut self, now: Millis) -> Result<bool> {
        let Some(backlog) = &mut self.backlog else { return Ok(true) };
        let wrote = backlog.write(&mut self.transport, now)?;
        if wrote == WriteProgress::All {
            self.backlog = None;
            if self.closing.is_some() {
                self.transport.finish();
            }
        }
        Ok(self.backlog.is_none())
    }

    /// Sends the last words and a close frame; the client stays until it answers or its time is up.
    /// Returns whether the socket must be watched for writing.
    pub fn start_close(&mut self, close: CloseReason, words: Option<Frame>, now: Millis) -> bool {
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
        } else if self.send(&goodbye, now) == SendOutcome::Open {
            self.transport.finish();
        }
        self.closing = Some((close, now));
        self.backlog.is_some()
    }

    /// Why the client is being seen off, if it is.
    pub fn closing(&self) -> Option<CloseReason> {
        self.closing.map(|(close, _)| close)
    }

    /// Whether frames wait for the socket.
    pub fn is_blocked(&self) -> bool {
        self.backlog.is_some()
    }

    /// Whether the socket's or the goodbye's time is over.
    pub fn is_overdue(&self, now: Millis) -> bool {
        self.closing_deadline().is_some_and(|at| at <= now)
    }

    /// When the client must be looked at next.
    pub fn next_deadline(&self) -> Millis {
        if let Some(at) = self.closing_deadline() {
            return if self.closing.is_some() { at } else { at.min(self.session.next_beat()) };
        }
        self.session.due().unwrap_or(Millis::MAX).min(self.session.next_beat())
    }

    fn closing_deadline(&self) -> Option<Millis> {
        let stuck = self.backlog.as_ref().map(|backlog| backlog.deadline());
        let goodbye = self.closing.map(|(_, since)| since + GOODBYE);
        stuck.into_iter().chain(goodbye).min()
    }
}

fn write_once(out: &mut impl ClientTransport, frame: &Frame) -> Result<usize> {
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
    use super::ShardClient;
    use crate::server::stream::IdleStream;

    #[test]
    fn an_idle_client_is_small() {
        // `docs/performance.md` shows what the rest of its memory is.
        assert!(
            size_of::<ShardClient<IdleStream>>() <= 160,
            "{}",
            size_of::<ShardClient<IdleStream>>()
        );
    }
}
