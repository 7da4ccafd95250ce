//! The settings of a webhook service, each declared once.

use crate::config::setting::{
    FORWARDED_FOR_HEADERS, MAX_CONNECTION_TIME, MAX_CONNECTIONS, PORT, REDIS_TLS_CA,
    REDIS_TLS_CERT, REDIS_TLS_DONT_VALIDATE_HOSTNAME, REDIS_TLS_INSECURE, REDIS_TLS_KEY, REDIS_URL,
    Setting, SettingGroup, TRUSTED_PROXIES,
};

/// The port for clients, with the original's default.
pub const WEBHOOK_PORT: Setting = PORT.default("3000");
/// Token of the back ends.
pub const AUTH_TOKEN: Setting =
    Setting::text("auth-token", "AUTH_TOKEN", "token", "Token of your back ends")
        .secret()
        .without_flag()
        .live();
/// Whether to serve without a token.
pub const INSECURE_NO_TOKEN: Setting = Setting::switch(
    "insecure-no-token",
    "INSECURE_NO_TOKEN",
    "Serve without AUTH_TOKEN: anyone who reaches the port can push to all users",
)
.live();
/// The original's name for the Redis URL.
pub const REDIS_HOST: Setting = Setting::text(
    "redis-host",
    "REDIS_HOST",
    "host",
    "URL or host name of Redis, as the original has it; REDIS_URL wins",
)
.secret()
.without_flag()
.group(SettingGroup::Connections);
/// Prefix of private URLs.
pub const PUBLIC_URL: Setting = Setting::text(
    "public-url",
    "PUBLIC_URL",
    "url",
    "Prefix of private URLs; without it they are paths",
);
/// Lifetime of an unused registration.
pub const REGISTRATION_TIME: Setting = Setting::text(
    "registration-time",
    "REGISTRATION_TIME",
    "time",
    "Lifetime of a registration that no client uses",
)
.default("3600");
/// Registrations of one user.
pub const MAX_REGISTRATIONS: Setting = Setting::text(
    "max-registrations",
    "MAX_REGISTRATIONS",
    "number",
    "Maximum registrations of one user",
)
.default("64");
/// How long messages are kept for disconnected clients.
pub const REPLAY_TIME: Setting = Setting::text(
    "replay-time",
    "REPLAY_TIME",
    "time",
    "How long messages are kept for disconnected clients",
)
.default("60");
/// Default lifetime of a private URL.
pub const HOOK_TIME: Setting = Setting::text(
    "hook-time",
    "HOOK_TIME",
    "time",
    "Lifetime of a private URL, unless the request sets one",
)
.default("3600");
/// Maximum lifetime of a private URL.
pub const MAX_HOOK_TIME: Setting =
    Setting::text("max-hook-time", "MAX_HOOK_TIME", "time", "Maximum lifetime of a private URL")
        .default("86400");
/// Calls of one private URL per minute.
pub const HOOK_RATE: Setting = Setting::text(
    "hook-rate",
    "HOOK_RATE",
    "number",
    "Maximum calls of one private URL per minute",
)
.default("60");

/// All settings of the service.
pub const SETTINGS: &[Setting] = &[
    AUTH_TOKEN,
    INSECURE_NO_TOKEN,
    REDIS_URL
        .help("URL of Redis, for several replicas; without it everything is in memory")
        .described_default("none: in memory"),
    REDIS_HOST,
    REDIS_TLS_CERT,
    REDIS_TLS_KEY,
    REDIS_TLS_CA,
    REDIS_TLS_DONT_VALIDATE_HOSTNAME,
    REDIS_TLS_INSECURE,
    PUBLIC_URL,
    REGISTRATION_TIME,
    MAX_REGISTRATIONS,
    REPLAY_TIME,
    HOOK_TIME,
    MAX_HOOK_TIME,
    HOOK_RATE,
    MAX_CONNECTIONS,
    MAX_CONNECTION_TIME,
    TRUSTED_PROXIES,
    FORWARDED_FOR_HEADERS,
];
