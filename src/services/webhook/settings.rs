//! Settings of a webhook service.

use super::store::StoreLimits;
use crate::{
    client::redis::{RedisSettings, read_settings::redis, redis_urls},
    config::{
        ConfigError, ConfigFileValue, ServiceConfigRequest, ServiceFlag, Setting, SettingKind,
        SettingLayers, SettingsReport, SourcedValue, parse, secret::Secret, setting,
    },
    server::proxy_settings::{ProxySettings, proxies},
};
use std::time::Duration;

/// Token of the back ends.
pub const AUTH_TOKEN: Setting =
    Setting { name: "auth-token", flag: false, variable: "AUTH_TOKEN", kind: SettingKind::Secret };
/// Serve without a token.
pub const INSECURE_NO_TOKEN: Setting = Setting::plain("insecure-no-token", "INSECURE_NO_TOKEN");
/// The original's name for the Redis URL.
pub const REDIS_HOST: Setting =
    Setting { name: "redis-host", flag: false, variable: "REDIS_HOST", kind: SettingKind::Secret };
/// Prefix of private URLs.
pub const PUBLIC_URL: Setting = Setting::plain("public-url", "PUBLIC_URL");
/// Lifetime of an unused registration.
pub const REGISTRATION_TIME: Setting = Setting::plain("registration-time", "REGISTRATION_TIME");
/// Registrations of one user.
pub const MAX_REGISTRATIONS: Setting = Setting::plain("max-registrations", "MAX_REGISTRATIONS");
/// How long messages are kept for disconnected clients.
pub const REPLAY_TIME: Setting = Setting::plain("replay-time", "REPLAY_TIME");
/// Default lifetime of a private URL.
pub const HOOK_TIME: Setting = Setting::plain("hook-time", "HOOK_TIME");
/// Maximum lifetime of a private URL.
pub const MAX_HOOK_TIME: Setting = Setting::plain("max-hook-time", "MAX_HOOK_TIME");
/// Calls of one private URL per minute.
pub const HOOK_RATE: Setting = Setting::plain("hook-rate", "HOOK_RATE");

/// All settings of the service.
pub const SETTINGS: &[Setting] = &[
    AUTH_TOKEN,
    INSECURE_NO_TOKEN,
    setting::REDIS_URL,
    REDIS_HOST,
    setting::REDIS_TLS_CERT,
    setting::REDIS_TLS_KEY,
    setting::REDIS_TLS_CA,
    setting::REDIS_TLS_DONT_VALIDATE_HOSTNAME,
    setting::REDIS_TLS_INSECURE,
    PUBLIC_URL,
    REGISTRATION_TIME,
    MAX_REGISTRATIONS,
    REPLAY_TIME,
    HOOK_TIME,
    MAX_HOOK_TIME,
    HOOK_RATE,
    setting::MAX_CONNECTIONS,
    setting::MAX_CONNECTION_TIME,
    setting::TRUSTED_PROXIES,
    setting::FORWARDED_FOR_HEADERS,
];

