//! Protocol errors of a peer, and the close code for each.

use crate::websocket::frame::CloseCode;

/// A violation of the protocol. After it the decoder yields no further items.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// RFC 6455 section 5.2: no extension was agreed on.
    #[error("reserved bits are set")]
    ReservedBits,
    /// RFC 6455 section 5.2.
    #[error("reserved opcode {0}")]
    ReservedOpcode(u8),
    /// RFC 6455 section 5.1: clients mask, servers don't.
    #[error("wrong masking")]
    Masking,
    /// RFC 6455 section 5.2: not the shortest form, or the highest bit of 64 set.
    #[error("malformed payload length")]
    Length,
    /// RFC 6455 section 5.5: at most 125 bytes.
    #[error("control frame above 125 bytes")]
    ControlTooLong,
    /// RFC 6455 section 5.5.
    #[error("fragmented control frame")]
    ControlFragmented,
    /// RFC 6455 section 5.4.
    #[error("continuation without a message")]
    UnexpectedContinuation,
    /// RFC 6455 section 5.4: messages don't interleave.
    #[error("new message inside an unfinished one")]
    InterleavedMessage,
    /// RFC 6455 section 5.5.1: one byte is no code.
    #[error("close frame of one byte")]
    CloseLength,
    /// RFC 6455 section 7.4.
    #[error("close code {0} may not be sent")]
    CloseCode(u16),
    /// RFC 6455 section 8.1.
    #[error("text is not UTF-8")]
    Utf8,
    /// A message above [`crate::websocket::DecoderRules::max_message`].
    #[error("message above the limit")]
    TooBig,
}

impl CodecError {
    /// The code of the close frame for the peer.
    pub fn close_code(self) -> CloseCode {
        match self {
            Self::Utf8 => CloseCode::INVALID,
            Self::TooBig => CloseCode::TOO_BIG,
            _ => CloseCode::PROTOCOL,
        }
    }
}
