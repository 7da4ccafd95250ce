//! Takes Redis's replies off a stream: the redis crate's parser, fed as bytes arrive and bounded.

use super::dial::Stream;
use redis::{Parser, Value};
use std::{
    io::{self, ErrorKind, Read},
    pin::Pin,
    task::{Context, Poll, Waker},
};
use tokio::io::ReadBuf;

/// So many bytes may arrive of one reply before it is whole; past them the connection is cut.
/// Nextcloud's largest messages are Text's editing steps, far below it. The parser's buffer grows
/// up to this for a large reply, and stays so until the connection ends.
pub(super) const MAX_REPLY: usize = 4 << 20;

/// Why there are no more replies.
#[derive(Debug)]
pub(super) enum Stop {
    /// The peer closed the stream.
    Ended,
    /// The stream broke.
    Broken(io::Error),
    /// A reply of more than [`MAX_REPLY`] bytes.
    TooLarge,
    /// Not the Redis protocol.
    Garbage,
}

/// What has arrived of the next reply.
pub(super) struct Replies {
    parser: Parser,
    /// Bytes read since the last whole reply.
    unfinished: usize,
    /// Whether anything has ever arrived.
    heard: bool,
}

impl Replies {
    /// Nothing has arrived.
    pub(super) fn new() -> Self {
        Self { parser: Parser::new(), unfinished: 0, heard: false }
    }

    /// Whether the server has said anything yet.
    pub(super) fn heard(&self) -> bool {
        self.heard
    }

    /// The next reply; `None`: bytes have arrived, not yet a whole reply. Reads from `stream` only
    /// once all that was read before has been handed out. What has arrived of a reply stays here.
    pub(super) fn poll_next(
        &mut self,
        stream: &mut dyn Stream,
        context: &mut Context<'_>,
    ) -> Poll<Result<Option<Value>, Stop>> {
        let room = MAX_REPLY.saturating_sub(self.unfinished);
        let mut inflow = Inflow { stream, context, room, taken: 0, dry: None };
        let parsed = self.parser.parse_value(&mut inflow);
        let (taken, dry) = (inflow.taken, inflow.dry);
        self.heard |= taken > 0;
        self.unfinished += taken;
        Poll::Ready(match (parsed, dry) {
            (Ok(value), _) => {
                self.unfinished = 0;
                Ok(Some(value))
            }
            (Err(_), Some(Dry::Waiting)) if taken == 0 => return Poll::Pending,
            (Err(_), Some(Dry::Waiting)) => Ok(None),
            (Err(_), Some(Dry::Stopped(why))) => Err(why),
            (Err(_), None) => Err(Stop::Garbage),
        })
    }

    /// Whether the server is silent and owes nothing, as between two commands. Never waits.
    pub(super) fn is_at_rest(&mut self, stream: &mut dyn Stream) -> bool {
        self.unfinished == 0
            && self.poll_next(stream, &mut Context::from_waker(Waker::noop())).is_pending()
    }
}

/// Why nothing can be read now.
enum Dry {
    /// The rest is still on its way.
    Waiting,
    /// There will be no more.
    Stopped(Stop),
}

/// An asynchronous stream as the parser reads it: a blocking one that "would block". The parser
/// goes on where it was at the next call.
struct Inflow<'a, 'c> {
    stream: &'a mut dyn Stream,
    context: &'a mut Context<'c>,
    room: usize,
    taken: usize,
    dry: Option<Dry>,
}

impl Read for Inflow<'_, '_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let most = into.len().min(self.room);
        if most == 0 {
            return self.dried(Dry::Stopped(Stop::TooLarge));
        }
        let mut buffer = ReadBuf::new(&mut into[..most]);
        match Pin::new(&mut *self.stream).poll_read(self.context, &mut buffer) {
            Poll::Pending => self.dried(Dry::Waiting),
            Poll::Ready(Err(cause)) => self.dried(Dry::Stopped(Stop::Broken(cause))),
            Poll::Ready(Ok(())) => match buffer.filled().len() {
                0 => self.dried(Dry::Stopped(Stop::Ended)),
                read => {
                    self.room -= read;
                    self.taken += read;
                    Ok(read)
                }
            },
        }
    }
}

impl Inflow<'_, '_> {
    /// The true reason stays here; the parser only needs to know that it can't go on.
    fn dried(&mut self, why: Dry) -> io::Result<usize> {
        self.dry = Some(why);
        Err(ErrorKind::WouldBlock.into())
    }
}

#[cfg(test)]
mod tests;
