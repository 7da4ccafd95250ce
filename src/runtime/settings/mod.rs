//! The daemon's own settings as plain values, one struct for each section.

mod changes;
mod read;
use crate::{
    server::{ListenSettings, PreAuthLimits},
    telemetry::log::LogSettings,
};
pub use read::{
    DEFAULT_ADMIN_SOCKET, admin_listeners, clients_listener, operator_listeners, settings,
};
use std::time::Duration;

/// The daemon's own settings, independent of its services.
#[derive(Debug, Clone, PartialEq)]
pub struct DaemonSettings {
    /// The listener for clients.
    pub listen: ListenSettings,
    /// The listeners for metrics (`METRICS_PORT`, `METRICS_SOCKET_PATH`); may be empty.
    pub metrics: Vec<ListenSettings>,
    /// The listeners for control only (`ADMIN_PORT` on loopback, `ADMIN_SOCKET_PATH`); may be
    /// empty.
    pub admin: Vec<ListenSettings>,
    /// The settings of the log.
    pub log: LogSettings,
    /// The limits for unauthenticated connections.
    pub pre_auth: PreAuthLimits,
    /// The time over which clients are closed at shutdown.
    pub drain_time: Duration,
}
