//! Reads Aphlict's own configuration file (`specs/aphlict.md` section 9).

use super::{object::ConfigObject, settings::is_bare};
use crate::server::{BindAddress, ListenSettings, TlsFiles};
use serde_json::Value;
use std::{
    collections::HashSet,
    io,
    net::{IpAddr, Ipv4Addr},
    path::{Path, PathBuf},
};
use url::Url;

/// The contents of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AphlictFile {
    /// Its listeners, at least one of each kind.
    pub servers: Vec<AphlictListener>,
    /// Log files of a server that runs in the background.
    pub logs: Vec<PathBuf>,
    /// Admin servers of the cluster, possibly including this server's own.
    pub cluster: Vec<Url>,
    /// The file for the process id of a server in the background.
    pub pidfile: PathBuf,
    /// Warnings about values without effect or with a different one than in the original.
    pub notes: Vec<String>,
}

/// One listener of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AphlictListener {
    /// Who connects to it.
    pub kind: AphlictListenerKind,
    /// Its address and certificate.
    pub listen: ListenSettings,
}

/// Who connects to a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AphlictListenerKind {
    /// Browsers, over WebSocket.
    Client,
    /// Publishers and peers, over HTTP.
    Admin,
}

/// An error in the file, with file, key and remedy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {}{problem}", file.display(), at_key(key))]
pub struct AphlictFileError {
    /// The path of the file.
    pub file: PathBuf,
    /// The key, such as `servers[1].ssl.cert`; empty for the whole file.
    pub key: String,
    /// What is wrong and how to fix it.
    pub problem: String,
}

impl AphlictFileError {
    pub(super) fn new(file: &Path, key: &str, problem: impl Into<String>) -> Self {
        Self { file: file.to_owned(), key: key.to_owned(), problem: problem.into() }
    }
}

fn at_key(key: &str) -> String {
    if key.is_empty() { String::new() } else { format!("{key}: ") }
}

const KEYS: &[&str] = &["servers", "logs", "cluster", "pidfile", "memory.hint"];
const SERVER_KEYS: &[&str] = &["type", "port", "listen", "ssl.key", "ssl.cert", "ssl.chain"];
const PEER_KEYS: &[&str] = &["host", "port", "protocol"];

/// Looks up the addresses of a host name.
pub type HostResolver<'a> = &'a dyn Fn(&str) -> io::Result<Vec<IpAddr>>;

impl AphlictFile {
    /// Parses the file's text; `resolve` looks up host names of listeners.
    ///
    /// # Errors
    /// [`AphlictFileError`].
    pub fn parse(
        file: &Path,
        text: &str,
        resolve: HostResolver<'_>,
    ) -> Result<Self, AphlictFileError> {
        let document: Value = serde_json::from_str(text).map_err(|error| {
            AphlictFileError::new(
                file,
                "",
                format!("this is not JSON: {error}. Correct it; jq finds the place"),
            )
        })?;
        let root = ConfigObject::new(file, "", &document, KEYS)?;
        let cluster = cluster(&root)?;
        let mut notes = Vec::new();
        let servers = servers(&root, !cluster.is_empty(), resolve, &mut notes)?;
        let log = |object: ConfigObject<'_>| {
            object.path("path")?.ok_or_else(|| {
                object.fault("path", "it is missing. Name the log file: \"/var/log/aphlict.log\"")
            })
        };
        let logs: Result<_, _> = root.objects("logs", &["path"])?.into_iter().map(log).collect();
        let missing = "it is missing. Name the file for the process id: \
                       \"/var/tmp/aphlict/pid/aphlict.pid\"";
        let pidfile = root.path("pidfile")?.ok_or_else(|| root.fault("pidfile", missing))?;
        if let Some(hint) = root.get("memory.hint") {
            if !hint.is_u64() {
                return Err(root.fault("memory.hint", "expected a number. It can be left out"));
            }
            notes.push("memory.hint is for Node and has no effect here".to_owned());
        }
        Ok(Self { servers, logs: logs?, cluster, pidfile, notes })
    }
}

