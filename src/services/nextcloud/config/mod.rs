//! Nextcloud's configuration: `config.php`, read as far as it can be read without PHP, and for
//! the rest by PHP itself.

mod database;
mod dbhost;
pub mod interpreter;
mod keys;
mod login;
pub mod php;
mod proxies;
mod redis;
mod redis_tls;
mod url;

use crate::{
    config::ConfigError,
    services::nextcloud::settings::{ConfigFileLayer, ConfigFileRequest},
};
use interpreter::PhpInterpreter;
use keys::ConfigKeys;

/// Reads `config.php`, with `NC_<key>` variables over it: the lowest layer of the settings.
///
/// # Errors
/// When the file can't be read as a whole. Keys that can't be used are errors inside the layer.
pub fn read(
    request: &ConfigFileRequest<'_>,
    interpreter: &dyn PhpInterpreter,
) -> Result<ConfigFileLayer, ConfigError> {
    let (keys, mut warnings) = ConfigKeys::read(request, interpreter)?;
    Ok(ConfigFileLayer {
        engine: database::engine(&keys, request.exists, &mut warnings),
        prefix: database::prefix(&keys),
        redis: redis::redis(&keys),
        url: url::url(&keys, &mut warnings),
        secret: login::secret(&keys),
        token_auth_enforced: login::token_auth_enforced(&keys),
        two_factor: login::two_factor(&keys),
        throttle: login::throttle(&keys),
        trusted_proxies: proxies::trusted(&keys, &mut warnings),
        forwarded_headers: proxies::headers(&keys, &mut warnings),
        warnings,
    })
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod unknown_keys;
