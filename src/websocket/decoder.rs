//! Decodes bytes into items: unmasked in place, borrowed from the read buffer, with no memory while idle.

use super::{
    CloseFrame, CodecError, DecodedItem, DecoderRules,
    header::{FrameHeader, MAX_HEADER, Opcode},
    mask,
    partial::{OpenFrame, PartialFrames},
};
use std::ops::Range;

/// The decoder of one connection. Between messages it has eight bytes and no heap memory: an incomplete
/// message is boxed, and grows with the bytes that have arrived, never with the length that was announced.
#[derive(Default)]
pub struct FrameDecoder {
    partial: Option<Box<PartialFrames>>,
}

impl FrameDecoder {
    /// Decodes the next bytes of the stream. Read the items to the end: bytes that are still unread when
    /// they are dropped are lost.
    pub fn feed<'a>(&'a mut self, rules: DecoderRules, bytes: &'a mut [u8]) -> DecodedItems<'a> {
        DecodedItems { decoder: self, rules, bytes, position: 0, assembled: Vec::new() }
    }

    /// Whether nothing is incomplete and the peer has neither closed nor broken the rules.
    pub fn is_idle(&self) -> bool {
        self.partial.is_none()
    }

    /// The number of buffered payload bytes.
    #[cfg(test)]
    pub(super) fn kept(&self) -> usize {
        self.partial.as_ref().map_or(0, |partial| {
            partial.control.len() + partial.message.as_ref().map_or(0, |message| message.data.len())
        })
    }

    fn partial(&mut self) -> &mut PartialFrames {
        self.partial.get_or_insert_default()
    }
}

/// The items in the bytes, one at a time.
pub struct DecodedItems<'a> {
    decoder: &'a mut FrameDecoder,
    rules: DecoderRules,
    bytes: &'a mut [u8],
    position: usize,
    /// The payload of an item that arrived in several parts.
    assembled: Vec<u8>,
}

/// A complete payload: its kind and where it is.
enum CompletePayload {
    /// In the bytes of this read, unmasked.
    InPlace(Opcode, Range<usize>),
    /// In the `assembled` buffer.
    Assembled(Opcode),
}

