//! The lowest layer: what the host's own configuration file says.

use super::{ThrottleSettings, TwoFactorPolicy};
use crate::{
    client::{database::DatabaseEngine, redis::RedisSettings},
    config::{ConfigFileValue, EnvironmentVariables, secret::Secret},
};
use http::HeaderName;
use ipnet::IpNet;
use std::path::Path;
use url::Url;

/// What is asked of the file.
pub struct ConfigFileRequest<'a> {
    /// The file; none was named.
    pub path: Option<&'a Path>,
    /// `--glob-config`: also those beside it.
    pub glob: bool,
    /// What the file may look at, and what may override its keys.
    pub environment: &'a EnvironmentVariables,
    /// Whether there is a file, a folder or a socket at a path.
    pub exists: &'a dyn Fn(&Path) -> bool,
}

/// What the host's file says.
pub struct ConfigFileLayer {
    /// The database server and name.
    pub engine: ConfigFileValue<DatabaseEngine>,
    /// The prefix of its tables.
    pub prefix: ConfigFileValue<String>,
    /// The Redis that Nextcloud uses.
    pub redis: ConfigFileValue<RedisSettings>,
    /// Where the host answers HTTP.
    pub url: ConfigFileValue<Url>,
    /// What app passwords are hashed with.
    pub secret: ConfigFileValue<Secret>,
    /// Whether account passwords are refused.
    pub token_auth_enforced: ConfigFileValue<bool>,
    /// Who needs a second factor.
    pub two_factor: ConfigFileValue<TwoFactorPolicy>,
    /// What a wrong password costs.
    pub throttle: ConfigFileValue<ThrottleSettings>,
    /// Whose forwarded headers are believed.
    pub trusted_proxies: ConfigFileValue<Vec<IpNet>>,
    /// Which headers these are.
    pub forwarded_headers: ConfigFileValue<Vec<HeaderName>>,
    /// What an operator should hear that stops nothing.
    pub warnings: Vec<String>,
}
