//! What can be set for a host of this kind.

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

/// The back ends' token.
pub const AUTH_TOKEN: Setting =
    Setting { name: "auth-token", flag: false, variable: "AUTH_TOKEN", kind: SettingKind::Secret };
/// Whether anybody may push.
pub const INSECURE_NO_TOKEN: Setting = Setting::plain("insecure-no-token", "INSECURE_NO_TOKEN");
/// The original's name for Redis.
pub const REDIS_HOST: Setting =
    Setting { name: "redis-host", flag: false, variable: "REDIS_HOST", kind: SettingKind::Secret };
/// What private URLs begin with.
pub const PUBLIC_URL: Setting = Setting::plain("public-url", "PUBLIC_URL");
/// How long a registration lives that nobody uses.
pub const REGISTRATION_TIME: Setting = Setting::plain("registration-time", "REGISTRATION_TIME");
/// Registrations of one user.
pub const MAX_REGISTRATIONS: Setting = Setting::plain("max-registrations", "MAX_REGISTRATIONS");
/// How long messages are kept for those who are away.
pub const REPLAY_TIME: Setting = Setting::plain("replay-time", "REPLAY_TIME");
/// How long a private URL lives unless its owner says.
pub const HOOK_TIME: Setting = Setting::plain("hook-time", "HOOK_TIME");
/// The longest that it may.
pub const MAX_HOOK_TIME: Setting = Setting::plain("max-hook-time", "MAX_HOOK_TIME");
/// Calls of one in a minute.
pub const HOOK_RATE: Setting = Setting::plain("hook-rate", "HOOK_RATE");

/// All of them.
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

/// Those with a flag.
pub const FLAGS: &[ServiceFlag] = &[
    ServiceFlag {
        setting: INSECURE_NO_TOKEN,
        value: None,
        help: "Serve without AUTH_TOKEN: whoever reaches the port may push to everybody [INSECURE_NO_TOKEN]",
    },
    ServiceFlag {
        setting: setting::REDIS_URL,
        value: Some("url"),
        help: "Redis, for several replicas; without it everything is in memory [REDIS_URL, REDIS_HOST]",
    },
    ServiceFlag {
        setting: PUBLIC_URL,
        value: Some("url"),
        help: "What private URLs begin with; without it they are paths [PUBLIC_URL]",
    },
    ServiceFlag {
        setting: REGISTRATION_TIME,
        value: Some("seconds"),
        help: "How long a registration lives that no client uses [REGISTRATION_TIME; default 3600]",
    },
    ServiceFlag {
        setting: MAX_REGISTRATIONS,
        value: Some("number"),
        help: "Registrations of one user [MAX_REGISTRATIONS; default 64]",
    },
    ServiceFlag {
        setting: REPLAY_TIME,
        value: Some("seconds"),
        help: "How long messages are kept for clients that are away [REPLAY_TIME; default 60]",
    },
    ServiceFlag {
        setting: HOOK_TIME,
        value: Some("seconds"),
        help: "How long a private URL lives, unless its owner says [HOOK_TIME; default 3600]",
    },
    ServiceFlag {
        setting: MAX_HOOK_TIME,
        value: Some("seconds"),
        help: "How long it may live at most [MAX_HOOK_TIME; default 86400]",
    },
    ServiceFlag {
        setting: HOOK_RATE,
        value: Some("number"),
        help: "Calls of one private URL in a minute [HOOK_RATE; default 60]",
    },
    ServiceFlag {
        setting: setting::MAX_CONNECTIONS,
        value: Some("number"),
        help: "Clients at once, 0 for any number [MAX_CONNECTIONS; default 0]",
    },
    ServiceFlag {
        setting: setting::MAX_CONNECTION_TIME,
        value: Some("seconds"),
        help: "How long a connection may last, 0 for ever [MAX_CONNECTION_TIME; default 0]",
    },
    ServiceFlag {
        setting: setting::TRUSTED_PROXIES,
        value: Some("networks"),
        help: "Networks whose forwarded headers are believed [TRUSTED_PROXIES; default loopback]",
    },
    ServiceFlag {
        setting: setting::FORWARDED_FOR_HEADERS,
        value: Some("headers"),
        help: "Headers that hold the forwarded chain [FORWARDED_FOR_HEADERS; default x-forwarded-for]",
    },
];

/// A month: whoever wants more can renew it.
const LONGEST: Duration = Duration::from_secs(31 * 86_400);
/// Messages are kept in memory, for a short while.
const LONGEST_REPLAY: Duration = Duration::from_secs(3600);

/// The settings of one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookSettings {
    /// The back ends' token; none: they need none, and that was said.
    pub token: Option<Secret>,
    /// Redis, if replicas share one.
    pub redis: Option<RedisSettings>,
    /// What private URLs begin with.
    pub public_url: Option<String>,
    /// What the store holds.
    pub limits: StoreLimits,
    /// How long a private URL lives, usually and at most.
    pub hook_time: (Duration, Duration),
    /// Calls of one in a minute.
    pub hook_rate: u32,
    /// Clients at once.
    pub max_connections: Option<usize>,
    /// How long a connection may last.
    pub max_connection: Option<Duration>,
    /// The proxies in front.
    pub proxies: ProxySettings,
}

impl WebhookSettings {
    /// Reads them.
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
                LONGEST,
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
            what: "no token for back ends is set, so whoever reaches the port could push to \
                   everybody",
            remedy: "Set AUTH_TOKEN, or AUTH_TOKEN_FILE to a file that holds it; or say \
                     --insecure-no-token",
        }),
        (None, true) => {
            report.warn("no AUTH_TOKEN: whoever reaches the port may push to everybody");
            Ok(None)
        }
        (Some(_), true) => {
            report.warn("--insecure-no-token changes nothing: AUTH_TOKEN is set");
            Ok(token)
        }
        (Some(_), false) => Ok(token),
    }
}

/// `REDIS_URL`, else the original's `REDIS_HOST`: a URL such as `redis://cache`, or a host's name.
fn shared(
    layers: &SettingLayers<'_>,
    report: &mut SettingsReport,
) -> Result<Option<RedisSettings>, ConfigError> {
    let original: ConfigFileValue<RedisSettings> = layers.get(REDIS_HOST, |text| {
        let url = if text.contains("://") { text.to_owned() } else { format!("redis://{text}") };
        redis_urls(&[url])
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
    let registration = seconds(layers, REGISTRATION_TIME, 3600, LONGEST, report)?;
    if registration < SHORTEST_REGISTRATION {
        return Err(ConfigError::Missing {
            what: "REGISTRATION_TIME is less than 4 s, so clients could hardly come in or stay",
            remedy: "Set it to as many seconds as a client may take to come back, such as 3600",
        });
    }
    Ok(StoreLimits {
        registration,
        per_user: usize::try_from(per_user).unwrap_or(usize::MAX),
        replay: seconds(layers, REPLAY_TIME, 60, LONGEST_REPLAY, report)?,
        ..usual
    })
}

/// The shortest registration: those in use are renewed four times in their life.
const SHORTEST_REGISTRATION: Duration = Duration::from_secs(4);

fn hook_time(
    layers: &SettingLayers<'_>,
    report: &mut SettingsReport,
) -> Result<(Duration, Duration), ConfigError> {
    let usual = seconds(layers, HOOK_TIME, 3600, LONGEST, report)?;
    let longest = seconds(layers, MAX_HOOK_TIME, 86_400, LONGEST, report)?;
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