/// Settings that have a flag.
pub const FLAGS: &[ServiceFlag] = &[
    ServiceFlag {
        setting: INSECURE_NO_TOKEN,
        value: None,
        help: "Serve without AUTH_TOKEN: any client of the port may push to all users [INSECURE_NO_TOKEN]",
    },
    ServiceFlag {
        setting: setting::REDIS_URL,
        value: Some("url"),
        help: "Redis, for several replicas; without it everything is in memory [REDIS_URL, REDIS_HOST]",
    },
    ServiceFlag {
        setting: PUBLIC_URL,
        value: Some("url"),
        help: "Prefix of private URLs; without it they are paths [PUBLIC_URL]",
    },
    ServiceFlag {
        setting: REGISTRATION_TIME,
        value: Some("seconds"),
        help: "Lifetime of a registration that no client uses [REGISTRATION_TIME; default 3600]",
    },
    ServiceFlag {
        setting: MAX_REGISTRATIONS,
        value: Some("number"),
        help: "Registrations of one user [MAX_REGISTRATIONS; default 64]",
    },
    ServiceFlag {
        setting: REPLAY_TIME,
        value: Some("seconds"),
        help: "How long messages are kept for disconnected clients [REPLAY_TIME; default 60]",
    },
    ServiceFlag {
        setting: HOOK_TIME,
        value: Some("seconds"),
        help: "Default lifetime of a private URL [HOOK_TIME; default 3600]",
    },
    ServiceFlag {
        setting: MAX_HOOK_TIME,
        value: Some("seconds"),
        help: "Maximum lifetime of a private URL [MAX_HOOK_TIME; default 86400]",
    },
    ServiceFlag {
        setting: HOOK_RATE,
        value: Some("number"),
        help: "Calls of one private URL per minute [HOOK_RATE; default 60]",
    },
    ServiceFlag {
        setting: setting::MAX_CONNECTIONS,
        value: Some("number"),
        help: "Maximum clients; 0: unlimited [MAX_CONNECTIONS; default 0]",
    },
    ServiceFlag {
        setting: setting::MAX_CONNECTION_TIME,
        value: Some("seconds"),
        help: "Maximum duration of a connection; 0: unlimited [MAX_CONNECTION_TIME; default 0]",
    },
    ServiceFlag {
        setting: setting::TRUSTED_PROXIES,
        value: Some("networks"),
        help: "Networks whose forwarded headers are trusted [TRUSTED_PROXIES; default loopback]",
    },
    ServiceFlag {
        setting: setting::FORWARDED_FOR_HEADERS,
        value: Some("headers"),
        help: "Headers with the forwarded addresses [FORWARDED_FOR_HEADERS; default x-forwarded-for]",
    },
];

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
            hook_rate: number(layers, HOOK_RATE, 60, report)?,
            max_connections: at_most(layers, report)?,
            max_connection: Some(seconds(
                layers,
                setting::MAX_CONNECTION_TIME,
                0,
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
    let open =
        layers.get(INSECURE_NO_TOKEN, parse::switch)?.unwrap_or(SourcedValue::default(false));
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
    let per_user = number(layers, MAX_REGISTRATIONS, 64, report)?;
    let registration = seconds(layers, REGISTRATION_TIME, 3600, MAX_LIFETIME, report)?;
    if registration < MIN_REGISTRATION_TIME {
        return Err(ConfigError::Missing {
            what: "REGISTRATION_TIME is less than 4 s, too short for clients to connect and stay",
            remedy: "Set it to the time in which a client reconnects, such as 3600",
        });
    }
    Ok(StoreLimits {
        registration,
        per_user: usize::try_from(per_user).unwrap_or(usize::MAX),
        replay: seconds(layers, REPLAY_TIME, 60, MAX_REPLAY_TIME, report)?,
        ..usual
    })
}

/// Minimum lifetime of a registration, since those in use are renewed four times in their life.
const MIN_REGISTRATION_TIME: Duration = Duration::from_secs(4);

fn hook_time(
    layers: &SettingLayers<'_>,
    report: &mut SettingsReport,
) -> Result<(Duration, Duration), ConfigError> {
    let usual = seconds(layers, HOOK_TIME, 3600, MAX_LIFETIME, report)?;
    let longest = seconds(layers, MAX_HOOK_TIME, 86_400, MAX_LIFETIME, report)?;
    Ok((usual.min(longest), longest))
}

fn at_most(
    layers: &SettingLayers<'_>,
    report: &mut SettingsReport,
) -> Result<Option<usize>, ConfigError> {
    let most = layers.get(setting::MAX_CONNECTIONS, parse::count::<usize>)?;
    let most = report.keep(
        setting::MAX_CONNECTIONS.name,
        most.unwrap_or(SourcedValue::default(0)),
        |most| match most {
            0 => "no limit".to_owned(),
            most => most.to_string(),
        },
    );
    Ok(Some(most).filter(|most| *most > 0))
}

fn number(
    layers: &SettingLayers<'_>,
    setting: Setting,
    usual: u32,
    report: &mut SettingsReport,
) -> Result<u32, ConfigError> {
    let parse = |text: &str| match parse::count::<u32>(text) {
        Ok(0) => Err("expected a number above 0".to_owned()),
        other => other,
    };
    let number = layers.get(setting, parse)?.unwrap_or(SourcedValue::default(usual));
    Ok(report.keep(setting.name, number, u32::to_string))
}

fn seconds(
    layers: &SettingLayers<'_>,
    setting: Setting,
    usual: u64,
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
    let usual = SourcedValue::default(Duration::from_secs(usual));
    let time = layers.get(setting, parse)?.unwrap_or(usual);
    Ok(report.keep(setting.name, time, |time| format!("{} s", time.as_secs())))
}
