//! The subscription says what is wrong with Redis, comes back by itself, and never hides a gap.

use crate::support::{
    faults::{Fault, FaultProxy},
    redis::Redis,
    subscriber::{Subscriber, hurried, local, logged_in, single},
    until, within,
};
use notify_push::{
    client::{
        SourceEvent,
        redis::{RedisAddress, RedisTimeouts},
    },
    lifecycle::TaskGroup,
};
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

#[tokio::test]
async fn absent_at_the_start_it_is_waited_for_and_the_wait_is_a_gap() {
    let mut redis = Redis::start().await;
    redis.kill();
    let mut subscriber = Subscriber::start(single(local(redis.port())));
    let why = subscriber.away().await;
    assert!(why.contains("can't be reached (Connection refused"), "{why}");
    redis.restart().await;
    subscriber.has_a_gap().await;
    redis.publish("notify_custom", "back").await;
    subscriber.hears("notify_custom", "back").await;
}

#[tokio::test]
async fn a_restart_is_one_gap_and_no_more() {
    let mut redis = Redis::start().await;
    let mut subscriber = Subscriber::start(single(local(redis.port())));
    subscriber.connected().await;
    redis.restart().await;
    subscriber.has_a_gap().await;
    subscriber.connected().await;
    redis.publish("notify_custom", "back").await;
    subscriber.hears("notify_custom", "back").await;
}

#[tokio::test]
async fn a_frozen_redis_is_noticed_by_ping_and_its_return_is_a_gap() {
    let redis = Redis::start().await;
    let mut subscriber = Subscriber::start(single(local(redis.port())));
    subscriber.connected().await;
    redis.pause();
    let why = subscriber.away().await;
    assert!(why.contains("does not answer (a ping took longer"), "{why}");
    redis.resume();
    subscriber.has_a_gap().await;
    redis.publish("notify_custom", "back").await;
    subscriber.hears("notify_custom", "back").await;
}

#[tokio::test]
async fn a_quiet_redis_that_answers_pings_is_kept() {
    let redis = Redis::start().await;
    let pace = RedisTimeouts {
        silence: Duration::from_millis(5),
        answer: Duration::from_secs(20),
        ..hurried()
    };
    let mut subscriber = Subscriber::start_with(single(local(redis.port())), 8, pace);
    subscriber.connected().await;
    until("a hundred pings", async || {
        let stats: String = redis.query(redis::cmd("INFO").arg("commandstats")).await;
        let pings = stats.lines().find_map(|line| line.strip_prefix("cmdstat_ping:calls="))?;
        (pings.split(',').next()?.parse::<u64>().ok()? > 100).then_some(())
    })
    .await;
    redis.publish("notify_custom", "still here").await;
    subscriber.hears("notify_custom", "still here").await;
}

#[tokio::test]
async fn a_killed_connection_is_a_gap() {
    let redis = Redis::start().await;
    let mut subscriber = Subscriber::start(single(local(redis.port())));
    subscriber.connected().await;
    redis.query::<usize>(redis::cmd("CLIENT").arg("KILL").arg("TYPE").arg("pubsub")).await;
    subscriber.has_a_gap().await;
}

#[tokio::test]
async fn of_large_messages_one_at_a_time_waits_for_the_pipeline() {
    let redis = Redis::start().await;
    let mut subscriber = Subscriber::start_with(single(local(redis.port())), 8, hurried());
    subscriber.connected().await;
    redis.publish("notify_custom", "small").await;
    for _ in 0..3 {
        redis.publish("notify_custom", vec![b'x'; 100_000]).await;
    }
    // There would be room for all four.
    until("the first has come", async || (subscriber.arriving.len() == 1).then_some(())).await;
    subscriber.hears("notify_custom", "small").await;
    for _ in 0..3 {
        until("one more", async || (subscriber.arriving.len() == 1).then_some(())).await;
        assert_eq!(subscriber.next().await.unwrap().1.len(), 100_000);
    }
}

#[tokio::test]
async fn a_slow_reader_that_redis_drops_reports_a_gap() {
    let limit = ["--client-output-buffer-limit", "pubsub", "1mb", "1mb", "1"];
    let redis = Redis::start_with(&limit).await;
    let mut subscriber = Subscriber::start_with(single(local(redis.port())), 1, hurried());
    subscriber.connected().await;
    let payload = vec![b'x'; 1 << 20];
    let mut sent = 0;
    while redis.publish("notify_custom", &payload).await > 0 {
        sent += 1;
        assert!(sent < 500, "Redis never dropped us");
    }
    while subscriber.next().await.is_some() {}
}

#[tokio::test]
async fn waiting_for_a_slow_pipeline_is_not_taken_for_a_dead_redis() {
    let redis = Redis::start().await;
    let mut subscriber = Subscriber::start_with(single(local(redis.port())), 1, hurried());
    subscriber.connected().await;
    for n in 0..100 {
        redis.publish("notify_custom", n.to_string()).await;
    }
    let silent_for = hurried().silence + hurried().answer;
    assert!(
        tokio::time::timeout(silent_for * 2, subscriber.state.changed()).await.is_err(),
        "went away while the queue was full"
    );
    for n in 0..100 {
        subscriber.hears("notify_custom", &n.to_string()).await;
    }
}

