//! Where messages come from: Redis, memory; later HTTP and Kafka.

pub mod redis;

use bytes::Bytes;

/// Bytes from a source, with the name of the channel they came on.
#[derive(Debug, Clone)]
pub struct Message {
    /// The channel, one of those the host asked for.
    pub channel: &'static str,
    /// The payload, untouched.
    pub payload: Bytes,
}

/// What a source hands on.
#[derive(Debug)]
pub enum Delivery {
    /// A message.
    Message(Message),
    /// The source was away and is back: anything may have been missed since.
    Gap,
}
