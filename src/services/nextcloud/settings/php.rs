//! `CONFIG_PHP` and `PHP_BINARY`: whether PHP is asked for values of config.php, and which PHP.

use super::table;
use crate::config::{ConfigError, SettingLayers, SettingsReport, SourcedValue, parse};
use std::path::PathBuf;

/// Whether PHP may be asked.
pub struct PhpSettings {
    /// Whether `CONFIG_PHP` is not `never`.
    pub ask: SourcedValue<bool>,
    /// `PHP_BINARY`; none: `php` in `PATH`.
    pub binary: Option<SourcedValue<PathBuf>>,
}

/// The settings on PHP.
///
/// # Errors
/// [`ConfigError`] for a value that neither can have.
pub fn php_settings(layers: &SettingLayers<'_>) -> Result<PhpSettings, ConfigError> {
    let ask = layers.get(table::CONFIG_PHP, |text| match text {
        "auto" | "never" => Ok(text == "auto"),
        _ => Err("expected auto or never"),
    })?;
    let binary = layers.get(table::PHP_BINARY, parse::path)?;
    Ok(PhpSettings { ask: ask.unwrap_or(SourcedValue::default(true)), binary })
}

/// Adds them to the report.
pub(super) fn report_php(
    layers: &SettingLayers<'_>,
    report: &mut SettingsReport,
) -> Result<(), ConfigError> {
    let PhpSettings { ask, binary } = php_settings(layers)?;
    let show = |ask: &bool| if *ask { "auto" } else { "never" }.to_owned();
    report.keep(table::CONFIG_PHP.name, ask, show);
    let show = |path: &PathBuf| path.display().to_string();
    report.keep_some(table::PHP_BINARY.name, binary, "php in PATH", show);
    Ok(())
}
