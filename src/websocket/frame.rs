//! Frames from server to client: encoded once, shared by all clients that receive them.

use bytes::{BufMut, Bytes, BytesMut};

/// Payloads up to this long fit the one-byte length and are all a control frame may carry
/// (RFC 6455 section 5.5).
const SHORT: usize = 125;

/// First byte of a whole, unfragmented frame: FIN and the opcode (RFC 6455 section 5.2).
const TEXT: u8 = 0x81;
const BINARY: u8 = 0x82;
const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;
const PONG: u8 = 0x8a;

/// Why a connection ends: a WebSocket close code (RFC 6455 section 7.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CloseCode(pub u16);

impl CloseCode {
    /// The connection has served its purpose.
    pub const NORMAL: Self = Self(1000);
    /// The sender goes away.
    pub const GOING_AWAY: Self = Self(1001);
    /// The peer broke the protocol.
    pub const PROTOCOL: Self = Self(1002);
    /// A kind of message that isn't supported.
    pub const UNSUPPORTED: Self = Self(1003);
    /// Text that is not UTF-8.
    pub const INVALID: Self = Self(1007);
    /// The peer broke a rule of the service.
    pub const POLICY: Self = Self(1008);
    /// A message above the limit.
    pub const TOO_BIG: Self = Self(1009);
    /// An error of the server.
    pub const INTERNAL: Self = Self(1011);
    /// The server restarts: reconnect.
    pub const RESTART: Self = Self(1012);
    /// The server is overloaded: reconnect later.
    pub const TRY_AGAIN: Self = Self(1013);

    /// Whether a peer may send it: registered codes, those of libraries and private ones; not those
    /// that only describe what was never on the wire (1005, 1006, 1015). RFC 6455 section 7.4.2.
    pub fn is_sendable(self) -> bool {
        matches!(self.0, 1000..=1003 | 1007..=1014 | 3000..=4999)
    }
}

/// One whole WebSocket frame from server to client, ready to write. Cheap to clone: the bytes are
/// shared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame(Bytes);

impl Frame {
    /// A text message.
    pub fn text(text: &str) -> Self {
        Self::encode(TEXT, text.as_bytes())
    }

    /// A binary message.
    pub fn binary(payload: &[u8]) -> Self {
        Self::encode(BINARY, payload)
    }

    /// A ping. Only the first 125 bytes are sent, more does not fit a control frame.
    pub fn ping(payload: &[u8]) -> Self {
        Self::encode(PING, short(payload))
    }

    /// The answer to a ping, with the ping's payload; cut like [`Frame::ping`].
    pub fn pong(payload: &[u8]) -> Self {
        Self::encode(PONG, short(payload))
    }

    /// A close frame. The reason is cut at a character boundary to fit (123 bytes).
    pub fn close(code: CloseCode, reason: &str) -> Self {
        let reason = &reason[..reason.floor_char_boundary(SHORT - 2)];
        let mut payload = Vec::with_capacity(2 + reason.len());
        payload.extend_from_slice(&code.0.to_be_bytes());
        payload.extend_from_slice(reason.as_bytes());
        Self::encode(CLOSE, &payload)
    }

    /// A close frame without a code: the answer to one without a code.
    pub fn close_empty() -> Self {
        Self::encode(CLOSE, &[])
    }

    /// Several frames as one piece, which is sent completely or not at all.
    pub fn joined<'a>(frames: impl IntoIterator<Item = &'a Frame>) -> Self {
        let parts: Vec<&[u8]> = frames.into_iter().map(|frame| &frame.0[..]).collect();
        Self(parts.concat().into())
    }

    /// The bytes as they go on the wire.
    pub fn bytes(&self) -> &Bytes {
        &self.0
    }

    /// The message without its WebSocket header, for transports that wrap it differently.
    pub fn payload(&self) -> Bytes {
        self.0.slice(header_length(&self.0)..)
    }

    /// Whether this is a close frame.
    pub fn is_close(&self) -> bool {
        self.0.first() == Some(&CLOSE)
    }

    /// Whether this is a message, not a control frame.
    pub fn is_message(&self) -> bool {
        matches!(self.0.first(), Some(&TEXT | &BINARY))
    }

    fn encode(first: u8, payload: &[u8]) -> Self {
        // Exactly as large as needed: a larger buffer would be reallocated when it is frozen.
        let mut bytes = BytesMut::with_capacity(header_size(payload.len()) + payload.len());
        put_header(&mut bytes, first, 0, payload.len());
        bytes.put_slice(payload);
        Self(bytes.freeze())
    }
}

impl AsRef<[u8]> for Frame {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// Writes first byte and payload length in the shortest form (RFC 6455 section 5.2); `mask_bit` is
/// 0x80 in frames that a client sends, which append their masking key to it.
pub(crate) fn put_header(bytes: &mut impl BufMut, first: u8, mask_bit: u8, length: usize) {
    bytes.put_u8(first);
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(length), _) if usize::from(length) <= SHORT => bytes.put_u8(mask_bit | length),
        (_, Ok(length)) => {
            bytes.put_u8(mask_bit | 126);
            bytes.put_u16(length);
        }
        _ => {
            bytes.put_u8(mask_bit | 127);
            bytes.put_u64(length as u64);
        }
    }
}

/// The length of [`put_header`]'s header without a masking key.
fn header_size(payload: usize) -> usize {
    match payload {
        0..=SHORT => 2,
        126..=0xffff => 4,
        _ => 10,
    }
}

fn header_length(frame: &[u8]) -> usize {
    match frame.get(1) {
        Some(126) => 4,
        Some(127) => 10,
        _ => 2,
    }
}

fn short(payload: &[u8]) -> &[u8] {
    &payload[..payload.len().min(SHORT)]
}

#[cfg(test)]
mod tests {
    use super::{CloseCode, Frame};

    #[test]
    fn lengths_are_encoded_in_their_shortest_form() {
        for (length, header) in [
            (0, vec![0x81, 0]),
            (125, vec![0x81, 125]),
            (126, vec![0x81, 126, 0, 126]),
            (65_535, vec![0x81, 126, 0xff, 0xff]),
            (65_536, vec![0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        ] {
            let text = "x".repeat(length);
            let frame = Frame::text(&text);
            assert_eq!(frame.bytes()[..header.len()], header);
            assert_eq!(super::header_size(length), header.len());
            assert_eq!(frame.payload(), text.as_bytes());
        }
    }

    #[test]
    fn the_examples_of_section_5_7_come_out() {
        assert_eq!(Frame::text("Hello").as_ref(), b"\x81\x05Hello");
        assert_eq!(Frame::ping(b"Hello").as_ref(), b"\x89\x05Hello");
    }

    #[test]
    fn control_frames_never_exceed_125_bytes() {
        let long = "ä".repeat(100);
        assert_eq!(Frame::ping(long.as_bytes()).payload().len(), 125);
        let close = Frame::close(CloseCode::POLICY, &long).payload();
        assert_eq!(close.len(), 2 + 122);
        assert!(std::str::from_utf8(&close[2..]).is_ok());
    }

    #[test]
    fn codes_that_are_never_on_the_wire_are_not_sendable() {
        for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_535] {
            assert!(!CloseCode(code).is_sendable(), "{code}");
        }
        for code in [1000, 1003, 1007, 1014, 3000, 4401, 4999] {
            assert!(CloseCode(code).is_sendable(), "{code}");
        }
    }
}
