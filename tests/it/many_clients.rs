//! Many clients of one user and clients of many users: their limits, and what they leave behind.

use crate::support::{
    client::Client,
    listeners::{LoggedInClients, allow_descriptors},
    scene::{APP_PASSWORD, AliceFixture},
    until,
};
use futures_util::future::join_all;

/// Sessions that one user may have (SECURITY.md).
const PER_USER: usize = 64;
/// Looks without change after which memory counts as settled: three seconds' worth.
const SETTLED: u32 = 300;
/// Memory that may stay allocated, however many clients there were: SQLite's connections, at most six
/// with less than a mebibyte each, stay open for five minutes, and each thread caches a few freed
/// objects. It is three quarters of a kilobyte for each client; with MariaDB `bench idle` shows a
/// twentieth of that.
const SLACK: u64 = 7 << 20;

#[tokio::test]
async fn one_session_above_the_limit_of_a_user_is_refused_and_counted() {
    const REFUSED: &str = "notify_push_sessions_refused_total{reason=\"too_many\"}";
    let scene = AliceFixture::start(&[]).await;
    let mut sessions = join_all((0..PER_USER).map(|_| scene.alice())).await;
    assert_eq!(scene.metric(REFUSED).await, 0);
    let mut one_more = Client::connect(&scene.daemon.url()).await;
    let answer = one_more.credentials("alice", APP_PASSWORD).await;
    assert_eq!(answer, "err: Too many connections");
    assert_eq!(one_more.closed().await.map(|(code, _)| code), Some(1012));
    assert_eq!(scene.metric(REFUSED).await, 1);
    assert_eq!(scene.metric("active_connection_count").await, PER_USER as u64);
    drop(sessions.pop());
    until("another session is admitted", async || {
        let mut next = Client::connect(&scene.daemon.url()).await;
        (next.credentials("alice", APP_PASSWORD).await == "authenticated").then_some(())
    })
    .await;
}

/// The memory of the daemon once it no longer falls: jemalloc returns pages a second after they became
/// idle.
async fn settled(scene: &AliceFixture) -> u64 {
    let (mut least, mut looks) = (u64::MAX, 0);
    until("memory falls no more", async || {
        let now = scene.memory();
        (least, looks) = if now < least { (now, 0) } else { (least, looks + 1) };
        (looks == SETTLED).then_some(least)
    })
    .await
}

fn people(count: usize) -> Vec<(String, String)> {
    (0..count)
        .map(|number| format!("user{number}"))
        .map(|uid| {
            let password = format!("{uid:x<72}");
            (uid, password)
        })
        .collect()
}

#[tokio::test]
#[cfg_attr(not(feature = "jemalloc"), ignore = "measures jemalloc")]
async fn ten_thousand_clients_dropped_at_once_leave_nothing_behind() {
    let people = people(10_000);
    allow_descriptors(12_000);
    let scene = AliceFixture::start(&[]).await;
    scene.installation.people(&people).await;
    drop(scene.alice().await);
    scene.is_empty_again(scene.sockets()).await;
    let sockets = scene.sockets();
    drop(LoggedInClients::log_in(&scene.daemon.address(), people[..100].to_vec()).await);
    scene.is_empty_again(sockets).await;
    let base = settled(&scene).await;
    let clients = LoggedInClients::log_in(&scene.daemon.address(), people).await;
    assert_eq!(scene.metric("active_connection_count").await, 10_000);
    assert_eq!(scene.metric("active_user_count").await, 10_000);
    drop(clients);
    scene.is_empty_again(sockets).await;
    let left = settled(&scene).await;
    assert!(left <= base + base / 10 + SLACK, "{} KiB, before {} KiB", left >> 10, base >> 10);
    scene.hears(&mut scene.alice().await).await;
}
