//! Reads single settings from the layers into the report.

use super::{
    ConfigError, ConfigFileValue, Setting, SettingLayers, SettingSource, SettingsReport,
    SourcedValue, ValueFault, parse, setting::SettingDefault,
};
use std::{path::PathBuf, time::Duration};

/// The value of the layers, else that of the service's own file.
pub(crate) fn over<T>(
    upper: Option<SourcedValue<T>>,
    file: ConfigFileValue<T>,
) -> ConfigFileValue<T> {
    if upper.is_some() { Ok(upper) } else { file }
}

/// The value that was found, else the default from the table.
pub(crate) fn or_default<T, E: Into<ValueFault>>(
    found: Option<SourcedValue<T>>,
    setting: Setting,
    parse: impl Fn(&str) -> Result<T, E>,
) -> Result<SourcedValue<T>, ConfigError> {
    if let Some(found) = found {
        return Ok(found);
    }
    let SettingDefault::Text(text) = setting.default else {
        let problem = format!("{} is needed and has no default", setting.variable);
        return Err(ConfigError::invalid(SettingSource::Default, problem));
    };
    match parse(text) {
        Ok(value) => Ok(SourcedValue::default(value)),
        Err(fault) => {
            Err(ConfigError::invalid_value(SettingSource::Default, setting, text, fault.into()))
        }
    }
}

/// Reads a duration, or its default from the table.
pub fn duration(
    layers: &SettingLayers<'_>,
    setting: Setting,
    report: &mut SettingsReport,
) -> Result<Duration, ConfigError> {
    let sourced = layers.get_or_default(setting, parse::duration)?;
    Ok(report.keep(setting.name, sourced, seconds))
}

/// Renders a duration for the report.
pub(crate) fn seconds(duration: &Duration) -> String {
    format!("{} s", duration.as_secs())
}

/// Reads a switch.
pub(crate) fn switch(
    layers: &SettingLayers<'_>,
    setting: Setting,
    report: &mut SettingsReport,
) -> Result<bool, ConfigError> {
    let sourced = layers.get_or_default(setting, parse::switch)?;
    Ok(report.keep(setting.name, sourced, bool::to_string))
}

/// Reads the path of a file, if there is one.
pub(crate) fn optional_path(
    layers: &SettingLayers<'_>,
    setting: Setting,
    report: &mut SettingsReport,
) -> Result<Option<PathBuf>, ConfigError> {
    let path = layers.get(setting, parse::path)?;
    let absent = setting.shown_default();
    Ok(report.keep_some(setting.name, path, absent, |path| path.display().to_string()))
}

/// The value of the file; nothing and a warning if it is unusable and not required.
pub(crate) fn or_warn<T>(
    found: ConfigFileValue<T>,
    report: &mut SettingsReport,
) -> Option<SourcedValue<T>> {
    found.unwrap_or_else(|error| {
        report.warn(error.to_string());
        None
    })
}
