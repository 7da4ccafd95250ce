//! Sentinels name the master; the subscription and the keys follow it.

use crate::support::{
    redis::{Redis, patiently},
    redis_sentinel::{MASTER, RedisSentinel},
    subscriber::{Subscriber, hurried, local, settings},
    until,
};
use notify_push::{
    client::redis::{RedisClient, RedisSettings, RedisTopology},
    config::secret::Secret,
};

fn named(sentinels: &[u16], master: &str) -> RedisSettings {
    settings(RedisTopology::Sentinel {
        sentinels: sentinels.iter().copied().map(local).collect(),
        master: master.to_owned(),
        user: None,
        password: None,
    })
}

async fn tell_sentinel(port: u16, command: &[&str]) {
    let client = redis::Client::open(format!("redis://127.0.0.1:{port}")).unwrap();
    let mut connection = patiently(&client).await.unwrap();
    let (name, arguments) = command.split_first().unwrap();
    redis::cmd(name).arg(arguments).query_async::<()>(&mut connection).await.unwrap();
}

#[tokio::test]
async fn a_failover_is_followed_and_is_a_gap() {
    let mut servers = RedisSentinel::start().await;
    // One of the sentinels is away.
    let settings = named(&[1, servers.port()], MASTER);
    let keys = RedisClient::new(settings.clone(), hurried(), fastrand::Rng::with_seed(7));
    let mut subscriber = Subscriber::start(settings);
    subscriber.connected().await;
    servers.master.publish("notify_custom", "before").await;
    subscriber.hears("notify_custom", "before").await;
    keys.set("notify_push_version", "before").await.unwrap();
    servers.fail_over().await;
    subscriber.has_a_gap().await;
    servers.replica.publish("notify_custom", "after").await;
    subscriber.hears("notify_custom", "after").await;
    until("a key at the new master", async || keys.set("notify_push_version", "after").await.ok())
        .await;
    assert_eq!(servers.replica.get("notify_push_version").await.as_deref(), Some("after"));
}

#[tokio::test]
async fn a_master_that_is_replaced_while_it_lives_is_left() {
    let (servers, other) = (RedisSentinel::start().await, Redis::start().await);
    let mut subscriber = Subscriber::start(named(&[servers.port()], MASTER));
    subscriber.connected().await;
    let port = other.port().to_string();
    tell_sentinel(servers.port(), &["SENTINEL", "REMOVE", MASTER]).await;
    tell_sentinel(servers.port(), &["SENTINEL", "MONITOR", MASTER, "127.0.0.1", &port, "1"]).await;
    subscriber.has_a_gap().await;
    other.publish("notify_custom", "here now").await;
    subscriber.hears("notify_custom", "here now").await;
}

#[tokio::test]
async fn a_replica_that_a_sentinel_takes_for_the_master_is_refused() {
    let servers = RedisSentinel::start().await;
    let port = servers.replica.port().to_string();
    let monitor = ["SENTINEL", "MONITOR", "stale", "127.0.0.1", &port, "9"];
    tell_sentinel(servers.port(), &monitor).await;
    let why = until("the refusal", async || {
        let why = Subscriber::start(named(&[servers.port()], "stale")).away().await;
        why.contains("is a replica, not the master").then_some(why)
    });
    assert!(why.await.contains(&port));
}

#[tokio::test]
async fn an_unknown_master_is_reported_by_name() {
    let servers = RedisSentinel::start().await;
    let why = Subscriber::start(named(&[servers.port()], "nobody")).away().await;
    assert!(why.contains("knows no master named 'nobody'"), "{why}");
}

#[tokio::test]
async fn sentinels_have_a_login_of_their_own() {
    let servers = RedisSentinel::start().await;
    tell_sentinel(servers.port(), &["ACL", "SETUSER", "default", "resetpass", ">sesame"]).await;
    let without = named(&[servers.port()], MASTER);
    let why = Subscriber::start(without.clone()).away().await;
    assert!(why.contains("needs a password"), "{why}");
    let RedisTopology::Sentinel { sentinels, master, user, .. } = without.topology else {
        unreachable!("named above")
    };
    let password = Some(Secret::new("sesame"));
    let with = settings(RedisTopology::Sentinel { sentinels, master, user, password });
    Subscriber::start(with).connected().await;
}
