//! Nextcloud: config.php, channels, tables, log-ins, self-test (`specs/nextcloud.md`).

pub mod config;

pub mod accounts;
pub mod directory;
