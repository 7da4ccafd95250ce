//! The host's keys in Redis are read and written, and a Redis in trouble makes nobody wait for long.

use crate::support::{
    redis::Redis,
    subscriber::{hurried, local, single},
    until, within,
};
use notify_push::client::redis::{
    RedisAddress, RedisClient, RedisClientError, RedisSettings, RedisTimeouts,
};
use std::time::Duration;

fn keys(settings: RedisSettings) -> RedisClient {
    RedisClient::new(settings, hurried(), fastrand::Rng::with_seed(7))
}

#[tokio::test]
async fn what_is_set_is_read_by_others_and_back() {
    let redis = Redis::start().await;
    let keys = keys(single(RedisAddress::Unix(redis.socket())));
    assert_eq!(keys.get("test-token").await.unwrap(), None);
    redis.set("test-token", "told").await;
    assert_eq!(keys.get("test-token").await.unwrap().as_deref(), Some(b"told".as_slice()));
    keys.set("notify_push_version", "1.4.0").await.unwrap();
    assert_eq!(redis.get("notify_push_version").await.as_deref(), Some("1.4.0"));
}

#[tokio::test]
async fn keys_are_those_of_the_chosen_database() {
    let redis = Redis::start().await;
    let keys = keys(RedisSettings { database: 5, ..single(local(redis.port())) });
    keys.set("notify_push_version", "1.4.0").await.unwrap();
    assert_eq!(redis.get("notify_push_version").await, None);
}

#[tokio::test]
async fn a_restart_goes_unnoticed_between_two_commands() {
    let mut redis = Redis::start().await;
    let keys = keys(single(local(redis.port())));
    keys.set("a", "1").await.unwrap();
    redis.restart().await;
    assert_eq!(keys.get("a").await.unwrap(), None);
}

#[tokio::test]
async fn a_frozen_redis_is_given_up_in_time_and_works_again_when_it_thaws() {
    let redis = Redis::start().await;
    let pace = RedisTimeouts { command: Duration::from_millis(300), ..hurried() };
    let keys = RedisClient::new(single(local(redis.port())), pace, fastrand::Rng::with_seed(7));
    keys.set("a", "1").await.unwrap();
    redis.pause();
    let many = (0..20).map(|_| keys.get("a"));
    let answers = within("an end to it", futures_util::future::join_all(many)).await;
    assert!(answers.iter().all(|answer| matches!(
        answer,
        Err(RedisClientError::CommandTimeout { .. } | RedisClientError::ResponseTimeout { .. })
    )));
    redis.resume();
    until("the key", async || keys.get("a").await.ok().flatten()).await;
}

#[tokio::test]
async fn many_commands_at_once_share_a_few_connections() {
    let redis = Redis::start().await;
    let keys = keys(single(local(redis.port())));
    let many = (0..200).map(|n| {
        let keys = keys.clone();
        async move {
            let key = format!("notify_{n}");
            keys.set(&key, n.to_string()).await.unwrap();
            assert_eq!(keys.get(&key).await.unwrap().unwrap(), n.to_string().as_bytes());
        }
    });
    within("all of them", futures_util::future::join_all(many)).await;
    let clients: String = redis.query(redis::cmd("CLIENT").arg("LIST")).await;
    assert!(clients.lines().filter(|line| line.contains("cmd=get")).count() <= 4, "{clients}");
}
