//! The lowest layer: what the host's own configuration file says.

use super::{ThrottleSettings, TwoFactor};
use crate::{
    client::{database::Engine, redis::RedisSettings},
    config::{Environment, Found, secret::Secret},
};
use http::HeaderName;
use ipnet::IpNet;
use std::path::Path;
use url::Url;

/// What is asked of the file.
pub struct FileRequest<'a> {
    /// The file; none was named.
    pub path: Option<&'a Path>,
    /// `--glob-config`: also those beside it.
    pub glob: bool,
    /// What the file may look at, and what may override its keys.
    pub environment: &'a Environment,
    /// Whether there is a file, a folder or a socket at a path.
    pub exists: &'a dyn Fn(&Path) -> bool,
}

/// What the host's file says.
pub struct FileLayer {
    /// The database.
    pub engine: Found<Engine>,
    /// The prefix of its tables.
    pub prefix: Found<String>,
    /// Redis.
    pub redis: Found<RedisSettings>,
    /// Where the host answers HTTP.
    pub url: Found<Url>,
    /// What app passwords are hashed with.
    pub secret: Found<Secret>,
    /// Whether account passwords are refused.
    pub token_auth_enforced: Found<bool>,
    /// Who needs a second factor.
    pub two_factor: Found<TwoFactor>,
    /// What a wrong password costs.
    pub throttle: Found<ThrottleSettings>,
    /// Whose forwarded headers are believed.
    pub trusted_proxies: Found<Vec<IpNet>>,
    /// Which headers these are.
    pub forwarded_headers: Found<Vec<HeaderName>>,
    /// What an operator should hear that stops nothing.
    pub warnings: Vec<String>,
}
