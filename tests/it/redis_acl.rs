//! The rights that docs/redis-acl.md grants are enough, and no more than enough.

use crate::support::{
    recipe::{as_user, user},
    redis::{Redis, patiently},
    redis_cluster::RedisCluster,
    redis_sentinel::{MASTER, RedisSentinel},
    subscriber::{CHANNELS, Subscriber, hurried, local, settings, single},
};
use notify_push::{
    client::redis::{RedisClient, RedisClientError, RedisSettings, RedisTopology},
    config::secret::Secret,
};

fn keys(settings: RedisSettings) -> RedisClient {
    RedisClient::new(settings, hurried(), fastrand::Rng::with_seed(7))
}

async fn refused(redis: &Redis) -> Vec<redis::Value> {
    redis.query(redis::cmd("ACL").arg("LOG")).await
}

async fn hears(subscriber: &mut Subscriber, redis: &Redis) {
    for channel in CHANNELS {
        redis.publish(channel, "heard").await;
        subscriber.hears(channel, "heard").await;
    }
}

async fn reaches_its_keys(keys: &RedisClient) {
    for key in ["notify_push_version", "notify_push_metrics"] {
        keys.set(key, "x").await.unwrap();
    }
    for key in ["test-token", "notify_push_app_version"] {
        assert_eq!(keys.get(key).await.unwrap(), None, "{key}");
    }
}

#[tokio::test]
async fn the_daemons_rights_are_enough_on_a_single_server_with_a_database_index() {
    let redis = Redis::start_with(&user("notify_push")).await;
    let login = as_user("notify_push", single(local(redis.port())));
    let login = RedisSettings { database: 2, ..login };
    let mut subscriber = Subscriber::start(login.clone());
    subscriber.connected().await;
    hears(&mut subscriber, &redis).await;
    reaches_its_keys(&keys(login)).await;
    assert!(refused(&redis).await.is_empty(), "{:?}", refused(&redis).await);
}

#[tokio::test]
async fn the_daemon_can_neither_forge_a_ticket_nor_touch_other_keys() {
    let redis = Redis::start_with(&user("notify_push")).await;
    let keys = keys(as_user("notify_push", single(local(redis.port()))));
    let forged = keys.publish("notify_pre_auth", r#"{"user":"admin","token":"t"}"#).await;
    assert!(matches!(forged, Err(RedisClientError::Forbidden { .. })), "{forged:?}");
    for key in ["test-token", "oc_session"] {
        assert!(
            matches!(keys.set(key, "x").await, Err(RedisClientError::Forbidden { .. })),
            "{key}"
        );
    }
    assert!(matches!(keys.get("oc_session").await, Err(RedisClientError::Forbidden { .. })));
}

#[tokio::test]
async fn the_daemons_rights_are_enough_in_a_cluster() {
    let cluster = RedisCluster::start_with(&user("notify_push_cluster")).await;
    let seeds = cluster.nodes.iter().map(|node| local(node.port())).collect();
    let login = as_user("notify_push_cluster", settings(RedisTopology::Cluster(seeds)));
    let mut subscriber = Subscriber::start(login.clone());
    subscriber.connected().await;
    hears(&mut subscriber, &cluster.nodes[1]).await;
    reaches_its_keys(&keys(login)).await;
    for node in &cluster.nodes {
        assert!(refused(node).await.is_empty(), "{:?}", refused(node).await);
    }
}

#[tokio::test]
async fn the_daemons_rights_are_enough_with_sentinels() {
    let servers = RedisSentinel::start().await;
    let sentinel = redis::Client::open(format!("redis://127.0.0.1:{}", servers.port())).unwrap();
    let mut sentinel = patiently(&sentinel).await.unwrap();
    let rules = user("notify_push_sentinel").split_off(1);
    let mut grant = redis::cmd("ACL");
    grant.arg("SETUSER").arg(&rules).query_async::<()>(&mut sentinel).await.unwrap();
    let mut grant = redis::cmd("ACL");
    grant.arg("SETUSER").arg(user("notify_push").split_off(1));
    servers.master.query::<()>(&grant).await;
    let login = as_user(
        "notify_push",
        settings(RedisTopology::Sentinel {
            sentinels: vec![local(servers.port())],
            master: MASTER.to_owned(),
            user: Some("notify_push_sentinel".to_owned()),
            password: Some(Secret::new("CHANGE-ME")),
        }),
    );
    let mut subscriber = Subscriber::start(login.clone());
    subscriber.connected().await;
    hears(&mut subscriber, &servers.master).await;
    reaches_its_keys(&keys(login)).await;
    assert!(refused(&servers.master).await.is_empty());
}

#[tokio::test]
async fn nextclouds_rights_let_it_publish_and_keep_its_caches_and_not_listen() {
    let redis = Redis::start_with(&user("nextcloud")).await;
    let login = as_user("nextcloud", single(local(redis.port())));
    let nextcloud = keys(login.clone());
    for channel in ["notify_storage_update", "notify_pre_auth", "notify_custom"] {
        nextcloud.publish(channel, "{}").await.unwrap();
    }
    nextcloud.set("test-token", "x").await.unwrap();
    let client =
        redis::Client::open(format!("redis://nextcloud:CHANGE-ME@127.0.0.1:{}", redis.port()));
    let mut php = patiently(&client.unwrap()).await.unwrap();
    let script = "return redis.call('incr', KEYS[1])";
    for command in [
        redis::cmd("SET").arg("lock").arg(1).arg("NX").arg("EX").arg(60),
        redis::cmd("EVAL").arg(script).arg(1).arg("count"),
        redis::cmd("KEYS").arg("oc_*"),
        redis::cmd("UNLINK").arg("lock"),
        redis::cmd("SELECT").arg(1),
    ] {
        command.query_async::<()>(&mut php).await.unwrap();
    }
    for command in [redis::cmd("SUBSCRIBE").arg("notify_custom"), &redis::cmd("FLUSHALL")] {
        let refused = command.query_async::<()>(&mut php).await.unwrap_err();
        assert!(refused.to_string().contains("NOPERM") || refused.to_string().contains("NoPerm"));
    }
}
