//! Nextcloud: config.php, channels, tables, logins, self-test (`specs/nextcloud.md`).

pub mod audience;
pub mod event;
pub mod login;
pub mod original_metrics;
pub mod pipeline;
pub(crate) mod recent_map;
pub mod settings;

pub use original_metrics::CompatSnapshot;

pub mod accounts;
pub mod channels;
pub mod config;
pub mod deferred_token_check;
pub mod dialect;
pub mod doctor;
pub mod event_handler;
pub mod http;
pub mod mount_store;
pub mod self_test;
mod service;
pub mod session_recheck;
pub mod table_access;

pub use service::{KIND, NextcloudEventSource, NextcloudService};
