//! The settings of one Nextcloud, with config.php as the lowest layer.

mod changes;
pub mod config_php;
pub mod delivery;
pub mod login;
pub mod nextcloud_service;
pub mod nextcloud_url;
mod php;
mod read;
pub mod table;
pub use php::{PhpSettings, php_settings};
pub use read::read_settings;
pub use table::NEXTCLOUD_SETTINGS;
pub mod nextcloud_http;
pub use config_php::{ConfigFileLayer, ConfigFileRequest};
pub use delivery::DeliverySettings;
pub use login::{
    AuthSettings, AuthStep, RECHECK_ROUND, ThrottleSettings, TokenCheck, TwoFactorPolicy,
};
pub use nextcloud_http::{CompatVersion, NextcloudHttpSettings};
pub use nextcloud_service::NextcloudServiceSettings;
pub use nextcloud_url::{guessed_scheme, nextcloud_url};
#[cfg(test)]
mod url_properties;
