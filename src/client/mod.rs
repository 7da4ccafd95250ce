//! Where messages come from: Redis, memory; later HTTP and Kafka.

pub mod database;
mod self_connection;
pub mod tls;
pub mod websocket;
pub use self_connection::{
    ConnectionPreamble, loopback_reachable, self_tls_connector, send_proxy_preamble,
};
pub mod backoff;
pub mod memory;
mod outage_log;
pub mod redis;
mod state;

pub use state::SourceState;

use bytes::Bytes;
use tokio::time::Instant;

/// Bytes from a source, with the name of the channel they came on.
#[derive(Debug, Clone)]
pub struct SourceMessage {
    /// The channel, one of those the host asked for.
    pub channel: &'static str,
    /// The payload, untouched: cheap to hand on and to take apart. A slice of it keeps all of it, so
    /// what lives longer than the message copies what it keeps.
    pub payload: Bytes,
}

/// What a source hands on.
#[derive(Debug)]
pub enum SourceEvent {
    /// A message, and when it was read from the source: what its delivery is timed from.
    Message(SourceMessage, Instant),
    /// The source was away and is back: anything may have been missed since.
    Gap,
}
