//! Redis as a source: one supervised subscription, and the few keys the host reads and writes.

mod settings;

pub use settings::{Address, RedisSettings, RedisTls, Topology};
