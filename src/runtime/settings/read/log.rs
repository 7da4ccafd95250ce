//! Reads the settings of the log.

use crate::{
    config::{ConfigError, SettingLayers, SettingsReport, parse, read::switch, setting},
    telemetry::log::LogSettings,
};

pub(super) fn log(
    layers: &SettingLayers<'_>,
    report: &mut SettingsReport,
) -> Result<LogSettings, ConfigError> {
    let filter = layers.get_or_default(setting::LOG, parse::filter)?;
    let style = layers.get_or_default(setting::LOG_FORMAT, parse::log_style)?;
    Ok(LogSettings {
        filter: report.keep(setting::LOG.name, filter, ToString::to_string),
        style: report.keep(setting::LOG_FORMAT.name, style, ToString::to_string),
        no_ansi: switch(layers, setting::NO_ANSI, report)?,
    })
}
