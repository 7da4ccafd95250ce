//! RFC 6455 section 4 and HTTP around it.

use super::server::{REQUEST, RawClient, ServerOptions, TestServer};
use notify_push::server::{BindAddress, peer::ConnectionPeer};
use std::os::unix::fs::PermissionsExt;
use tokio::net::{TcpStream, UnixStream};

/// The status of the reply to `request`.
async fn status(server: &TestServer, request: &str) -> String {
    let mut client = server.connect().await;
    client.send(request.as_bytes()).await;
    let reply = client.reply().await;
    reply.split(' ').nth(1).unwrap().to_owned()
}

#[tokio::test]
async fn section_4_2_2_the_example_of_the_standard_is_answered() {
    let server = TestServer::start(ServerOptions::default());
    let mut client = server.connect().await;
    client.send(REQUEST.as_bytes()).await;
    let reply = client.reply().await.to_ascii_lowercase();
    for wanted in [
        "http/1.1 101 switching protocols\r\n",
        "upgrade: websocket\r\n",
        "connection: upgrade\r\n",
        "sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=\r\n",
    ] {
        assert!(reply.contains(wanted), "{wanted} not in {reply}");
    }
}

#[tokio::test]
async fn section_4_1_frames_sent_behind_the_request_are_not_lost() {
    let server = TestServer::start(ServerOptions::default());
    let mut client = server.connect().await;
    client
        .send(&[REQUEST.as_bytes(), b"\x81\x85\0\0\0\0alice\x81\x86\0\0\0\0secret"].concat())
        .await;
    client.reply().await;
    client.expect(b"\x81\x05alice\x81\x06secret").await;
}

#[tokio::test]
async fn section_4_2_1_an_invalid_handshake_is_rejected_with_a_reason() {
    let server = TestServer::start(ServerOptions::default());
    let changed = |from: &str, to: &str| REQUEST.replace(from, to);
    for (request, expected) in [
        (changed("GET", "POST"), "405"),
        (changed("HTTP/1.1", "HTTP/1.0"), "426"),
        (changed("Upgrade: websocket\r\n", ""), "426"),
        (changed("Connection: Upgrade\r\n", ""), "426"),
        (changed("Version: 13", "Version: 8"), "426"),
        (changed("dGhlIHNhbXBsZSBub25jZQ==", "c2hvcnQ="), "400"),
        (changed("Host: push.example\r\n", ""), "400"),
        (changed("\r\n\r\n", "\r\nContent-Length: 3\r\n\r\nabc"), "400"),
        (changed("Connection: Upgrade", "Connection: keep-alive, upgrade"), "101"),
    ] {
        assert_eq!(status(&server, &request).await, expected, "{request}");
    }
}

#[tokio::test]
async fn answers_before_the_login_show_nothing_internal() {
    let server = TestServer::start(ServerOptions::default());
    let get = |rest: &str| format!("{rest}\r\nHost: push.example\r\nConnection: close\r\n\r\n");
    for (request, expected) in [
        (get("GET /hello HTTP/1.1"), "200"),
        (get("GET /secret HTTP/1.1"), "404"),
        (get("DELETE /hello HTTP/1.1"), "405"),
        ("nonsense\r\n\r\n".into(), "400"),
        (format!("GET / HTTP/1.1\r\nHost: x\r\nCookie: {}\r\n\r\n", "x".repeat(40_000)), "431"),
    ] {
        let mut client = server.connect().await;
        // The server may have hung up on the longest of them before all is sent.
        drop(tokio::io::AsyncWriteExt::write_all(&mut client.0, request.as_bytes()).await);
        let reply = client.reply().await.to_ascii_lowercase();
        assert_eq!(reply.split(' ').nth(1), Some(expected), "{request}");
        for internal in ["server:", "warp", "hyper", "rejection", "notify_push"] {
            assert!(!reply.contains(internal), "{internal} in {reply}");
        }
    }
}

#[tokio::test]
async fn http_2_is_not_spoken() {
    let server = TestServer::start(ServerOptions::default());
    let mut client = server.connect().await;
    client.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await;
    client.expect_end().await;
}

#[tokio::test]
async fn the_peer_is_known_with_its_forwarded_chain() {
    let server = TestServer::start(ServerOptions::default());
    let mut client = server.connect().await;
    let header = "\r\nX-Forwarded-For: 192.0.2.7, 198.51.100.1\r\n\r\n";
    client.send(REQUEST.replace("\r\n\r\n", header).as_bytes()).await;
    client.reply().await;
    client.send(b"\x89\x80\0\0\0\0").await;
    client.expect(b"\x8a\0").await;
    let expected = ConnectionPeer {
        address: Some(client.0.local_addr().unwrap()),
        forwarded: vec!["192.0.2.7".into(), "198.51.100.1".into()],
    };
    assert_eq!(*server.peers.lock().unwrap(), [expected]);
}

#[tokio::test]
async fn a_unix_socket_serves_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("push.sock");
    let bind = BindAddress::Unix { path: path.clone(), permissions: 0o600 };
    let server = TestServer::start(ServerOptions { bind, ..ServerOptions::default() });
    let permissions = std::fs::metadata(&path).unwrap().permissions();
    assert_eq!(permissions.mode() & 0o777, 0o600);
    let mut client = RawClient(UnixStream::connect(&path).await.unwrap());
    client.send(REQUEST.as_bytes()).await;
    client.reply().await;
    client.send(b"\x81\x82\0\0\0\0hi").await;
    client.expect(b"\x81\x02hi").await;
    assert_eq!(server.peers.lock().unwrap()[0].address, None);
}

#[tokio::test]
async fn without_an_address_ipv4_and_ipv6_reach_the_same_server() {
    let bind = BindAddress::Tcp { address: None, port: 0 };
    let server = TestServer::start(ServerOptions { bind, ..ServerOptions::default() });
    let port = server.address().port();
    for host in ["127.0.0.1", "::1"] {
        let Ok(stream) = TcpStream::connect((host, port)).await else {
            assert_eq!(host, "::1", "IPv4 is not served");
            eprintln!("no IPv6 on this machine: not tried");
            continue;
        };
        let mut client = RawClient(stream);
        client.send(REQUEST.as_bytes()).await;
        assert!(client.reply().await.starts_with("HTTP/1.1 101"));
    }
}
