//! Takes Redis's replies off a stream: the redis crate's parser, fed as bytes arrive and bounded.

use super::dialer::RedisStream;
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
pub(super) enum ReplyError {
    /// The peer closed the stream.
    Ended,
    /// The stream broke.
    Broken(io::Error),
    /// A reply of more than [`MAX_REPLY`] bytes.
    TooLarge,
    /// Not the Redis protocol.
    NotRedis,
}

/// What has arrived of the next reply.
pub(super) struct ReplyReader {
    parser: Parser,
    /// Bytes read since the last whole reply.
    pending_bytes: usize,
    /// Whether anything has ever arrived.
    has_received: bool,
}

impl ReplyReader {
    /// Nothing has arrived.
    pub(super) fn new() -> Self {
        Self { parser: Parser::new(), pending_bytes: 0, has_received: false }
    }

    /// Whether the server has said anything yet.
    pub(super) fn has_received(&self) -> bool {
        self.has_received
    }

    /// The next reply; `None`: bytes have arrived, not yet a whole reply. Reads from `stream` only
    /// once all that was read before has been handed out. What has arrived of a reply stays here.
    pub(super) fn poll_next(
        &mut self,
        stream: &mut dyn RedisStream,
        context: &mut Context<'_>,
    ) -> Poll<Result<Option<Value>, ReplyError>> {
        let room = MAX_REPLY.saturating_sub(self.pending_bytes);
        let mut inflow = ParserInput { stream, context, room, taken: 0, stall: None };
        let parsed = self.parser.parse_value(&mut inflow);
        let (taken, stall) = (inflow.taken, inflow.stall);
        self.has_received |= taken > 0;
        self.pending_bytes += taken;
        Poll::Ready(match (parsed, stall) {
            (Ok(value), _) => {
                self.pending_bytes = 0;
                Ok(Some(value))
            }
            (Err(_), Some(ReadStall::Waiting)) if taken == 0 => return Poll::Pending,
            (Err(_), Some(ReadStall::Waiting)) => Ok(None),
            (Err(_), Some(ReadStall::Stopped(why))) => Err(why),
            (Err(_), None) => Err(ReplyError::NotRedis),
        })
    }

    /// Whether the server is silent and owes nothing, as between two commands. Never waits.
    pub(super) fn is_at_rest(&mut self, stream: &mut dyn RedisStream) -> bool {
        self.pending_bytes == 0
            && self.poll_next(stream, &mut Context::from_waker(Waker::noop())).is_pending()
    }
}

/// Why nothing can be read now.
enum ReadStall {
    /// The rest is still on its way.
    Waiting,
    /// There will be no more.
    Stopped(ReplyError),
}

/// An asynchronous stream as the parser reads it: a blocking one that "would block". The parser
/// goes on where it was at the next call.
struct ParserInput<'a, 'c> {
    stream: &'a mut dyn RedisStream,
    context: &'a mut Context<'c>,
    room: usize,
    taken: usize,
    stall: Option<ReadStall>,
}

impl Read for ParserInput<'_, '_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let most = into.len().min(self.room);
        if most == 0 {
            return self.record_stall(ReadStall::Stopped(ReplyError::TooLarge));
        }
        let mut buffer = ReadBuf::new(&mut into[..most]);
        match Pin::new(&mut *self.stream).poll_read(self.context, &mut buffer) {
            Poll::Pending => self.record_stall(ReadStall::Waiting),
            Poll::Ready(Err(cause)) => {
                self.record_stall(ReadStall::Stopped(ReplyError::Broken(cause)))
            }
            Poll::Ready(Ok(())) => match buffer.filled().len() {
                0 => self.record_stall(ReadStall::Stopped(ReplyError::Ended)),
                read => {
                    self.room -= read;
                    self.taken += read;
                    Ok(read)
                }
            },
        }
    }
}

impl ParserInput<'_, '_> {
    /// The true reason stays here; the parser only needs to know that it can't go on.
    fn record_stall(&mut self, why: ReadStall) -> io::Result<usize> {
        self.stall = Some(why);
        Err(ErrorKind::WouldBlock.into())
    }
}

#[cfg(test)]
mod tests;
