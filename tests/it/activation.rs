//! Sockets that the service manager holds: passed on as systemd does, and kept over a restart.

use crate::support::{
    Server, client::Client, daemon::Daemon, folder, free_port, http, installation::Installation,
    until,
};
use std::{
    net::{Ipv4Addr, TcpListener},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// How many connect one after the other across a restart.
const VISITORS: usize = 400;

async fn alice() -> (Installation, String) {
    let installation = Installation::start().await;
    installation.user("alice", "password").await;
    let config = installation.config_php("").display().to_string();
    (installation, config)
}

fn held_socket() -> TcpListener {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap()
}

/// One request on a connection of its own. Being refused is a failure; a connection that the old
/// process had taken and took to its grave is tried again, as every client does.
async fn visit(port: u16) {
    loop {
        let mut stream =
            TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.expect("nobody is refused");
        let request = b"GET /test/cookie HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        let mut answer = String::new();
        if stream.write_all(request).await.is_ok()
            && stream.read_to_string(&mut answer).await.is_ok()
            && answer.starts_with("HTTP/1.1 200")
        {
            return;
        }
    }
}

#[tokio::test]
async fn nobody_is_refused_while_the_daemon_restarts() {
    let (_installation, config) = alice().await;
    let socket = held_socket();
    let port = socket.local_addr().unwrap().port();
    let mut daemon = Daemon::activated(&socket, &[&config], &[("AUTH", "database")]).await;
    let (served, restarted) = (AtomicUsize::new(0), AtomicBool::new(false));
    let visitors = async {
        let mut after = 0;
        // Goes on until some have come before the end, some between, and many after.
        while after < VISITORS / 2 || served.load(Ordering::Relaxed) < VISITORS {
            visit(port).await;
            served.fetch_add(1, Ordering::Relaxed);
            after += usize::from(restarted.load(Ordering::Relaxed));
        }
    };
    let restart = async {
        until("visitors", async || (served.load(Ordering::Relaxed) > 50).then_some(())).await;
        assert_eq!(daemon.stop().await.code(), Some(0), "{}", daemon.log());
        daemon.start_again();
        assert!(daemon.ready().await, "{}", daemon.log());
        restarted.store(true, Ordering::Relaxed);
        // Killed outright, as by a crash: the port stays.
        daemon.start_again();
        assert!(daemon.ready().await, "{}", daemon.log());
    };
    tokio::join!(visitors, restart);
    Client::log_in(&daemon.url(), "alice", "password").await;
}

#[tokio::test]
async fn who_connects_while_there_is_no_daemon_is_served_by_the_next() {
    let (_installation, config) = alice().await;
    let socket = held_socket();
    let port = socket.local_addr().unwrap().port();
    let early = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap();
    let _daemon = Daemon::activated(&socket, &[&config], &[("AUTH", "database")]).await;
    let mut early = early;
    early.write_all(b"GET /test/cookie HTTP/1.0\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    early.read_to_string(&mut answer).await.unwrap();
    assert!(answer.contains(" 200 "), "{answer}");
}

#[tokio::test]
async fn a_socket_named_metrics_serves_metrics() {
    let (_installation, config) = alice().await;
    let socket = held_socket();
    let address = socket.local_addr().unwrap().to_string();
    let port = free_port().to_string();
    let environment = [("AUTH", "database"), ("LISTEN_FDNAMES", "metrics"), ("PORT", &port)];
    let _daemon = Daemon::activated(&socket, &[&config], &environment).await;
    let page = http::get(&address, "/metrics", &[]).await;
    assert!(page.body.contains("notify_push_"), "{}", page.body);
    // Clients connect to the port of the settings.
    assert_eq!(http::get(&format!("127.0.0.1:{port}"), "/test/cookie", &[]).await.status, 200);
}

/// systemd's own program: it listens, and starts the daemon when somebody comes.
#[tokio::test]
async fn systemds_own_activation_starts_the_daemon_at_the_first_client() {
    let (_installation, config) = alice().await;
    let (folder, address) = (folder("activate"), format!("127.0.0.1:{}", free_port()));
    let (listen, place) = (address.clone(), folder.path().to_owned());
    let server =
        Server::start("systemd-socket-activate", &folder.path().join("log"), move |command| {
            command.current_dir(&place).args(["-l", &listen, "-E", "AUTH=database"]);
            command.args([env!("CARGO_BIN_EXE_notify_push"), &config]);
        });
    until("it listens", async || server.log().contains("Listening on").then_some(())).await;
    let mut client = Client::connect(&format!("ws://{address}/ws")).await;
    assert_eq!(client.credentials("alice", "password").await, "authenticated");
}
