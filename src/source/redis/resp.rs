//! The Redis protocol (RESP2) as values: encoding of commands, bounded decoding of answers.
//!
//! <https://redis.io/docs/latest/develop/reference/protocol-spec/>. We never send `HELLO 3`, so a
//! server speaks RESP2 to us whatever its age. Payloads are slices of the read buffer, not copies.

use bytes::{Buf, Bytes, BytesMut};
use std::ops::Range;

/// A longer frame is dropped as it arrives, not kept: [`Value::Skipped`]. Nextcloud's largest
/// messages are Text's editing steps, far below it.
pub(super) const MAX_FRAME: usize = 4 << 20;

/// A longer line (error text, number) isn't Redis.
const MAX_LINE: usize = 16 << 10;

/// More elements than this in one answer isn't anything we asked for.
const MAX_ELEMENTS: usize = 1 << 16;

/// Deeper nesting isn't anything we asked for (CLUSTER SLOTS has four levels).
const MAX_DEPTH: usize = 8;

/// What a server says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    /// `+OK`
    Simple(Bytes),
    /// `-ERR …`
    Error(Bytes),
    /// `:1`
    Integer(i64),
    /// `$3 foo`
    Bulk(Bytes),
    /// `$-1` or `*-1`
    Nil,
    /// `*2 …`
    Array(Vec<Value>),
    /// A frame of this many bytes, more than [`MAX_FRAME`]; its content was dropped.
    Skipped(usize),
}

impl Value {
    /// The text of a simple or bulk string.
    pub(super) fn text(&self) -> Option<&[u8]> {
        match self {
            Self::Simple(text) | Self::Bulk(text) => Some(text),
            _ => None,
        }
    }

    /// The elements of an array; nothing for anything else.
    pub(super) fn elements(&self) -> &[Value] {
        match self {
            Self::Array(elements) => elements,
            _ => &[],
        }
    }
}

/// What arrived isn't the Redis protocol, or is beyond all measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the Redis protocol")]
pub(super) struct Malformed;

/// A command as the array of bulk strings that the server expects. The buffer is allocated once, at
/// its full size: growing would leave copies of a password behind.
pub(super) fn encode(words: &[&[u8]]) -> Vec<u8> {
    const HEAD: usize = 2 + 20 + 2;
    let size = HEAD + words.iter().map(|word| HEAD + word.len()).sum::<usize>();
    let mut out = Vec::with_capacity(size);
    head(&mut out, b'*', words.len());
    for word in words {
        head(&mut out, b'$', word.len());
        out.extend_from_slice(word);
        out.extend_from_slice(b"\r\n");
    }
    out
}

fn head(out: &mut Vec<u8>, kind: u8, count: usize) {
    out.push(kind);
    out.extend_from_slice(count.to_string().as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// Takes values off the front of a read buffer.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    /// Bytes of an oversized frame that are still to be dropped, and its whole size.
    discard: Option<(usize, usize)>,
}

impl Decoder {
    /// The next whole value, or `None` until more bytes have arrived. Never holds more than
    /// [`MAX_FRAME`] bytes in `buffer` for one value.
    pub(super) fn next(&mut self, buffer: &mut BytesMut) -> Result<Option<Value>, Malformed> {
        if self.discard.is_none() {
            let Some(size) = measure(buffer)? else {
                return if buffer.len() > MAX_FRAME { Err(Malformed) } else { Ok(None) };
            };
            if size <= MAX_FRAME {
                return if size <= buffer.len() {
                    let frame = buffer.split_to(size).freeze();
                    take(&frame, &mut 0, 0).map(Some)
                } else {
                    Ok(None)
                };
            }
            self.discard = Some((size, size));
        }
        Ok(self.drop_oversized(buffer))
    }

    /// The published message at the front, if that is what is there and it is whole: channel and
    /// payload. The one thing there are very many of, so it is taken in one look, without the
    /// vector that [`Decoder::next`] makes of it; whatever else is there is for that.
    pub(super) fn message(&mut self, buffer: &mut BytesMut) -> Option<(Bytes, Bytes)> {
        const HEAD: &[u8] = b"*3\r\n$7\r\nmessage\r\n";
        if self.discard.is_some() || !buffer.starts_with(HEAD) {
            return None;
        }
        let channel = string_at(buffer, HEAD.len())?;
        let payload = string_at(buffer, channel.end + 2)?;
        let frame = buffer.split_to(payload.end + 2).freeze();
        Some((frame.slice(channel), frame.slice(payload)))
    }

    fn drop_oversized(&mut self, buffer: &mut BytesMut) -> Option<Value> {
        let (left, size) = self.discard?;
        let now = left.min(buffer.len());
        buffer.advance(now);
        self.discard = (left > now).then_some((left - now, size));
        self.discard.is_none().then_some(Value::Skipped(size))
    }
}

/// The size of the frame at the front, as soon as it can be known: before the last string's bytes
/// have arrived. Jumps over strings, so that a large one costs nothing to look at again.
fn measure(buffer: &[u8]) -> Result<Option<usize>, Malformed> {
    let (mut at, mut missing, mut elements) = (0, 1_usize, 0_usize);
    while missing > 0 {
        let Some(Line { kind, content, next }) = line_at(buffer, at)? else { return Ok(None) };
        (at, missing) = (next, missing - 1);
        match kind {
            b'+' | b'-' | b':' => {}
            b'$' => at = at.checked_add(string_size(content)?).ok_or(Malformed)?,
            b'*' => {
                let count = length(content)?.unwrap_or(0);
                elements = elements.saturating_add(count);
                if elements > MAX_ELEMENTS {
                    return Err(Malformed);
                }
                missing += count;
            }
            _ => return Err(Malformed),
        }
    }
    Ok(Some(at))
}

/// The bytes a string takes after its head, line end included.
fn string_size(content: &[u8]) -> Result<usize, Malformed> {
    length(content)?.map_or(Ok(0), |size| size.checked_add(2).ok_or(Malformed))
}

/// One line of a frame.
struct Line<'a> {
    /// Its first byte.
    kind: u8,
    /// What follows that, without the line end.
    content: &'a [u8],
    /// Where the next line starts.
    next: usize,
}

