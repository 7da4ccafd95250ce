//! What a client that has not logged in can't do: stay, crowd others out, use descriptors up.

use super::server::{PATIENCE, REQUEST, RawClient, ServerOptions, TestServer};
use notify_push::{
    server::{ConnectionTimeouts, PreAuthLimits, ServerMetrics},
    telemetry::metrics::MetricsRegistry,
};
use std::{sync::Arc, time::Duration};
use tokio::{io::AsyncWriteExt, net::TcpStream};

/// Limits short enough to wait for.
fn hurried() -> ServerOptions {
    let limits = ConnectionTimeouts {
        head: Duration::from_millis(300),
        handshake: Duration::from_millis(300),
        requests: Duration::from_millis(600),
        last_answer: Duration::from_millis(300),
    };
    ServerOptions { limits, ..ServerOptions::default() }
}

#[tokio::test]
async fn a_silent_client_is_gone_when_its_time_is_up() {
    let server = TestServer::start(hurried());
    let mut clients = Vec::new();
    for _ in 0..20 {
        clients.push(server.connect().await);
    }
    server.pre_auth(20).await;
    for client in &mut clients {
        client.expect_end().await;
    }
    server.pre_auth(0).await;
}

#[tokio::test]
async fn a_client_that_dribbles_its_head_is_gone_when_its_time_is_up() {
    let limits =
        ConnectionTimeouts { head: Duration::from_secs(1), ..ConnectionTimeouts::default() };
    let server = TestServer::start(ServerOptions { limits, ..ServerOptions::default() });
    let mut client = server.connect().await;
    let dribble = async {
        for byte in REQUEST.as_bytes().iter().cycle().filter(|byte| **byte != b'\n') {
            if client.0.write_all(&[*byte]).await.is_err() {
                break;
            }
            // The dribbling itself: faster, the head would become too long before its time is up.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, dribble).await.expect("the client is never cut off");
    server.pre_auth(0).await;
}

#[tokio::test]
async fn a_connection_that_is_kept_alive_ends_too() {
    let server = TestServer::start(hurried());
    let mut client = server.connect().await;
    let request = b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n";
    client.send(request).await;
    assert!(client.reply().await.starts_with("HTTP/1.1 200"));
    client.expect(b"hello").await;
    client.expect_end().await;
}

#[tokio::test]
async fn five_hundred_silent_clients_do_not_keep_one_out_that_means_it() {
    let pre_auth = PreAuthLimits { total: 100, per_address: 1 };
    let server =
        TestServer::start(ServerOptions { pre_auth, exempt: true, ..ServerOptions::default() });
    let mut silent = Vec::new();
    for _ in 0..500 {
        silent.push(server.connect().await);
    }
    let mut client = server.websocket().await;
    client.send(b"\x81\x82\0\0\0\0hi").await;
    client.expect(b"\x81\x02hi").await;
    for early in &mut silent[..400] {
        early.expect_end().await;
    }
    assert_eq!(server.pre_auth.count(), 100);
}

#[tokio::test]
async fn a_websocket_that_says_nothing_makes_room_too() {
    let pre_auth = PreAuthLimits { total: 3, per_address: 100 };
    let server = TestServer::start(ServerOptions { pre_auth, ..ServerOptions::default() });
    let mut first = server.websocket().await;
    let _held = (server.websocket().await, server.websocket().await);
    let _fourth = server.websocket().await;
    first.expect_end().await;
}

#[tokio::test]
async fn one_address_does_not_crowd_out_the_others() {
    let pre_auth = PreAuthLimits { total: 100, per_address: 2 };
    let server = TestServer::start(ServerOptions { pre_auth, ..ServerOptions::default() });
    let _held = (server.websocket().await, server.websocket().await);
    server.connect().await.expect_end().await;
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.9:0".parse().unwrap()).unwrap();
    let mut other: RawClient<TcpStream> =
        RawClient(socket.connect(server.address()).await.unwrap());
    other.send(REQUEST.as_bytes()).await;
    assert!(other.reply().await.starts_with("HTTP/1.1 101"));
}

#[tokio::test]
async fn above_its_share_an_address_is_closed_at_once_and_a_free_place_is_used() {
    let pre_auth = PreAuthLimits { total: 100, per_address: 3 };
    let server = TestServer::start(ServerOptions { pre_auth, ..ServerOptions::default() });
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(server.websocket().await);
    }
    server.connect().await.expect_end().await;
    held.pop();
    server.pre_auth(2).await;
    server.websocket().await;
}

#[tokio::test]
async fn behind_an_exempt_address_everybody_has_room() {
    let pre_auth = PreAuthLimits { total: 100, per_address: 1 };
    let server =
        TestServer::start(ServerOptions { pre_auth, exempt: true, ..ServerOptions::default() });
    let _held = (server.websocket().await, server.websocket().await);
}

#[tokio::test]
async fn an_unauthenticated_client_stops_counting_when_its_websocket_ends() {
    let server = TestServer::start(ServerOptions::default());
    let client = server.websocket().await;
    server.pre_auth(1).await;
    drop(client);
    server.pre_auth(0).await;
}

#[tokio::test]
async fn what_happens_at_the_door_is_counted() {
    let metrics = MetricsRegistry::new(None).unwrap();
    let observer = Arc::new(ServerMetrics::register(&metrics).unwrap());
    let pre_auth = PreAuthLimits { total: 2, per_address: 2 };
    let server = TestServer::start(ServerOptions {
        pre_auth,
        exempt: true,
        observer: Arc::clone(&observer) as _,
        ..ServerOptions::default()
    });
    let mut first = server.websocket().await;
    let mut second = server.connect().await;
    second.send(b"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n").await;
    second.reply().await;
    let _third = server.websocket().await;
    first.expect_end().await;
    let gone = async {
        while observer.unauthenticated_connections.get() != 2 {
            tokio::task::yield_now().await
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.expect("the evicted one is still counted");
    let page = MetricsRegistry::text(&[metrics]).unwrap();
    for line in [
        "\nnotify_push_connections_accepted_total 3\n",
        "\nnotify_push_unauthenticated_connections 2\n",
        "\nnotify_push_connections_refused_total{reason=\"evicted\"} 1\n",
        "\nnotify_push_http_requests_total{status=\"1xx\"} 2\n",
        "\nnotify_push_http_requests_total{status=\"4xx\"} 1\n",
    ] {
        assert!(page.contains(line), "{line} not in\n{page}");
    }
}

#[tokio::test]
async fn stopping_ends_silent_clients_and_the_listener() {
    let server = TestServer::start(ServerOptions::default());
    let mut client = server.connect().await;
    server.pre_auth(1).await;
    let address = server.address();
    drop(server);
    client.expect_end().await;
    let closed = async {
        while TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, closed).await.expect("the port stays open");
}
