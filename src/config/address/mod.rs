//! `DATABASE_URL`, `REDIS_URL`, `NEXTCLOUD_URL`: what they may look like, and how they are shown.

mod database;
mod nextcloud;
mod redis;
mod show;
mod tls;
mod url;

pub use self::nextcloud::{guessed_scheme, nextcloud_url};
pub(super) use database::database_url;
pub use redis::redis_urls;
pub use redis::{DEFAULT_PORT as REDIS_PORT, plain_redis, verified};
pub(super) use show::{show_engine, show_redis};
pub use tls::tls_mode;

#[cfg(test)]
mod properties;
