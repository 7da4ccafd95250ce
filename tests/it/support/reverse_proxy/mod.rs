//! Real reverse proxies, in front of a port, with the files that we ship.

mod around;

use super::{Folder, Server, certificates::Certificates, folder, free_port, until};
use std::path::Path;
use tokio::net::TcpStream;

/// The one thing in a shipped file that every test changes.
const ADDRESS: &str = "127.0.0.1:7867";

/// How often a start is tried with other ports.
const TRIES: usize = 5;

/// A server that we ship a file for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Nginx,
    Apache,
    Caddy,
    HaProxy,
    Traefik,
}

/// A reverse proxy on 127.0.0.1 that has two ports, plain and TLS.
pub(crate) struct ReverseProxy {
    server: Server,
    plain: u16,
    tls: u16,
    _folder: Folder,
}

impl Kind {
    /// The file as shipped.
    pub(crate) fn shipped(self) -> &'static str {
        match self {
            Self::Nginx => include_str!("../../../../nginx/notify_push.conf"),
            Self::Apache => include_str!("../../../../apache/notify_push.conf"),
            Self::Caddy => include_str!("../../../../caddy/notify_push.caddy"),
            Self::HaProxy => include_str!("../../../../haproxy/notify_push.cfg"),
            Self::Traefik => include_str!("../../../../traefik/notify_push.yml"),
        }
    }
}

impl ReverseProxy {
    /// With our file in front of this port.
    pub(crate) async fn start(kind: Kind, upstream: u16, certificates: &Certificates) -> Self {
        Self::with(kind, upstream, certificates, &[]).await
    }

    /// The same, with parts of our file replaced.
    pub(crate) async fn with(
        kind: Kind,
        upstream: u16,
        certificates: &Certificates,
        changes: &[(&str, &str)],
    ) -> Self {
        let file = changed(kind.shipped(), upstream, changes);
        for _ in 0..TRIES {
            let (folder, plain, tls) = (folder("proxy"), free_port(), free_port());
            write(folder.path(), "notify_push.conf", &file);
            let server = around::launch(kind, folder.path(), [plain, tls], certificates);
            let mut proxy = Self { server, plain, tls, _folder: folder };
            if proxy.ready().await {
                return proxy;
            }
            let log = proxy.server.log().to_lowercase();
            assert!(log.contains("address already in use"), "no start: {log}");
        }
        panic!("no free ports for a proxy");
    }

    /// `127.0.0.1:port` without TLS.
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.plain)
    }

    /// Where clients connect, without TLS.
    pub(crate) fn url(&self) -> String {
        format!("ws://127.0.0.1:{}/push/ws", self.plain)
    }

    /// Where clients connect with TLS.
    pub(crate) fn tls_url(&self) -> String {
        format!("wss://localhost:{}/push/ws", self.tls)
    }

    /// Waits until it listens on both; `false` when it ended.
    async fn ready(&mut self) -> bool {
        let ports = [self.plain, self.tls];
        until("the proxy listens or ends", async || {
            if self.server.ended().is_some() {
                return Some(false);
            }
            for port in ports {
                TcpStream::connect(("127.0.0.1", port)).await.ok()?;
            }
            Some(true)
        })
        .await
    }
}

/// The shipped file, for a daemon on another port, and with these parts replaced.
fn changed(file: &str, upstream: u16, changes: &[(&str, &str)]) -> String {
    let active = file.lines().filter(|line| !line.trim_start().starts_with('#'));
    assert_eq!(active.filter(|line| line.contains(ADDRESS)).count(), 1);
    let mut file = file.to_owned();
    for (part, other) in changes {
        assert!(file.contains(part), "{part} is not in {file}");
        file = file.replace(part, other);
    }
    file.replace(ADDRESS, &format!("127.0.0.1:{upstream}"))
}

fn write(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join(name), text).expect("a file in a folder of our own");
}
