//! A user with many clients and many users with clients: what they are allowed, and what is left of
//! them when all are gone.

use crate::support::{
    client::Client,
    listeners::{LoggedInClients, allow_descriptors},
    scene::{APP_PASSWORD, AliceFixture},
    until,
};
use futures_util::future::join_all;

/// Sessions that one user may have: SECURITY.md.
const PER_USER: usize = 64;
/// Looks without change after which memory counts as settled: three seconds' worth.
const SETTLED: u32 = 300;
/// What may be held besides, however large the crowd: SQLite's connections, six at most with less than
/// a mebibyte each, stay open for five minutes, and each thread keeps a few freed objects at hand. It is
/// three quarters of a kilobyte for each client; with MariaDB `bench idle` shows a twentieth of that.
const SLACK: u64 = 7 << 20;

#[tokio::test]
async fn one_client_more_than_a_user_may_have_is_sent_away_and_counted() {
    const REFUSED: &str = "notify_push_sessions_refused_total{reason=\"too_many\"}";
    let scene = AliceFixture::start(&[]).await;
    let mut inside = join_all((0..PER_USER).map(|_| scene.alice())).await;
    assert_eq!(scene.metric(REFUSED).await, 0);
    let mut one_more = Client::connect(&scene.daemon.url()).await;
    let said = one_more.credentials("alice", APP_PASSWORD).await;
    assert_eq!(said, "err: Too many connections");
    assert_eq!(one_more.closed().await.map(|(code, _)| code), Some(1012));
    assert_eq!(scene.metric(REFUSED).await, 1);
    assert_eq!(scene.metric("active_connection_count").await, PER_USER as u64);
    drop(inside.pop());
    until("a place is free again", async || {
        let mut next = Client::connect(&scene.daemon.url()).await;
        (next.credentials("alice", APP_PASSWORD).await == "authenticated").then_some(())
    })
    .await;
}

/// What the daemon holds once that falls no more: jemalloc gives pages back a second after they fell
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
    let crowd = LoggedInClients::log_in(&scene.daemon.address(), people).await;
    assert_eq!(scene.metric("active_connection_count").await, 10_000);
    assert_eq!(scene.metric("active_user_count").await, 10_000);
    drop(crowd);
    scene.is_empty_again(sockets).await;
    let left = settled(&scene).await;
    assert!(left <= base + base / 10 + SLACK, "{} KiB, before {} KiB", left >> 10, base >> 10);
    scene.hears(&mut scene.alice().await).await;
}
