//! `nginx/notify_push.conf` and `apache/notify_push.conf`, as shipped, in real servers: what reaches the
//! daemon's port, and what comes back.

use crate::support::{
    certificates::Certificates, client::Client, http, installation::Installation,
    reverse_proxy::ReverseProxy, within,
};
use futures_util::{SinkExt, StreamExt};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_tungstenite::{accept_async, tungstenite::Message};

/// In the daemon's place: shows each request as it arrived, as the body of its answer or as the first
/// text of a WebSocket that then echoes.
struct Mirror {
    port: u16,
    _tasks: JoinSet<()>,
}

impl Mirror {
    async fn start() -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    fn on(listener: TcpListener) -> Self {
        let port = listener.local_addr().unwrap().port();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(reflect(stream));
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

async fn passes_a_websocket_through(mut client: Client) {
    let head = client.text().await;
    assert!(head.starts_with("get /push/ws http/1.1"), "{head}");
    assert!(head.contains("\r\nx-forwarded-for: 203.0.113.7, 127.0.0.1\r\n"), "{head}");
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

async fn asks_again_at_once_after_a_restart(proxy: &ReverseProxy, mirror: Mirror) {
    let port = mirror.port;
    drop(mirror);
    let answer = http::get(&proxy.address(), "/push/test/cookie", &[]).await;
    assert!((502..=504).contains(&answer.status), "{answer:?}");
    let listener = within("the port", TcpListener::bind(("127.0.0.1", port))).await.unwrap();
    let _mirror = Mirror::on(listener);
    passes_plain_requests_through(proxy).await;
}

/// A log-in and a change through the proxy, to a client on a plain connection and to one with TLS.
async fn pushes_through(proxy: impl AsyncFnOnce(u16, &Certificates) -> ReverseProxy) {
    let (installation, certificates) = (Installation::start().await, Certificates::new());
    installation.user_with_home("alice", 1, 1).await;
    let daemon = installation.daemon(&[]).await;
    let proxy = proxy(daemon.port(), &certificates).await;
    let mut plain = Client::connect(&proxy.url()).await;
    let mut tls = Client::connect_tls(&proxy.tls_url(), &certificates, &[]).await;
    for client in [&mut plain, &mut tls] {
        assert_eq!(client.credentials("alice", "alice-password").await, "authenticated");
        client.wants_ids().await;
    }
    installation.changed(1, "files/a", 12).await;
    for mut client in [plain, tls] {
        assert_eq!(client.text().await, "notify_file_id [12]");
    }
    let cookie = http::get(&proxy.address(), "/push/test/cookie", &[]).await;
    assert_eq!(cookie.status, 200);
}

#[tokio::test]
async fn the_daemon_pushes_through_nginx() {
    pushes_through(ReverseProxy::nginx).await;
}

#[tokio::test]
async fn the_daemon_pushes_through_apache() {
    pushes_through(ReverseProxy::apache).await;
}

const CHAIN: [(&str, &str); 1] = [("x-forwarded-for", "203.0.113.7")];

#[tokio::test]
async fn nginx_passes_everything_through_with_our_file() {
    let (mirror, certificates) = (Mirror::start().await, Certificates::new());
    let proxy = ReverseProxy::nginx(mirror.port, &certificates).await;
    passes_a_websocket_through(Client::connect_with(&proxy.url(), &CHAIN).await.unwrap()).await;
    let tls = Client::connect_tls(&proxy.tls_url(), &certificates, &CHAIN).await;
    passes_a_websocket_through(tls).await;
    passes_plain_requests_through(&proxy).await;
    asks_again_at_once_after_a_restart(&proxy, mirror).await;
}

#[tokio::test]
async fn apache_passes_everything_through_with_our_file() {
    let (mirror, certificates) = (Mirror::start().await, Certificates::new());
    let proxy = ReverseProxy::apache(mirror.port, &certificates).await;
    passes_a_websocket_through(Client::connect_with(&proxy.url(), &CHAIN).await.unwrap()).await;
    let tls = Client::connect_tls(&proxy.tls_url(), &certificates, &CHAIN).await;
    passes_a_websocket_through(tls).await;
    passes_plain_requests_through(&proxy).await;
    asks_again_at_once_after_a_restart(&proxy, mirror).await;
}
