//! Reads single settings from the layers into the report.

use super::{
    ConfigError, ConfigFileValue, Setting, SettingLayers, SettingsReport, SourcedValue, parse,
};
use std::time::Duration;

/// The setting from the layers, else what the file says.
pub(crate) fn over<T>(
    upper: Option<SourcedValue<T>>,
    file: ConfigFileValue<T>,
) -> ConfigFileValue<T> {
    if upper.is_some() { Ok(upper) } else { file }
}

pub(crate) fn duration(
    layers: &SettingLayers<'_>,
    setting: Setting,
    default: Duration,
    report: &mut SettingsReport,
) -> Result<Duration, ConfigError> {
    let sourced = layers.get(setting, parse::duration)?.unwrap_or(SourcedValue::default(default));
    Ok(report.keep(setting.name, sourced, seconds))
}

pub(crate) fn seconds(duration: &Duration) -> String {
    format!("{} s", duration.as_secs())
}

pub(crate) fn switch(
    layers: &SettingLayers<'_>,
    setting: Setting,
    report: &mut SettingsReport,
) -> Result<bool, ConfigError> {
    let sourced = layers.get(setting, parse::switch)?.unwrap_or(SourcedValue::default(false));
    Ok(report.keep(setting.name, sourced, bool::to_string))
}

/// What the file says, or nothing and a warning where that can't be used and can be done without.
pub(crate) fn or_warn<T>(
    found: ConfigFileValue<T>,
    report: &mut SettingsReport,
) -> Option<SourcedValue<T>> {
    found.unwrap_or_else(|error| {
        report.warn(error.to_string());
        None
    })
}
