//! One server's settings: those of this program, else those of Aphlict's own file, else the defaults.

use super::{AphlictFile, AphlictListenerKind};
use crate::{
    config::{
        ConfigError, ServiceConfigRequest, ServiceFlag, Setting, SettingLayers, SettingSource,
        SettingsReport, SourcedValue, parse,
        parse::list,
        setting::{DRAIN_TIME, MAX_CONNECTIONS, TRUSTED_PROXIES},
    },
    lifecycle::DEFAULT_DRAIN_TIME,
    server::{BindAddress, ListenSettings, TlsFiles},
};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs as _},
    path::{Path, PathBuf},
    time::Duration,
};
use url::Url;

/// The ports of Phorge's documentation.
pub const CLIENT_PORT: u16 = 22280;
const ADMIN_PORT: u16 = 22281;

/// The default limit of ids that a browser subscribes to. Its leader tab never unsubscribes: the limit is
/// enough for a long day in many tabs. A browser that is closed for exceeding it reconnects with only the
/// ids of its open tabs.
const MAX_SUBSCRIPTIONS: usize = 8192;

/// The permissions of a unix socket.
const SOCKET_PERMISSIONS: u32 = 0o660;

const CLIENT_LISTEN: Setting = Setting::plain("client-listen", "CLIENT_LISTEN");
const CLIENT_TLS_CERT: Setting = Setting::plain("client-tls-cert", "CLIENT_TLS_CERT");
const CLIENT_TLS_KEY: Setting = Setting::plain("client-tls-key", "CLIENT_TLS_KEY");
const PUBLISH_LISTEN: Setting = Setting::plain("publish-listen", "PUBLISH_LISTEN");
const PUBLISH_TLS_CERT: Setting = Setting::plain("publish-tls-cert", "PUBLISH_TLS_CERT");
const PUBLISH_TLS_KEY: Setting = Setting::plain("publish-tls-key", "PUBLISH_TLS_KEY");
const PEERS: Setting = Setting::plain("peers", "PEERS");
const PEERS_CA: Setting = Setting::plain("peers-ca", "PEERS_CA");
const SUBSCRIPTIONS: Setting = Setting::plain("max-subscriptions", "MAX_SUBSCRIPTIONS");
const PIDFILE: Setting = Setting::plain("pidfile", "PIDFILE");
const ALLOW_ROOT: Setting = Setting::plain("allow-root", "ALLOW_ROOT");

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
    SUBSCRIPTIONS,
    MAX_CONNECTIONS,
    TRUSTED_PROXIES,
    PIDFILE,
    ALLOW_ROOT,
];

/// The same settings as command-line flags.
pub const FLAGS: &[ServiceFlag] = &[
    flag(
        CLIENT_LISTEN,
        "addresses",
        "Addresses for browsers, or shared: the daemon's own listener [CLIENT_LISTEN; default 22280]",
    ),
    flag(CLIENT_TLS_CERT, "file", "Certificate chain for browsers, PEM [CLIENT_TLS_CERT]"),
    flag(CLIENT_TLS_KEY, "file", "Key of that certificate, PEM [CLIENT_TLS_KEY]"),
    flag(
        PUBLISH_LISTEN,
        "addresses",
        "Addresses where Phorge and peers publish; there is no authentication [PUBLISH_LISTEN; \
         default 127.0.0.1:22281]",
    ),
    flag(PUBLISH_TLS_CERT, "file", "Certificate chain for publishers, PEM [PUBLISH_TLS_CERT]"),
    flag(PUBLISH_TLS_KEY, "file", "Key of that certificate, PEM [PUBLISH_TLS_KEY]"),
    flag(PEERS, "urls", "Admin servers of the other servers in the cluster [PEERS]"),
    flag(PEERS_CA, "file", "CA of the peers, PEM, in addition to the system's [PEERS_CA]"),
    flag(
        SUBSCRIPTIONS,
        "number",
        "Ids that a browser may subscribe to [MAX_SUBSCRIPTIONS; default 8192]",
    ),
    flag(
        MAX_CONNECTIONS,
        "number",
        "Connected browsers at most, 0 for any number [MAX_CONNECTIONS; default 0]",
    ),
    flag(
        TRUSTED_PROXIES,
        "networks",
        "Networks of reverse proxies, whose addresses many browsers share [TRUSTED_PROXIES; default \
         loopback]",
    ),
    flag(PIDFILE, "file", "File for the process id of start [PIDFILE]"),
    ServiceFlag {
        setting: ALLOW_ROOT,
        value: None,
        help: "Let start and restart run the server as root [ALLOW_ROOT=true]",
    },
];

