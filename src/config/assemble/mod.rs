//! From the layers to the sections: for each setting the strongest layer that has a word on it.

mod auth;
mod database;
mod delivery;
mod listen;
mod log;
mod nextcloud;
mod proxies;
mod redis;

pub use listen::DEFAULT_PORT;
pub(super) use listen::{clients_listener, control_listeners};
pub use {proxies::proxies, redis::redis};

use super::file::{FileLayer, Found};
use super::layers::Layers;
use super::report::Report;
use super::setting::{DRAIN_TIME, Setting};
use super::{ConfigError, InstanceSettings, Settings, Sourced, parse};
use std::time::Duration;

/// Over how long clients are seen off at the end, where nothing else is said.
pub const DEFAULT_DRAIN: Duration = Duration::from_secs(5);
/// Whoever stops the daemon waits for it.
const MAX_DRAIN: Duration = Duration::from_secs(600);

/// Puts the daemon's own settings together and notes in the report where each comes from. `port` is
/// the one for clients, unless it is said.
pub(super) fn settings(
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

/// Puts the settings of one Nextcloud together, whose config.php says `file`.
pub fn instance(
    layers: &Layers<'_>,
    file: FileLayer,
    report: &mut Report,
) -> Result<InstanceSettings, ConfigError> {
    report.warnings.extend(file.warnings);
    let database = database::database(layers, file.engine, file.prefix, report)?;
    let redis = redis::redis(layers, file.redis, report)?;
    let nextcloud = nextcloud::nextcloud(layers, file.url, database.is_some(), report)?;
    let inputs = auth::Inputs {
        secret: file.secret,
        token_auth_enforced: file.token_auth_enforced,
        two_factor: file.two_factor,
        throttle: file.throttle,
    };
    let auth = auth::auth(layers, inputs, nextcloud.url.is_some(), report)?;
    if database.is_none() {
        database::not_needed(&auth, report)?;
    }
    Ok(InstanceSettings {
        database,
        redis,
        nextcloud,
        auth,
        proxies: proxies::proxies(layers, file.trusted_proxies, file.forwarded_headers, report)?,
        delivery: delivery::delivery(layers, report)?,
    })
}

/// The setting from the layers, else what the file says.
fn over<T>(upper: Option<Sourced<T>>, file: Found<T>) -> Found<T> {
    if upper.is_some() { Ok(upper) } else { file }
}

fn duration(
    layers: &Layers<'_>,
    setting: Setting,
    default: Duration,
    report: &mut Report,
) -> Result<Duration, ConfigError> {
    let sourced = layers.get(setting, parse::duration)?.unwrap_or(Sourced::default(default));
    Ok(report.keep(setting.name, sourced, seconds))
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

fn seconds(duration: &Duration) -> String {
    format!("{} s", duration.as_secs())
}

fn switch(layers: &Layers<'_>, setting: Setting, report: &mut Report) -> Result<bool, ConfigError> {
    let sourced = layers.get(setting, parse::switch)?.unwrap_or(Sourced::default(false));
    Ok(report.keep(setting.name, sourced, bool::to_string))
}

/// What the file says, or nothing and a warning where that can't be used and can be done without.
fn or_warn<T>(found: Found<T>, report: &mut Report) -> Option<Sourced<T>> {
    found.unwrap_or_else(|error| {
        report.warn(error.to_string());
        None
    })
}