/// The line that starts at `at`, once it is whole.
fn line_at(buffer: &[u8], at: usize) -> Result<Option<Line<'_>>, Malformed> {
    let Some((&kind, rest)) = buffer.get(at..).and_then(<[u8]>::split_first) else {
        return Ok(None);
    };
    if !matches!(kind, b'+' | b'-' | b':' | b'$' | b'*') {
        return Err(Malformed);
    }
    let window = &rest[..rest.len().min(MAX_LINE)];
    let Some(end) = window.iter().position(|byte| *byte == b'\r') else {
        return if window.len() == MAX_LINE { Err(Malformed) } else { Ok(None) };
    };
    match rest.get(end + 1) {
        Some(b'\n') => Ok(Some(Line { kind, content: &rest[..end], next: at + 1 + end + 2 })),
        Some(_) => Err(Malformed),
        None => Ok(None),
    }
}

/// A length: `None` for -1 (nil).
fn length(line: &[u8]) -> Result<Option<usize>, Malformed> {
    if line == b"-1" {
        return Ok(None);
    }
    if line.is_empty() || line.len() > 15 {
        return Err(Malformed);
    }
    line.iter()
        .try_fold(0_usize, |sum, byte| match byte {
            b'0'..=b'9' => Ok(sum * 10 + usize::from(byte - b'0')),
            _ => Err(Malformed),
        })
        .map(Some)
}

/// Reads one value of a frame that [`measure`] found whole.
fn take(frame: &Bytes, at: &mut usize, depth: usize) -> Result<Value, Malformed> {
    let Line { kind, content: line, next } = line_at(frame, *at)?.ok_or(Malformed)?;
    let content = *at + 1..*at + 1 + line.len();
    *at = next;
    Ok(match kind {
        b'+' => Value::Simple(frame.slice(content)),
        b'-' => Value::Error(frame.slice(content)),
        b':' => Value::Integer(
            std::str::from_utf8(line).ok().and_then(|text| text.parse().ok()).ok_or(Malformed)?,
        ),
        b'$' => match length(line)? {
            Some(size) => string(frame, at, size)?,
            None => Value::Nil,
        },
        _ => match length(line)? {
            Some(_) if depth == MAX_DEPTH => return Err(Malformed),
            Some(count) => Value::Array(
                (0..count).map(|_| take(frame, at, depth + 1)).collect::<Result<_, _>>()?,
            ),
            None => Value::Nil,
        },
    })
}

/// Where the content of the string at `at` is, if it is there to its end.
fn string_at(buffer: &[u8], at: usize) -> Option<Range<usize>> {
    let Ok(Some(Line { kind: b'$', content, next })) = line_at(buffer, at) else { return None };
    let end = next.checked_add(length(content).ok()??)?;
    (buffer.get(end..end.checked_add(2)?)? == b"\r\n").then_some(next..end)
}

fn string(frame: &Bytes, at: &mut usize, size: usize) -> Result<Value, Malformed> {
    let content = *at..*at + size;
    if frame.get(content.end..content.end + 2) != Some(b"\r\n") {
        return Err(Malformed);
    }
    *at = content.end + 2;
    Ok(Value::Bulk(frame.slice(content)))
}

#[cfg(test)]
#[path = "resp_tests.rs"]
mod tests;
