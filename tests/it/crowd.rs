//! A user with many clients and many users with clients: what they are allowed, and what is left of
//! them when all are gone.

use crate::support::{client::Client, scene::Scene};
use futures_util::{StreamExt, future::join_all, stream};

/// Sessions that one user may have: SECURITY.md.
const PER_USER: usize = 64;

#[tokio::test]
async fn one_client_more_than_a_user_may_have_is_sent_away_and_counted() {
    const REFUSED: &str = "notify_push_sessions_refused_total{reason=\"too_many\"}";
    let scene = Scene::start(&[]).await;
    let _inside = join_all((0..PER_USER).map(|_| scene.alice())).await;
    assert_eq!(scene.metric(REFUSED).await, 0);
    let mut one_more = Client::connect(&scene.daemon.url()).await;
    let said = one_more.credentials("alice", crate::support::scene::APP_PASSWORD).await;
    assert_eq!(said, "err: Too many connections");
    assert_eq!(one_more.closed().await.map(|(code, _)| code), Some(1012));
    assert_eq!(scene.metric(REFUSED).await, 1);
    assert_eq!(scene.metric("active_connection_count").await, PER_USER as u64);
}

#[tokio::test]
async fn two_thousand_clients_dropped_at_once_leave_nothing_behind() {
    let scene = Scene::start(&[]).await;
    let uids: Vec<_> = (0..40).map(|number| format!("user{number}")).collect();
    for uid in &uids {
        scene.installation.user(uid, "unused").await;
        scene.installation.app_password(uid, &format!("{uid:x<72}")).await;
    }
    drop(scene.alice().await);
    scene.is_empty_again(scene.sockets()).await;
    let base = scene.sockets();
    let url = scene.daemon.url();
    let crowd = stream::iter(0..2000).map(|number| {
        let (url, uid) = (&url, &uids[number % uids.len()]);
        async move { Client::log_in(url, uid, &format!("{uid:x<72}")).await }
    });
    let crowd: Vec<_> = crowd.buffer_unordered(32).collect().await;
    assert_eq!(scene.metric("active_connection_count").await, 2000);
    assert_eq!(scene.metric("active_user_count").await, 40);
    drop(crowd);
    scene.is_empty_again(base).await;
    scene.hears(&mut scene.alice().await).await;
}
