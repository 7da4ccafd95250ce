//! `PROXY_PROTOCOL`: real HAProxy and nginx say who the client is; who is not introduced is not heard.

use crate::support::{
    Folder, Server,
    certificates::Certificates,
    client::Client,
    daemon::Daemon,
    folder, free_port, http,
    installation::Installation,
    nextcloud::{Nextcloud, NextcloudSetup},
    until, within,
};
use std::{net::Ipv4Addr, path::Path, process::Command};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};

/// Where the client of these tests comes from: not where the proxies do.
const CLIENT: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 77);

/// How often a start is tried with another port.
const TRIES: usize = 5;

struct ProxyProtocolFixture {
    _installation: Installation,
    nextcloud: Nextcloud,
    daemon: Daemon,
}

impl ProxyProtocolFixture {
    /// A daemon that leaves logins to Nextcloud, and passes each client's address on.
    async fn start(environment: &[(&str, &str)]) -> Self {
        let (installation, nextcloud) =
            (Installation::start().await, Nextcloud::start(NextcloudSetup::default()).await);
        nextcloud.account("alice", "password", "alice");
        let url = nextcloud.url();
        let all = [("AUTH", "nextcloud"), ("NEXTCLOUD_URL", &url), ("PROXY_PROTOCOL", "true")];
        let all: Vec<_> = all.iter().chain(environment).copied().collect();
        let daemon = installation.daemon(&all).await;
        Self { _installation: installation, nextcloud, daemon }
    }

    /// Logs in through a proxy at this port; Nextcloud was told the client's own address.
    async fn is_known_behind(&self, port: u16) {
        let mut client = Client::over(from_elsewhere(port).await, &self.daemon.url()).await;
        assert_eq!(client.credentials("alice", "password").await, "authenticated");
        let asked = self.nextcloud.asked().pop().expect("Nextcloud was asked");
        assert_eq!(asked.forwarded.as_deref(), Some(&*CLIENT.to_string()));
    }
}

async fn from_elsewhere(port: u16) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((CLIENT, 0).into()).unwrap();
    within("a connection", socket.connect((Ipv4Addr::LOCALHOST, port).into())).await.unwrap()
}

/// A proxy for bytes.
struct ByteProxy {
    port: u16,
    _server: Server,
    _folder: Folder,
}

impl ByteProxy {
    async fn start(launch: impl Fn(&Path, u16) -> Server) -> Self {
        for _ in 0..TRIES {
            let (folder, port) = (folder("bytes"), free_port());
            let mut server = launch(folder.path(), port);
            let listens = until("it listens or ends", async || {
                if server.ended().is_some() {
                    return Some(false);
                }
                TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.is_ok().then_some(true)
            });
            if listens.await {
                return Self { port, _server: server, _folder: folder };
            }
        }
        panic!("no free port");
    }

    /// HAProxy; `send` is `send-proxy` or `send-proxy-v2`.
    async fn haproxy(upstream: u16, send: &str) -> Self {
        Self::start(|folder, port| {
            let text = format!(
                "global\n    maxconn 64\nlisten push\n    mode tcp\n    bind 127.0.0.1:{port}\n\
                 \x20   timeout connect 5s\n    timeout client 1m\n    timeout server 1m\n\
                 \x20   server push 127.0.0.1:{upstream} {send}\n"
            );
            launch(folder, "haproxy", &text, &["-db", "-f", "config"])
        })
        .await
    }

    /// nginx, which speaks version 1.
    async fn nginx(upstream: u16) -> Self {
        Self::start(|folder, port| {
            let text = format!(
                "load_module /usr/lib/nginx/modules/ngx_stream_module.so;\n\
                 daemon off; worker_processes 1; pid pid; error_log stderr;\n\
                 events {{ worker_connections 64; }}\n\
                 stream {{ server {{ listen 127.0.0.1:{port}; proxy_pass 127.0.0.1:{upstream}; \
                 proxy_protocol on; }} }}\n"
            );
            launch(folder, "nginx", &text, &["-p", ".", "-c", "config", "-e", "stderr"])
        })
        .await
    }
}

