//! Settings of a webhook service.

use super::{
    setting_table::{
        AUTH_TOKEN, HOOK_RATE, HOOK_TIME, INSECURE_NO_TOKEN, MAX_HOOK_TIME, MAX_REGISTRATIONS,
        PUBLIC_URL, REDIS_HOST, REGISTRATION_TIME, REPLAY_TIME,
    },
    store::StoreLimits,
};
use crate::{
    client::redis::{RedisSettings, read_settings::redis, redis_urls},
    config::{
        ConfigError, ConfigFileValue, ServiceConfigRequest, Setting, SettingLayers, SettingsReport,
        SourcedValue, parse, secret::Secret, setting,
    },
    server::proxy_settings::{ProxySettings, proxies},
};
use std::time::Duration;

/// Maximum of lifetimes: a month. Owners can renew what they need longer.
const MAX_LIFETIME: Duration = Duration::from_secs(31 * 86_400);
/// Maximum of [`REPLAY_TIME`], since messages are kept in memory.
const MAX_REPLAY_TIME: Duration = Duration::from_secs(3600);

/// Settings of one webhook service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookSettings {
    /// Token of the back ends; none with `--insecure-no-token`.
    pub token: Option<Secret>,
    /// Redis shared by the replicas.
    pub redis: Option<RedisSettings>,
    /// Prefix of private URLs.
    pub public_url: Option<String>,
    /// Limits of the store.
    pub limits: StoreLimits,
    /// Default and maximum lifetime of a private URL.
    pub hook_time: (Duration, Duration),
    /// Calls of one private URL per minute.
    pub hook_rate: u32,
    /// Maximum of connected clients.
    pub max_connections: Option<usize>,
    /// Maximum duration of a connection.
    pub max_connection: Option<Duration>,
    /// Proxies in front of the daemon.
    pub proxies: ProxySettings,
}

impl WebhookSettings {
    /// Reads the settings.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn read(
        request: &ServiceConfigRequest<'_>,
        report: &mut SettingsReport,
    ) -> Result<Self, ConfigError> {
        let layers = request.layers;
        Ok(Self {
            token: token(layers, report)?,
            redis: shared(layers, report)?,
            public_url: public_url(layers, report)?,
            limits: limits(layers, report)?,
            hook_time: hook_time(layers, report)?,
            hook_rate: number(layers, HOOK_RATE, report)?,
            max_connections: at_most(layers, report)?,
            max_connection: Some(seconds(
                layers,
                setting::MAX_CONNECTION_TIME,
                MAX_LIFETIME,
                report,
            )?)
            .filter(|time| !time.is_zero()),
            proxies: proxies(layers, Ok(None), Ok(None), report)?,
        })
    }
}

fn token(
    layers: &SettingLayers<'_>,
    report: &mut SettingsReport,
) -> Result<Option<Secret>, ConfigError> {
    let token = layers.get(AUTH_TOKEN, |text| Ok::<_, String>(Secret::from(text)))?;
    let open = layers.get_or_default(INSECURE_NO_TOKEN, parse::switch)?;
    let token = report.keep_some(AUTH_TOKEN.name, token, "none", |_| "set".to_owned());
    let open = report.keep(INSECURE_NO_TOKEN.name, open, bool::to_string);
    match (&token, open) {
        (None, false) => Err(ConfigError::Missing {
            what: "no token for back ends is set, so any client of the port could push to \
                   all users",
            remedy: "Set AUTH_TOKEN, or AUTH_TOKEN_FILE to a file that holds it; or use \
                     --insecure-no-token",
        }),
        (None, true) => {
            report.warn("no AUTH_TOKEN: any client of the port may push to all users");
            Ok(None)
        }
        (Some(_), true) => {
            report.warn("--insecure-no-token changes nothing: AUTH_TOKEN is set");
            Ok(token)
        }
        (Some(_), false) => Ok(token),
    }
}

