//! Settings in layers: default < config.php < environment < command line.
//!
//! [`load()`] is handed everything as values: arguments, environment, `.env`, and how to read the
//! host's own file, which this module knows only as a [`FileLayer`].

mod address;
mod assemble;
mod change;
mod command;
mod command_line;
mod environment;
mod error;
mod file;
mod hosts_file;
mod kind;
mod layers;
mod load;
pub mod parse;
mod report;
mod section;
pub mod setting;
mod several;
mod source;

pub use address::{
    REDIS_PORT, guessed_scheme, nextcloud_url, plain_redis, redis_urls, tls_mode, verified,
};
pub use assemble::{DEFAULT_DRAIN, DEFAULT_PORT, instance, proxies, redis};
pub use change::{Change, Effect};
pub use command::{Command, Described, DoctorOptions, LogAction, Play};
pub use environment::Environment;
pub use error::ConfigError;
pub use file::{FileLayer, FileRequest, Found};
pub use kind::{Action, Flag, HostRequest, Kind};
pub use layers::{Layers, ReadFile, read_text};
pub use load::{Surroundings, load};
pub use parse::{header, network};
pub use report::{Report, Row};
pub use section::{
    AuthSettings, AuthStep, DeliverySettings, Entry, HostName, InstanceSettings, LogSettings,
    LogStyle, NextcloudSettings, Place, ProxySettings, RECHECK_ROUND, Settings, ThrottleSettings,
    TwoFactor,
};
pub use setting::{INSTANCE, Kind as SettingKind, Setting};
pub use source::{Source, Sourced};
