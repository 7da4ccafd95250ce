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
    /// file changes are told to nobody.
    pub database: Option<DatabaseSettings>,
    /// Where Nextcloud publishes.
    pub redis: RedisSettings,
    /// Where Nextcloud answers HTTP, and what it is told.
    pub nextcloud: NextcloudHttpSettings,
    /// How fast clients are told.
    pub delivery: DeliverySettings,
    /// Who may log in.
    pub auth: AuthSettings,
    /// Whose word on client addresses is taken.
    pub proxies: ProxySettings,
}
