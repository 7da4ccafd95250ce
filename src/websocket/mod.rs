//! The WebSocket protocol (RFC 6455) without a socket: bytes in, items out.
//!
//! The other direction is [`crate::websocket::frame::Frame`].

mod decoder;
mod error;
pub mod frame;
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
