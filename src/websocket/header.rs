//! The header of a frame: RFC 6455 section 5.2.

use super::{CodecError, DecoderRules};

/// The longest header: two bytes, a 64-bit length and a masking key.
pub(super) const MAX_HEADER: usize = 14;

/// The longest payload of a control frame: RFC 6455 section 5.5.
pub(super) const MAX_CONTROL: u64 = 125;

/// The kind of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Opcode {
    Continuation,
    Text,
    Binary,
    Close,
    Ping,
    Pong,
}

impl Opcode {
    fn parse(nibble: u8) -> Result<Self, CodecError> {
        match nibble {
            0x0 => Ok(Self::Continuation),
            0x1 => Ok(Self::Text),
            0x2 => Ok(Self::Binary),
            0x8 => Ok(Self::Close),
            0x9 => Ok(Self::Ping),
            0xa => Ok(Self::Pong),
            other => Err(CodecError::ReservedOpcode(other)),
        }
    }

    pub(super) fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }
}

/// The header of a frame, checked for everything that needs no context.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FrameHeader {
    pub(super) fin: bool,
    pub(super) opcode: Opcode,
    pub(super) length: u64,
    /// All zeros in a frame that is not masked, which unmasks to itself.
    pub(super) key: [u8; 4],
}

impl FrameHeader {
    /// Decodes a header at the start of `bytes`; returns it with its length. `None`: more bytes are
    /// needed. Errors are reported as early as possible.
    pub(super) fn parse(
        rules: DecoderRules,
        bytes: &[u8],
    ) -> Result<Option<(Self, usize)>, CodecError> {
        let Some(&first) = bytes.first() else { return Ok(None) };
        if first & 0x70 != 0 {
            return Err(CodecError::ReservedBits);
        }
        let (fin, opcode) = (first & 0x80 != 0, Opcode::parse(first & 0x0f)?);
        if opcode.is_control() && !fin {
            return Err(CodecError::ControlFragmented);
        }
        let Some(&second) = bytes.get(1) else { return Ok(None) };
        if (second & 0x80 != 0) != rules.masked {
            return Err(CodecError::Masking);
        }
        if opcode.is_control() && u64::from(second & 0x7f) > MAX_CONTROL {
            return Err(CodecError::ControlTooLong);
        }
        let Some((length, after_length)) = parse_length(bytes, second & 0x7f)? else {
            return Ok(None);
        };
        let Some((key, end)) = parse_key(rules, bytes, after_length) else { return Ok(None) };
        Ok(Some((Self { fin, opcode, length, key }, end)))
    }
}

/// The payload length and where it ends. Only the shortest form is legal.
fn parse_length(bytes: &[u8], short: u8) -> Result<Option<(u64, usize)>, CodecError> {
    let (length, end, least) = match short {
        126 => {
            let Some(field) = bytes.get(2..4) else { return Ok(None) };
            (field.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)), 4, 126)
        }
        127 => {
            let Some(field) = bytes.get(2..10) else { return Ok(None) };
            (field.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)), 10, 1 << 16)
        }
        short => (u64::from(short), 2, 0),
    };
    if length < least || length >> 63 != 0 {
        return Err(CodecError::Length);
    }
    Ok(Some((length, end)))
}

fn parse_key(rules: DecoderRules, bytes: &[u8], start: usize) -> Option<([u8; 4], usize)> {
    if !rules.masked {
        return Some(([0; 4], start));
    }
    let key = bytes.get(start..start + 4)?;
    Some(([key[0], key[1], key[2], key[3]], start + 4))
}