/// Suffers a fault on the way to Redis, then recovers by itself.
async fn suffers(fault: Fault, told: &[&str]) {
    let redis = Redis::start().await;
    let proxy = FaultProxy::to(format!("127.0.0.1:{}", redis.port())).await;
    let mut subscriber = Subscriber::start(single(local(proxy.port())));
    subscriber.connected().await;
    proxy.set(fault);
    // Redis may be busy talking, and what it says is cut anywhere.
    redis.publish("notify_custom", vec![b'x'; 100_000]).await;
    let why = subscriber.away().await;
    assert!(told.iter().any(|told| why.contains(told)), "{fault:?}: {why}");
    proxy.set(Fault::None);
    while subscriber.next().await.is_some() {}
    redis.publish("notify_custom", "back").await;
    subscriber.hears("notify_custom", "back").await;
}

#[tokio::test]
async fn a_connection_cut_or_reset_is_made_again() {
    suffers(Fault::Cut, &["closed the connection"]).await;
    suffers(Fault::Reset, &["closed the connection"]).await;
}

#[tokio::test]
async fn a_connection_that_swallows_everything_is_noticed() {
    suffers(Fault::HalfOpen, &["does not answer"]).await;
    suffers(Fault::Stall, &["does not answer"]).await;
}

#[tokio::test]
async fn a_connection_that_turns_into_garbage_is_left() {
    suffers(Fault::Garbage, &["does not speak the Redis protocol", "does not answer"]).await;
}

#[tokio::test]
async fn a_slow_connection_is_no_fault() {
    let redis = Redis::start().await;
    let proxy = FaultProxy::to(format!("127.0.0.1:{}", redis.port())).await;
    let mut subscriber = Subscriber::start(single(local(proxy.port())));
    subscriber.connected().await;
    proxy.set(Fault::Slow(1024));
    let large = "x".repeat(200_000);
    redis.publish("notify_custom", &large).await;
    subscriber.hears("notify_custom", &large).await;
    assert!(subscriber.state.borrow().is_up());
}

#[tokio::test]
async fn a_wrong_password_is_reported_without_the_password_and_tried_again() {
    let redis = Redis::start_with(&["--requirepass", "another"]).await;
    let settings = logged_in(None, "my-secret-password", single(local(redis.port())));
    let mut subscriber = Subscriber::start(settings);
    let why = subscriber.away().await;
    assert!(why.contains("refuses the login (WRONGPASS"), "{why}");
    assert!(!why.contains("my-secret"), "{why}");
    let mut correct = redis::cmd("CONFIG");
    redis.query::<()>(correct.arg("SET").arg("requirepass").arg("my-secret-password")).await;
    subscriber.has_a_gap().await;
}

#[tokio::test]
async fn a_missing_password_is_named() {
    let redis = Redis::start_with(&["--requirepass", "another"]).await;
    let why = Subscriber::start(single(local(redis.port()))).away().await;
    assert!(why.contains("needs a password"), "{why}");
}

#[tokio::test]
async fn missing_rights_are_reported_with_the_rules_that_grant_them() {
    for (rights, missing) in [
        (["+ping", "&*"], "+subscribe +ping"),
        (["+subscribe", "&other_*"], "the channel pattern &notify_*"),
    ] {
        let user = [["--user", "meek", "on", ">pw"].as_slice(), &rights].concat();
        let redis = Redis::start_with(&user).await;
        let settings = logged_in(Some("meek"), "pw", single(local(redis.port())));
        let why = Subscriber::start(settings).away().await;
        assert!(why.contains("grant the Redis user") && why.contains(missing), "{why}");
    }
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_reported() {
    let nowhere = RedisAddress::Tcp("redis.invalid".into(), 6379);
    let why = Subscriber::start(single(nowhere)).away().await;
    assert!(why.contains("redis.invalid does not resolve") || why.contains("resolving"), "{why}");
}

/// A server that says something to everyone who connects, and reads on.
async fn speaking(words: &'static [u8]) -> RedisAddress {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let tasks = TaskGroup::default();
    tasks.clone().spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tasks.spawn(async move {
                let _ = stream.write_all(words).await;
                let _ = stream.read_to_end(&mut Vec::new()).await;
            });
        }
    });
    local(port)
}

#[tokio::test]
async fn a_server_that_is_not_redis_is_reported() {
    let web = speaking(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
    let why = Subscriber::start(single(web)).away().await;
    assert!(why.contains("does not speak the Redis protocol"), "{why}");
}

#[tokio::test]
async fn a_port_that_accepts_and_says_nothing_is_given_up() {
    let why = Subscriber::start(single(speaking(b"").await)).away().await;
    assert!(why.contains("does not answer"), "{why}");
}

#[tokio::test]
async fn a_full_redis_is_reported() {
    let full = speaking(b"-ERR max number of clients reached\r\n").await;
    let why = Subscriber::start(single(full)).away().await;
    assert!(why.contains("max number of clients reached"), "{why}");
}

#[tokio::test]
async fn the_queue_ends_on_cancellation() {
    let redis = Redis::start().await;
    let mut subscriber = Subscriber::start(single(local(redis.port())));
    subscriber.connected().await;
    subscriber.stop();
    let ended =
        async { while let Some(SourceEvent::Message(..)) = subscriber.arriving.recv().await {} };
    within("the end of the queue", ended).await;
}
