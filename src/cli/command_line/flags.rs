//! The flags of all settings, in groups: each is one field and one line in its group's `flags`.

use crate::config::{layers::FlagValues, setting, setting::Setting};
use structopt::StructOpt;

// The flags of all settings of a Nextcloud's daemon, for the commands that take a daemon's whole command line. A doc comment
// would stand in their help in place of their own.
#[derive(StructOpt)]
pub(super) struct AllFlags {
    #[structopt(flatten)]
    servers: BackendFlags,
    #[structopt(flatten)]
    listeners: ListenerFlags,
    #[structopt(flatten)]
    proxies: ProxyFlags,
    #[structopt(flatten)]
    control: ControlFlags,
    #[structopt(flatten)]
    logins: LoginFlags,
    #[structopt(flatten)]
    delivery: DeliveryFlags,
    #[structopt(flatten)]
    daemon: DaemonFlags,
}

impl AllFlags {
    pub(super) fn flags(self, given: &mut FlagCollector) {
        self.servers.flags(given);
        self.listeners.flags(given);
        self.proxies.flags(given);
        self.control.flags(given);
        self.logins.flags(given);
        self.delivery.flags(given);
        self.daemon.flags(given);
    }
}

#[derive(StructOpt)]
struct BackendFlags {
    /// mysql://, postgresql:// or sqlite:// URL of the database [DATABASE_URL]
    #[structopt(long, value_name = "url")]
    database_url: Option<String>,
    /// Prefix of its tables [DATABASE_PREFIX; default oc_]
    #[structopt(long, value_name = "prefix", empty_values = true)]
    database_prefix: Option<String>,
    /// URL of Redis; repeat it for the seeds of a cluster [REDIS_URL]
    #[structopt(long, value_name = "url", number_of_values = 1)]
    redis_url: Vec<String>,
    /// Client certificate towards Redis, PEM [REDIS_TLS_CERT]
    #[structopt(long, value_name = "file")]
    redis_tls_cert: Option<String>,
    /// Its key, PEM [REDIS_TLS_KEY]
    #[structopt(long, value_name = "file")]
    redis_tls_key: Option<String>,
    /// CA of Redis, PEM [REDIS_TLS_CA; default the system's]
    #[structopt(long, value_name = "file")]
    redis_tls_ca: Option<String>,
    /// Accept any name in Redis' certificate [REDIS_TLS_DONT_VALIDATE_HOSTNAME=true]
    #[structopt(long)]
    redis_tls_dont_validate_hostname: bool,
    /// Accept any certificate of Redis [REDIS_TLS_INSECURE=true]
    #[structopt(long)]
    redis_tls_insecure: bool,
    /// URL of Nextcloud [NEXTCLOUD_URL; default overwrite.cli.url]
    #[structopt(long, value_name = "url")]
    nextcloud_url: Option<String>,
    /// CA of Nextcloud, PEM, besides the system's [NEXTCLOUD_CA]
    #[structopt(long, value_name = "file")]
    nextcloud_ca: Option<String>,
    /// Accept any certificate of Nextcloud [ALLOW_SELF_SIGNED=true]
    #[structopt(long)]
    allow_self_signed: bool,
    /// What to call itself towards Nextcloud [USER_AGENT]
    #[structopt(long, value_name = "text")]
    user_agent: Option<String>,
    /// Version to report to Nextcloud's self-test [COMPAT_VERSION; default 1.4.0]
    #[structopt(long, value_name = "version")]
    compat_version: Option<String>,
}

#[derive(StructOpt)]
pub(super) struct ListenerFlags {
    /// Port for clients [PORT; default 7867]
    #[structopt(long, value_name = "port")]
    port: Option<String>,
    /// Address for it [BIND; default :: and, where there is no IPv6, 0.0.0.0]
    #[structopt(long, value_name = "address")]
    bind: Option<String>,
    /// Unix socket for clients, instead of a port [SOCKET_PATH]
    #[structopt(long, value_name = "path")]
    socket_path: Option<String>,
    /// Permissions of the unix sockets [SOCKET_PERMISSIONS; default 0660]
    #[structopt(long, value_name = "octal")]
    socket_permissions: Option<String>,
    /// Connections begin with the PROXY protocol, from a trusted proxy [PROXY_PROTOCOL]
    #[structopt(long)]
    proxy_protocol: bool,
    /// Certificate chain shown to clients, PEM [TLS_CERT]
    #[structopt(long, value_name = "file")]
    tls_cert: Option<String>,
    /// Its key, PEM [TLS_KEY]
    #[structopt(long, value_name = "file")]
    tls_key: Option<String>,
    /// Connections that have not logged in, in all [MAX_UNAUTHENTICATED; default 16384]
    #[structopt(long, value_name = "number")]
    max_unauthenticated: Option<String>,
    /// The same from one address [MAX_UNAUTHENTICATED_PER_ADDRESS; default 256]
    #[structopt(long, value_name = "number")]
    max_unauthenticated_per_address: Option<String>,
}

