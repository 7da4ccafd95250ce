//! The settings of a Nextcloud service, each declared once.

use crate::config::setting::{
    FORWARDED_FOR_HEADERS, MAX_CONNECTION_TIME, MAX_CONNECTIONS, REDIS_TLS_CA, REDIS_TLS_CERT,
    REDIS_TLS_DONT_VALIDATE_HOSTNAME, REDIS_TLS_INSECURE, REDIS_TLS_KEY, REDIS_URL, Setting,
    SettingGroup, TRUSTED_PROXIES,
};

const fn connection(setting: Setting) -> Setting {
    setting.group(SettingGroup::Connections)
}

const fn login(setting: Setting) -> Setting {
    setting.group(SettingGroup::Logins)
}

const fn delivery(setting: Setting) -> Setting {
    setting.group(SettingGroup::Delivery)
}

/// Where the database is.
pub const DATABASE_URL: Setting = connection(Setting::text(
    "database-url",
    "DATABASE_URL",
    "url",
    "mysql://, postgresql:// or sqlite:// URL of your database",
))
.secret()
.file_keys(
    "`dbtype`, `dbhost`, `dbport`, `dbname`, `dbuser`, `dbpassword`, `dbdriveroptions`, \
     `pgsql_ssl`, `datadirectory`",
);
/// Prefix of the tables.
pub const DATABASE_PREFIX: Setting = connection(Setting::text(
    "database-prefix",
    "DATABASE_PREFIX",
    "prefix",
    "Prefix of the tables",
))
.default("oc_")
.may_be_empty()
.file_keys("`dbtableprefix`");
/// Base URL of Nextcloud.
pub const NEXTCLOUD_URL: Setting =
    connection(Setting::text("nextcloud-url", "NEXTCLOUD_URL", "url", "URL of your Nextcloud"))
        .described_default("overwrite.cli.url")
        .file_keys(
            "`overwrite.cli.url`; otherwise derived from `trusted_domains`, `overwriteprotocol`, \
             `overwritewebroot`",
        );