const fn flag(setting: Setting, value: &'static str, help: &'static str) -> ServiceFlag {
    ServiceFlag { setting, value: Some(value), help }
}

/// The settings of one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhorgeSettings {
    /// Listeners for browsers; empty: they use the daemon's shared listener.
    pub clients: Vec<ListenSettings>,
    /// Listeners for publishers and peers.
    pub admins: Vec<ListenSettings>,
    /// The admin servers of the peers.
    pub peers: Vec<Url>,
    /// A CA file for the peers, in addition to the system's authorities.
    pub peers_ca: Option<PathBuf>,
    /// The most ids that a browser may subscribe to.
    pub max_subscriptions: usize,
    /// The most connected browsers, if limited.
    pub max_connections: Option<usize>,
    /// Networks of trusted reverse proxies.
    pub trusted: Vec<IpNet>,
    /// The file for the process id of a server in the background.
    pub pidfile: PathBuf,
    /// The log file of a server in the background.
    pub log: PathBuf,
    /// Whether `start` may run the server as root.
    pub allow_root: bool,
    /// How long the server closes its browsers, which `stop` waits for.
    pub drain_time: Duration,
}

impl PhorgeSettings {
    /// Reads the settings from all layers.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn read(
        request: &ServiceConfigRequest<'_>,
        report: &mut SettingsReport,
    ) -> Result<Self, ConfigError> {
        let layers = request.layers;
        let mut file =
            request.file.map(|path| LoadedAphlictFile::read(path, layers)).transpose()?;
        for note in file.iter_mut().flat_map(|file| std::mem::take(&mut file.content.notes)) {
            report.warn(note);
        }
        let file = file.as_ref();
        let clients = ListenSettingNames::new(CLIENT_LISTEN, CLIENT_TLS_CERT, CLIENT_TLS_KEY);
        let clients = clients.read(layers, file, AphlictListenerKind::Client, report)?;
        let admins = ListenSettingNames::new(PUBLISH_LISTEN, PUBLISH_TLS_CERT, PUBLISH_TLS_KEY);
        let admins = admins.read(layers, file, AphlictListenerKind::Admin, report)?;
        let peers = layers.get(PEERS, urls)?;
        let peers =
            peers.or_else(|| file.map(|file| file.value("cluster", file.content.cluster.clone())));
        let peers = peers.unwrap_or(SourcedValue::default(Vec::new()));
        let subscriptions = layers.get(SUBSCRIPTIONS, parse::positive)?;
        let most = layers.get(MAX_CONNECTIONS, parse::count::<usize>)?;
        let trusted = layers.get(TRUSTED_PROXIES, parse::networks)?;
        let pidfile = layers.get(PIDFILE, parse::path)?;
        let pidfile = pidfile
            .or_else(|| file.map(|file| file.value("pidfile", file.content.pidfile.clone())));
        let allow_root = layers.get(ALLOW_ROOT, parse::switch)?;
        // A setting of the daemon, which reports errors in it.
        let drain_time = layers.get(DRAIN_TIME, parse::duration)?;
        let ca = layers.get(PEERS_CA, parse::path)?;
        Ok(Self {
            clients,
            admins,
            peers: report.keep(PEERS.name, peers, |peers| listed(peers.iter())),
            peers_ca: report.keep_some(PEERS_CA.name, ca, "the system's", shown),
            max_subscriptions: report.keep(
                SUBSCRIPTIONS.name,
                subscriptions.unwrap_or(SourcedValue::default(MAX_SUBSCRIPTIONS)),
                ToString::to_string,
            ),
            max_connections: Some(report.keep(
                MAX_CONNECTIONS.name,
                most.unwrap_or(SourcedValue::default(0)),
                ToString::to_string,
            ))
            .filter(|most| *most > 0),
            trusted: report.keep(
                TRUSTED_PROXIES.name,
                trusted.unwrap_or(SourcedValue::default(loopback())),
                |networks| listed(networks.iter()),
            ),
            pidfile: report.keep(
                PIDFILE.name,
                pidfile.unwrap_or(SourcedValue::default("/var/tmp/aphlict/pid/aphlict.pid".into())),
                shown,
            ),
            log: file
                .and_then(|file| file.content.logs.first().cloned())
                .unwrap_or_else(|| "/var/log/aphlict.log".into()),
            allow_root: report.keep(
                ALLOW_ROOT.name,
                allow_root.unwrap_or(SourcedValue::default(false)),
                ToString::to_string,
            ),
            drain_time: drain_time.map_or(DEFAULT_DRAIN_TIME, |time| time.value),
        })
    }
}

