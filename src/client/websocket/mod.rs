//! The client side of WebSocket, over the codec in `websocket`.

pub mod client;
pub mod stream;
pub use client::{UpgradeRejection, UpgradeRequest, WebSocketClient, WebSocketClientError};
