//! Reads the settings of one Nextcloud from the layers and config.php.

mod database;
mod delivery;
mod login;
mod remote;

use super::{ConfigFileLayer, NextcloudServiceSettings};
use crate::{
    client::redis::read_settings::redis,
    config::{ConfigError, SettingLayers, SettingsReport},
    server::proxy_settings::proxies,
};

/// Reads the settings of one Nextcloud; `file` has the values of its config.php.
pub fn read_settings(
    layers: &SettingLayers<'_>,
    file: ConfigFileLayer,
    report: &mut SettingsReport,
) -> Result<NextcloudServiceSettings, ConfigError> {
    super::php::report_php(layers, report)?;
    report.warnings.extend(file.warnings);
    let database = database::database(layers, file.engine, file.prefix, report)?;
    let redis = redis(layers, file.redis, report)?;
    let nextcloud = remote::nextcloud(layers, file.url, database.is_some(), report)?;
    let inputs = login::AuthInputs {
        secret: file.secret,
        token_auth_enforced: file.token_auth_enforced,
        two_factor: file.two_factor,
        throttle: file.throttle,
    };
    let auth = login::auth(layers, inputs, nextcloud.url.is_some(), report)?;
    if database.is_none() {
        database::not_needed(&auth, report)?;
    }
    Ok(NextcloudServiceSettings {
        database,
        redis,
        nextcloud,
        auth,
        proxies: proxies(layers, file.trusted_proxies, file.forwarded_headers, report)?,
        delivery: delivery::delivery(layers, report)?,
    })
}