/// `REDIS_URL`, or else the original's `REDIS_HOST`: a URL or a host name.
fn shared(
    layers: &SettingLayers<'_>,
    report: &mut SettingsReport,
) -> Result<Option<RedisSettings>, ConfigError> {
    let original: ConfigFileValue<RedisSettings> = layers.get(REDIS_HOST, |text| {
        let url = if text.contains("://") { text.to_owned() } else { format!("redis://{text}") };
        redis_urls(&[url]).map(|url| url.value)
    });
    if layers.texts(setting::REDIS_URL)?.is_none() && matches!(original, Ok(None)) {
        let none = SourcedValue::default(None::<String>);
        report.keep(setting::REDIS_URL.name, none, |_| "none: in memory".to_owned());
        return Ok(None);
    }
    redis(layers, original, report).map(Some)
}

fn public_url(
    layers: &SettingLayers<'_>,
    report: &mut SettingsReport,
) -> Result<Option<String>, ConfigError> {
    let url = layers.get(PUBLIC_URL, |text| {
        let url = url::Url::parse(text).ok().filter(|url| {
            matches!(url.scheme(), "http" | "https")
                && url.has_host()
                && url.query().is_none()
                && url.fragment().is_none()
                && url.username().is_empty()
                && url.password().is_none()
        });
        match url {
            Some(url) => Ok(url.as_str().trim_end_matches('/').to_owned()),
            None => Err("expected a URL such as https://push.example.org"),
        }
    })?;
    Ok(report.keep_some(PUBLIC_URL.name, url, "none: private URLs are paths", String::clone))
}

fn limits(
    layers: &SettingLayers<'_>,
    report: &mut SettingsReport,
) -> Result<StoreLimits, ConfigError> {
    let usual = StoreLimits::default();
    let per_user = number(layers, MAX_REGISTRATIONS, report)?;
    let registration = seconds(layers, REGISTRATION_TIME, MAX_LIFETIME, report)?;
    if registration < MIN_REGISTRATION_TIME {
        return Err(ConfigError::Missing {
            what: "REGISTRATION_TIME is less than 4 s, too short for clients to connect and stay",
            remedy: "Set it to the time in which a client reconnects, such as 3600",
        });
    }
    Ok(StoreLimits {
        registration,
        per_user: usize::try_from(per_user).unwrap_or(usize::MAX),
        replay: seconds(layers, REPLAY_TIME, MAX_REPLAY_TIME, report)?,
        ..usual
    })
}

/// Minimum lifetime of a registration, since those in use are renewed four times in their life.
const MIN_REGISTRATION_TIME: Duration = Duration::from_secs(4);

fn hook_time(
    layers: &SettingLayers<'_>,
    report: &mut SettingsReport,
) -> Result<(Duration, Duration), ConfigError> {
    let usual = seconds(layers, HOOK_TIME, MAX_LIFETIME, report)?;
    let longest = seconds(layers, MAX_HOOK_TIME, MAX_LIFETIME, report)?;
    Ok((usual.min(longest), longest))
}

fn at_most(
    layers: &SettingLayers<'_>,
    report: &mut SettingsReport,
) -> Result<Option<usize>, ConfigError> {
    let most = layers.get_or_default(setting::MAX_CONNECTIONS, parse::count::<usize>)?;
    let most = report.keep(setting::MAX_CONNECTIONS.name, most, |most| match most {
        0 => "no limit".to_owned(),
        most => most.to_string(),
    });
    Ok(Some(most).filter(|most| *most > 0))
}

fn number(
    layers: &SettingLayers<'_>,
    setting: Setting,
    report: &mut SettingsReport,
) -> Result<u32, ConfigError> {
    let parse = |text: &str| match parse::count::<u32>(text) {
        Ok(0) => Err("expected a number above 0".to_owned()),
        other => other,
    };
    let number = layers.get_or_default(setting, parse)?;
    Ok(report.keep(setting.name, number, u32::to_string))
}

fn seconds(
    layers: &SettingLayers<'_>,
    setting: Setting,
    longest: Duration,
    report: &mut SettingsReport,
) -> Result<Duration, ConfigError> {
    let parse = |text: &str| -> Result<Duration, String> {
        match parse::duration(text)? {
            time if time > longest => {
                Err(format!("expected {} seconds at most", longest.as_secs()))
            }
            time => Ok(time),
        }
    };
    let time = layers.get_or_default(setting, parse)?;
    Ok(report.keep(setting.name, time, |time| format!("{} s", time.as_secs())))
}
