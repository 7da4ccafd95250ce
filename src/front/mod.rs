//! The ways clients reach us: listeners, TLS, HTTP, WebSocket.

mod settings;
pub mod websocket;

pub use settings::{Bind, ListenSettings, StrangerLimits, TlsFiles};
