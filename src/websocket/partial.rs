//! Incomplete frames between two reads; an idle connection has none.

use super::{
    CodecError,
    header::{FrameHeader, MAX_HEADER, Opcode},
    mask,
};

/// All incomplete frames of a connection. Boxed, so that its absence costs eight bytes.
#[derive(Default)]
pub(super) struct PartialFrames {
    /// The first bytes of a frame whose header is incomplete.
    head: [u8; MAX_HEADER],
    head_length: u8,
    /// A frame whose header is known and whose payload is incomplete.
    pub(super) frame: Option<OpenFrame>,
    /// A data message of which at least one frame has begun.
    pub(super) message: Option<OpenMessage>,
    /// The payload so far of an incomplete control frame.
    pub(super) control: Vec<u8>,
    /// The peer has closed or broken the rules: nothing more is read.
    pub(super) ended: bool,
}

/// A frame whose payload is being read.
#[derive(Clone, Copy)]
pub(super) struct OpenFrame {
    pub(super) header: FrameHeader,
    /// How much of its payload has been read.
    pub(super) read: u64,
}

/// A data message of which more is expected.
pub(super) struct OpenMessage {
    pub(super) text: bool,
    pub(super) data: Vec<u8>,
    /// How much of a text's data is known to be UTF-8.
    verified: usize,
}

impl PartialFrames {
    /// The state after an error: nothing more is decoded.
    pub(super) fn ended() -> Self {
        Self { ended: true, ..Self::default() }
    }

    /// Whether nothing is incomplete.
    pub(super) fn is_idle(&self) -> bool {
        self.head_length == 0 && self.frame.is_none() && self.message.is_none() && !self.ended
    }

    /// Keeps the first bytes of a header; they fit, because a longer header would be complete.
    pub(super) fn keep_head(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if let Some(slot) = self.head.get_mut(usize::from(self.head_length)) {
                *slot = *byte;
                self.head_length += 1;
            }
        }
    }

    /// The bytes of the header so far.
    pub(super) fn head(&self) -> &[u8] {
        &self.head[..usize::from(self.head_length)]
    }

    /// Forgets the header once it is complete.
    pub(super) fn clear_head(&mut self) {
        self.head_length = 0;
    }

    /// Starts reading the payload of a frame.
    pub(super) fn open(&mut self, header: FrameHeader) {
        if matches!(header.opcode, Opcode::Text | Opcode::Binary) {
            let text = header.opcode == Opcode::Text;
            self.message = Some(OpenMessage { text, data: Vec::new(), verified: 0 });
        }
        self.frame = Some(OpenFrame { header, read: 0 });
    }

    /// Takes the next bytes of the open frame's payload (no more than are missing), unmasking them.
    pub(super) fn take(
        &mut self,
        frame: &mut OpenFrame,
        bytes: &mut [u8],
    ) -> Result<(), CodecError> {
        mask::apply(frame.header.key, frame.read, bytes);
        frame.read += bytes.len() as u64;
        if frame.header.opcode.is_control() {
            self.control.extend_from_slice(bytes);
            return Ok(());
        }
        match &mut self.message {
            Some(message) => message.append(bytes),
            None => Err(CodecError::UnexpectedContinuation),
        }
    }
}

impl OpenFrame {
    pub(super) fn missing(&self) -> u64 {
        self.header.length - self.read
    }
}

impl OpenMessage {
    /// Adds data; bytes that can't become valid UTF-8 are an error at once.
    fn append(&mut self, bytes: &[u8]) -> Result<(), CodecError> {
        self.data.extend_from_slice(bytes);
        if !self.text {
            return Ok(());
        }
        match std::str::from_utf8(&self.data[self.verified..]) {
            Ok(_) => self.verified = self.data.len(),
            Err(error) if error.error_len().is_none() => self.verified += error.valid_up_to(),
            Err(_) => return Err(CodecError::Utf8),
        }
        Ok(())
    }
}
