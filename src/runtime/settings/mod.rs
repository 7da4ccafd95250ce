//! What the daemon is told before it starts: plain values, one struct for each section.

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

/// What the daemon itself is told before it starts, whatever its hosts are.
#[derive(Debug, Clone, PartialEq)]
pub struct DaemonSettings {
    /// Where clients connect.
    pub listen: ListenSettings,
    /// Where `/metrics` is served (`METRICS_PORT`, `METRICS_SOCKET_PATH`); may be empty.
    pub metrics: Vec<ListenSettings>,
    /// Where the control endpoint is served besides (`ADMIN_PORT` on loopback,
    /// `ADMIN_SOCKET_PATH`); may be empty.
    pub admin: Vec<ListenSettings>,
    /// The log.
    pub log: LogSettings,
    /// What clients that have not logged in may use up.
    pub pre_auth: PreAuthLimits,
    /// Over how long the clients' close frames are spread at the end.
    pub drain_time: Duration,
}
