//! What the socket would not take yet: bounded, and the clock runs while it doesn't move.

use crate::{push::session::Millis, websocket::frame::Frame};
use std::{
    collections::VecDeque,
    io::{self, ErrorKind, Write},
};

/// More frames than this waiting: the client is too slow.
pub const MAX_FRAMES: usize = 256;
/// More bytes than this waiting behind the first frame: the client is too slow.
pub const MAX_BYTES: usize = 256 * 1024;
/// A socket that takes nothing for so long is given up.
pub const WRITE_DEADLINE: Millis = 5_000;

/// Frames that wait for the socket, the first perhaps half written.
#[derive(Debug)]
pub struct WriteBacklog {
    frames: VecDeque<Frame>,
    /// Bytes of the first frame that are already out.
    written: usize,
    bytes: usize,
    moved_at: Millis,
}

/// What became of an attempt to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteProgress {
    /// Everything is out.
    All,
    /// Something waits.
    Blocked,
}

impl WriteBacklog {
    /// Starts with a frame of which `written` bytes are out, or with none, where only the
    /// transport itself holds something back.
    pub fn new(frame: Option<Frame>, written: usize, now: Millis) -> Self {
        Self { frames: frame.into_iter().collect(), written, bytes: 0, moved_at: now }
    }

    /// Adds a frame; `false` when the limit is reached and the client has to go.
    pub fn push(&mut self, frame: Frame) -> bool {
        self.bytes += frame.bytes().len();
        self.frames.push_back(frame);
        self.frames.len() <= MAX_FRAMES && self.bytes <= MAX_BYTES
    }

    /// Drops what hasn't begun and ends with this frame: the last word.
    pub fn end_with(&mut self, frame: Frame) {
        self.frames.truncate(usize::from(self.written > 0));
        self.frames.push_back(frame);
        self.bytes = 0;
    }

    /// Writes as much as the socket takes.
    pub fn write(&mut self, out: &mut impl Write, now: Millis) -> io::Result<WriteProgress> {
        while let Some(frame) = self.frames.front() {
            match out.write(&frame.bytes()[self.written..]) {
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
            other => other.map(|()| WriteProgress::All),
        }
    }

    /// When the socket is given up if nothing moves.
    pub fn deadline(&self) -> Millis {
        self.moved_at + WRITE_DEADLINE
    }

    fn advance(&mut self, count: usize, now: Millis) {
        self.moved_at = now;
        self.written += count;
        if self.frames.front().is_some_and(|frame| self.written >= frame.bytes().len()) {
            self.written = 0;
            self.frames.pop_front();
            let next = self.frames.front().map_or(0, |frame| frame.bytes().len());
            self.bytes = self.bytes.saturating_sub(next);
        }
    }
}
