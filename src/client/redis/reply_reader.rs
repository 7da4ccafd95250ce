//! Reads replies from a stream: the redis crate's parser, fed as bytes arrive, with a size limit.

use crate::client::ByteStream;
use redis::{Parser, Value};
use std::{
    io::{self, ErrorKind, Read},
    pin::Pin,
    task::{Context, Poll, Waker},
};
use tokio::io::ReadBuf;

/// Most bytes of one reply; beyond it the connection is closed. Nextcloud's largest messages, the
/// editing steps of Text, are far smaller. The parser's buffer grows up to this for a large reply and
/// stays so until the connection ends.
pub(super) const MAX_REPLY: usize = 4 << 20;

/// Why no further reply can be read.
#[derive(Debug)]
pub(super) enum ReplyError {
    /// The peer closed the stream.
    Ended,
    /// The stream broke.
    Broken(io::Error),
    /// A reply of more than [`MAX_REPLY`] bytes.
    TooLarge,
    /// The bytes aren't the Redis protocol.
    NotRedis,
}

/// The state of the parser.
pub(super) struct ReplyReader {
    parser: Parser,
    /// Bytes read since the last whole reply.
    pending_bytes: usize,
    /// Whether anything has ever arrived.
    has_received: bool,
}

impl ReplyReader {
    /// A reader of a new connection.
    pub(super) fn new() -> Self {
        Self { parser: Parser::new(), pending_bytes: 0, has_received: false }
    }

    /// Whether the server has sent anything yet.
    pub(super) fn has_received(&self) -> bool {
        self.has_received
    }

    /// The next reply; `None`: bytes have arrived, but not a whole reply yet. Reads from `stream` only
    /// once all earlier bytes are consumed. A partial reply is kept.
    pub(super) fn poll_next(
        &mut self,
        stream: &mut dyn ByteStream,
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

    /// Whether the connection is open and no reply is pending. Never waits.
    pub(super) fn is_at_rest(&mut self, stream: &mut dyn ByteStream) -> bool {
        self.pending_bytes == 0
            && self.poll_next(stream, &mut Context::from_waker(Waker::noop())).is_pending()
    }
}

/// Why the parser got no bytes.
enum ReadStall {
    /// The rest hasn't arrived yet.
    Waiting,
    /// No more bytes will arrive.
    Stopped(ReplyError),
}

/// Presents an asynchronous stream to the parser as a non-blocking one. The parser resumes at the next
/// call.
struct ParserInput<'a, 'c> {
    stream: &'a mut dyn ByteStream,
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
    /// Keeps the reason here; the parser only learns that it can't continue.
    fn record_stall(&mut self, why: ReadStall) -> io::Result<usize> {
        self.stall = Some(why);
        Err(ErrorKind::WouldBlock.into())
    }
}

#[cfg(test)]
mod tests;
