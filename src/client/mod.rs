//! Where messages come from: Redis, memory; later HTTP and Kafka.

pub mod database;
mod own_listener;
pub mod tls;
pub mod websocket;
pub use own_listener::{from_here, introduce_ourselves, to_ourselves};
pub mod backoff;
mod complaint;
pub mod memory;
pub mod redis;
mod state;

pub use state::State;

use bytes::Bytes;
use tokio::time::Instant;

/// Bytes from a source, with the name of the channel they came on.
#[derive(Debug, Clone)]
pub struct Message {
    /// The channel, one of those the host asked for.
    pub channel: &'static str,
    /// The payload, untouched: cheap to hand on and to take apart. A slice of it keeps all of it, so
    /// what lives longer than the message copies what it keeps.
    pub payload: Bytes,
}

/// What a source hands on.
#[derive(Debug)]
pub enum Delivery {
    /// A message, and when it was read from the source: what its delivery is timed from.
    Message(Message, Instant),
    /// The source was away and is back: anything may have been missed since.
    Gap,
}
