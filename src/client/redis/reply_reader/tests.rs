//! What is made of whole, cut, huge and broken replies.

use super::{MAX_REPLY, ReplyError, ReplyReader};
use proptest::prelude::*;
use redis::Value;
use std::{
    collections::VecDeque,
    io,
    pin::Pin,
    task::{Context, Poll, Waker},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A stream that gives these pieces one at a time and then has nothing more, for now or for ever.
struct ChunkedStream {
    pieces: VecDeque<Vec<u8>>,
    closed: bool,
    given: usize,
}

impl ChunkedStream {
    fn new<P: Into<Vec<u8>>>(pieces: impl IntoIterator<Item = P>) -> Self {
        let pieces = pieces.into_iter().map(Into::into).filter(|piece| !piece.is_empty());
        Self { pieces: pieces.collect(), closed: false, given: 0 }
    }
}

impl AsyncRead for ChunkedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Some(mut piece) = self.pieces.pop_front() else {
            return if self.closed { Poll::Ready(Ok(())) } else { Poll::Pending };
        };
        let rest = piece.split_off(piece.len().min(into.remaining()));
        into.put_slice(&piece);
        self.given += piece.len();
        if !rest.is_empty() {
            self.pieces.push_front(rest);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for ChunkedStream {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        unreachable!("nothing is written")
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        unreachable!("nothing is written")
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        unreachable!("nothing is written")
    }
}

/// All values until the pieces are used up (no reason) or reading stopped.
fn all(replies: &mut ReplyReader, stream: &mut ChunkedStream) -> (Vec<Value>, Option<ReplyError>) {
    let (mut context, mut values) = (Context::from_waker(Waker::noop()), Vec::new());
    loop {
        match replies.poll_next(stream, &mut context) {
            Poll::Pending => return (values, None),
            Poll::Ready(Ok(value)) => values.extend(value),
            Poll::Ready(Err(why)) => return (values, Some(why)),
        }
    }
}

fn read(bytes: &[u8]) -> (Vec<Value>, Option<ReplyError>) {
    all(&mut ReplyReader::new(), &mut ChunkedStream::new([bytes]))
}

const MESSAGE: &[u8] = b"*3\r\n$7\r\nmessage\r\n$5\r\ntopic\r\n$12\r\n{\"a\":\"b\r\nc\"}\r\n";

fn message() -> Value {
    let bulk = |text: &str| Value::BulkString(text.into());
    Value::Array(vec![bulk("message"), bulk("topic"), bulk("{\"a\":\"b\r\nc\"}")])
}

#[test]
fn a_reply_cut_at_any_byte_is_waited_for() {
    for cut in 1..MESSAGE.len() {
        let (mut replies, mut stream) = (ReplyReader::new(), ChunkedStream::new([&MESSAGE[..cut]]));
        let (values, stop) = all(&mut replies, &mut stream);
        assert!(values.is_empty() && stop.is_none(), "cut at {cut}: {stop:?}");
        assert!(!replies.is_at_rest(&mut stream), "cut at {cut}");
        stream.pieces.push_back(MESSAGE[cut..].to_vec());
        assert_eq!(all(&mut replies, &mut stream).0, [message()], "cut at {cut}");
        assert!(replies.is_at_rest(&mut stream));
    }
}

#[test]
fn bytes_without_a_whole_reply_are_reported_once() {
    let (mut replies, mut stream) = (ReplyReader::new(), ChunkedStream::new([&MESSAGE[..9]]));
    let mut context = Context::from_waker(Waker::noop());
    assert!(!replies.has_received());
    assert!(matches!(replies.poll_next(&mut stream, &mut context), Poll::Ready(Ok(None))));
    assert!(replies.has_received());
    assert!(replies.poll_next(&mut stream, &mut context).is_pending());
}

#[test]
fn many_replies_in_one_piece_come_one_by_one() {
    assert_eq!(read(&MESSAGE.repeat(1000)).0, vec![message(); 1000]);
}

#[test]
fn an_end_differs_from_a_pause_and_a_reply_before_it_is_kept() {
    let mut stream = ChunkedStream::new([MESSAGE, b"*3\r\n$7\r\nmess"]);
    stream.closed = true;
    let (values, stop) = all(&mut ReplyReader::new(), &mut stream);
    assert_eq!(values, [message()]);
    assert!(matches!(stop, Some(ReplyError::Ended)), "{stop:?}");
}

#[test]
fn an_idle_connection_that_speaks_or_ended_is_not_at_rest() {
    let mut quiet = ChunkedStream::new([b""]);
    assert!(ReplyReader::new().is_at_rest(&mut quiet));
    quiet.closed = true;
    assert!(!ReplyReader::new().is_at_rest(&mut quiet));
    assert!(!ReplyReader::new().is_at_rest(&mut ChunkedStream::new([b"+OK\r\n"])));
}

#[test]
fn what_is_not_redis_is_refused() {
    let nested = b"*1\r\n".repeat(10_000);
    let cases: [&[u8]; 8] = [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\x15\x03\x01\x00\x02\x02F",
        b"\r\n",
        b"$x\r\n",
        b"$99999999999999999999\r\n",
        b":1x\r\n",
        b"$3\r\nfooXX",
        &nested,
    ];
    for bytes in cases {
        let (values, stop) = read(bytes);
        assert!(
            values.is_empty() && matches!(stop, Some(ReplyError::NotRedis)),
            "{bytes:?}: {stop:?}"
        );
    }
}

#[test]
fn a_reply_without_end_is_cut_off_and_not_read_on() {
    let heads: [&[u8]; 4] = [b"+", b"$9223372036854775807\r\n", b"*9223372036854775807\r\n", b"-"];
    for head in heads {
        let filling = if head[0] == b'*' { b"+x\r\n".to_vec() } else { b"xxxx".to_vec() };
        let mut stream = ChunkedStream::new([head.to_vec(), filling.repeat(MAX_REPLY / 2)]);
        let (values, stop) = all(&mut ReplyReader::new(), &mut stream);
        assert!(
            values.is_empty() && matches!(stop, Some(ReplyError::TooLarge)),
            "{head:?}: {stop:?}"
        );
        assert_eq!(stream.given, MAX_REPLY, "{head:?}");
    }
}

#[test]
fn the_largest_reply_is_read_and_so_are_those_after_it() {
    let size = MAX_REPLY - 64;
    let large = [format!("${size}\r\n").into_bytes(), vec![b'x'; size], b"\r\n".to_vec()].concat();
    let (values, stop) = read(&[&large, MESSAGE, &large].concat());
    assert!(stop.is_none(), "{stop:?}");
    let large = Value::BulkString(vec![b'x'; size]);
    assert!(values == [large.clone(), message(), large]);
}

/// Bytes that look like the protocol more often than not.
fn likely() -> impl Strategy<Value = Vec<u8>> {
    let head = "[-+:$*%~|>!=,#(_][-]?[0-9a-z]{0,20}\r\n";
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..40),
        prop::string::string_regex(head).unwrap().prop_map(String::into_bytes),
        Just(MESSAGE.to_vec()),
    ]
}

proptest! {
    #[test]
    fn any_bytes_in_any_pieces_end_in_values_or_an_error(
        pieces in prop::collection::vec(likely(), 0..20)
    ) {
        let mut stream = ChunkedStream::new(pieces);
        let (_, stop) = all(&mut ReplyReader::new(), &mut stream);
        prop_assert!(stop.is_some() || stream.pieces.is_empty());
    }
}
