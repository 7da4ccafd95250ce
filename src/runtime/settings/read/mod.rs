//! From the layers to the sections: for each setting the strongest layer that has a word on it.

mod listen;
mod log;

pub use listen::{DEFAULT_PORT, clients_listener, control_listeners};

use crate::{
    config::{ConfigError, Layers, Report, Sourced, parse, read::seconds, setting::DRAIN_TIME},
    runtime::settings::Settings,
};
use std::time::Duration;

/// Over how long clients are seen off at the end, where nothing else is said.
pub const DEFAULT_DRAIN: Duration = Duration::from_secs(5);
/// Whoever stops the daemon waits for it.
const MAX_DRAIN: Duration = Duration::from_secs(600);

/// Puts the daemon's own settings together and notes in the report where each comes from. `port` is
/// the one for clients, unless it is said.
pub fn settings(
    layers: &Layers<'_>,
    port: u16,
    report: &mut Report,
) -> Result<Settings, ConfigError> {
    let settings = Settings {
        listen: listen::listen(layers, port, report)?,
        metrics: listen::metrics(layers, report)?,
        admin: listen::admin(layers, report)?,
        strangers: listen::strangers(layers, report)?,
        drain_time: drain_time(layers, report)?,
        log: log::log(layers, report)?,
    };
    listen::distinct(&settings)?;
    Ok(settings)
}

fn drain_time(layers: &Layers<'_>, report: &mut Report) -> Result<Duration, ConfigError> {
    let parse = |text: &str| -> Result<_, String> {
        match parse::duration(text)? {
            time if time > MAX_DRAIN => Err("expected 10 minutes at most".into()),
            time => Ok(time),
        }
    };
    let sourced = layers.get(DRAIN_TIME, parse)?.unwrap_or(Sourced::default(DEFAULT_DRAIN));
    Ok(report.keep(DRAIN_TIME.name, sourced, seconds))
}
