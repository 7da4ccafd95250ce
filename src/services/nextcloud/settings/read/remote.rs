//! Reads the settings of the connection to Nextcloud.

use super::super::{CompatVersion, NextcloudHttpSettings, nextcloud_url, table};
use crate::config::{
    ConfigError, ConfigFileValue, SettingLayers, SettingsReport, parse,
    read::{optional_path, or_warn, over, switch},
};
use url::Url;

pub(super) fn nextcloud(
    layers: &SettingLayers<'_>,
    file: ConfigFileValue<Url>,
    database: bool,
    report: &mut SettingsReport,
) -> Result<NextcloudHttpSettings, ConfigError> {
    let given = layers.get(table::NEXTCLOUD_URL, nextcloud_url)?;
    let url = match file {
        // With a database Nextcloud is optional, so an unusable URL in the file is a warning.
        file if database && given.is_none() => or_warn(file, report),
        file => over(given, file)?,
    };
    if url.is_none() {
        report.warn(
            "Nextcloud's URL is not known: logins that the database doesn't decide fail, and so does \
             the self-test. Set --nextcloud-url or NEXTCLOUD_URL, or \
             overwrite.cli.url in config.php",
        );
    }
    let url = report.keep_some(table::NEXTCLOUD_URL.name, url, "none", Url::to_string);
    let allow_self_signed = switch(layers, table::ALLOW_SELF_SIGNED, report)?;
    let ca = optional_path(layers, table::NEXTCLOUD_CA, report)?;
    let agent = layers.get_or_default(table::USER_AGENT, parse::user_agent)?;
    let version = layers.get_or_default(table::COMPAT_VERSION, compat_version)?;
    Ok(NextcloudHttpSettings {
        url,
        allow_self_signed,
        ca,
        user_agent: report.keep(table::USER_AGENT.name, agent, Clone::clone),
        compat_version: report.keep(table::COMPAT_VERSION.name, version, CompatVersion::to_string),
    })
}

fn compat_version(text: &str) -> Result<CompatVersion, parse::ExpectedFormat> {
    if text.trim() == "auto" {
        Ok(CompatVersion::App)
    } else {
        parse::version(text).map(CompatVersion::Fixed)
    }
}
