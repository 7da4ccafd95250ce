//! Nextcloud: config.php, channels, tables, log-ins, self-test (`specs/nextcloud.md`).

pub mod accounts;
pub mod channels;
pub mod config;
pub mod dialect;
pub mod directory;
pub mod remote;
pub mod host;
