//! Redis as a source: one supervised subscription, and the few keys the host reads and writes.

pub mod read_settings;
mod url;
pub use url::{DEFAULT_PORT as REDIS_PORT, plain_redis, redis_urls, show_redis, verified};
mod cluster;
mod dial;
mod fault;
mod heartbeat;
mod keys;
mod listener;
mod look;
mod pace;
mod replies;
mod sentinel;
mod settings;
mod subscribe;
mod tls;
mod topology;
mod wire;

pub use fault::Fault;
pub use keys::{Answer, Keys};
pub use look::Look;
pub use pace::Pace;
pub use settings::{Address, RedisSettings, RedisTls, Topology};
pub use subscribe::Subscription;
pub use tls::TlsFault;