#[derive(StructOpt)]
struct ProxyFlags {
    /// Networks of proxies whose forwarded headers are believed [TRUSTED_PROXIES; default
    /// config.php's and loopback]
    #[structopt(long, value_name = "networks")]
    trusted_proxies: Option<String>,
    /// Headers that hold the forwarded addresses [FORWARDED_FOR_HEADERS; default X-Forwarded-For]
    #[structopt(long, value_name = "names")]
    forwarded_for_headers: Option<String>,
}

#[derive(StructOpt)]
pub(super) struct ControlFlags {
    /// TOML file with settings and several hosts, instead of config.php [NOTIFY_PUSH_CONFIG]
    #[structopt(long, value_name = "file")]
    config: Option<String>,
    #[structopt(flatten)]
    endpoints: EndpointFlags,
}

// Where a running daemon is watched and controlled.
#[derive(StructOpt)]
pub(super) struct EndpointFlags {
    /// Port for metrics and, from loopback, control [METRICS_PORT]
    #[structopt(long, value_name = "port")]
    metrics_port: Option<String>,
    /// Unix socket for metrics and control [METRICS_SOCKET_PATH]
    #[structopt(long, value_name = "path")]
    metrics_socket_path: Option<String>,
    /// Port on loopback for control alone [ADMIN_PORT]
    #[structopt(long, value_name = "port")]
    admin_port: Option<String>,
    /// Unix socket for control alone [ADMIN_SOCKET_PATH]
    #[structopt(long, value_name = "path")]
    admin_socket: Option<String>,
}

#[derive(StructOpt)]
struct LoginFlags {
    /// Who decides log-ins, in this order [AUTH; default database,nextcloud]
    #[structopt(long, value_name = "steps")]
    auth: Option<String>,
    /// When to ask Nextcloud again about a session it decided [REAUTH_INTERVAL; default 1h]
    #[structopt(long, value_name = "time")]
    reauth_interval: Option<String>,
    /// Failed log-ins after which an address is refused [THROTTLE_MAX_ATTEMPTS; default 10]
    #[structopt(long, value_name = "number")]
    throttle_max_attempts: Option<String>,
    /// Leading bits of IPv4 addresses that count as one [THROTTLE_IPV4_PREFIX; default 32]
    #[structopt(long, value_name = "bits")]
    throttle_ipv4_prefix: Option<String>,
    /// Leading bits of IPv6 addresses that count as one [THROTTLE_IPV6_PREFIX; default 56]
    #[structopt(long, value_name = "bits")]
    throttle_ipv6_prefix: Option<String>,
}

#[derive(StructOpt)]
struct DeliveryFlags {
    /// Longest wait between two messages of one kind [MAX_DEBOUNCE_TIME; default 15s]
    #[structopt(long, value_name = "time")]
    max_debounce_time: Option<String>,
    /// Tell every change at once [DEBOUNCE_DISABLE, set at all]
    #[structopt(long)]
    debounce_disable: bool,
    /// Members of a crowd told of one change in a second, 0 for all [PUSH_RATE; default 1000]
    #[structopt(long, value_name = "number")]
    push_rate: Option<String>,
    /// How long a connection may last, 0 for ever [MAX_CONNECTION_TIME; default 0]
    #[structopt(long, value_name = "time")]
    max_connection_time: Option<String>,
    /// Clients at once, 0 for any number [MAX_CONNECTIONS; default 0]
    #[structopt(long, value_name = "number")]
    max_connections: Option<String>,
}

// What any kind of host's daemon is told besides its listeners.
#[derive(StructOpt)]
pub(super) struct DaemonFlags {
    /// What to log, such as info or notify_push=debug [LOG; default warn]
    #[structopt(long, value_name = "filter")]
    log_level: Option<String>,
    /// text or json [LOG_FORMAT; default text]
    #[structopt(long, value_name = "format")]
    log_format: Option<String>,
    /// No colours in the log [NO_ANSI=true]
    #[structopt(long)]
    no_ansi: bool,
    /// Time over which clients are seen off at the end [DRAIN_TIME; default 5s]
    #[structopt(long, value_name = "time")]
    drain_time: Option<String>,
}

/// Collects what was given.
#[derive(Default)]
pub(super) struct FlagCollector(pub(super) FlagValues);

