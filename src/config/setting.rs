//! What can be set, and what it is called on the command line and in the environment.

/// The names of one setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// Its name in `--dump-config`; the flag without its dashes, where there is one.
    pub name: &'static str,
    /// Whether there is a flag.
    pub flag: bool,
    /// Its environment variable.
    pub variable: &'static str,
    /// What an empty variable and a `*_FILE` twin mean.
    pub kind: SettingKind,
}

/// How a setting's variable is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettingKind {
    /// Empty means not set.
    Plain,
    /// Empty is a value.
    MayBeEmpty,
    /// Empty means not set; `<variable>_FILE` names a file that holds the value.
    Secret,
}

impl Setting {
    /// One whose empty variable means that it isn't set.
    pub const fn plain(name: &'static str, variable: &'static str) -> Self {
        plain(name, variable)
    }

    /// One that may be given in a file, and never shows.
    pub const fn secret(name: &'static str, variable: &'static str) -> Self {
        of_kind(name, variable, SettingKind::Secret)
    }
}

const fn plain(name: &'static str, variable: &'static str) -> Setting {
    Setting { name, flag: true, variable, kind: SettingKind::Plain }
}

const fn of_kind(name: &'static str, variable: &'static str, kind: SettingKind) -> Setting {
    Setting { name, flag: true, variable, kind }
}