fn launch(folder: &Path, program: &str, text: &str, arguments: &'static [&'static str]) -> Server {
    std::fs::write(folder.join("config"), text).unwrap();
    let place = folder.to_owned();
    Server::start(program, &folder.join("log"), move |command| {
        command.current_dir(&place).args(arguments);
    })
}

#[tokio::test]
async fn haproxy_and_nginx_introduce_clients_in_both_versions() {
    let scene = ProxyProtocolFixture::start(&[]).await;
    for send in ["send-proxy", "send-proxy-v2"] {
        let haproxy = ByteProxy::haproxy(scene.daemon.port(), send).await;
        scene.is_known_behind(haproxy.port).await;
    }
    let nginx = ByteProxy::nginx(scene.daemon.port()).await;
    scene.is_known_behind(nginx.port).await;
}

#[tokio::test]
async fn the_header_comes_before_tls() {
    let certificates = Certificates::new();
    let pair = certificates.server();
    let (cert, key) = (pair.cert.display().to_string(), pair.key.display().to_string());
    let scene = ProxyProtocolFixture::start(&[("TLS_CERT", &cert), ("TLS_KEY", &key)]).await;
    let haproxy = ByteProxy::haproxy(scene.daemon.port(), "send-proxy-v2").await;
    let url = format!("wss://localhost:{}/ws", haproxy.port);
    let mut client = Client::connect_tls(&url, &certificates, &[]).await;
    assert_eq!(client.credentials("alice", "password").await, "authenticated");
}

/// Whether anything is answered to these bytes.
async fn is_answered(port: u16, bytes: &[u8]) -> bool {
    let mut stream = from_elsewhere(port).await;
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    // A connection that is reset was not answered.
    let _ = within("an answer or the end", stream.read_to_end(&mut answer)).await;
    !answer.is_empty()
}

const REQUEST: &[u8] = b"GET /test/cookie HTTP/1.0\r\n\r\n";

#[tokio::test]
async fn who_is_not_introduced_is_not_heard() {
    let scene = ProxyProtocolFixture::start(&[]).await;
    let port = scene.daemon.port();
    assert!(!is_answered(port, REQUEST).await);
    let long = [b"PROXY UNKNOWN ", &[b'x'; 4096][..], b"\r\n", REQUEST].concat();
    assert!(!is_answered(port, &long).await);
    assert!(is_answered(port, &[b"PROXY UNKNOWN\r\n", REQUEST].concat()).await);
}

#[tokio::test]
async fn without_the_setting_nobody_is_believed_who_introduces() {
    let scene = ProxyProtocolFixture::start(&[("PROXY_PROTOCOL", "false")]).await;
    let introduced = [b"PROXY TCP4 203.0.113.7 127.0.0.1 1 2\r\n", REQUEST].concat();
    let mut stream = from_elsewhere(scene.daemon.port()).await;
    stream.write_all(&introduced).await.unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer).await;
    assert!(!answer.contains(" 200 "), "{answer}");
    assert_eq!(http::get(&scene.daemon.address(), "/test/cookie", &[]).await.status, 200);
}

/// The daemon goes a client's way through its own listener, and so does `healthcheck`.
#[tokio::test]
async fn the_daemon_introduces_itself_to_itself() {
    let scene = ProxyProtocolFixture::start(&[("WATCHDOG_USEC", "1000000")]).await;
    scene.daemon.notifies("WATCHDOG=1").await;
    let port = scene.daemon.port().to_string();
    let checked = Command::new(env!("CARGO_BIN_EXE_notify_push"))
        .args(["healthcheck", "--live"])
        .env_clear()
        .envs([("PORT", &*port), ("BIND", "127.0.0.1"), ("PROXY_PROTOCOL", "true")])
        .output()
        .unwrap();
    assert!(checked.status.success(), "{checked:?}");
}