impl FlagCollector {
    pub(super) fn value(&mut self, setting: Setting, value: Option<String>) {
        self.values(setting, value.into_iter().collect());
    }

    fn values(&mut self, setting: Setting, values: Vec<String>) {
        if !values.is_empty() {
            self.0.insert(setting.name, values);
        }
    }

    pub(super) fn switch(&mut self, setting: Setting, on: bool) {
        self.value(setting, on.then(|| "true".to_owned()));
    }
}

impl BackendFlags {
    fn flags(self, given: &mut FlagCollector) {
        given.value(setting::DATABASE_URL, self.database_url);
        given.value(setting::DATABASE_PREFIX, self.database_prefix);
        given.values(setting::REDIS_URL, self.redis_url);
        given.value(setting::REDIS_TLS_CERT, self.redis_tls_cert);
        given.value(setting::REDIS_TLS_KEY, self.redis_tls_key);
        given.value(setting::REDIS_TLS_CA, self.redis_tls_ca);
        let any_name = self.redis_tls_dont_validate_hostname;
        given.switch(setting::REDIS_TLS_DONT_VALIDATE_HOSTNAME, any_name);
        given.switch(setting::REDIS_TLS_INSECURE, self.redis_tls_insecure);
        given.value(setting::NEXTCLOUD_URL, self.nextcloud_url);
        given.value(setting::NEXTCLOUD_CA, self.nextcloud_ca);
        given.switch(setting::ALLOW_SELF_SIGNED, self.allow_self_signed);
        given.value(setting::USER_AGENT, self.user_agent);
        given.value(setting::COMPAT_VERSION, self.compat_version);
    }
}

impl ListenerFlags {
    pub(super) fn flags(self, given: &mut FlagCollector) {
        given.value(setting::PORT, self.port);
        given.value(setting::BIND, self.bind);
        given.value(setting::SOCKET_PATH, self.socket_path);
        given.value(setting::SOCKET_PERMISSIONS, self.socket_permissions);
        given.switch(setting::PROXY_PROTOCOL, self.proxy_protocol);
        given.value(setting::TLS_CERT, self.tls_cert);
        given.value(setting::TLS_KEY, self.tls_key);
        given.value(setting::MAX_UNAUTHENTICATED, self.max_unauthenticated);
        let per_address = self.max_unauthenticated_per_address;
        given.value(setting::MAX_UNAUTHENTICATED_PER_ADDRESS, per_address);
    }
}

impl ProxyFlags {
    fn flags(self, given: &mut FlagCollector) {
        given.value(setting::TRUSTED_PROXIES, self.trusted_proxies);
        given.value(setting::FORWARDED_FOR_HEADERS, self.forwarded_for_headers);
    }
}

impl ControlFlags {
    pub(super) fn flags(self, given: &mut FlagCollector) {
        given.value(setting::CONFIG, self.config);
        self.endpoints.flags(given);
    }
}

impl EndpointFlags {
    pub(super) fn flags(self, given: &mut FlagCollector) {
        given.value(setting::METRICS_PORT, self.metrics_port);
        given.value(setting::METRICS_SOCKET_PATH, self.metrics_socket_path);
        given.value(setting::ADMIN_PORT, self.admin_port);
        given.value(setting::ADMIN_SOCKET, self.admin_socket);
    }
}

impl LoginFlags {
    fn flags(self, given: &mut FlagCollector) {
        given.value(setting::AUTH, self.auth);
        given.value(setting::REAUTH_INTERVAL, self.reauth_interval);
        given.value(setting::THROTTLE_MAX_ATTEMPTS, self.throttle_max_attempts);
        given.value(setting::THROTTLE_IPV4_PREFIX, self.throttle_ipv4_prefix);
        given.value(setting::THROTTLE_IPV6_PREFIX, self.throttle_ipv6_prefix);
    }
}

impl DeliveryFlags {
    fn flags(self, given: &mut FlagCollector) {
        given.value(setting::MAX_DEBOUNCE_TIME, self.max_debounce_time);
        given.switch(setting::DEBOUNCE_DISABLE, self.debounce_disable);
        given.value(setting::PUSH_RATE, self.push_rate);
        given.value(setting::MAX_CONNECTION_TIME, self.max_connection_time);
        given.value(setting::MAX_CONNECTIONS, self.max_connections);
    }
}

impl DaemonFlags {
    pub(super) fn flags(self, given: &mut FlagCollector) {
        given.value(setting::LOG, self.log_level);
        given.value(setting::LOG_FORMAT, self.log_format);
        given.switch(setting::NO_ANSI, self.no_ansi);
        given.value(setting::DRAIN_TIME, self.drain_time);
    }
}