/// Certificate authority of Nextcloud.
pub const NEXTCLOUD_CA: Setting = connection(Setting::file(
    "nextcloud-ca",
    "NEXTCLOUD_CA",
    "CA of Nextcloud, PEM, in addition to the system's",
))
.described_default("the system's");
/// Whether Nextcloud's certificate is checked.
pub const ALLOW_SELF_SIGNED: Setting = connection(Setting::switch(
    "allow-self-signed",
    "ALLOW_SELF_SIGNED",
    "Accept any certificate of Nextcloud",
));
/// The daemon's `User-Agent`.
pub const USER_AGENT: Setting = connection(Setting::text(
    "user-agent",
    "USER_AGENT",
    "text",
    "User-Agent of the daemon's requests to Nextcloud",
))
.default(concat!("notify_push/", env!("CARGO_PKG_VERSION")));
/// Version for the app's self-test.
pub const COMPAT_VERSION: Setting = connection(Setting::text(
    "compat-version",
    "COMPAT_VERSION",
    "version",
    "Version reported to occ notify_push:self-test; auto: the app's",
))
.default("auto");
/// Secret of the instance, `secret` in config.php.
pub const NEXTCLOUD_SECRET: Setting = login(Setting::text(
    "nextcloud-secret",
    "NEXTCLOUD_SECRET",
    "text",
    "Secret used to hash app passwords",
))
.secret()
.without_flag()
.file_keys("`secret`");
/// Whether PHP may be asked for values of config.php.
pub const CONFIG_PHP: Setting = connection(Setting::text(
    "config-php",
    "CONFIG_PHP",
    "auto|never",
    "never: don't ask PHP for values of config.php that the daemon can't evaluate",
))
.without_flag()
.default("auto");
/// The PHP interpreter to ask.
pub const PHP_BINARY: Setting = connection(Setting::file(
    "php-binary",
    "PHP_BINARY",
    "PHP command-line interpreter to ask for such values",
))
.without_flag()
.described_default("php in PATH");
/// Methods that decide logins.
pub const AUTH: Setting = login(Setting::text(
    "auth",
    "AUTH",
    "methods",
    "Methods that decide logins, tried in this order",
))
.described_default("database,nextcloud; database without a Nextcloud URL");
/// Interval of checks of sessions that Nextcloud accepted.
pub const REAUTH_INTERVAL: Setting = login(Setting::text(
    "reauth-interval",
    "REAUTH_INTERVAL",
    "time",
    "Interval after which Nextcloud checks a session again that it accepted",
))
.default("1h");
/// Checks of app passwords that were accepted with an old check by Nextcloud.
pub const TOKEN_CHECK_RATE: Setting = login(Setting::text(
    "token-check-rate",
    "TOKEN_CHECK_RATE",
    "rate",
    "Requests per second to Nextcloud about accepted app passwords that it last checked more than 5 \
     minutes ago; `first` asks before they are accepted",
))
.default("2");
/// Failed logins of an address.
pub const THROTTLE_MAX_ATTEMPTS: Setting = login(Setting::text(
    "throttle-max-attempts",
    "THROTTLE_MAX_ATTEMPTS",
    "number",
    "Failed logins within 30 minutes after which an address is refused",
))
.default("10")
.live()
.file_keys("`auth.bruteforce.max-attempts` (`auth.bruteforce.protection.enabled`)");
/// Prefix of an IPv4 address that counts as one client.
pub const THROTTLE_IPV4_PREFIX: Setting = login(Setting::text(
    "throttle-ipv4-prefix",
    "THROTTLE_IPV4_PREFIX",
    "bits",
    "Leading bits of an IPv4 address that count as one client",
))
.default("32");
/// Prefix of an IPv6 address that counts as one client.
pub const THROTTLE_IPV6_PREFIX: Setting = login(Setting::text(
    "throttle-ipv6-prefix",
    "THROTTLE_IPV6_PREFIX",
    "bits",
    "Leading bits of an IPv6 address that count as one client",
))
.default("56")
.file_keys("`security.ipv6_normalized_subnet_size`");
/// Longest interval between two messages of one kind.
pub const MAX_DEBOUNCE_TIME: Setting = delivery(Setting::text(
    "max-debounce-time",
    "MAX_DEBOUNCE_TIME",
    "time",
    "Longest interval between two messages of one kind, times a random factor of 0.5 to 1.5",
))
.default("15s")
.live();
/// Whether every change is sent at once: set at all, whatever the value.
pub const DEBOUNCE_DISABLE: Setting = delivery(Setting::switch(
    "debounce-disable",
    "DEBOUNCE_DISABLE",
    "Send every change at once; the variable's value doesn't matter",
))
.may_be_empty()
.live();
/// Clients notified per second about one change.
pub const PUSH_RATE: Setting = delivery(Setting::text(
    "push-rate",
    "PUSH_RATE",
    "number",
    "Maximum clients notified per second about one change, after the first 100; 0: no limit",
))
.default("1000")
.live();

/// The settings of one Nextcloud.
pub const NEXTCLOUD_SETTINGS: &[Setting] = &[
    DATABASE_URL,
    DATABASE_PREFIX,
    REDIS_URL.described_default("redis://127.0.0.1:6379").file_keys(
        "`notify_push_redis.cluster`, `notify_push_redis`, `redis.cluster`, `redis`: the first that \
         exists",
    ),
    REDIS_TLS_CERT.file_keys("`redis` › `ssl_context` › `local_cert`"),
    REDIS_TLS_KEY.file_keys("… › `local_pk`"),
    REDIS_TLS_CA.file_keys("… › `cafile`"),
    REDIS_TLS_DONT_VALIDATE_HOSTNAME.file_keys("… › `verify_peer_name`"),
    REDIS_TLS_INSECURE.file_keys("… › `verify_peer`, `allow_self_signed`"),
    NEXTCLOUD_URL,
    NEXTCLOUD_CA,
    ALLOW_SELF_SIGNED,
    USER_AGENT,
    COMPAT_VERSION,
    NEXTCLOUD_SECRET,
    CONFIG_PHP,
    PHP_BINARY,
    AUTH,
    REAUTH_INTERVAL,
    TOKEN_CHECK_RATE,
    THROTTLE_MAX_ATTEMPTS,
    THROTTLE_IPV4_PREFIX,
    THROTTLE_IPV6_PREFIX,
    TRUSTED_PROXIES.file_keys("`trusted_proxies`, and loopback"),
    FORWARDED_FOR_HEADERS.file_keys("`forwarded_for_headers`"),
    MAX_DEBOUNCE_TIME,
    DEBOUNCE_DISABLE,
    PUSH_RATE,
    MAX_CONNECTION_TIME,
    MAX_CONNECTIONS,
];
