//! Frames that a client's socket doesn't accept yet: they wait in order, within limits.
//!
//! A client is too slow if its socket accepts nothing for [`WRITE_DEADLINE`], or if it lets more wait than
//! its share of the memory that all slow clients have together ([`BacklogMemory`]).

use super::backlog_memory::{BacklogMemory, FrameCharge};
use crate::{push::session::Millis, websocket::frame::Frame};
use std::{
    collections::VecDeque,
    io::{self, ErrorKind, Write},
    sync::Arc,
};

/// A socket that accepts nothing for this long is given up.
pub const WRITE_DEADLINE: Millis = 5_000;

/// A frame on its way to one or more clients. However many of them let it wait, it counts once.
#[derive(Debug)]
pub struct OutgoingFrame {
    frame: Frame,
    charge: Option<Arc<FrameCharge>>,
}

impl OutgoingFrame {
    /// A frame that doesn't wait anywhere yet.
    pub fn new(frame: Frame) -> Self {
        Self { frame, charge: None }
    }

    /// The frame itself.
    pub fn frame(&self) -> &Frame {
        &self.frame
    }
}

#[derive(Debug)]
struct WaitingFrame {
    frame: Frame,
    /// `None` for the close frame, which may always wait.
    _charge: Option<Arc<FrameCharge>>,
}

/// The frames that wait for one client's socket, the first perhaps half written.
#[derive(Debug)]
pub struct WriteBacklog {
    frames: VecDeque<WaitingFrame>,
    /// Bytes of the first frame that are written already.
    written: usize,
    bytes: usize,
    moved_at: Millis,
    memory: BacklogMemory,
}

/// The result of an attempt to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteProgress {
    /// Everything is written.
    Complete,
    /// The socket is full.
    Blocked,
}

impl WriteBacklog {
    /// An empty backlog: only the transport itself holds something back.
    pub fn new(memory: BacklogMemory, now: Millis) -> Self {
        memory.enter();
        Self { frames: VecDeque::new(), written: 0, bytes: 0, moved_at: now, memory }
    }

    /// A backlog that begins with a frame of which `written` bytes are out.
    pub fn beginning_with(
        outgoing: &mut OutgoingFrame,
        written: usize,
        memory: BacklogMemory,
        now: Millis,
    ) -> Option<Self> {
        let mut backlog = Self::new(memory, now);
        backlog.written = written;
        backlog.push(outgoing).then_some(backlog)
    }

    /// Adds a frame; `false` when a limit is reached and the client must be closed.
    pub fn push(&mut self, outgoing: &mut OutgoingFrame) -> bool {
        let length = outgoing.frame.bytes().len();
        let charge =
            self.memory.charge(outgoing.charge.as_ref(), length, self.bytes, self.frames.len());
        let Some(charge) = charge else { return false };
        outgoing.charge = Some(Arc::clone(&charge));
        self.bytes += length;
        self.frames
            .push_back(WaitingFrame { frame: outgoing.frame.clone(), _charge: Some(charge) });
        true
    }

    /// Drops every frame that isn't begun and ends with this close frame.
    pub fn end_with(&mut self, frame: Frame) {
        let kept = usize::from(self.written > 0);
        self.memory.release_entries(self.frames.len().saturating_sub(kept));
        self.frames.truncate(kept);
        self.bytes = self.frames.iter().map(|waiting| waiting.frame.bytes().len()).sum();
        self.memory.add_entry();
        self.frames.push_back(WaitingFrame { frame, _charge: None });
    }

    /// Writes as much as the socket accepts.
    pub fn write(&mut self, out: &mut impl Write, now: Millis) -> io::Result<WriteProgress> {
        while let Some(waiting) = self.frames.front() {
            match out.write(&waiting.frame.bytes()[self.written..]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => self.advance(count, now),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    return Ok(WriteProgress::Blocked);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        match out.flush() {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(WriteProgress::Blocked),
            other => other.map(|()| WriteProgress::Complete),
        }
    }

    /// When the socket is given up unless it accepts something before.
    pub fn deadline(&self) -> Millis {
        self.moved_at + WRITE_DEADLINE
    }

    fn advance(&mut self, count: usize, now: Millis) {
        self.moved_at = now;
        self.written += count;
        if self.frames.front().is_some_and(|first| self.written >= first.frame.bytes().len()) {
            self.written = 0;
            if let Some(first) = self.frames.pop_front() {
                self.bytes = self.bytes.saturating_sub(first.frame.bytes().len());
                self.memory.release_entries(1);
            }
        }
    }
}

impl Drop for WriteBacklog {
    fn drop(&mut self) {
        self.memory.release_entries(self.frames.len());
        self.memory.leave();
    }
}
