//! TODO purpose.

pub mod client;
pub mod stream;
pub use client::{UpgradeRejection, UpgradeRequest, WebSocketClient, WebSocketClientError};
