//! The files for reverse proxies, as shipped, in real servers: what reaches the daemon's port, and what
//! comes back.

use crate::support::{
    certificates::Certificates,
    client::Client,
    http,
    installation::Installation,
    installed,
    reverse_proxy::{Kind, ReverseProxy},
    until, within,
};
use futures_util::{SinkExt, StreamExt, future::join_all};
use std::time::{Duration, Instant};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_tungstenite::{accept_async, tungstenite::Message};

/// In the daemon's place: shows each request as it arrived, as the body of its answer or as the first
/// text of a WebSocket that then echoes.
struct EchoBackend {
    port: u16,
    _tasks: JoinSet<()>,
}

/// How often a mirror pings that does.
const PING: Duration = Duration::from_millis(100);

impl EchoBackend {
    async fn start() -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    /// One that only pings.
    async fn pinging() -> Self {
        Self::answering(TcpListener::bind("127.0.0.1:0").await.unwrap(), ping)
    }

    fn on(listener: TcpListener) -> Self {
        Self::answering(listener, reflect)
    }

    fn answering<F>(listener: TcpListener, answer: fn(TcpStream) -> F) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let port = listener.local_addr().unwrap().port();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(answer(stream));
            }
        });
        Self { port, _tasks: tasks }
    }
}

async fn reflect(mut stream: TcpStream) {
    let head = head(&stream).await;
    if !head.contains("upgrade: websocket") {
        let length = head.len();
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{head}");
        return stream.write_all(answer.as_bytes()).await.unwrap();
    }
    let mut socket = accept_async(stream).await.unwrap();
    socket.send(Message::text(head)).await.unwrap();
    while let Some(Ok(message)) = socket.next().await {
        if message.is_text() {
            socket.send(message).await.unwrap();
        }
    }
}

async fn ping(stream: TcpStream) {
    let Ok(mut socket) = accept_async(stream).await else { return };
    let mut next = Message::text("pings follow");
    while socket.send(next).await.is_ok() {
        tokio::time::sleep(PING).await;
        next = Message::Ping("are you there".into());
    }
}

/// The request's head in lower case, left in the socket.
async fn head(stream: &TcpStream) -> String {
    let mut buffer = [0; 4096];
    loop {
        stream.readable().await.unwrap();
        let length = stream.peek(&mut buffer).await.unwrap();
        let text = String::from_utf8_lossy(&buffer[..length]).to_lowercase();
        if text.contains("\r\n\r\n") {
            return text;
        }
    }
}

/// The forwarded chain, however many headers it is in.
fn forwarded(head: &str) -> Vec<&str> {
    let headers = head.lines().filter_map(|line| line.strip_prefix("x-forwarded-for: "));
    headers.flat_map(|value| value.split(", ")).collect()
}

async fn passes_a_websocket_through(mut client: Client, chain: &[&str]) {
    let head = client.text().await;
    assert!(head.starts_with("get /push/ws http/1.1"), "{head}");
    assert_eq!(forwarded(&head), chain, "{head}");
    for text in ["alice", "password"] {
        client.say(text).await;
        assert_eq!(client.text().await, text);
    }
}

async fn passes_plain_requests_through(proxy: &ReverseProxy) {
    let address = proxy.address();
    let answer = http::get(&address, "/push/test/cookie", &[("token", "secret")]).await;
    assert_eq!(answer.status, 200);
    assert!(answer.body.starts_with("get /push/test/cookie http/1.1"), "{}", answer.body);
    for header in ["token: secret", "x-forwarded-for: 127.0.0.1", &format!("host: {address}")] {
        assert!(answer.body.contains(&format!("\r\n{header}\r\n")), "{}", answer.body);
    }
    assert!(!answer.body.contains("upgrade"), "{}", answer.body);
}

async fn asks_again_at_once_after_a_restart(proxy: &ReverseProxy, mirror: EchoBackend) {
    let port = mirror.port;
    drop(mirror);
    let answer = http::get(&proxy.address(), "/push/test/cookie", &[]).await;
    assert!((502..=504).contains(&answer.status), "{answer:?}");
    let listener = within("the port", TcpListener::bind(("127.0.0.1", port))).await.unwrap();
    let _mirror = EchoBackend::on(listener);
    passes_plain_requests_through(proxy).await;
}

/// A login and a change through the proxy, to a client on a plain connection and to one with TLS.
async fn pushes_through(kind: Kind) {
    let (installation, certificates) = (Installation::start().await, Certificates::new());
    installation.user_with_home("alice", 1, 1).await;
    let daemon = installation.daemon(&[]).await;
    let proxy = ReverseProxy::start(kind, daemon.port(), &certificates).await;
    serving(&proxy).await;
    let mut plain = Client::connect(&proxy.url()).await;
    let mut tls = Client::connect_tls(&proxy.tls_url(), &certificates, &[]).await;
    for client in [&mut plain, &mut tls] {
        assert_eq!(client.credentials("alice", "alice-password").await, "authenticated");
        client.say("listen notify_file_id").await;
    }
    // What a client says is heard in the order in which it says it: the pong comes after.
    for client in [&mut plain, &mut tls] {
        client.send(Message::Ping("listening".into())).await;
        while !client.next().await.expect("an open connection").is_pong() {}
    }
    installation.changed(1, "files/a", 12).await;
    for mut client in [plain, tls] {
        assert_eq!(client.text().await, "notify_file_id [12]");
    }
    let cookie = http::get(&proxy.address(), "/push/test/cookie", &[]).await;
    assert_eq!(cookie.status, 200);
}

