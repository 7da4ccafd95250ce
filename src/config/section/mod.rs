//! What the daemon is told before it starts: plain values, one struct for each section.

mod auth;
mod delivery;
mod instance;
mod log;
mod nextcloud;
mod place;
mod proxies;

pub use auth::{AuthSettings, AuthStep, RECHECK_ROUND, ThrottleSettings, TwoFactor};
pub use delivery::DeliverySettings;
pub use instance::InstanceSettings;
pub use log::{LogSettings, LogStyle};
pub use nextcloud::NextcloudSettings;
pub use place::{Entry, HostName, Place};
pub use proxies::ProxySettings;

use crate::front::{ListenSettings, StrangerLimits};
use std::time::Duration;

/// What the daemon itself is told before it starts, whatever its hosts are.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
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
    pub strangers: StrangerLimits,
    /// Over how long the clients' close frames are spread at the end.
    pub drain_time: Duration,
}
