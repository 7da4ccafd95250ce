//! Many clients, hostile clients and vanished clients: they cost others nothing and leave nothing behind.

use crate::support::{
    client::Client,
    daemon::Daemon,
    faults::{Fault, FaultProxy},
    installation::CHANNELS,
    nextcloud::{Nextcloud, NextcloudSetup},
    scene::{APP_PASSWORD, AliceFixture, UNAUTHENTICATED},
    until, until_promised, within,
};
use futures_util::future::join_all;
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use std::{net::Ipv4Addr, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};
use tokio_tungstenite::tungstenite::Message;

const INVALID: &str = "err: Invalid credentials";
const MEGABYTE: usize = 1 << 20;

/// Attackers that guess passwords at the same time, each from an address of its own.
const GUESSERS: usize = 100;

/// A vanished client is detected within this time: a ping after 30 s, 14 s for the answer.
const VANISHED: Duration = Duration::from_secs(60);

/// A connection from one of loopback's many addresses.
async fn silent(number: u16, port: u16) -> TcpStream {
    let [high, low] = (number / 250).to_be_bytes();
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((Ipv4Addr::new(127, 1 + high, low, 1), 0).into()).unwrap();
    within("a connection", socket.connect((Ipv4Addr::LOCALHOST, port).into())).await.unwrap()
}

#[tokio::test]
async fn five_thousand_silent_sockets_do_not_keep_a_client_out() {
    let scene = AliceFixture::start(&[("MAX_UNAUTHENTICATED", "1000")]).await;
    let mut early = scene.alice().await;
    let base = scene.sockets();
    let mut silent_sockets = Vec::new();
    for number in 0..5000 {
        silent_sockets.push(silent(number, scene.daemon.port()).await);
    }
    let mut late = scene.alice().await;
    for client in [&mut early, &mut late] {
        scene.hears(client).await;
    }
    // The last of them may not have been accepted yet.
    let few = async || (scene.metric(UNAUTHENTICATED).await <= 1000).then_some(());
    until("unauthenticated connections are evicted", few).await;
    let closed = async || (scene.sockets() <= base + 1100).then_some(());
    until("evicted connections are closed", closed).await;
    drop((silent_sockets, early, late));
    scene.is_empty_again(base).await;
}

async fn answer_to(daemon: &Daemon, address: &str, password: &str) -> String {
    let chain = [("x-forwarded-for", address)];
    let mut client = Client::connect_with(&daemon.url(), &chain).await.unwrap();
    client.credentials("lars", password).await
}

#[tokio::test]
async fn an_address_with_too_many_failures_is_refused_unchecked_and_others_are_not() {
    let nextcloud = Nextcloud::start(NextcloudSetup::default()).await;
    nextcloud.account("lars", "right", "lars");
    let scene = AliceFixture::start(&[
        ("AUTH", "database,nextcloud"),
        ("NEXTCLOUD_URL", &nextcloud.url()),
        ("THROTTLE_MAX_ATTEMPTS", "3"),
    ])
    .await;
    let guesser = "203.0.113.7";
    for password in ["wrong 1", "wrong 2", "wrong 3"] {
        assert_eq!(answer_to(&scene.daemon, guesser, password).await, INVALID);
    }
    assert_eq!(nextcloud.asked().len(), 3);
    assert_eq!(answer_to(&scene.daemon, guesser, "wrong 1").await, INVALID);
    for password in ["wrong 4", "right"] {
        let answer = answer_to(&scene.daemon, guesser, password).await;
        assert!(answer.starts_with("err: ") && answer != INVALID, "{answer}");
    }
    assert_eq!(nextcloud.asked().len(), 3);
    assert_eq!(answer_to(&scene.daemon, "203.0.113.8", "right").await, "authenticated");
    assert_eq!(nextcloud.asked().len(), 4);
    // An address that the client itself adds before the proxy's doesn't count.
    let answer = answer_to(&scene.daemon, "198.51.100.1, 203.0.113.7", "right").await;
    assert_ne!(answer, "authenticated");
}

/// Passwords that cost a full hash each, from many addresses, without end.
async fn guesses(daemon: &Daemon) {
    let url = daemon.url();
    let guesser = async |number: usize| {
        for guess in 0.. {
            let address = format!("198.51.100.{number}");
            let chain = [("x-forwarded-for", address.as_str())];
            let mut client = Client::connect_with(&url, &chain).await.unwrap();
            client.say(&format!("user{number}x{guess}")).await;
            client.say("wrong").await;
            client.text_within(VANISHED).await;
        }
    };
    join_all((0..GUESSERS).map(guesser)).await;
}

