//! Everything that connects out: databases, Redis, TLS, WebSocket, and messages from memory.

pub mod source_metrics;
pub use source_metrics::SourceMetrics;
pub mod database;
mod self_connection;
pub mod tls;
pub mod websocket;
pub use self_connection::{
    ConnectionPreamble, loopback_reachable, self_tls_connector, send_proxy_preamble,
};
pub mod backoff;
mod byte_stream;
mod log_limiter;
pub mod memory;
pub mod redis;
pub mod source_barrier;
pub use byte_stream::ByteStream;
pub use log_limiter::LogLimiter;
pub use source_barrier::SourceBarrier;

use bytes::Bytes;
use tokio::time::Instant;

/// A payload from a source, with the name of its channel.
#[derive(Debug, Clone)]
pub struct SourceMessage {
    /// One of the channels that the service subscribed to.
    pub channel: &'static str,
    /// The payload as received. A slice keeps the whole allocation alive, so copy what outlives the
    /// message.
    pub payload: Bytes,
}

/// What a source delivers.
#[derive(Debug)]
pub enum SourceEvent {
    /// A message and when it was read; delivery times count from then.
    Message(SourceMessage, Instant),
    /// The source was unreachable and is back: messages may have been lost.
    Gap,
    /// Everything that was published before these callers began to wait has been delivered.
    Barrier(source_barrier::BarrierWaiters),
}