impl DecodedItems<'_> {
    /// The next item; `None` when more bytes are needed or the connection has ended. After an error there
    /// are no further items: close with [`CodecError::close_code`].
    #[expect(
        clippy::should_implement_trait,
        reason = "the item is borrowed, which an Iterator can't express"
    )]
    pub fn next(&mut self) -> Option<Result<DecodedItem<'_>, CodecError>> {
        let whole = match self.advance() {
            Ok(whole) => whole,
            Err(error) => return Some(self.end_with(error)),
        };
        let Some(whole) = whole else {
            self.release_if_idle();
            return None;
        };
        if matches!(
            whole,
            CompletePayload::InPlace(Opcode::Close, _) | CompletePayload::Assembled(Opcode::Close)
        ) {
            self.decoder.partial().ended = true;
        }
        let item = match whole {
            CompletePayload::InPlace(opcode, range) => item(opcode, &self.bytes[range]),
            CompletePayload::Assembled(opcode) => item(opcode, &self.assembled),
        };
        if item.is_err() {
            // Only the decoder is borrowed, so that the item may still be returned.
            end(self.decoder);
        }
        Some(item)
    }

    /// The bytes that aren't decoded yet, unchanged: for a reader that leaves the rest to another decoder.
    pub fn rest(&self) -> &[u8] {
        &self.bytes[self.position..]
    }

    /// Decodes until a payload is complete.
    fn advance(&mut self) -> Result<Option<CompletePayload>, CodecError> {
        loop {
            match self.decoder.partial.as_ref().and_then(|partial| partial.frame) {
                _ if self.decoder.partial.as_ref().is_some_and(|partial| partial.ended) => {
                    return Ok(None);
                }
                Some(frame) => {
                    let more = self.fill(frame)?;
                    if more.is_some() || self.position == self.bytes.len() {
                        return Ok(more);
                    }
                }
                None => {
                    let Some(header) = self.head()? else { return Ok(None) };
                    self.check(&header)?;
                    if let Some(range) = self.in_place(&header) {
                        return Ok(Some(CompletePayload::InPlace(header.opcode, range)));
                    }
                    self.decoder.partial().open(header);
                }
            }
        }
    }

    /// Decodes the header of the next frame, which may have begun in an earlier read.
    fn head(&mut self) -> Result<Option<FrameHeader>, CodecError> {
        let rest = &self.bytes[self.position..];
        let kept = self.decoder.partial.as_ref().map_or(0, |partial| partial.head().len());
        if kept == 0 {
            if let Some((header, length)) = FrameHeader::parse(self.rules, rest)? {
                self.position += length;
                return Ok(Some(header));
            }
            if !rest.is_empty() {
                self.decoder.partial().keep_head(rest);
            }
        } else {
            let partial = self.decoder.partial();
            partial.keep_head(&rest[..rest.len().min(MAX_HEADER - kept)]);
            if let Some((header, length)) = FrameHeader::parse(self.rules, partial.head())? {
                partial.clear_head();
                self.position += length - kept;
                return Ok(Some(header));
            }
        }
        self.position = self.bytes.len();
        Ok(None)
    }

    /// Checks what depends on earlier frames: order of fragments, size of the whole message.
    fn check(&self, header: &FrameHeader) -> Result<(), CodecError> {
        if header.opcode.is_control() {
            return Ok(());
        }
        let message = self.decoder.partial.as_ref().and_then(|partial| partial.message.as_ref());
        let before = match (header.opcode, message) {
            (Opcode::Continuation, None) => return Err(CodecError::UnexpectedContinuation),
            (Opcode::Continuation, Some(message)) => message.data.len(),
            (_, None) => 0,
            (_, Some(_)) => return Err(CodecError::InterleavedMessage),
        };
        if header.length > self.rules.max_message.saturating_sub(before) as u64 {
            return Err(CodecError::TooBig);
        }
        Ok(())
    }

    /// Unmasks the payload in place if the frame is a complete message and has arrived whole: the usual case.
    fn in_place(&mut self, header: &FrameHeader) -> Option<Range<usize>> {
        let alone = header.fin && header.opcode != Opcode::Continuation;
        let length = usize::try_from(header.length).ok()?;
        let end = self.position.checked_add(length)?;
        if !alone || end > self.bytes.len() {
            return None;
        }
        let range = self.position..end;
        mask::apply(header.key, 0, &mut self.bytes[range.clone()]);
        self.position = end;
        Some(range)
    }

    /// Moves payload bytes into the buffer; returns a payload that is complete now.
    fn fill(&mut self, mut frame: OpenFrame) -> Result<Option<CompletePayload>, CodecError> {
        let rest = &mut self.bytes[self.position..];
        let take =
            usize::try_from(frame.missing()).map_or(rest.len(), |missing| missing.min(rest.len()));
        let partial = self.decoder.partial.get_or_insert_default();
        partial.take(&mut frame, &mut rest[..take])?;
        self.position += take;
        if frame.missing() > 0 {
            partial.frame = Some(frame);
            return Ok(None);
        }
        partial.frame = None;
        if frame.header.opcode.is_control() {
            self.assembled = std::mem::take(&mut partial.control);
            return Ok(Some(CompletePayload::Assembled(frame.header.opcode)));
        }
        if !frame.header.fin {
            return Ok(None);
        }
        let Some(message) = partial.message.take() else { return Ok(None) };
        self.assembled = message.data;
        let opcode = if message.text { Opcode::Text } else { Opcode::Binary };
        Ok(Some(CompletePayload::Assembled(opcode)))
    }

    /// Frees the memory when nothing is incomplete.
    fn release_if_idle(&mut self) {
        if self.decoder.partial.as_ref().is_some_and(|partial| partial.is_idle()) {
            self.decoder.partial = None;
        }
    }

    fn end_with(&mut self, error: CodecError) -> Result<DecodedItem<'_>, CodecError> {
        end(self.decoder);
        Err(error)
    }
}

/// Decodes nothing more, and frees the memory.
fn end(decoder: &mut FrameDecoder) {
    decoder.partial = Some(Box::new(PartialFrames::ended()));
}

fn item(opcode: Opcode, payload: &[u8]) -> Result<DecodedItem<'_>, CodecError> {
    Ok(match opcode {
        Opcode::Text => {
            DecodedItem::Text(std::str::from_utf8(payload).map_err(|_| CodecError::Utf8)?)
        }
        // A continuation is never a complete message.
        Opcode::Binary | Opcode::Continuation => DecodedItem::Binary(payload),
        Opcode::Ping => DecodedItem::Ping(payload),
        Opcode::Pong => DecodedItem::Pong(payload),
        Opcode::Close => DecodedItem::Close(CloseFrame::parse(payload)?),
    })
}
