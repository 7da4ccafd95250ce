//! The daemon's own settings, as plain values.

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

/// The settings of the daemon itself, whatever its services are.
#[derive(Debug, Clone, PartialEq)]
pub struct DaemonSettings {
    /// The shared listener for clients.
    pub listen: ListenSettings,
    /// The metrics listeners (`METRICS_PORT`, `METRICS_SOCKET_PATH`); may be empty.
    pub metrics: Vec<ListenSettings>,
    /// The admin listeners (`ADMIN_PORT` on loopback, `ADMIN_SOCKET_PATH`); may be empty.
    pub admin: Vec<ListenSettings>,
    /// Filter and format of the log.
    pub log: LogSettings,
    /// Limits of connections that haven't logged in.
    pub pre_auth: PreAuthLimits,
    /// The time over which close frames are spread at shutdown.
    pub drain_time: Duration,
}
