//! One Nextcloud: what is read from its config.php, and what is set beside it.

use super::{AuthSettings, DeliverySettings, NextcloudSettings};
use crate::server::proxy_settings::ProxySettings;
use crate::client::{database::DatabaseSettings, redis::RedisSettings};

/// Everything that one Nextcloud is to the daemon.
#[derive(Debug, Clone, PartialEq)]
pub struct InstanceSettings {
    /// Nextcloud's database. None only where `AUTH=nextcloud` says that it is not wanted: then
    /// file changes are told to nobody.
    pub database: Option<DatabaseSettings>,
    /// Where Nextcloud publishes.
    pub redis: RedisSettings,
    /// Where Nextcloud answers HTTP, and what it is told.
    pub nextcloud: NextcloudSettings,
    /// How fast clients are told.
    pub delivery: DeliverySettings,
    /// Who may log in.
    pub auth: AuthSettings,
    /// Whose word on client addresses is taken.
    pub proxies: ProxySettings,
}
