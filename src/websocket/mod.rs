//! The WebSocket protocol (RFC 6455) without a socket: bytes in, items out.
//!
//! The other direction is [`crate::websocket::frame::Frame`].

mod decoded;
mod decoder;
mod error;
pub mod frame;
mod header;
mod mask;
mod partial;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod rfc_cases;

pub use decoded::{CloseFrame, DecodedItem, DecoderRules};
pub use decoder::{DecodedItems, FrameDecoder};
pub use error::CodecError;
