//! Reads the daemon's own settings from the layers: the strongest layer that gives a setting wins.

mod listen;
mod log;

pub use listen::{DEFAULT_ADMIN_SOCKET, admin_listeners, clients_listener, operator_listeners};

use crate::{
    config::{
        ConfigError, SettingLayers, SettingsReport, SourcedValue, parse, read::seconds,
        setting::DRAIN_TIME,
    },
    lifecycle::DEFAULT_DRAIN_TIME,
    runtime::settings::DaemonSettings,
};
use std::time::Duration;

/// The service manager waits for the drain.
const MAX_DRAIN_TIME: Duration = Duration::from_secs(600);

/// Reads the daemon's own settings and reports the source of each. `port` is the default port for
/// clients.
pub fn settings(
    layers: &SettingLayers<'_>,
    port: u16,
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
    let parse = |text: &str| -> Result<_, String> {
        match parse::duration(text)? {
            time if time > MAX_DRAIN_TIME => Err("expected 10 minutes at most".into()),
            time => Ok(time),
        }
    };
    let sourced =
        layers.get(DRAIN_TIME, parse)?.unwrap_or(SourcedValue::default(DEFAULT_DRAIN_TIME));
    Ok(report.keep(DRAIN_TIME.name, sourced, seconds))
}
