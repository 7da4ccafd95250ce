//! The settings of the daemon itself, and those that several kinds of service share. Settings of one
//! kind are declared in its folder.

use super::{Setting, SettingGroup, ValueFormat};

const fn connection(setting: Setting) -> Setting {
    setting.group(SettingGroup::Connections)
}

const fn listener(setting: Setting) -> Setting {
    setting.group(SettingGroup::Listeners)
}

const fn control(setting: Setting) -> Setting {
    setting.group(SettingGroup::Control)
}

const fn process(setting: Setting) -> Setting {
    setting.group(SettingGroup::Process)
}

/// Where Redis is.
pub const REDIS_URL: Setting = connection(Setting::text(
    "redis-url",
    "REDIS_URL",
    "url",
    "URL of Redis; for the seeds of a cluster repeat it or separate them with commas",
))
.format(ValueFormat::Repeated("url"))
.secret();
/// Client certificate for Redis.
pub const REDIS_TLS_CERT: Setting = connection(Setting::file(
    "redis-tls-cert",
    "REDIS_TLS_CERT",
    "Client certificate for Redis, PEM",
));
/// Key of that certificate.
pub const REDIS_TLS_KEY: Setting =
    connection(Setting::file("redis-tls-key", "REDIS_TLS_KEY", "Its key, PEM"));
/// Certificate authority of Redis.
pub const REDIS_TLS_CA: Setting =
    connection(Setting::file("redis-tls-ca", "REDIS_TLS_CA", "CA of Redis, PEM"))
        .described_default("the system's");
/// Whether the name in the certificate of Redis is checked.
pub const REDIS_TLS_DONT_VALIDATE_HOSTNAME: Setting = connection(Setting::switch(
    "redis-tls-dont-validate-hostname",
    "REDIS_TLS_DONT_VALIDATE_HOSTNAME",
    "Accept any name in the certificate of Redis",
));
/// Whether the certificate of Redis is checked.
pub const REDIS_TLS_INSECURE: Setting = connection(Setting::switch(
    "redis-tls-insecure",
    "REDIS_TLS_INSECURE",
    "Accept any certificate of Redis",
));
/// Networks whose forwarded headers are trusted.
pub const TRUSTED_PROXIES: Setting = Setting::text(
    "trusted-proxies",
    "TRUSTED_PROXIES",
    "networks",
    "Addresses, networks and host names of your proxies, whose forwarded headers are trusted",
)
.described_default("loopback")
.group(SettingGroup::Proxies)
.live();
/// Headers that hold the chain of forwarded addresses.
pub const FORWARDED_FOR_HEADERS: Setting = Setting::text(
    "forwarded-for-headers",
    "FORWARDED_FOR_HEADERS",
    "names",
    "Headers with the forwarded addresses",
)
.default("X-Forwarded-For")
.group(SettingGroup::Proxies);
/// Longest duration of a connection.
pub const MAX_CONNECTION_TIME: Setting = Setting::text(
    "max-connection-time",
    "MAX_CONNECTION_TIME",
    "time",
    "Maximum duration of a connection; 0: unlimited",
)
.default("0")
.group(SettingGroup::Delivery)
.live();
/// Clients that are connected at the same time.
pub const MAX_CONNECTIONS: Setting = Setting::text(
    "max-connections",
    "MAX_CONNECTIONS",
    "number",
    "Maximum clients of a service, further ones receive 503; 0: as many as there are descriptors",
)
.default("0")
.group(SettingGroup::Delivery)
.live();

/// Port for clients.
pub const PORT: Setting =
    listener(Setting::port("port", "PORT", "Port for clients")).default("7867").short("p");
/// Address of the ports.
pub const BIND: Setting = listener(Setting::text(
    "bind",
    "BIND",
    "address",
    "Address of this port and of the metrics port",
))
.described_default(":: or 0.0.0.0");
/// Unix socket for clients, instead of a port.
pub const SOCKET_PATH: Setting = listener(Setting::file(
    "socket-path",
    "SOCKET_PATH",
    "Unix socket for clients, instead of a port",
));
/// Permissions of the unix sockets.
pub const SOCKET_PERMISSIONS: Setting = listener(Setting::text(
    "socket-permissions",
    "SOCKET_PERMISSIONS",
    "octal",
    "Permissions of the sockets for clients and metrics, octal",
))
.default("0660");
/// Whether connections begin with the PROXY protocol.
pub const PROXY_PROTOCOL: Setting = listener(Setting::switch(
    "proxy-protocol",
    "PROXY_PROTOCOL",
    "Require a PROXY protocol header from a trusted proxy on every client connection",
));
/// Certificate for clients.
pub const TLS_CERT: Setting =
    listener(Setting::file("tls-cert", "TLS_CERT", "Certificate chain for clients, PEM"))
        .live_while_set();
