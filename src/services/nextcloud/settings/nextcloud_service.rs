//! One Nextcloud: what is read from its config.php, and what is set beside it.

use super::{AuthSettings, DeliverySettings, NextcloudHttpSettings};
use crate::{
    client::{database::DatabaseSettings, redis::RedisSettings},
    server::proxy_settings::ProxySettings,
};

/// Everything that one Nextcloud is to the daemon.
#[derive(Debug, Clone, PartialEq)]
pub struct NextcloudServiceSettings {
    /// Nextcloud's database. None only where `AUTH=nextcloud` says that it is not wanted: then
    /// file changes notify no client.
    pub database: Option<DatabaseSettings>,
    /// Where Nextcloud publishes.
    pub redis: RedisSettings,
    /// Requests to Nextcloud.
    pub nextcloud: NextcloudHttpSettings,
    /// The settings of delivery.
    pub delivery: DeliverySettings,
    /// Who may log in.
    pub auth: AuthSettings,
    /// Whose word on client addresses is taken.
    pub proxies: ProxySettings,
}
