//! Nextcloud: config.php, channels, tables, log-ins, self-test (`specs/nextcloud.md`).

pub mod accounts;
mod audience;
pub mod channels;
pub mod config;
pub mod dialect;
pub mod directory;
pub mod endpoints;
pub mod host;
pub mod readable;
pub mod recheck;
pub mod remote;
