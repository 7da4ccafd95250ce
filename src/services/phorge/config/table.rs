//! The settings of one server, each declared once.

use crate::config::setting::{MAX_CONNECTIONS, PORT, Setting, TRUSTED_PROXIES};

/// The port of the shared listener, with the one of Phorge's documentation as default.
pub const PHORGE_PORT: Setting = PORT.default("22280");
/// Addresses for browsers.
pub const CLIENT_LISTEN: Setting = Setting::text(
    "client-listen",
    "CLIENT_LISTEN",
    "addresses",
    "Addresses for browsers, or shared: the daemon's own listener",
)
.default("22280")
.file_keys("`servers`");
/// Certificate for browsers.
pub const CLIENT_TLS_CERT: Setting =
    Setting::file("client-tls-cert", "CLIENT_TLS_CERT", "Certificate chain for browsers, PEM");
/// Key of that certificate.
pub const CLIENT_TLS_KEY: Setting =
    Setting::file("client-tls-key", "CLIENT_TLS_KEY", "Key of that certificate, PEM");
/// Addresses for publishers.
pub const PUBLISH_LISTEN: Setting = Setting::text(
    "publish-listen",
    "PUBLISH_LISTEN",
    "addresses",
    "Addresses where Phorge and peers publish; there is no authentication",
)
.default("127.0.0.1:22281")
.file_keys("`servers`");
/// Certificate for publishers.
pub const PUBLISH_TLS_CERT: Setting =
    Setting::file("publish-tls-cert", "PUBLISH_TLS_CERT", "Certificate chain for publishers, PEM");
/// Key of that certificate.
pub const PUBLISH_TLS_KEY: Setting =
    Setting::file("publish-tls-key", "PUBLISH_TLS_KEY", "Key of that certificate, PEM");
/// Admin servers of the peers.
pub const PEERS: Setting =
    Setting::text("peers", "PEERS", "urls", "Admin servers of the other servers in the cluster")
        .file_keys("`cluster`");
/// Certificate authority of the peers.
pub const PEERS_CA: Setting =
    Setting::file("peers-ca", "PEERS_CA", "CA of the peers, PEM, in addition to the system's")
        .described_default("the system's");
/// Ids that a browser may subscribe to. Its leader tab never unsubscribes: the default is enough for a
/// long day in many tabs. A browser that is closed for exceeding it reconnects with the ids of its open
/// tabs only.
pub const MAX_SUBSCRIPTIONS: Setting = Setting::text(
    "max-subscriptions",
    "MAX_SUBSCRIPTIONS",
    "number",
    "Ids that a browser may subscribe to",
)
.default("8192")
.live();
/// Browsers of one address.
pub const MAX_SESSIONS_PER_ADDRESS: Setting = Setting::text(
    "max-sessions-per-address",
    "MAX_SESSIONS_PER_ADDRESS",
    "number",
    "Browsers that one address may have connected",
)
.default("1024")
.live();
/// File for the process id.
pub const PIDFILE: Setting =
    Setting::file("pidfile", "PIDFILE", "File for the process id of start")
        .default("/var/tmp/aphlict/pid/aphlict.pid")
        .file_keys("`pidfile`");
/// Whether `start` may run the server as root.
pub const ALLOW_ROOT: Setting =
    Setting::switch("allow-root", "ALLOW_ROOT", "Let start and restart run the server as root");

/// All settings of one server.
pub const SETTINGS: &[Setting] = &[
    CLIENT_LISTEN,
    CLIENT_TLS_CERT,
    CLIENT_TLS_KEY,
    PUBLISH_LISTEN,
    PUBLISH_TLS_CERT,
    PUBLISH_TLS_KEY,
    PEERS,
    PEERS_CA,
    MAX_SUBSCRIPTIONS,
    MAX_SESSIONS_PER_ADDRESS,
    MAX_CONNECTIONS.help("Maximum connected browsers; 0: as many as there are descriptors"),
    TRUSTED_PROXIES.help("Networks of reverse proxies, whose addresses many browsers share"),
    PIDFILE,
    ALLOW_ROOT,
];
