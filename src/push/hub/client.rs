//! One logged-in client in a shard: its session, its socket, and the frames that wait for the socket.

use super::{
    backlog::{OutgoingFrame, WriteBacklog, WriteProgress},
    backlog_memory::BacklogMemory,
    inbound_rate::InboundAllowance,
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

/// After our close frame the client has this long to answer with its own.
const CLOSE_TIMEOUT: Millis = 5_000;

/// Whether and when a client is read next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadState {
    /// Its socket reports when there is something to read.
    Watched,
    /// It waits for its turn.
    Queued,
    /// It is above its allowance, and waits for the time when it is read again.
    Paused,
}

/// A client and everything that belongs to it.
pub struct ShardClient<T> {
    /// Pending notices, heartbeat and lifetime.
    pub session: Session,
    /// Its non-blocking socket.
    pub transport: T,
    /// Frames that have been read in part.
    pub decoder: FrameDecoder,
    /// How it logged in.
    pub auth_method: AuthMethod,
    /// Distinguishes this client from an earlier one with the same id.
    pub serial: u32,
    /// How much it may send.
    pub allowance: InboundAllowance,
    /// The deadline that is valid among those in the heap.
    pub timer: Millis,
    /// When it is read.
    pub read_state: ReadState,
    backlog: Option<Box<WriteBacklog>>,
    /// Why the session is being closed, if it is.
    closing: Option<CloseReason>,
    closing_since: Millis,
}

/// The state of a client after a frame was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendOutcome {
    /// Nothing has changed.
    Open,
    /// The socket is full: watch for writing.
    Blocked,
    /// The session must be closed for this reason.
    Close(CloseReason),
    /// The connection is of no more use, for this reason.
    Gone(CloseReason),
}

impl<T: ClientTransport> ShardClient<T> {
    /// A client that has just logged in.
    pub fn new(
        transport: T,
        session: Session,
        auth_method: AuthMethod,
        serial: u32,
        now: Millis,
    ) -> Self {
        Self {
            session,
            transport,
            decoder: FrameDecoder::default(),
            auth_method,
            serial,
            allowance: InboundAllowance::new(now),
            timer: Millis::MAX,
            read_state: ReadState::Watched,
            backlog: None,
            closing: None,
            closing_since: 0,
        }
    }

    /// Sends a frame, or keeps it until the socket accepts it. A client that lets too much wait is
    /// [`CloseReason::Slow`].
    pub fn send(
        &mut self,
        outgoing: &mut OutgoingFrame,
        memory: &BacklogMemory,
        now: Millis,
    ) -> SendOutcome {
        if self.closing.is_some() {
            return SendOutcome::Open;
        }
        if let Some(backlog) = &mut self.backlog {
            let fits = backlog.push(outgoing);
            return if fits { SendOutcome::Open } else { SendOutcome::Close(CloseReason::Slow) };
        }
        let written = match write_once(&mut self.transport, outgoing.frame()) {
            Ok(written) => written,
            Err(_) => return SendOutcome::Gone(CloseReason::Lost),
        };
        if written < outgoing.frame().bytes().len() {
            return self.keep(outgoing, written, memory, now);
        }
        match self.transport.flush() {
            Ok(()) => SendOutcome::Open,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.backlog = Some(Box::new(WriteBacklog::new(memory.clone(), now)));
                SendOutcome::Blocked
            }
            Err(_) => SendOutcome::Gone(CloseReason::Lost),
        }
    }

    fn keep(
        &mut self,
        outgoing: &mut OutgoingFrame,
        written: usize,
        memory: &BacklogMemory,
        now: Millis,
    ) -> SendOutcome {
        let backlog = WriteBacklog::beginning_with(outgoing, written, memory.clone(), now);
        let Some(backlog) = backlog else {
            // Behind half a frame, a close frame would be taken for the frame's other half.
            return if written == 0 {
                SendOutcome::Close(CloseReason::Slow)
            } else {
                SendOutcome::Gone(CloseReason::Slow)
            };
        };
        self.backlog = Some(Box::new(backlog));
        SendOutcome::Blocked
    }

    /// Writes what waits. `Complete`: nothing is left.
    pub fn flush(&mut self, now: Millis) -> Result<WriteProgress> {
        let Some(backlog) = &mut self.backlog else { return Ok(WriteProgress::Complete) };
        let progress = backlog.write(&mut self.transport, now)?;
        if progress == WriteProgress::Complete {
            self.backlog = None;
            if self.closing.is_some() {
                self.transport.finish();
            }
        }
        Ok(progress)
    }

    /// Sends a last text and a close frame; the client stays until it answers or its time is over.
    /// Returns whether the socket must be watched for writing.
    pub fn start_close(
        &mut self,
        close: CloseReason,
        last_text: Option<Frame>,
        memory: &BacklogMemory,
        now: Millis,
    ) -> bool {
        if self.closing.is_some() {
            return false;
        }
        if let Some(text) = last_text
            && self.backlog.is_none()
        {
            self.send(&mut OutgoingFrame::new(text), memory, now);
        }
        let frame = Frame::close(close.code(), close.reason());
        if let Some(backlog) = &mut self.backlog {
            backlog.end_with(frame);
        } else {
            self.send_close(frame, memory, now);
        }
        (self.closing, self.closing_since) = (Some(close), now);
        self.backlog.is_some()
    }

    fn send_close(&mut self, frame: Frame, memory: &BacklogMemory, now: Millis) {
        match self.send(&mut OutgoingFrame::new(frame.clone()), memory, now) {
            SendOutcome::Open => self.transport.finish(),
            // The memory is used up: a close frame may wait all the same.
            SendOutcome::Close(_) => {
                let mut backlog = WriteBacklog::new(memory.clone(), now);
                backlog.end_with(frame);
                self.backlog = Some(Box::new(backlog));
            }
            SendOutcome::Blocked | SendOutcome::Gone(_) => {}
        }
    }

    /// Why the session is being closed, if it is.
    pub fn closing(&self) -> Option<CloseReason> {
        self.closing
    }

    /// Whether frames wait for the socket.
    pub fn is_blocked(&self) -> bool {
        self.backlog.is_some()
    }

    /// Whether the socket's time or the close handshake's time is over.
    pub fn is_overdue(&self, now: Millis) -> bool {
        self.closing_deadline().is_some_and(|at| at <= now)
    }

    /// When the client has something to do next.
    pub fn next_deadline(&self) -> Millis {
        if let Some(at) = self.closing_deadline() {
            return if self.closing.is_some() { at } else { at.min(self.session.next_beat()) };
        }
        self.session.due().unwrap_or(Millis::MAX).min(self.session.next_beat())
    }

    fn closing_deadline(&self) -> Option<Millis> {
        let blocked = self.backlog.as_ref().map(|backlog| backlog.deadline());
        let closing = self.closing.map(|_| self.closing_since + CLOSE_TIMEOUT);
        blocked.into_iter().chain(closing).min()
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
        let size = size_of::<ShardClient<IdleStream>>();
        assert!(size <= 168, "{size}");
    }
}
