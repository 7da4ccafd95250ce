//! One server's settings: those of this program, else those of Aphlict's own file, else the defaults.

use super::{
    AphlictFile, AphlictListenerKind,
    table::{
        ALLOW_ROOT, CLIENT_LISTEN, CLIENT_TLS_CERT, CLIENT_TLS_KEY, MAX_SESSIONS_PER_ADDRESS,
        MAX_SUBSCRIPTIONS, PEERS, PEERS_CA, PIDFILE, PUBLISH_LISTEN, PUBLISH_TLS_CERT,
        PUBLISH_TLS_KEY,
    },
};
use crate::{
    config::{
        ConfigError, ServiceConfigRequest, Setting, SettingLayers, SettingSource, SettingsReport,
        SourcedValue, ValueFault, parse,
        parse::list,
        read::{optional_path, or_default, switch},
        report::listed,
        setting::{CONFIG, DRAIN_TIME, MAX_CONNECTIONS},
    },
    server::{BindAddress, ListenSettings, TlsFiles, proxy_settings::trusted_networks},
};
use ipnet::IpNet;
use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs as _},
    path::{Path, PathBuf},
    time::Duration,
};
use url::Url;

/// The permissions of a unix socket.
const SOCKET_PERMISSIONS: u32 = 0o660;

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
    /// The most connected browsers of one address.
    pub max_sessions_per_address: usize,
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
        let subscriptions = layers.get_or_default(MAX_SUBSCRIPTIONS, parse::positive)?;
        let most = layers.get_or_default(MAX_CONNECTIONS, parse::count::<usize>)?;
        let pidfile = layers.get(PIDFILE, parse::path)?;
        let pidfile = pidfile
            .or_else(|| file.map(|file| file.value("pidfile", file.content.pidfile.clone())));
        let pidfile = or_default(pidfile, PIDFILE, parse::path)?;
        let most = report.keep(MAX_CONNECTIONS.name, most, ToString::to_string);
        Ok(Self {
            clients,
            admins,
            peers: report.keep(PEERS.name, peers, |peers| listed(peers, "none")),
            peers_ca: optional_path(layers, PEERS_CA, report)?,
            max_subscriptions: report.keep(
                MAX_SUBSCRIPTIONS.name,
                subscriptions,
                ToString::to_string,
            ),
            max_sessions_per_address: report.keep(
                MAX_SESSIONS_PER_ADDRESS.name,
                layers.get_or_default(MAX_SESSIONS_PER_ADDRESS, parse::positive)?,
                ToString::to_string,
            ),
            max_connections: Some(most).filter(|most| *most > 0),
            trusted: trusted_networks(layers, Ok(None), report)?,
            pidfile: report.keep(PIDFILE.name, pidfile, |path| path.display().to_string()),
            log: file
                .and_then(|file| file.content.logs.first().cloned())
                .unwrap_or_else(|| "/var/log/aphlict.log".into()),
            allow_root: switch(layers, ALLOW_ROOT, report)?,
            // A setting of the daemon, which reports it.
            drain_time: layers.get_or_default(DRAIN_TIME, parse::duration)?.value,
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
        let text = layers.read(path).map_err(|source| {
            let named_by = SettingSource::CommandLine(CONFIG.name).to_string();
            ConfigError::unreadable(named_by, path, source, &layers.probes)
        })?;
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
            (None, None) => or_default(None, self.listen, |text| binds(text, kind))?
                .map(|binds| with_tls(binds, tls.as_ref())),
        };
        Ok(report.keep(self.listen.name, listening, |all| {
            listed(&all.iter().map(shown_address).collect::<Vec<_>>(), "shared")
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

/// The address of a port without one. Browsers connect from anywhere; publishers, who don't
/// authenticate, from this machine.
fn default_address(kind: AphlictListenerKind) -> Option<IpAddr> {
    match kind {
        AphlictListenerKind::Client => None,
        AphlictListenerKind::Admin => Some(Ipv4Addr::LOCALHOST.into()),
    }
}

fn tcp(address: Option<IpAddr>, port: u16) -> BindAddress {
    BindAddress::Tcp { address, port }
}

/// `22280`, `127.0.0.1:22280`, `/run/aphlict.sock`, several of them, or `shared` for clients.
fn binds(text: &str, kind: AphlictListenerKind) -> Result<Vec<BindAddress>, ValueFault> {
    const EXPECTED: &str = "expected a port, an address with a port or the path of a unix socket, \
                            such as 127.0.0.1:22280";
    if kind == AphlictListenerKind::Client && text.trim() == "shared" {
        return Ok(Vec::new());
    }
    let bind = |part: &str| {
        if part.starts_with('/') {
            return Ok(BindAddress::Unix { path: part.into(), permissions: SOCKET_PERMISSIONS });
        }
        if let Ok(port) = part.parse() {
            return Ok(tcp(default_address(kind), port));
        }
        let address: SocketAddr = part.parse().map_err(|_| ValueFault::entry(part, EXPECTED))?;
        Ok(tcp(Some(address.ip()), address.port()))
    };
    let binds: Vec<_> = list(text).map(bind).collect::<Result<_, ValueFault>>()?;
    if binds.is_empty() { Err(EXPECTED.into()) } else { Ok(binds) }
}

/// Whether a URL has no query, fragment, user or password: it appears in logs.
pub(super) fn is_bare(url: &Url) -> bool {
    let login = !url.username().is_empty() || url.password().is_some();
    !login && url.query().is_none() && url.fragment().is_none()
}

/// Parses the URLs of the peers' admin servers.
fn urls(text: &str) -> Result<Vec<Url>, ValueFault> {
    const EXPECTED: &str =
        "expected addresses of admin servers such as http://push2.example.org:22281";
    let valid = |url: &Url| {
        ["http", "https"].contains(&url.scheme())
            && url.has_host()
            && url.path() == "/"
            && is_bare(url)
    };
    let parse = |part: &str| {
        let url = Url::parse(part).ok().filter(valid);
        url.ok_or_else(|| ValueFault::entry(part, EXPECTED))
    };
    list(text).map(parse).collect()
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
