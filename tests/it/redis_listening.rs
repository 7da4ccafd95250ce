//! The subscription hears what is published, on every way that leads to a single Redis.

use crate::support::{
    redis::Redis,
    subscriber::{Subscriber, hurried, local, logged_in, single},
    within,
};
use notify_push::client::{
    SourceEvent,
    redis::{RedisAddress, RedisSettings},
};

async fn hears_everything(redis: &Redis, settings: RedisSettings) -> Subscriber {
    let mut subscriber = Subscriber::start(settings);
    subscriber.connected().await;
    redis.publish("notify_custom", "one").await;
    redis.publish("notify_else", "unasked").await;
    redis.publish("notify_storage_update", [0xff, 0x00]).await;
    subscriber.hears("notify_custom", "one").await;
    subscriber.hears("notify_storage_update", "\u{fffd}\0").await;
    subscriber
}

#[tokio::test]
async fn hears_over_tcp() {
    let redis = Redis::start().await;
    hears_everything(&redis, single(local(redis.port()))).await;
}

#[tokio::test]
async fn hears_by_host_name() {
    let redis = Redis::start().await;
    hears_everything(&redis, single(RedisAddress::Tcp("localhost".into(), redis.port()))).await;
}

#[tokio::test]
async fn hears_over_a_unix_socket() {
    let redis = Redis::start().await;
    hears_everything(&redis, single(RedisAddress::Unix(redis.socket()))).await;
}

#[tokio::test]
async fn hears_with_a_password() {
    let password = r#"p@:/?#[]{}%$'"\ word"#;
    let redis = Redis::start().await;
    let mut change = redis::cmd("ACL");
    change.arg("SETUSER").arg("default").arg("resetpass").arg(format!(">{password}"));
    redis.query::<()>(&change).await;
    hears_everything(&redis, logged_in(None, password, single(local(redis.port())))).await;
}

#[tokio::test]
async fn hears_whatever_the_database_index() {
    let redis = Redis::start().await;
    hears_everything(&redis, RedisSettings { database: 3, ..single(local(redis.port())) }).await;
}

#[tokio::test]
async fn a_hundred_thousand_messages_arrive_in_order_through_a_short_queue() {
    const COUNT: usize = 100_000;
    let redis = Redis::start().await;
    let mut subscriber = Subscriber::start_with(single(local(redis.port())), 16, hurried());
    subscriber.connected().await;
    let publishing = async {
        for thousand in 0..COUNT / 1000 {
            let mut pipe = redis::pipe();
            for n in 0..1000 {
                pipe.cmd("PUBLISH").arg("notify_custom").arg(thousand * 1000 + n).ignore();
            }
            redis.pipe(&pipe).await;
        }
    };
    let hearing = async {
        for n in 0..COUNT {
            let Some(SourceEvent::Message(message, _)) = subscriber.arriving.recv().await else {
                panic!("lost before {n}");
            };
            assert_eq!(message.payload, n.to_string().as_bytes());
        }
    };
    within("all messages", async { tokio::join!(publishing, hearing) }).await;
}

#[tokio::test]
async fn garbage_and_a_megabyte_of_it_are_messages_like_others() {
    let redis = Redis::start().await;
    let mut subscriber = Subscriber::start(single(local(redis.port())));
    subscriber.connected().await;
    let large = "\r\n$*".repeat(1 << 18);
    redis.publish("notify_custom", &large).await;
    redis.publish("notify_custom", "").await;
    subscriber.hears("notify_custom", &large).await;
    subscriber.hears("notify_custom", "").await;
}

#[tokio::test]
async fn a_monstrous_message_is_a_gap_and_the_next_one_is_heard() {
    let redis = Redis::start().await;
    let mut subscriber = Subscriber::start(single(local(redis.port())));
    subscriber.connected().await;
    redis.publish("notify_custom", vec![b'x'; 16 << 20]).await;
    let why = subscriber.away().await;
    assert!(why.contains("a message of more than 4 MiB"), "{why}");
    subscriber.has_a_gap().await;
    redis.publish("notify_custom", "after").await;
    subscriber.hears("notify_custom", "after").await;
}
