//! Many clients that cost the test next to nothing: they log in, and from then on they only listen.

use super::{
    daemon::Daemon,
    installation::{self, Installation},
    within,
};
use futures_util::{StreamExt, stream};
use std::{net::Ipv4Addr, ops::Range};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};

/// Clients that log in at once.
const AT_ONCE: usize = 20;

/// The opening of RFC 6455 section 4.1, with the key of its example.
const UPGRADE: &[u8] = b"GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: \
    websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// Bare connections of users that have logged in.
pub(crate) struct IdleConnections {
    _connections: Vec<TcpStream>,
}

impl IdleConnections {
    /// Adds users with these numbers, with an app password each.
    pub(crate) async fn register(installation: &Installation, numbers: Range<u32>) {
        let (mut users, mut tokens) = (Vec::new(), Vec::new());
        for number in numbers {
            let name = name(number);
            let token = installation::token(&password(number));
            users.push(format!("('{name}','{name}','')"));
            let id = 1_000_000 + number;
            tokens.push(format!("({id},'{name}','{name}','desktop','{token}',1,2)"));
        }
        let sql = format!(
            "INSERT INTO oc_users (uid, uid_lower, password) VALUES {}; INSERT INTO oc_authtoken \
             (id, uid, login_name, name, token, type, version) VALUES {}",
            users.join(","),
            tokens.join(",")
        );
        installation.database.execute(&sql).await;
    }

    /// Logs the users with these numbers in, one connection each.
    pub(crate) async fn log_in(daemon: &Daemon, numbers: Range<u32>) -> Self {
        let port = daemon.port();
        let entering = stream::iter(numbers.map(|number| enter(port, number)));
        Self { _connections: entering.buffer_unordered(AT_ONCE).collect().await }
    }
}

async fn enter(port: u16, number: u32) -> TcpStream {
    let mut stream = connect(port, number).await;
    stream.write_all(UPGRADE).await.expect("an open connection");
    let mut heard = Vec::new();
    hear(&mut stream, &mut heard, b"\r\n\r\n").await;
    for text in [name(number), password(number)] {
        stream.write_all(&masked(&text)).await.expect("an open connection");
    }
    hear(&mut stream, &mut heard, b"authenticated").await;
    stream
}

/// From one of loopback's many addresses.
async fn connect(port: u16, number: u32) -> TcpStream {
    let [.., high, low] = (number / 100).to_be_bytes();
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind((Ipv4Addr::new(127, 2, high, low + 1), 0).into()).expect("loopback");
    let connecting = socket.connect((Ipv4Addr::LOCALHOST, port).into());
    within("a connection", connecting).await.expect("a connection")
}

/// Reads up to this end.
async fn hear(stream: &mut TcpStream, heard: &mut Vec<u8>, end: &[u8]) {
    while !heard.ends_with(end) {
        let read = within("an answer", stream.read_buf(heard)).await.expect("an open connection");
        assert_ne!(read, 0, "closed after {:?}", String::from_utf8_lossy(heard));
    }
}

/// A short text frame as a client sends it (RFC 6455 section 5.2), with a mask of zeros.
fn masked(text: &str) -> Vec<u8> {
    let length = u8::try_from(text.len()).expect("a short text");
    [&[0x81, 0x80 | length, 0, 0, 0, 0], text.as_bytes()].concat()
}

/// The name of a user.
fn name(number: u32) -> String {
    format!("user{number:05}")
}

fn password(number: u32) -> String {
    format!("app-password-of-user-{number:05}")
}
