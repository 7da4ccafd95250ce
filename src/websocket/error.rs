//! What a peer can do wrong, and the close code that tells it so.

use crate::websocket::frame::CloseCode;

/// Why a connection can't go on. After one of these its decoder yields nothing more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// RFC 6455 section 5.2: no extension was agreed on.
    #[error("reserved bits are set")]
    ReservedBits,
    /// RFC 6455 section 5.2.
    #[error("reserved opcode {0}")]
    ReservedOpcode(u8),
    /// RFC 6455 section 5.1: clients mask, servers don't.
    #[error("masked where it must not be, or the other way round")]
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
    #[error("continuation of nothing")]
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
    /// What to tell the peer.
    pub fn close_code(self) -> CloseCode {
        match self {
            Self::Utf8 => CloseCode::INVALID,
            Self::TooBig => CloseCode::TOO_BIG,
            _ => CloseCode::PROTOCOL,
        }
    }
}
