//! What one Nextcloud is told: its config.php below the settings of this program.

mod changes;
pub mod config_php;
pub mod delivery;
pub mod instance;
pub mod login;
pub mod nextcloud_url;
mod read;
pub use read::instance;
pub mod remote;
pub use config_php::{FileLayer, FileRequest};
pub use delivery::DeliverySettings;
pub use instance::InstanceSettings;
pub use login::{AuthSettings, AuthStep, RECHECK_ROUND, ThrottleSettings, TwoFactor};
pub use nextcloud_url::{guessed_scheme, nextcloud_url};
pub use remote::NextcloudSettings;
#[cfg(test)]
mod url_properties;
