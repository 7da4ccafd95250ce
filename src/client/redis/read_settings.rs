//! Reads the settings of the connection to Redis.

use super::super::redis::{REDIS_PORT, plain_redis, redis_urls};
use crate::{
    client::redis::{RedisAddress, RedisSettings, RedisTls, RedisTopology, show_redis},
    config::{
        ConfigError, ConfigFileValue, Setting, SettingLayers, SettingsReport, SourcedValue, parse,
        read::over, setting, url::ParsedUrl,
    },
};
use std::path::PathBuf;

/// Reads the settings; `file` has the values of the service's own file.
///
/// # Errors
/// [`ConfigError`].
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
    let overrides = TlsOverrides::read(layers)?;
    if redis.value.tls.is_none() && overrides.are_given() {
        report.warn(
            "REDIS_TLS_* and --redis-tls-* change nothing: the connection to Redis uses no TLS. \
             Write rediss:// in its URL, or tls:// in redis.host",
        );
    }
    let inherited = redis.clone().map(|redis| redis.tls);
    let overrides = overrides.over(inherited);
    if redis.value.tls.is_some() {
        overrides.check()?;
        redis.value.tls = Some(overrides.keep(report));
    } else {
        overrides.keep(report);
    }
    Ok(report.keep(setting::REDIS_URL.name, redis, show_redis))
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

/// The TLS settings with their sources; none where no layer has a value.
struct TlsOverrides {
    cert: Option<SourcedValue<PathBuf>>,
    key: Option<SourcedValue<PathBuf>>,
    ca: Option<SourcedValue<PathBuf>>,
    any_name: Option<SourcedValue<bool>>,
    any_certificate: Option<SourcedValue<bool>>,
}

impl TlsOverrides {
    fn read(layers: &SettingLayers<'_>) -> Result<Self, ConfigError> {
        Ok(Self {
            cert: layers.get(setting::REDIS_TLS_CERT, parse::path)?,
            key: layers.get(setting::REDIS_TLS_KEY, parse::path)?,
            ca: layers.get(setting::REDIS_TLS_CA, parse::path)?,
            any_name: layers.get(setting::REDIS_TLS_DONT_VALIDATE_HOSTNAME, parse::switch)?,
            any_certificate: layers.get(setting::REDIS_TLS_INSECURE, parse::switch)?,
        })
    }

    fn are_given(&self) -> bool {
        let files = [&self.cert, &self.key, &self.ca].into_iter().any(Option::is_some);
        files || self.any_name.is_some() || self.any_certificate.is_some()
    }

    /// Fills the gaps with the values of the URL or of the service's own file.
    fn over(self, inherited: SourcedValue<Option<RedisTls>>) -> Self {
        let SourcedValue { value: Some(tls), source } = inherited else { return self };
        let file = |path: PathBuf| SourcedValue { value: path, source: source.clone() };
        let on = |on: bool| on.then(|| SourcedValue { value: true, source: source.clone() });
        let (cert, key) = tls.client.unzip();
        Self {
            cert: self.cert.or_else(|| cert.map(file)),
            key: self.key.or_else(|| key.map(file)),
            ca: self.ca.or_else(|| tls.ca.map(file)),
            any_name: self.any_name.or_else(|| on(!tls.verify_name)),
            any_certificate: self.any_certificate.or_else(|| on(!tls.verify_peer)),
        }
    }

    /// Rejects a certificate without key and a key without certificate.
    fn check(&self) -> Result<(), ConfigError> {
        if self.cert.is_some() == self.key.is_some() {
            return Ok(());
        }
        Err(ConfigError::Missing {
            what: "a client certificate towards Redis needs its key, and the key its certificate",
            remedy: "Set both REDIS_TLS_CERT and REDIS_TLS_KEY, or none",
        })
    }

    /// Adds a row for each setting to the report.
    fn keep(self, report: &mut SettingsReport) -> RedisTls {
        let mut file = |setting: Setting, path: Option<SourcedValue<PathBuf>>| {
            let absent = setting.shown_default();
            report.keep_some(setting.name, path, absent, |path| path.display().to_string())
        };
        let cert = file(setting::REDIS_TLS_CERT, self.cert);
        let key = file(setting::REDIS_TLS_KEY, self.key);
        let ca = file(setting::REDIS_TLS_CA, self.ca);
        let mut switch = |setting: Setting, on: Option<SourcedValue<bool>>| {
            let on = on.unwrap_or(SourcedValue::default(false));
            report.keep(setting.name, on, bool::to_string)
        };
        let any_name = switch(setting::REDIS_TLS_DONT_VALIDATE_HOSTNAME, self.any_name);
        let any_certificate = switch(setting::REDIS_TLS_INSECURE, self.any_certificate);
        RedisTls {
            verify_name: !any_name,
            verify_peer: !any_certificate,
            ca,
            client: cert.zip(key),
        }
    }
}
