//! How the daemon starts, what it says to its service manager, and how it ends.

use crate::support::{
    client::Client, daemon::Daemon, folder, installation::Installation, until, within,
};
use futures_util::future::join_all;
use rustix::process::Signal;
use std::time::Duration;
use tokio::time::timeout;

/// The promise of the unit file: `TimeoutStopSec=15` leaves it time.
const END: Duration = Duration::from_secs(10);

async fn alice() -> (Installation, Daemon) {
    let installation = Installation::start().await;
    installation.user("alice", "password").await;
    let daemon = installation.daemon(&[]).await;
    (installation, daemon)
}

#[tokio::test]
async fn a_stop_closes_every_client_in_order_and_exits_with_0() {
    let (_installation, mut daemon) = alice().await;
    let mut client = Client::log_in(&daemon.url(), "alice", "password").await;
    let mut unauthenticated = Client::connect(&daemon.url()).await;
    daemon.signal(Signal::TERM);
    daemon.notifies("STOPPING=1").await;
    let (closed, unauthenticated) = tokio::join!(client.closed(), unauthenticated.closed());
    let (code, _) = closed.expect("a close frame");
    assert!([1001, 1012].contains(&code), "{code}");
    assert!(unauthenticated.is_none_or(|(code, _)| [1001, 1012].contains(&code)));
    assert_eq!(daemon.ends().await.code(), Some(0));
}

#[tokio::test]
async fn clients_that_do_not_read_do_not_hold_up_the_end() {
    let (installation, mut daemon) = alice().await;
    let mut deaf = Vec::new();
    for _ in 0..10 {
        deaf.push(Client::log_in(&daemon.url(), "alice", "password").await);
    }
    for number in 0..100 {
        let body = "x".repeat(2000);
        let payload = format!(r#"{{"user":"alice","message":"m{number}","body":"{body}"}}"#);
        installation.redis.publish("notify_custom", payload).await;
    }
    let ended = timeout(END, daemon.stop()).await.expect("the end comes in time");
    assert_eq!(ended.code(), Some(0), "{}", daemon.log());
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    let (_installation, mut daemon) = alice().await;
    let url = daemon.url();
    // So many that closing them is still under way: it is spread over the grace period.
    let _clients = join_all((0..60).map(|_| Client::log_in(&url, "alice", "password"))).await;
    daemon.signal(Signal::TERM);
    daemon.notifies("STOPPING=1").await;
    daemon.signal(Signal::TERM);
    // As if it had not caught the signal, in a shell's way of counting.
    assert_eq!(daemon.ends().await.code(), Some(128 + 15));
}

/// Whatever the unit's `TimeoutStopSec=` says.
#[tokio::test]
async fn a_long_drain_time_is_announced_to_the_service_manager_and_a_second_signal_still_ends_it() {
    let installation = Installation::start().await;
    installation.user("alice", "password").await;
    let mut daemon = installation.daemon(&[("DRAIN_TIME", "5m")]).await;
    let url = daemon.url();
    let _clients = join_all((0..20).map(|_| Client::log_in(&url, "alice", "password"))).await;
    daemon.signal(Signal::TERM);
    // Five minutes, a second each for listeners and sources, two for those who don't answer.
    daemon.notifies("EXTEND_TIMEOUT_USEC=304000000").await;
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.ends().await.code(), Some(128 + 15));
}

#[tokio::test]
async fn it_starts_without_redis_and_listens_once_redis_is_there() {
    let mut installation = Installation::start().await;
    installation.user("alice", "password").await;
    installation.redis.kill();
    let config = installation.config_php("").display().to_string();
    let daemon = Daemon::start(&[&config], &[("AUTH", "database")]).await;
    let mut client = Client::log_in(&daemon.url(), "alice", "password").await;
    installation.redis.restart().await;
    installation.listened_to().await;
    // Events missed meanwhile arrive as "something changed"; then everything is as usual.
    installation.custom("alice", "marker").await;
    client.texts_before("marker").await;
}

#[tokio::test]
async fn a_config_that_is_not_there_ends_the_start_with_1_and_its_name() {
    let mut daemon = Daemon::launch(&["/nowhere/config.php"], &[]);
    assert!(!within("the end", daemon.ready()).await);
    assert_eq!(daemon.ends().await.code(), Some(1));
    assert!(daemon.log().contains("/nowhere/config.php"), "{}", daemon.log());
}

/// The watchdog is fed only after a probe went through listener, login, event path and hub.
#[tokio::test]
async fn the_watchdog_is_fed_while_the_daemon_works() {
    let installation = Installation::start().await;
    let watchdog = ("WATCHDOG_USEC", "1000000");
    let daemon = installation.daemon(&[watchdog]).await;
    daemon.notifies("WATCHDOG=1").await;
    daemon.notifies("WATCHDOG=1").await;
}

/// To be full is no reason to be restarted.
#[tokio::test]
async fn the_watchdog_is_fed_while_the_daemon_is_full() {
    let (installation, folder) = (Installation::start().await, folder("full"));
    installation.user("alice", "password").await;
    let file = folder.path().join("environment");
    let write = |lines| std::fs::write(&file, lines).unwrap();
    write("MAX_CONNECTIONS=0\n");
    let settings = [("WATCHDOG_USEC", "1000000"), ("ENV_FILE", file.to_str().unwrap())];
    let daemon = installation.daemon(&settings).await;
    let mut alice = Client::log_in(&daemon.url(), "alice", "password").await;
    write("MAX_CONNECTIONS=1\n");
    daemon.signal(Signal::HUP);
    daemon.notifies("RELOADING=1").await;
    daemon.notifies("READY=1").await;
    let websocket = [("sec-websocket-key", "x")];
    until("it is full", async || (daemon.get("/ws", &websocket).await.status == 503).then_some(()))
        .await;
    daemon.notifies("WATCHDOG=1").await;
    // What was under way before it was full may have been heard: this was not.
    daemon.notifies("WATCHDOG=1").await;
    installation.listened_to().await;
    installation.custom("alice", "still_here").await;
    assert_eq!(alice.text().await, "still_here");
}
