//! The WebSocket protocol (RFC 6455) without a socket: bytes in, items out.
//!
//! The other direction is [`crate::frame::Frame`].

mod decoder;
mod error;
mod header;
mod item;
mod mask;
mod partial;

#[cfg(test)]
mod cases;
#[cfg(test)]
mod properties;

pub use decoder::{Decoder, Items};
pub use error::CodecError;
pub use item::{Close, Item, Rules};
