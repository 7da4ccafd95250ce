//! Real nginx and real Apache, in front of a port, with the files that we ship.

use super::{Folder, Server, certificates::Certificates, folder, free_port, until};
use std::path::Path;
use tokio::net::TcpStream;

const NGINX: &str = include_str!("../../../nginx/notify_push.conf");
const APACHE: &str = include_str!("../../../apache/notify_push.conf");

/// The one thing in a shipped file that a test changes.
const ADDRESS: &str = "127.0.0.1:7867";

/// Where Debian keeps Apache's modules.
const APACHE_MODULES: &str = "/usr/lib/apache2/modules";

/// How often a start is tried with other ports.
const TRIES: usize = 5;

/// A reverse proxy on 127.0.0.1 that has two ports, plain and TLS.
pub(crate) struct ReverseProxy {
    server: Server,
    plain: u16,
    tls: u16,
    _folder: Folder,
}

impl ReverseProxy {
    /// nginx with `nginx/notify_push.conf` in its server block.
    pub(crate) async fn nginx(upstream: u16, certificates: &Certificates) -> Self {
        Self::nginx_with(upstream, certificates, &[]).await
    }

    /// The same with mistakes: each first text of the file is replaced by its second.
    pub(crate) async fn nginx_with(
        upstream: u16,
        certificates: &Certificates,
        mistakes: &[(&str, &str)],
    ) -> Self {
        let mut file = shipped(NGINX, upstream);
        for (right, wrong) in mistakes {
            assert!(file.contains(right), "{right} is not in nginx/notify_push.conf");
            file = file.replace(right, wrong);
        }
        Self::start(|folder, plain, tls| {
            let config = nginx(folder, plain, tls, certificates);
            write(folder, "notify_push.conf", &file);
            write(folder, "nginx.conf", &config);
            let prefix = folder.display().to_string();
            let log = folder.join("log");
            Server::start("nginx", &log, move |command| {
                command.args(["-p", &prefix, "-c", "nginx.conf", "-e", "stderr"]);
            })
        })
        .await
    }

    /// Apache with `apache/notify_push.conf` in its virtual hosts.
    pub(crate) async fn apache(upstream: u16, certificates: &Certificates) -> Self {
        Self::start(|folder, plain, tls| {
            let config = apache(folder, plain, tls, certificates);
            write(folder, "notify_push.conf", &shipped(APACHE, upstream));
            write(folder, "apache.conf", &config);
            let file = folder.join("apache.conf");
            Server::start("apache2", &folder.join("log"), move |command| {
                command.args(["-D", "FOREGROUND", "-f"]).arg(&file);
            })
        })
        .await
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

    async fn start(launch: impl Fn(&Path, u16, u16) -> Server) -> Self {
        for _ in 0..TRIES {
            let (folder, plain, tls) = (folder("proxy"), free_port(), free_port());
            let server = launch(folder.path(), plain, tls);
            let mut proxy = Self { server, plain, tls, _folder: folder };
            if proxy.ready().await {
                return proxy;
            }
            let log = proxy.server.log();
            assert!(log.contains("Address already in use"), "no start: {log}");
        }
        panic!("no free ports for a proxy");
    }

    /// Waits until it listens; `false` when it ended.
    async fn ready(&mut self) -> bool {
        let address = self.address();
        until("the proxy listens or ends", async || match self.server.ended() {
            Some(_) => Some(false),
            None => TcpStream::connect(&address).await.is_ok().then_some(true),
        })
        .await
    }
}

/// The shipped file, for a daemon on another port.
fn shipped(file: &str, upstream: u16) -> String {
    let active = file.lines().filter(|line| !line.trim_start().starts_with('#'));
    assert_eq!(active.filter(|line| line.contains(ADDRESS)).count(), 1);
    file.replace(ADDRESS, &format!("127.0.0.1:{upstream}"))
}

fn nginx(folder: &Path, plain: u16, tls: u16, certificates: &Certificates) -> String {
    let (folder, server) = (folder.display(), certificates.server());
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {folder}/{kind};\n"))
        .concat();
    format!(
        "daemon off; master_process on; worker_processes 1; pid {folder}/pid;\n\
         events {{ worker_connections 512; }}\n\
         http {{\n{temporary}access_log off;\n\
         server {{ listen 127.0.0.1:{plain}; listen 127.0.0.1:{tls} ssl;\n\
         ssl_certificate {}; ssl_certificate_key {};\n\
         include {folder}/notify_push.conf; }} }}\n",
        server.cert.display(),
        server.key.display(),
    )
}

fn apache(folder: &Path, plain: u16, tls: u16, certificates: &Certificates) -> String {
    let (folder, server) = (folder.display(), certificates.server());
    let modules: String =
        ["mpm_event", "authz_core", "proxy", "proxy_http", "proxy_wstunnel", "ssl"]
            .map(|name| format!("LoadModule {name}_module {APACHE_MODULES}/mod_{name}.so\n"))
            .concat();
    format!(
        "ServerRoot {folder}\nServerName localhost\nPidFile {folder}/pid\nDefaultRuntimeDir {folder}\n\
         ErrorLog /dev/stderr\nStartServers 1\n{modules}User nobody\nGroup nogroup\n\
         Listen 127.0.0.1:{plain}\nListen 127.0.0.1:{tls}\n\
         <VirtualHost *:{plain}>\nInclude {folder}/notify_push.conf\n</VirtualHost>\n\
         <VirtualHost *:{tls}>\nSSLEngine on\nSSLCertificateFile {}\nSSLCertificateKeyFile {}\n\
         Include {folder}/notify_push.conf\n</VirtualHost>\n",
        server.cert.display(),
        server.key.display(),
    )
}

fn write(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join(name), text).expect("a file in a folder of our own");
}
