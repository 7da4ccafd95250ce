//! What comes out of the decoder, and by which rules.

use super::CodecError;
use crate::websocket::frame::CloseCode;

/// What the peer may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecoderRules {
    /// Whether the peer's frames are masked: yes from clients, no from servers.
    pub masked: bool,
    /// The longest message, over all its fragments, in bytes.
    pub max_message: usize,
}

impl DecoderRules {
    /// What the daemon allows its clients: their longest message is a password.
    pub const FROM_CLIENT: Self = Self { masked: true, max_message: 4096 };
}

/// Something whole that the peer sent, lent out of the buffer it came in.
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
    /// The peer wants to end; it is the last item. `None`: it said no code.
    Close(Option<CloseFrame<'a>>),
}

/// What a close frame says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CloseFrame<'a> {
    /// Why; one that may be sent, so it may be echoed.
    pub code: CloseCode,
    /// In words; may be empty.
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