fn servers(
    root: &ConfigObject<'_>,
    clustered: bool,
    resolve: HostResolver<'_>,
    notes: &mut Vec<String>,
) -> Result<Vec<AphlictListener>, AphlictFileError> {
    let mut ports = HashSet::new();
    let mut servers = Vec::new();
    for object in root.objects("servers", SERVER_KEYS)? {
        let server = server(&object, resolve)?;
        let port = object.port("port")?;
        if port != 0 && !ports.insert(port) {
            let problem = "another server has this port. Give each a port of its own";
            return Err(object.fault("port", problem));
        }
        let unset = object.non_empty("listen")?.is_none();
        if clustered && server.kind == AphlictListenerKind::Admin && unset {
            notes.push(format!(
                "{}.listen is missing: the admin server listens on 127.0.0.1 only (the original \
                 listened on all addresses). Peers need an address that they can reach",
                object.at
            ));
        }
        servers.push(server);
    }
    for (kind, name) in
        [(AphlictListenerKind::Client, "client"), (AphlictListenerKind::Admin, "admin")]
    {
        if !servers.iter().any(|server| server.kind == kind) {
            let problem = format!(r#"there is none with "type": "{name}". Add one"#);
            return Err(root.fault("servers", problem));
        }
    }
    Ok(servers)
}

fn server(
    object: &ConfigObject<'_>,
    resolve: HostResolver<'_>,
) -> Result<AphlictListener, AphlictFileError> {
    let kind = match object.text("type")? {
        Some("client") => AphlictListenerKind::Client,
        Some("admin") => AphlictListenerKind::Admin,
        _ => return Err(object.fault("type", "expected \"client\" or \"admin\"")),
    };
    let address = match object.non_empty("listen")? {
        Some(host) => Some(listen_address(object, host, resolve)?),
        // The admin server has no authentication: this machine only.
        None if kind == AphlictListenerKind::Admin => Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        None => None,
    };
    let bind = BindAddress::Tcp { address, port: object.port("port")? };
    let listen = ListenSettings { bind, tls: tls(object)?, proxy_protocol: false };
    Ok(AphlictListener { kind, listen })
}

/// An address, or the first one of a host name, IPv4 before IPv6: the same one at each reload.
fn listen_address(
    object: &ConfigObject<'_>,
    host: &str,
    resolve: HostResolver<'_>,
) -> Result<IpAddr, AphlictFileError> {
    if let Ok(address) = host.trim_matches(['[', ']']).parse() {
        return Ok(address);
    }
    let name = host.chars().all(|letter| letter.is_alphanumeric() || ".-_".contains(letter));
    if !name {
        let problem =
            "expected a host name or an IP address such as \"0.0.0.0\" or \"::1\", without a port";
        return Err(object.fault("listen", problem));
    }
    match resolve(host).map(|addresses| addresses.into_iter().min()) {
        Ok(Some(address)) => Ok(address),
        Ok(None) => Err(object.fault("listen", format!("the name {host} has no address"))),
        Err(error) => {
            let problem = format!("the name {host} can't be resolved ({error}). Use an IP address");
            Err(object.fault("listen", problem))
        }
    }
}

fn tls(object: &ConfigObject<'_>) -> Result<Option<TlsFiles>, AphlictFileError> {
    let path = |key| Ok(object.non_empty(key)?.map(PathBuf::from));
    let chain = path("ssl.chain")?;
    match (path("ssl.cert")?, path("ssl.key")?) {
        (Some(cert), Some(key)) => Ok(Some(TlsFiles { cert, key, chain })),
        (None, None) if chain.is_none() => Ok(None),
        (None, None) => {
            let problem = "it needs ssl.cert and ssl.key. Add both or remove it";
            Err(object.fault("ssl.chain", problem))
        }
        (Some(_), None) => Err(object.fault("ssl.key", "ssl.cert is there and needs it. Add it")),
        (None, Some(_)) => Err(object.fault("ssl.cert", "ssl.key is there and needs it. Add it")),
    }
}

fn cluster(root: &ConfigObject<'_>) -> Result<Vec<Url>, AphlictFileError> {
    let mut peers = Vec::new();
    for object in root.objects("cluster", PEER_KEYS)? {
        let protocol = object.text("protocol")?.filter(|name| ["http", "https"].contains(name));
        let protocol =
            protocol.ok_or_else(|| object.fault("protocol", "expected \"http\" or \"https\""))?;
        let host = object.text("host")?.ok_or_else(|| {
            object.fault("host", "it is missing. Give a name or an address of the peer")
        })?;
        let port = object.port("port")?;
        let bare = host.trim_matches(['[', ']']);
        let host = if bare.contains(':') { format!("[{bare}]") } else { host.to_owned() };
        let url = Url::parse(&format!("{protocol}://{host}:{port}/"))
            .ok()
            .filter(|url| url.path() == "/" && is_bare(url) && port != 0)
            .ok_or_else(|| {
                object.fault("host", "expected a name or an address, and nothing else")
            })?;
        let same = |other: &Url| {
            other.host() == url.host()
                && other.port_or_known_default() == url.port_or_known_default()
        };
        if peers.iter().any(same) {
            return Err(object.fault("host", "this peer is in the list before. Remove one"));
        }
        peers.push(url);
    }
    Ok(peers)
}

#[cfg(test)]
mod tests {
    use super::{AphlictFile, AphlictListenerKind};
    use crate::server::BindAddress;
    use serde_json::{Value, json};
    use std::{io, net::IpAddr, path::Path};

    fn shipped() -> Value {
        json!({
            "servers": [
                {"type": "client", "port": 22280, "listen": "0.0.0.0",
                 "ssl.key": null, "ssl.cert": null, "ssl.chain": null},
                {"type": "admin", "port": 22281, "listen": "127.0.0.1",
                 "ssl.key": null, "ssl.cert": null, "ssl.chain": null},
            ],
            "logs": [{"path": "/var/log/aphlict.log"}],
            "pidfile": "/var/tmp/aphlict/pid/aphlict.pid",
        })
    }

    fn read(document: &Value) -> Result<AphlictFile, String> {
        let file = Path::new("/etc/aphlict.json");
        AphlictFile::parse(file, &document.to_string(), &resolve).map_err(|fault| fault.to_string())
    }

    fn resolve(name: &str) -> io::Result<Vec<IpAddr>> {
        match name {
            "localhost" => Ok(vec!["::1".parse().unwrap(), "127.0.0.1".parse().unwrap()]),
            "push.example" => Ok(vec!["2001:db8::7".parse().unwrap()]),
            _ => Err(io::Error::other("no such name")),
        }
    }

    fn with(change: impl FnOnce(&mut Value)) -> Result<AphlictFile, String> {
        let mut document = shipped();
        change(&mut document);
        read(&document)
    }

    fn bound(file: &AphlictFile) -> Vec<(AphlictListenerKind, Option<String>, u16)> {
        let each = file.servers.iter().map(|server| match &server.listen.bind {
            BindAddress::Tcp { address, port } => {
                (server.kind, address.as_ref().map(IpAddr::to_string), *port)
            }
            BindAddress::Unix { .. } => panic!("a unix socket"),
        });
        each.collect()
    }

    #[test]
    fn the_shipped_file_is_read() {
        let file = read(&shipped()).unwrap();
        let client = (AphlictListenerKind::Client, Some("0.0.0.0".to_owned()), 22280);
        let admin = (AphlictListenerKind::Admin, Some("127.0.0.1".to_owned()), 22281);
        assert_eq!(bound(&file), [client, admin]);
        assert_eq!(file.logs, [Path::new("/var/log/aphlict.log")]);
        assert_eq!(file.pidfile, Path::new("/var/tmp/aphlict/pid/aphlict.pid"));
        assert!(file.cluster.is_empty() && file.notes.is_empty());
        assert!(file.servers.iter().all(|server| server.listen.tls.is_none()));
    }

    #[test]
    fn the_admin_server_listens_on_loopback_by_default() {
        let file = with(|it| {
            it["servers"] = json!([{"type": "admin", "port": 1}, {"type": "client", "port": 2}]);
            it["cluster"] = json!([
                {"host": "one.example", "port": 22281, "protocol": "http"},
                {"host": "2001:db8::1", "port": 443, "protocol": "https"},
            ]);
            it["memory.hint"] = json!(256);
        });
        let file = file.unwrap();
        let admin = (AphlictListenerKind::Admin, Some("127.0.0.1".to_owned()), 1);
        assert_eq!(bound(&file), [admin, (AphlictListenerKind::Client, None, 2)]);
        let peers: Vec<_> = file.cluster.iter().map(ToString::to_string).collect();
        assert_eq!(peers, ["http://one.example:22281/", "https://[2001:db8::1]/"]);
        assert_eq!(file.notes.len(), 2);
        assert!(file.notes[0].starts_with("servers[0].listen"), "{:?}", file.notes);
        assert!(file.notes[1].starts_with("memory.hint"), "{:?}", file.notes);
    }

    #[test]
    fn certificates_may_have_a_chain() {
        let file = with(|it| {
            it["servers"][0]["ssl.key"] = json!("/k");
            it["servers"][0]["ssl.cert"] = json!("/c");
            it["servers"][1]["ssl.key"] = json!("/k");
            it["servers"][1]["ssl.cert"] = json!("/c");
            it["servers"][1]["ssl.chain"] = json!("/chain");
        });
        let files: Vec<_> =
            file.unwrap().servers.into_iter().map(|server| server.listen.tls.unwrap()).collect();
        assert_eq!((files[0].chain.clone(), files[0].key.as_path()), (None, Path::new("/k")));
        assert_eq!(files[1].chain.as_deref(), Some(Path::new("/chain")));
    }

    #[test]
    fn listeners_may_have_host_names() {
        let file = with(|it| {
            it["servers"][0]["listen"] = json!("push.example");
            it["servers"][1]["listen"] = json!("localhost");
        });
        let addresses: Vec<_> = bound(&file.unwrap()).into_iter().map(|(_, at, _)| at).collect();
        assert_eq!(addresses, [Some("2001:db8::7".to_owned()), Some("127.0.0.1".to_owned())]);
        let text = with(|it| it["servers"][0]["listen"] = json!("nowhere.example")).unwrap_err();
        assert!(text.contains("servers[0].listen: the name nowhere.example can't be"), "{text}");
    }

    #[test]
    fn empty_texts_count_as_missing() {
        let file = with(|it| {
            for key in ["listen", "ssl.key", "ssl.cert", "ssl.chain"] {
                it["servers"][0][key] = json!("");
                it["servers"][1][key] = json!("");
            }
        });
        let file = file.unwrap();
        assert!(file.servers.iter().all(|server| server.listen.tls.is_none()));
        let addresses: Vec<_> = bound(&file).into_iter().map(|(_, at, _)| at).collect();
        assert_eq!(addresses, [None, Some("127.0.0.1".to_owned())]);
    }

    #[test]
    fn errors_name_file_and_key() {
        let peer = json!({"host": "a", "port": 1, "protocol": "http"});
        let wrong: Vec<(&str, Result<_, _>)> = vec![
            ("port: expected", with(|it| it["servers"][0]["port"] = json!("22280"))),
            ("port: expected", with(|it| it["servers"][0]["port"] = json!(70000))),
            ("port: another", with(|it| it["servers"][0]["port"] = json!(22281))),
            ("servers[1].type: expected", with(|it| it["servers"][1]["type"] = json!("both"))),
            ("servers[1].listen: expected", with(|it| it["servers"][1]["listen"] = json!("a:1"))),
            ("servers[0].ssl.key: ssl.cert", with(|it| it["servers"][0]["ssl.cert"] = json!("c"))),
            ("servers[0].ssl.cert: ssl.key", with(|it| it["servers"][0]["ssl.key"] = json!("k"))),
            ("ssl.chain: it needs", with(|it| it["servers"][0]["ssl.chain"] = json!("c"))),
            ("servers[0].ssl: there is no", with(|it| it["servers"][0]["ssl"] = json!({}))),
            ("server: there is no such key", with(|it| it["server"] = json!([]))),
            (
                r#"none with "type": "admin""#,
                with(|it| it["servers"].as_array_mut().unwrap().truncate(1)),
            ),
            ("servers: there is none", with(|it| it["servers"] = json!([]))),
            ("servers: expected a list", with(|it| it["servers"] = json!({}))),
            ("logs[0].path: it is missing", with(|it| it["logs"] = json!([{}]))),
            ("logs[0]: expected an object", with(|it| it["logs"] = json!(["/a"]))),
            ("pidfile: it is missing", with(|it| it["pidfile"] = json!(null))),
            ("pidfile: expected a text", with(|it| it["pidfile"] = json!(5))),
            ("memory.hint: expected", with(|it| it["memory.hint"] = json!("big"))),
            ("cluster[1].host: this peer", with(|it| it["cluster"] = json!([peer, peer]))),
            (
                "cluster[0].protocol: exp",
                with(|it| it["cluster"] = json!([{"host": "a", "port": 1}])),
            ),
            (
                "cluster[0].host: expected",
                with(|it| {
                    it["cluster"] = json!([{"host": "u@a/b", "port": 1, "protocol": "http"}]);
                }),
            ),
            (
                "cluster[0].host: expected",
                with(|it| {
                    it["cluster"] = json!([{"host": ":u@a", "port": 1, "protocol": "http"}]);
                }),
            ),
            (
                "cluster[0].host: expected",
                with(|it| {
                    it["cluster"] = json!([{"host": "a/?", "port": 1, "protocol": "http"}]);
                }),
            ),
            (
                "cluster[0].host: expected",
                with(|it| {
                    it["cluster"] = json!([{"host": "a#", "port": 1, "protocol": "http"}]);
                }),
            ),
        ];
        for (expected, outcome) in wrong {
            let text = outcome.unwrap_err();
            assert!(text.starts_with("/etc/aphlict.json: "), "{text}");
            assert!(text.contains(expected), "{text}, not {expected}");
        }
        let text = AphlictFile::parse(Path::new("/f"), "{", &resolve).unwrap_err().to_string();
        assert!(text.starts_with("/f: this is not JSON") && text.contains("line 1"), "{text}");
    }
}
