//! Nextcloud: config.php, channels, tables, log-ins, self-test (`specs/nextcloud.md`).

pub mod audience_index;
pub mod decoder;
pub mod event;
pub mod login;
pub mod original_metrics;
pub mod pipeline;
pub mod settings;
pub mod source_metrics;
pub use original_metrics::Snapshot;
pub use source_metrics::SourceMetrics;
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
