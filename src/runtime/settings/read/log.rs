//! Reads the settings of the log.

use crate::{
    config::{
        ConfigError, SettingLayers, SettingsReport, SourcedValue, parse, read::switch, setting,
    },
    telemetry::log::LogSettings,
};

pub(super) fn log(
    layers: &SettingLayers<'_>,
    report: &mut SettingsReport,
) -> Result<LogSettings, ConfigError> {
    let default = LogSettings::default();
    let filter = layers.get(setting::LOG, parse::filter)?;
    let filter = filter.unwrap_or(SourcedValue::default(default.filter));
    let style = layers.get(setting::LOG_FORMAT, parse::log_style)?;
    let style = style.unwrap_or(SourcedValue::default(default.style));
    Ok(LogSettings {
        filter: report.keep(setting::LOG.name, filter, ToString::to_string),
        style: report.keep(setting::LOG_FORMAT.name, style, ToString::to_string),
        no_ansi: switch(layers, setting::NO_ANSI, report)?,
    })
}