/// Aphlict's file with its text, to find the line of a key.
struct LoadedAphlictFile<'a> {
    path: &'a Path,
    text: String,
    content: AphlictFile,
}

impl<'a> LoadedAphlictFile<'a> {
    fn read(path: &'a Path, layers: &SettingLayers<'_>) -> Result<Self, ConfigError> {
        let text = layers
            .read(path)
            .map_err(|source| ConfigError::HostsFile { path: path.to_owned(), source })?;
        let content = AphlictFile::parse(path, &text, &resolve)
            .map_err(|fault| ConfigError::File(fault.into()))?;
        Ok(Self { path, text, content })
    }

    fn value<T>(&self, key: &str, value: T) -> SourcedValue<T> {
        let at = self.text.find(&format!("\"{key}\"")).unwrap_or_default();
        let before = self.text.get(..at).unwrap_or_default().matches('\n').count();
        let line = u32::try_from(before + 1).unwrap_or(u32::MAX);
        SourcedValue {
            value,
            source: SettingSource::File { file: self.path.into(), line, key: key.to_owned() },
        }
    }
}

/// Asks the system's resolver; settings are read where blocking is fine.
fn resolve(name: &str) -> io::Result<Vec<IpAddr>> {
    Ok((name, 0).to_socket_addrs()?.map(|address| address.ip()).collect())
}

/// The names of the settings of one kind of listener.
struct ListenSettingNames {
    listen: Setting,
    cert: Setting,
    key: Setting,
}

impl ListenSettingNames {
    fn new(listen: Setting, cert: Setting, key: Setting) -> Self {
        Self { listen, cert, key }
    }

    fn read(
        &self,
        layers: &SettingLayers<'_>,
        file: Option<&LoadedAphlictFile<'_>>,
        kind: AphlictListenerKind,
        report: &mut SettingsReport,
    ) -> Result<Vec<ListenSettings>, ConfigError> {
        let given = layers.get(self.listen, |text| binds(text, kind))?;
        let tls = self.tls(layers)?;
        let listening = match (given, file) {
            (Some(given), _) => given.map(|binds| with_tls(binds, tls.as_ref())),
            (None, Some(file)) if tls.is_none() => {
                let own = file.content.servers.iter().filter(|server| server.kind == kind);
                file.value("servers", own.map(|server| server.listen.clone()).collect())
            }
            (None, Some(_)) => {
                let problem = "Aphlict's file has the listeners and their certificates. Add the \
                               certificate there (ssl.cert, ssl.key), or set the addresses as well";
                return Err(ConfigError::Usage(format!("--{}: {problem}", self.cert.name)));
            }
            (None, None) => SourcedValue::default(with_tls(vec![default_bind(kind)], tls.as_ref())),
        };
        Ok(report.keep(self.listen.name, listening, |all| {
            if all.is_empty() { "shared".to_owned() } else { listed(all.iter().map(shown_address)) }
        }))
    }

