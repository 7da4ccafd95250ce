//! The Redis client: one supervised subscription, and the few keys that services read and write.

pub mod read_settings;
mod url;
mod url_parameters;
pub use url::{DEFAULT_PORT as REDIS_PORT, plain_redis, redis_urls, show_redis, verified};
mod client;
mod cluster;
mod connection;
mod connector;
mod dialer;
mod error;
mod heartbeat;
mod inspection;
mod listener;
mod reply_reader;
mod sentinel;
mod settings;
mod subscription;
mod timeouts;
mod tls;

pub use client::{RedisClient, ScriptReply};
pub use error::RedisClientError;
pub use inspection::ServerInspection;
pub use settings::{RedisAddress, RedisSettings, RedisTls, RedisTopology};
pub use subscription::RedisSubscription;
pub use timeouts::RedisTimeouts;
pub use tls::RedisTlsError;