/// Traefik listens before it knows its routes.
async fn serving(proxy: &ReverseProxy) {
    until("the proxy knows our route", async || {
        let answer = http::get(&proxy.address(), "/push/test/cookie", &[]).await;
        (answer.status == 200).then_some(())
    })
    .await;
}

/// What a client claims of its own address in the tests.
const CLAIM: [(&str, &str); 1] = [("x-forwarded-for", "203.0.113.7")];

/// Everything reaches the daemon's port, with the client's address at the end of the chain; a proxy
/// that knows none before itself may leave out what the client claims.
async fn passes_everything_through(kind: Kind, chain: &[&str]) {
    let (mirror, certificates) = (EchoBackend::start().await, Certificates::new());
    let proxy = ReverseProxy::start(kind, mirror.port, &certificates).await;
    serving(&proxy).await;
    let plain = Client::connect_with(&proxy.url(), &CLAIM).await.unwrap();
    passes_a_websocket_through(plain, chain).await;
    let tls = Client::connect_tls(&proxy.tls_url(), &certificates, &CLAIM).await;
    passes_a_websocket_through(tls, chain).await;
    passes_plain_requests_through(&proxy).await;
    asks_again_at_once_after_a_restart(&proxy, mirror).await;
}

const BOTH: [&str; 2] = ["203.0.113.7", "127.0.0.1"];
const PROXYS_OWN: [&str; 1] = ["127.0.0.1"];

#[tokio::test]
async fn nginx_passes_everything_through_with_our_file() {
    passes_everything_through(Kind::Nginx, &BOTH).await;
    pushes_through(Kind::Nginx).await;
}

#[tokio::test]
async fn apache_passes_everything_through_with_our_file() {
    passes_everything_through(Kind::Apache, &BOTH).await;
    pushes_through(Kind::Apache).await;
}

#[tokio::test]
async fn caddy_passes_everything_through_with_our_file() {
    passes_everything_through(Kind::Caddy, &PROXYS_OWN).await;
    pushes_through(Kind::Caddy).await;
}

#[tokio::test]
async fn haproxy_passes_everything_through_with_our_file() {
    passes_everything_through(Kind::HaProxy, &BOTH).await;
    pushes_through(Kind::HaProxy).await;
}

/// Debian has no Traefik; `tests/install` fetches it from PyPI where that can be reached.
#[tokio::test]
async fn traefik_passes_everything_through_with_our_file() {
    if !installed("traefik", "traefik/notify_push.yml") {
        return;
    }
    passes_everything_through(Kind::Traefik, &PROXYS_OWN).await;
    pushes_through(Kind::Traefik).await;
}

/// A proxy that ends what is silent, and how it says so in our file: as shipped, and for other seconds.
type ProxyTimeout = (Kind, &'static str, fn(u32) -> String);

const ENDING: [ProxyTimeout; 3] = [
    (Kind::Nginx, "proxy_read_timeout 10m;", |s| format!("proxy_read_timeout {s}s;")),
    (Kind::Apache, " timeout=600\n", |s| format!(" timeout={s}\n")),
    (Kind::HaProxy, "timeout tunnel 10m", |s| format!("timeout tunnel {s}s")),
];

/// Ten minutes in our files; with a second instead they end a silent connection: it is this setting
/// that holds for WebSockets (in Apache beside its own `Timeout`).
#[tokio::test]
async fn a_silent_connection_lasts_as_long_as_our_files_say() {
    let (mirror, certificates) = (EchoBackend::start().await, Certificates::new());
    let ending = ENDING.map(|(kind, part, other)| {
        let (certificates, port) = (&certificates, mirror.port);
        async move {
            let changes = [(part, &*other(1))];
            let proxy = ReverseProxy::with(kind, port, certificates, &changes).await;
            let mut client = Client::connect(&proxy.url()).await;
            client.text().await;
            assert_eq!(client.closed().await, None, "{kind:?}");
        }
    });
    join_all(ending).await;
}

/// The daemon pings every 30 s, our files say ten minutes: here a tenth of a second and ten seconds,
/// for more than ten seconds.
#[tokio::test]
async fn pings_keep_a_connection_open_beyond_the_proxys_time() {
    let (mirror, certificates) = (EchoBackend::pinging().await, Certificates::new());
    let lasting = ENDING.map(|(kind, part, other)| {
        let (certificates, port) = (&certificates, mirror.port);
        async move {
            let changes = [(part, &*other(10))];
            let proxy = ReverseProxy::with(kind, port, certificates, &changes).await;
            let mut client = Client::connect(&proxy.url()).await;
            client.text().await;
            let begun = Instant::now();
            while begun.elapsed() < Duration::from_secs(12) {
                let ping = client.next().await;
                assert!(ping.is_some_and(|message| message.is_ping()), "{kind:?}");
            }
        }
    });
    join_all(lasting).await;
}
