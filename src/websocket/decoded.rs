//! The items that a decoder yields, and the rules that it enforces.

use super::CodecError;
use crate::websocket::frame::CloseCode;

/// The rules for what the peer sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecoderRules {
    /// Whether the peer's frames are masked: yes from clients, no from servers.
    pub masked: bool,
    /// The longest message, over all its fragments, in bytes.
    pub max_message: usize,
}

impl DecoderRules {
    /// The default rules for clients, whose longest message is a password.
    pub const FROM_CLIENT: Self = Self { masked: true, max_message: 4096 };
}

/// A complete message or control frame, borrowed from the buffer that it was read into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecodedItem<'a> {
    /// A text message, all fragments together.
    Text(&'a str),
    /// A binary message, all fragments together.
    Binary(&'a [u8]),
    /// To be answered with a pong of the same payload.
    Ping(&'a [u8]),
    /// Answer to a ping, or unsolicited, which is legal.
    Pong(&'a [u8]),
    /// A close frame, the last item. `None`: without a code.
    Close(Option<CloseFrame<'a>>),
}

/// The payload of a close frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CloseFrame<'a> {
    /// The code; one that may be sent, so it may be echoed.
    pub code: CloseCode,
    /// The reason in words; may be empty.
    pub reason: &'a str,
}

impl<'a> CloseFrame<'a> {
    /// Reads the payload of a close frame: RFC 6455 section 5.5.1.
    pub(super) fn parse(payload: &'a [u8]) -> Result<Option<Self>, CodecError> {
        let (code, reason) = match payload {
            [] => return Ok(None),
            [_] => return Err(CodecError::CloseLength),
            [high, low, reason @ ..] => (CloseCode(u16::from_be_bytes([*high, *low])), reason),
        };
        if !code.is_sendable() {
            return Err(CodecError::CloseCode(code.0));
        }
        let reason = std::str::from_utf8(reason).map_err(|_| CodecError::Utf8)?;
        Ok(Some(Self { code, reason }))
    }
}