macro_rules! settings {
    ($($(#[$doc:meta])* $id:ident = $setting:expr;)*) => {
        $($(#[$doc])* pub const $id: Setting = $setting;)*
        /// All of them.
        #[cfg(test)]
        pub const ALL: &[Setting] = &[$($id),*];
    };
}

settings! {
    /// URL of the database.
    DATABASE_URL = of_kind("database-url", "DATABASE_URL", SettingKind::Secret);
    /// Prefix of the tables.
    DATABASE_PREFIX = of_kind("database-prefix", "DATABASE_PREFIX", SettingKind::MayBeEmpty);
    /// URL of Redis, repeated for a cluster.
    REDIS_URL = of_kind("redis-url", "REDIS_URL", SettingKind::Secret);
    /// Client certificate towards Redis.
    REDIS_TLS_CERT = plain("redis-tls-cert", "REDIS_TLS_CERT");
    /// Its key.
    REDIS_TLS_KEY = plain("redis-tls-key", "REDIS_TLS_KEY");
    /// CA of Redis.
    REDIS_TLS_CA = plain("redis-tls-ca", "REDIS_TLS_CA");
    /// Whether the name in Redis' certificate may be any.
    REDIS_TLS_DONT_VALIDATE_HOSTNAME =
        plain("redis-tls-dont-validate-hostname", "REDIS_TLS_DONT_VALIDATE_HOSTNAME");
    /// Whether Redis' certificate may be any.
    REDIS_TLS_INSECURE = plain("redis-tls-insecure", "REDIS_TLS_INSECURE");
    /// Base URL of Nextcloud.
    NEXTCLOUD_URL = plain("nextcloud-url", "NEXTCLOUD_URL");
    /// CA of Nextcloud.
    NEXTCLOUD_CA = plain("nextcloud-ca", "NEXTCLOUD_CA");
    /// Whether Nextcloud's certificate may be any.
    ALLOW_SELF_SIGNED = plain("allow-self-signed", "ALLOW_SELF_SIGNED");
    /// What the daemon calls itself.
    USER_AGENT = plain("user-agent", "USER_AGENT");
    /// The version that the self-test is told.
    COMPAT_VERSION = plain("compat-version", "COMPAT_VERSION");
    /// config.php's `secret`. No flag: everybody can read a command line.
    NEXTCLOUD_SECRET =
        Setting { name: "nextcloud-secret", flag: false, variable: "NEXTCLOUD_SECRET", kind: SettingKind::Secret };
    /// Who is asked whether a password is right.
    AUTH = plain("auth", "AUTH");
    /// How long a session decided by Nextcloud lasts before it is asked again.
    REAUTH_INTERVAL = plain("reauth-interval", "REAUTH_INTERVAL");
    /// Failures after which an address is refused.
    THROTTLE_MAX_ATTEMPTS = plain("throttle-max-attempts", "THROTTLE_MAX_ATTEMPTS");
    /// Leading bits of an IPv4 address that count as one client.
    THROTTLE_IPV4_PREFIX = plain("throttle-ipv4-prefix", "THROTTLE_IPV4_PREFIX");
    /// The same for IPv6.
    THROTTLE_IPV6_PREFIX = plain("throttle-ipv6-prefix", "THROTTLE_IPV6_PREFIX");
    /// Networks whose forwarded headers are believed.
    TRUSTED_PROXIES = plain("trusted-proxies", "TRUSTED_PROXIES");
    /// Headers that hold the forwarded chain.
    FORWARDED_FOR_HEADERS = plain("forwarded-for-headers", "FORWARDED_FOR_HEADERS");
    /// Port for clients.
    PORT = plain("port", "PORT");
    /// Address for it.
    BIND = plain("bind", "BIND");
    /// Unix socket for clients, instead of a port.
    SOCKET_PATH = plain("socket-path", "SOCKET_PATH");
    /// Permissions of the unix sockets.
    SOCKET_PERMISSIONS = plain("socket-permissions", "SOCKET_PERMISSIONS");
    /// Whether proxies introduce clients with the PROXY protocol.
    PROXY_PROTOCOL = plain("proxy-protocol", "PROXY_PROTOCOL");
    /// Certificate shown to clients.
    TLS_CERT = plain("tls-cert", "TLS_CERT");
    /// Its key.
    TLS_KEY = plain("tls-key", "TLS_KEY");
    /// Port for metrics.
    METRICS_PORT = plain("metrics-port", "METRICS_PORT");
    /// Unix socket for metrics.
    METRICS_SOCKET_PATH = plain("metrics-socket-path", "METRICS_SOCKET_PATH");
    /// Port on loopback for the control endpoint.
    ADMIN_PORT = plain("admin-port", "ADMIN_PORT");
    /// Unix socket for the control endpoint.
    ADMIN_SOCKET = plain("admin-socket", "ADMIN_SOCKET_PATH");
    /// Connections that have not logged in, in all.
    MAX_UNAUTHENTICATED = plain("max-unauthenticated", "MAX_UNAUTHENTICATED");
    /// The same from one address.
    MAX_UNAUTHENTICATED_PER_ADDRESS =
        plain("max-unauthenticated-per-address", "MAX_UNAUTHENTICATED_PER_ADDRESS");
    /// Longest wait between two messages of one kind.
    MAX_DEBOUNCE_TIME = plain("max-debounce-time", "MAX_DEBOUNCE_TIME");
    /// Whether everything is told at once: set at all, whatever the value.
    DEBOUNCE_DISABLE = of_kind("debounce-disable", "DEBOUNCE_DISABLE", SettingKind::MayBeEmpty);
    /// Members of a crowd told in a second.
    PUSH_RATE = plain("push-rate", "PUSH_RATE");
    /// How long a connection may last.
    MAX_CONNECTION_TIME = plain("max-connection-time", "MAX_CONNECTION_TIME");
    /// Clients at once.
    MAX_CONNECTIONS = plain("max-connections", "MAX_CONNECTIONS");
    /// Over how long close frames are spread at the end.
    DRAIN_TIME = plain("drain-time", "DRAIN_TIME");
    /// What is logged.
    LOG = plain("log-level", "LOG");
    /// How the log looks.
    LOG_FORMAT = plain("log-format", "LOG_FORMAT");
    /// Never colours.
    NO_ANSI = plain("no-ansi", "NO_ANSI");
}

/// The file of settings and hosts. It says where settings are, so it stands in no file itself.
pub const CONFIG: Setting = plain("config", "NOTIFY_PUSH_CONFIG");

/// The daemon's listeners and what unauthenticated_clients may use up there.
pub const LISTEN: &[Setting] = &[
    PORT,
    BIND,
    SOCKET_PATH,
    SOCKET_PERMISSIONS,
    PROXY_PROTOCOL,
    TLS_CERT,
    TLS_KEY,
    METRICS_PORT,
    METRICS_SOCKET_PATH,
    ADMIN_PORT,
    ADMIN_SOCKET,
    MAX_UNAUTHENTICATED,
    MAX_UNAUTHENTICATED_PER_ADDRESS,
];

/// What else is the daemon's own.
pub const DAEMON: &[Setting] = &[DRAIN_TIME, LOG, LOG_FORMAT, NO_ANSI];

/// What each Nextcloud has for itself.
pub const INSTANCE: &[Setting] = &[
    DATABASE_URL,
    DATABASE_PREFIX,
    REDIS_URL,
    REDIS_TLS_CERT,
    REDIS_TLS_KEY,
    REDIS_TLS_CA,
    REDIS_TLS_DONT_VALIDATE_HOSTNAME,
    REDIS_TLS_INSECURE,
    NEXTCLOUD_URL,
    NEXTCLOUD_CA,
    ALLOW_SELF_SIGNED,
    USER_AGENT,
    COMPAT_VERSION,
    NEXTCLOUD_SECRET,
    AUTH,
    REAUTH_INTERVAL,
    THROTTLE_MAX_ATTEMPTS,
    THROTTLE_IPV4_PREFIX,
    THROTTLE_IPV6_PREFIX,
    TRUSTED_PROXIES,
    FORWARDED_FOR_HEADERS,
    MAX_DEBOUNCE_TIME,
    DEBOUNCE_DISABLE,
    PUSH_RATE,
    MAX_CONNECTION_TIME,
    MAX_CONNECTIONS,
];

impl Setting {
    /// Its key in a file of hosts: the variable's name in small letters.
    pub fn key(self) -> String {
        self.variable.to_ascii_lowercase()
    }
}

#[cfg(test)]
mod tests {
    use super::{ALL, DAEMON, INSTANCE, LISTEN};

    #[test]
    fn each_setting_has_one_place_in_the_file() {
        for setting in ALL {
            let places = [LISTEN, DAEMON, INSTANCE].iter().filter(|list| list.contains(setting));
            assert_eq!(places.count(), 1, "{}", setting.name);
        }
    }
}
