//! What the daemon is told before it starts: plain values, one struct for each section.

mod auth;
mod delivery;
mod log;
mod nextcloud;
mod proxies;

pub use auth::{AuthSettings, AuthStep, RECHECK_ROUND, ThrottleSettings, TwoFactor};
pub use delivery::DeliverySettings;
pub use log::{LogSettings, LogStyle};
pub use nextcloud::NextcloudSettings;
pub use proxies::ProxySettings;

use crate::front::{ListenSettings, StrangerLimits};
use crate::source::redis::RedisSettings;
use crate::store::DatabaseSettings;
use std::time::Duration;

/// Everything the daemon is told before it starts.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Nextcloud's database. None only where `AUTH=nextcloud` says that it is not wanted: then
    /// file changes are told to nobody.
    pub database: Option<DatabaseSettings>,
    /// Where Nextcloud publishes.
    pub redis: RedisSettings,
    /// Where Nextcloud answers HTTP, and what it is told.
    pub nextcloud: NextcloudSettings,
    /// Where clients connect.
    pub listen: ListenSettings,
    /// Where `/metrics` is served (`METRICS_PORT`, `METRICS_SOCKET_PATH`); may be empty.
    pub metrics: Vec<ListenSettings>,
    /// Where the control endpoint is served besides (`ADMIN_PORT` on loopback,
    /// `ADMIN_SOCKET_PATH`); may be empty.
    pub admin: Vec<ListenSettings>,
    /// The log.
    pub log: LogSettings,
    /// How fast clients are told.
    pub delivery: DeliverySettings,
    /// What clients that have not logged in may use up.
    pub strangers: StrangerLimits,
    /// Who may log in.
    pub auth: AuthSettings,
    /// Whose word on client addresses is taken.
    pub proxies: ProxySettings,
    /// Over how long the clients' close frames are spread at the end.
    pub drain_time: Duration,
}
