//! The section on Nextcloud itself.

use super::super::{NextcloudHttpSettings, nextcloud_url};
use crate::config::{
    ConfigError, ConfigFileValue, SettingLayers, SettingsReport, SourcedValue, parse,
    read::{or_warn, over, switch},
    setting,
};
use url::Url;

const DEFAULT_COMPAT_VERSION: &str = "1.4.0";

pub(super) fn nextcloud(
    layers: &SettingLayers<'_>,
    file: ConfigFileValue<Url>,
    database: bool,
    report: &mut SettingsReport,
) -> Result<NextcloudHttpSettings, ConfigError> {
    let given = layers.get(setting::NEXTCLOUD_URL, nextcloud_url)?;
    let url = match file {
        // Log-ins can do without Nextcloud, so an unusable URL in the file stops nothing.
        file if database && given.is_none() => or_warn(file, report),
        file => over(given, file)?,
    };
    if url.is_none() {
        report.warn(
            "Nextcloud's URL is not known: log-ins that the database doesn't decide are not \
             possible, nor is the self-test. Set --nextcloud-url or NEXTCLOUD_URL, or \
             overwrite.cli.url in config.php",
        );
    }
    let url = report.keep_some(setting::NEXTCLOUD_URL.name, url, "none", Url::to_string);
    let allow_self_signed = switch(layers, setting::ALLOW_SELF_SIGNED, report)?;
    let ca = layers.get(setting::NEXTCLOUD_CA, parse::path)?;
    let ca = report.keep_some(setting::NEXTCLOUD_CA.name, ca, "the system's", |path| {
        path.display().to_string()
    });
    let agent = layers.get(setting::USER_AGENT, parse::user_agent)?;
    let agent = agent.unwrap_or(SourcedValue::default(default_agent()));
    let version = layers.get(setting::COMPAT_VERSION, parse::version)?;
    let version = version.unwrap_or(SourcedValue::default(DEFAULT_COMPAT_VERSION.into()));
    Ok(NextcloudHttpSettings {
        url,
        allow_self_signed,
        ca,
        user_agent: report.keep(setting::USER_AGENT.name, agent, Clone::clone),
        compat_version: report.keep(setting::COMPAT_VERSION.name, version, Clone::clone),
    })
}

fn default_agent() -> String {
    concat!("notify_push/", env!("CARGO_PKG_VERSION")).into()
}