/// Key of that certificate.
pub const TLS_KEY: Setting =
    listener(Setting::file("tls-key", "TLS_KEY", "Its key, PEM")).live_while_set();
/// Unauthenticated connections, in total.
pub const MAX_UNAUTHENTICATED: Setting = listener(Setting::text(
    "max-unauthenticated",
    "MAX_UNAUTHENTICATED",
    "number",
    "Maximum unauthenticated connections in total",
))
.default("16384")
.live();
/// Unauthenticated connections from one address.
pub const MAX_UNAUTHENTICATED_PER_ADDRESS: Setting = listener(Setting::text(
    "max-unauthenticated-per-address",
    "MAX_UNAUTHENTICATED_PER_ADDRESS",
    "number",
    "Maximum unauthenticated connections from one address, trusted proxies excepted",
))
.default("256")
.live();

/// The services file. It says where settings are, so it can't be set in a file itself.
pub const CONFIG: Setting =
    control(Setting::file("config", "NOTIFY_PUSH_CONFIG", "Services file (TOML), or a config.php"))
        .short("c");
/// Port for metrics.
pub const METRICS_PORT: Setting =
    control(Setting::port("metrics-port", "METRICS_PORT", "Port for metrics and health"))
        .short("m");
/// Unix socket for metrics.
pub const METRICS_SOCKET_PATH: Setting = control(Setting::file(
    "metrics-socket-path",
    "METRICS_SOCKET_PATH",
    "Unix socket for metrics and health",
));
/// Port for control only.
pub const ADMIN_PORT: Setting =
    control(Setting::port("admin-port", "ADMIN_PORT", "Port on 127.0.0.1 for control only"));
/// Unix socket for control only.
pub const ADMIN_SOCKET: Setting = control(Setting::file(
    "admin-socket",
    "ADMIN_SOCKET_PATH",
    "Unix socket for control only, open to the daemon's own user and root (0600)",
));

/// Time over which clients are closed at shutdown.
pub const DRAIN_TIME: Setting = process(Setting::text(
    "drain-time",
    "DRAIN_TIME",
    "time",
    "Time over which clients are closed at shutdown, at most 10m",
))
.default("5s");
/// What is logged.
pub const LOG: Setting = process(Setting::text(
    "log-level",
    "LOG",
    "filter",
    "Log filter: a level, module=level, or several separated by commas",
))
.default("warn")
.live();
/// How the log looks.
pub const LOG_FORMAT: Setting =
    process(Setting::text("log-format", "LOG_FORMAT", "format", "Format of the log: text or json"))
        .format(ValueFormat::Choice("format", &["text", "json"]))
        .default("text");
/// Whether the log has colours.
pub const NO_ANSI: Setting =
    process(Setting::switch("no-ansi", "NO_ANSI", "No colours in the log"));

/// The daemon's listeners and the limits there: `[listen]` in the services file.
pub const LISTENER_SETTINGS: &[Setting] = &[
    PORT,
    BIND,
    SOCKET_PATH,
    SOCKET_PERMISSIONS,
    PROXY_PROTOCOL,
    TLS_CERT,
    TLS_KEY,
    MAX_UNAUTHENTICATED,
    MAX_UNAUTHENTICATED_PER_ADDRESS,
    METRICS_PORT,
    METRICS_SOCKET_PATH,
    ADMIN_PORT,
    ADMIN_SOCKET,
];

/// The rest of the daemon's own settings: at the top of the services file.
pub const PROCESS_SETTINGS: &[Setting] = &[DRAIN_TIME, LOG, LOG_FORMAT, NO_ANSI];

/// What a command needs to find a running daemon.
pub const CONTROL_SETTINGS: &[Setting] =
    &[CONFIG, METRICS_PORT, METRICS_SOCKET_PATH, ADMIN_PORT, ADMIN_SOCKET];

/// The daemon's own settings, in the order of `--dump-config`.
pub fn daemon_settings() -> impl Iterator<Item = Setting> {
    [CONFIG].into_iter().chain(LISTENER_SETTINGS.iter().chain(PROCESS_SETTINGS).copied())
}
