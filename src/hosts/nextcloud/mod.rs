//! Nextcloud: config.php, channels, tables, log-ins, self-test (`specs/nextcloud.md`).

pub mod accounts;
mod audience;
pub mod channels;
pub mod config;
pub mod dialect;
pub mod directory;
pub mod doctor;
pub mod endpoints;
pub mod host;
mod instance;
pub mod readable;
pub mod recheck;
pub mod remote;

pub use instance::{Feed, Instance, KIND};