#[tokio::test]
async fn a_flood_of_guesses_delays_neither_delivery_nor_valid_app_passwords() {
    let scene = AliceFixture::start(&[]).await;
    let mut alice = scene.alice().await;
    let others = async {
        let waiting =
            async || (scene.metric(UNAUTHENTICATED).await >= GUESSERS as u64 / 2).then_some(());
        until("guesses wait for one another", waiting).await;
        for round in 0..5 {
            for number in 0..20 {
                scene.installation.custom("alice", &format!("message_{round}_{number}")).await;
            }
            for number in 0..20 {
                assert_eq!(alice.text().await, format!("message_{round}_{number}"));
            }
            scene.alice().await;
        }
        until("guesses still wait for one another", waiting).await;
    };
    tokio::select! {
        () = guesses(&scene.daemon) => unreachable!("they are without end"),
        () = others => {}
    }
}

#[tokio::test]
async fn a_client_that_stops_reading_is_removed_with_its_backlog() {
    let scene = AliceFixture::start(&[]).await;
    drop(scene.alice().await);
    scene.is_empty_again(scene.sockets()).await;
    let base = scene.sockets();
    let _stalled = join_all((0..5).map(|_| scene.alice())).await;
    let body = "x".repeat(60_000);
    let payload = format!(r#"{{"user":"alice","message":"long","body":"{body}"}}"#);
    until("clients that do not read are closed", async || {
        scene.installation.redis.publish("notify_custom", &payload).await;
        (scene.metric("active_connection_count").await == 0).then_some(())
    })
    .await;
    assert!(scene.metric("notify_push_sockets_blocked_total").await >= 5);
    until("the kernel has dropped their data", async || (scene.send_queues() == 0).then_some(()))
        .await;
    scene.is_empty_again(base).await;
}

/// Slow by nature: it waits for the documented time.
#[tokio::test]
async fn vanished_clients_are_detected() {
    let scene = AliceFixture::start(&[]).await;
    let proxy = FaultProxy::to(scene.daemon.address()).await;
    let url = format!("ws://127.0.0.1:{}/ws", proxy.port());
    let mut alice = scene.alice().await;
    let base = scene.sockets();
    let _vanished = join_all((0..20).map(|_| Client::log_in(&url, "alice", APP_PASSWORD))).await;
    proxy.set(Fault::HalfOpen);
    let alone = async || (scene.metric("active_connection_count").await == 1).then_some(());
    let waiting = until_promised(VANISHED, "only alice is left", alone);
    tokio::select! {
        () = waiting => {}
        // Alice answers pings.
        message = async { loop { match alice.next_within(VANISHED).await {
            Some(Message::Ping(_) | Message::Pong(_)) => {}
            other => break other,
        } } } => panic!("{message:?}"),
    }
    until("the sockets are closed", async || (scene.sockets() <= base).then_some(())).await;
    scene.hears(&mut alice).await;
}

#[tokio::test]
async fn without_descriptors_sessions_stay_and_others_join_once_there_are_some() {
    let scene = AliceFixture::start(&[]).await;
    let mut alice = scene.alice().await;
    scene.hears(&mut alice).await;
    let all = std::fs::read_dir(format!("/proc/{}/fd", scene.daemon.id())).unwrap().count();
    let few = Some(all as u64 + 10);
    let pid = Pid::from_raw(i32::try_from(scene.daemon.id()).unwrap());
    prlimit(pid, Resource::Nofile, Rlimit { current: few, maximum: few }).unwrap();
    let mut silent_sockets = Vec::new();
    for number in 0..40 {
        silent_sockets.push(silent(number, scene.daemon.port()).await);
    }
    scene.daemon.logs("cannot accept clients").await;
    scene.hears(&mut alice).await;
    drop(silent_sockets);
    scene.daemon.logs("accepting clients again").await;
    let mut late = scene.alice().await;
    scene.hears(&mut late).await;
}

#[tokio::test]
async fn a_megabyte_of_garbage_on_every_channel_disturbs_no_client() {
    let scene = AliceFixture::start(&[]).await;
    let mut alice = scene.alice().await;
    let mut noise = vec![0; MEGABYTE];
    fastrand::Rng::with_seed(7).fill(&mut noise);
    let text = "a".repeat(MEGABYTE);
    let event = format!(r#"{{"user":"alice","storage":1,"path":"{text}","token":"{text}"}}"#);
    for channel in CHANNELS {
        for payload in [&noise[..], text.as_bytes(), event.as_bytes()] {
            scene.installation.redis.publish(channel, payload).await;
        }
    }
    for address in [scene.daemon.address(), scene.metrics.clone()] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        // The daemon may close before everything is sent.
        let _ = stream.write_all(&noise).await;
        within("the end", stream.read_to_end(&mut Vec::new())).await.ok();
    }
    for mut client in [Client::connect(&scene.daemon.url()).await, scene.alice().await] {
        let sending = client.send_or_end(Message::binary(noise.clone()));
        within("the garbage is accepted or refused", sending).await;
        client.closed().await;
    }
    scene.hears(&mut alice).await;
    let mut late = scene.alice().await;
    scene.hears(&mut late).await;
}
