//! The Redis section.

use super::super::redis::{REDIS_PORT, plain_redis, redis_urls};
use crate::{
    client::redis::{RedisAddress, RedisSettings, RedisTls, RedisTopology, show_redis},
    config::{
        ConfigError, ConfigFileValue, SettingLayers, SettingsReport, SourcedValue, parse,
        read::over, setting, url::ParsedUrl,
    },
};
use std::path::{Path, PathBuf};

/// The section on Redis; `file` is what the host's own file says.
pub fn redis(
    layers: &SettingLayers<'_>,
    file: ConfigFileValue<RedisSettings>,
    report: &mut SettingsReport,
) -> Result<RedisSettings, ConfigError> {
    let given = layers.texts(setting::REDIS_URL)?.map(from_urls).transpose()?;
    if let Some(url) = &given {
        url.value.warnings(&url.source).into_iter().for_each(|warning| report.warn(warning));
    }
    let given = given.map(|url| url.map(|url| url.value));
    let local = RedisTopology::Single(RedisAddress::Tcp("127.0.0.1".into(), REDIS_PORT));
    let mut redis = over(given, file)?.unwrap_or(SourcedValue::default(plain_redis(local)));
    let mut shown = Vec::new();
    let given = tls(layers, &mut shown)?;
    match &mut redis.value.tls {
        Some(tls) => given.apply(tls)?,
        None if given != RedisTlsOverrides::default() => {
            report.warn(
                "REDIS_TLS_* and --redis-tls-* change nothing: the connection to Redis \
                         uses no TLS. Write rediss:// in its URL, or tls:// in redis.host",
            );
        }
        None => {}
    }
    let redis = report.keep(setting::REDIS_URL.name, redis, show_redis);
    for row in shown {
        report.keep(row.0, row.1, Clone::clone);
    }
    Ok(redis)
}

fn from_urls(
    urls: SourcedValue<Vec<String>>,
) -> Result<SourcedValue<ParsedUrl<RedisSettings>>, ConfigError> {
    let SourcedValue { value, source } = urls;
    match redis_urls(&value) {
        Ok(value) => Ok(SourcedValue { value, source }),
        Err(problem) => Err(ConfigError::invalid(source, problem)),
    }
}

/// What the TLS flags and variables say.
#[derive(Default, PartialEq)]
struct RedisTlsOverrides {
    ca: Option<PathBuf>,
    cert: Option<PathBuf>,
    key: Option<PathBuf>,
    any_name: Option<bool>,
    any_certificate: Option<bool>,
}

type ShownSettings = Vec<(&'static str, SourcedValue<String>)>;

fn tls(
    layers: &SettingLayers<'_>,
    shown: &mut ShownSettings,
) -> Result<RedisTlsOverrides, ConfigError> {
    let mut path = |setting: setting::Setting| -> Result<Option<PathBuf>, ConfigError> {
        let Some(path) = layers.get(setting, parse::path)? else { return Ok(None) };
        shown.push((setting.name, path.clone().map(|path| path.display().to_string())));
        Ok(Some(path.value))
    };
    let (cert, key) = (path(setting::REDIS_TLS_CERT)?, path(setting::REDIS_TLS_KEY)?);
    let ca = path(setting::REDIS_TLS_CA)?;
    let mut switch = |setting: setting::Setting| -> Result<Option<bool>, ConfigError> {
        let Some(on) = layers.get(setting, parse::switch)? else { return Ok(None) };
        shown.push((setting.name, on.clone().map(|on| on.to_string())));
        Ok(Some(on.value))
    };
    let any_name = switch(setting::REDIS_TLS_DONT_VALIDATE_HOSTNAME)?;
    let any_certificate = switch(setting::REDIS_TLS_INSECURE)?;
    Ok(RedisTlsOverrides { ca, cert, key, any_name, any_certificate })
}

impl RedisTlsOverrides {
    /// Lays what was given over what the URL or the file says.
    fn apply(self, tls: &mut RedisTls) -> Result<(), ConfigError> {
        tls.verify_name = self.any_name.map_or(tls.verify_name, |any| !any);
        tls.verify_peer = self.any_certificate.map_or(tls.verify_peer, |any| !any);
        tls.ca = self.ca.or_else(|| tls.ca.take());
        let before = tls.client.take();
        let first = |pair: &(PathBuf, PathBuf)| Path::to_path_buf(&pair.0);
        let second = |pair: &(PathBuf, PathBuf)| Path::to_path_buf(&pair.1);
        let cert = self.cert.or_else(|| before.as_ref().map(first));
        let key = self.key.or_else(|| before.as_ref().map(second));
        tls.client = match (cert, key) {
            (Some(cert), Some(key)) => Some((cert, key)),
            (None, None) => None,
            _ => {
                return Err(ConfigError::Missing {
                    what: "a client certificate towards Redis needs its key, and the key its \
                           certificate",
                    remedy: "Set both REDIS_TLS_CERT and REDIS_TLS_KEY, or none",
                });
            }
        };
        Ok(())
    }
}
