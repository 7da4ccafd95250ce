//! Reads the daemon's own settings from the layers.

mod listen;
mod log;

pub use listen::{DEFAULT_ADMIN_SOCKET, admin_listeners, clients_listener, operator_listeners};

use crate::{
    config::{
        ConfigError, Setting, SettingLayers, SettingsReport, ValueFault, parse, read::seconds,
        setting::DRAIN_TIME,
    },
    runtime::settings::DaemonSettings,
};
use std::time::Duration;

/// The longest time over which clients are closed at shutdown, since an operator waits for it.
const MAX_DRAIN_TIME: Duration = Duration::from_secs(600);

/// Reads the settings and adds each to the report. `port` has the default of the service's kind.
///
/// # Errors
/// [`ConfigError`].
pub fn settings(
    layers: &SettingLayers<'_>,
    port: Setting,
    report: &mut SettingsReport,
) -> Result<DaemonSettings, ConfigError> {
    let settings = DaemonSettings {
        listen: listen::listen(layers, port, report)?,
        metrics: listen::metrics(layers, report)?,
        admin: listen::admin(layers, report)?,
        pre_auth: listen::pre_auth(layers, report)?,
        drain_time: drain_time(layers, report)?,
        log: log::log(layers, report)?,
    };
    listen::reject_duplicates(&settings)?;
    Ok(settings)
}

fn drain_time(
    layers: &SettingLayers<'_>,
    report: &mut SettingsReport,
) -> Result<Duration, ConfigError> {
    let parse = |text: &str| -> Result<_, ValueFault> {
        match parse::duration(text)? {
            time if time > MAX_DRAIN_TIME => Err("expected 10 minutes at most".into()),
            time => Ok(time),
        }
    };
    let sourced = layers.get_or_default(DRAIN_TIME, parse)?;
    Ok(report.keep(DRAIN_TIME.name, sourced, seconds))
}