    fn tls(&self, layers: &SettingLayers<'_>) -> Result<Option<TlsFiles>, ConfigError> {
        let [cert, key] = [self.cert, self.key].map(|setting| layers.get(setting, parse::path));
        match (cert?, key?) {
            (Some(cert), Some(key)) => {
                Ok(Some(TlsFiles { cert: cert.value, key: key.value, chain: None }))
            }
            (None, None) => Ok(None),
            (Some(SourcedValue { source, .. }), None)
            | (None, Some(SourcedValue { source, .. })) => {
                let problem = "a certificate needs its key and the key its certificate. Set both";
                Err(ConfigError::invalid(source, problem))
            }
        }
    }
}

fn with_tls(binds: Vec<BindAddress>, tls: Option<&TlsFiles>) -> Vec<ListenSettings> {
    let listen = |bind| ListenSettings { bind, tls: tls.cloned(), proxy_protocol: false };
    binds.into_iter().map(listen).collect()
}

/// Browsers connect from anywhere; publishers, who don't authenticate, from this machine.
fn default_bind(kind: AphlictListenerKind) -> BindAddress {
    match kind {
        AphlictListenerKind::Client => tcp(None, CLIENT_PORT),
        AphlictListenerKind::Admin => tcp(Some(Ipv4Addr::LOCALHOST.into()), ADMIN_PORT),
    }
}

fn tcp(address: Option<IpAddr>, port: u16) -> BindAddress {
    BindAddress::Tcp { address, port }
}

/// `22280`, `127.0.0.1:22280`, `/run/aphlict.sock`, several of them, or `shared` for clients.
fn binds(text: &str, kind: AphlictListenerKind) -> Result<Vec<BindAddress>, String> {
    if kind == AphlictListenerKind::Client && text.trim() == "shared" {
        return Ok(Vec::new());
    }
    let bind = |part: &str| {
        if part.starts_with('/') {
            return Some(BindAddress::Unix { path: part.into(), permissions: SOCKET_PERMISSIONS });
        }
        if let (Ok(port), BindAddress::Tcp { address, .. }) = (part.parse(), default_bind(kind)) {
            return Some(tcp(address, port));
        }
        let address: SocketAddr = part.parse().ok()?;
        Some(tcp(Some(address.ip()), address.port()))
    };
    let binds: Option<Vec<_>> = list(text).map(bind).collect();
    binds.filter(|binds| !binds.is_empty()).ok_or_else(|| {
        "expected a port, an address with a port or the path of a unix socket, such as \
         127.0.0.1:22280"
            .to_owned()
    })
}

/// Whether a URL has no query, fragment, user or password: it appears in logs.
pub(super) fn is_bare(url: &Url) -> bool {
    let login = !url.username().is_empty() || url.password().is_some();
    !login && url.query().is_none() && url.fragment().is_none()
}

/// Parses the URLs of the peers' admin servers.
fn urls(text: &str) -> Result<Vec<Url>, String> {
    let url = |part: &str| {
        let url = Url::parse(part).ok()?;
        let fine = ["http", "https"].contains(&url.scheme())
            && url.has_host()
            && url.path() == "/"
            && is_bare(&url);
        fine.then_some(url)
    };
    let urls: Option<Vec<_>> = list(text).map(url).collect();
    urls.ok_or_else(|| {
        "expected addresses of admin servers such as http://push2.example.org:22281".to_owned()
    })
}

fn loopback() -> Vec<IpNet> {
    let v4 = Ipv4Net::new_assert(Ipv4Addr::new(127, 0, 0, 0), 8);
    vec![v4.into(), Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128).into()]
}

fn shown_address(listen: &ListenSettings) -> String {
    match &listen.bind {
        BindAddress::Tcp { address: None, port } => format!("*:{port}"),
        BindAddress::Tcp { address: Some(address), port } => {
            SocketAddr::new(*address, *port).to_string()
        }
        BindAddress::Unix { path, .. } => path.display().to_string(),
    }
}

fn listed(values: impl Iterator<Item = impl ToString>) -> String {
    let texts: Vec<_> = values.map(|value| value.to_string()).collect();
    if texts.is_empty() { "none".to_owned() } else { texts.join(",") }
}

#[expect(clippy::ptr_arg, reason = "what a report asks for")]
fn shown(path: &PathBuf) -> String {
    path.display().to_string()
}
