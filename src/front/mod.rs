//! The ways clients reach us: listeners, TLS, HTTP, WebSocket.

mod settings;

pub use settings::{Bind, ListenSettings, StrangerLimits, TlsFiles};
