//! Bytes to items: unmasked in place, text lent from the read buffer, nothing kept while idle.

use super::{
    CloseFrame, CodecError, DecodedItem, DecoderRules,
    header::{FrameHeader, MAX_HEADER, Opcode},
    mask,
    partial::{OpenFrame, PartialFrames},
};
use std::ops::Range;

/// One connection's reading side. Eight bytes and no heap memory between messages: what is
/// incomplete is boxed, and grows with what has arrived, never with what a head announces.
#[derive(Default)]
pub struct FrameDecoder {
    partial: Option<Box<PartialFrames>>,
}

impl FrameDecoder {
    /// Reads `bytes`, the next of the stream. The items must be drained: what is left unread when
    /// they are dropped is lost.
    pub fn feed<'a>(&'a mut self, rules: DecoderRules, bytes: &'a mut [u8]) -> DecodedItems<'a> {
        DecodedItems { decoder: self, rules, bytes, position: 0, assembled: Vec::new() }
    }

    /// Whether nothing is incomplete and the peer has neither closed nor broken the rules.
    pub fn is_idle(&self) -> bool {
        self.partial.is_none()
    }

    /// Bytes of payload kept.
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

/// What was in the bytes fed, one item at a time.
pub struct DecodedItems<'a> {
    decoder: &'a mut FrameDecoder,
    rules: DecoderRules,
    bytes: &'a mut [u8],
    position: usize,
    /// The payload of an item that had to be put together.
    assembled: Vec<u8>,
}

/// A payload that is complete: where it lies and what it is.
enum CompletePayload {
    /// In the bytes fed, unmasked.
    InPlace(Opcode, Range<usize>),
    /// In `assembled`.
    Assembled(Opcode),
}

impl DecodedItems<'_> {
    /// The next item; `None` when more bytes are needed, or when the conversation is over. After an
    /// error there is nothing more either: tell the peer its [`CodecError::close_code`].
    #[expect(clippy::should_implement_trait, reason = "the item is lent, an Iterator can't")]
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
            // Borrowed from the decoder's side only, so that the item may still be lent.
            end(self.decoder);
        }
        Some(item)
    }

    /// What has not been read yet, as it came: for a reader that stops here and leaves the rest to
    /// another decoder.
    pub fn rest(&self) -> &[u8] {
        &self.bytes[self.position..]
    }

    /// Reads on until something is whole.
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

    /// Reads the head of the next frame, with what an earlier read kept of it.
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

    /// What depends on the frames before: order of fragments, size of the whole message.
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

    /// Where the payload lies, unmasked, if it is whole by itself and all here: the usual case.
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

    /// Moves payload from the bytes into what is kept; says what became whole.
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

    /// Gives the memory back when nothing is incomplete.
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

/// Reads nothing more, and frees what was kept.
fn end(decoder: &mut FrameDecoder) {
    decoder.partial = Some(Box::new(PartialFrames::ended()));
}

fn item(opcode: Opcode, payload: &[u8]) -> Result<DecodedItem<'_>, CodecError> {
    Ok(match opcode {
        Opcode::Text => {
            DecodedItem::Text(std::str::from_utf8(payload).map_err(|_| CodecError::Utf8)?)
        }
        // A continuation is never whole by itself.
        Opcode::Binary | Opcode::Continuation => DecodedItem::Binary(payload),
        Opcode::Ping => DecodedItem::Ping(payload),
        Opcode::Pong => DecodedItem::Pong(payload),
        Opcode::Close => DecodedItem::Close(CloseFrame::parse(payload)?),
    })
}
